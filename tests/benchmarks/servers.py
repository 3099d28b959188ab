"""The servers that are measured: a Redis with a port and a socket, and a Gears server before it."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from redgrease.engine import GearsServer
from redgrease.engine.redis_server import find_redis

from ..support.ports import free_port


@dataclass
class Servers:
    """Both of them.

    Attributes:
        gears_port: The port of the Gears server.
        redis_port: The port of Redis itself.
        socket: The socket of Redis, on which the Gears server talks to it.
        server: The Gears server.
    """

    gears_port: int
    redis_port: int
    socket: str
    server: GearsServer

    def gears(self, **options: Any) -> redis.Redis:
        """A client of the Gears server."""
        return redis.Redis(port=self.gears_port, **options)

    def direct(self) -> redis.Redis:
        """A client of Redis, as near to it as the Gears server is."""
        return redis.Redis(unix_socket_path=self.socket)


@contextlib.contextmanager
def started() -> Iterator[Servers]:
    """Start both."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redgrease-bench-") as folder:
        path = str(Path(folder, "redis"))
        options = ["--port", str(port), "--unixsocket", path, "--save", "", "--dir", folder]
        process = subprocess.Popen([find_redis(), *options], stdout=subprocess.DEVNULL)
        try:
            until_up(redis.Redis(unix_socket_path=path))
            with GearsServer(redis=f"unix://{path}", dir=folder) as server:
                yield Servers(server.port, port, path, server)
        finally:
            process.terminate()
            process.wait()


def until_up(client: redis.Redis) -> None:
    """Wait until Redis answers."""
    deadline = time.monotonic() + 10
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
