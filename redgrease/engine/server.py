"""A Gears server, started and stopped from Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .access import InstallPolicy, check_open, check_password, tls_context
from .memory import parse_size
from .supervisor import ServerOptions

if TYPE_CHECKING:
    from redgrease.client import RedisGears


class ServerStartError(RuntimeError):
    """The server ended instead of starting."""


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


class GearsServer:
    """An embedded Gears server: Redis with the ``RG.*`` commands.

    ::

        with GearsServer() as server:
            r = server.client()

    Args:
        host: The address to listen on.
        port: The port; 0 for any that is free.
        redis: URL of a Redis that runs already (``redis://``, ``rediss://`` or ``unix://``); by
            default the server starts one of its own.
        dir: Where data is kept; by default nothing is kept.
        worker: ``"process"``, functions run in a process of their own; ``"thread"``, they run in
            a thread of this one, so that breakpoints, prints and coverage work in them.
        config: The Gears configuration at the start, such as ``{"MaxExecutions": 10}``.
        redis_server: Where the program redis-server is.
        redis_args: More of its command line.
        password: What clients must give with AUTH, if the server starts its own Redis.
        unprotected: Whether to listen on an address that others can reach without a password.
        tls_cert: File with the certificate with which clients are spoken to (PEM).
        tls_key: File with its private key; by default that of the certificate.
        tls_ca: File with the authorities for clients' certificates, which clients must show then.
        requirements: What functions may have installed: ``"on"``, ``"off"`` or ``"allow:FILE"``.
        max_function_memory: How much memory functions may use, such as ``"512mb"``; on Linux, and
            not with ``worker="thread"``.

    Raises:
        ValueError: ``worker`` is neither of the two, or a setting of access is wrong.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        redis: str | None = None,
        dir: str | os.PathLike[str] | None = None,
        worker: str = "process",
        config: Mapping[str, Any] | None = None,
        redis_server: str | os.PathLike[str] | None = None,
        redis_args: Sequence[str] = (),
        password: str | None = None,
        unprotected: bool = False,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        tls_ca: str | os.PathLike[str] | None = None,
        requirements: str = "on",
        max_function_memory: str | int | None = None,
    ) -> None:
        check_password(password, redis)
        if redis is None:
            check_open(host, bool(password or unprotected))
        tls_context(*(_path(each) for each in (tls_cert, tls_key, tls_ca)))
        InstallPolicy.parse(requirements)
        memory = parse_size(max_function_memory)
        if memory is not None and worker == "thread":
            raise ValueError("memory can be limited for functions in a process of their own only")
        if worker not in ("process", "thread"):
            raise ValueError(f"worker is 'process' or 'thread', not {worker!r}")
        self._options = ServerOptions(
            host=host,
            port=port,
            redis=redis,
            redis_server=_path(redis_server),
            redis_args=list(redis_args),
            dir=_path(dir),
            password=password,
            unprotected=unprotected,
            tls_cert=_path(tls_cert),
            tls_key=_path(tls_key),
            tls_ca=_path(tls_ca),
            requirements=requirements,
            max_function_memory=None if memory is None else str(memory),
            config=dict(config or {}),
            worker="external" if worker == "thread" else "process",
        )
        self.host = host
        self.port = port
        self.redis_url = redis or ""
        self.worker_pid: int | None = None
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._log: Any = None

    def start(self) -> GearsServer:
        """Start the server; returns when it answers.

        Raises:
            ServerStartError: It has ended instead; the error shows its log.
        """
        if self._process is not None:
            return self
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "redgrease.engine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(self._options.to_json() + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            log = self.log
            self.stop()
            raise ServerStartError(f"the Gears server did not start:\n{log}")
        ready = json.loads(line)
        self.port, self.redis_url = ready["port"], ready["redis_url"]
        self.worker_pid = ready["worker_pid"]
        if self._options.worker == "external":
            self._start_thread(ready["link"])
        return self

    def _start_thread(self, link: str) -> None:
        from .worker import WorkerOptions, run_worker

        given = self._options
        options = WorkerOptions(
            link, self.redis_url, given.dir, given.config, requirements=given.requirements
        )
        self._thread = threading.Thread(
            target=run_worker, args=(options,), name="redgrease-worker", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop the server, and everything that it has started."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> GearsServer:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What the server, its Redis and its worker have logged so far."""
        if self._log is None:
            return ""
        # The processes share the file's position, which must stay where they write.
        number = self._log.fileno()
        return os.pread(number, os.fstat(number).st_size, 0).decode("utf-8", "replace")

    @property
    def pid(self) -> int | None:
        """The process id of the server; None if it does not run."""
        return self._process.pid if self._process is not None else None

    @property
    def url(self) -> str:
        """The server's address."""
        password = self._options.password
        login = f":{quote(password, safe='')}@" if password else ""
        scheme = "redis" if self._options.tls_cert is None else "rediss"
        return f"{scheme}://{login}{self.host}:{self.port}"

    def client(self, **kwargs: Any) -> RedisGears:
        """A client of the server.

        Args:
            kwargs: As for ``redgrease.RedisGears``.
        """
        from redgrease.client import RedisGears

        options: dict[str, Any] = {"host": self.host, "port": self.port}
        if self._options.password:
            options["password"] = self._options.password
        if self._options.tls_cert is not None:
            options["ssl"] = True
        return RedisGears(**dict(options, **kwargs))
