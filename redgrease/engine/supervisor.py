"""The server process: starts Redis, the proxy and the worker, and ends them together."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from .access import (
    AccessError,
    InstallPolicy,
    check_open,
    check_password,
    is_loopback,
    tls_context,
)
from .connection import Address, Connection, Disconnected, ErrorReply
from .folder import Folder
from .garbage import settle_memory
from .memory import parse_size
from .proxy import Proxy
from .redis_server import RedisServer

_log = logging.getLogger("redgrease.engine")

MIN_DELAY, MAX_DELAY = 0.05, 5.0
"""Seconds before a dead worker is started again, at first and at most."""
MOST_FILES = 1 << 16
"""How many files the server may have open, if the system lets it: two for each client."""


@dataclass
class ServerOptions:
    """What a server needs to know.

    Attributes:
        host: The address to listen on.
        port: The port; 0 for any that is free.
        redis: URL of a Redis that runs already; None for one of our own.
        redis_server: Where the program redis-server is.
        redis_args: More of its command line.
        dir: Where data is kept; None keeps nothing.
        password: What clients must give with AUTH, for a Redis of our own.
        config: The Gears configuration at the start.
        worker: ``"process"``, or ``"external"`` for one that connects by itself.
        unprotected: Whether to listen on any address without a password.
        tls_cert: File with the certificate with which clients are spoken to; None speaks no TLS.
        tls_key: File with its private key; by default that of the certificate.
        tls_ca: File with the authorities for clients' certificates, which clients must show then.
        requirements: What functions may have installed: ``on``, ``off`` or ``allow:FILE``.
        max_function_memory: How much memory functions may use, such as ``512mb``; None is no limit.
        log_level: The level of the log.
    """

    host: str = "127.0.0.1"
    port: int = 0
    redis: str | None = field(default=None, repr=False)
    redis_server: str | None = None
    redis_args: list[str] = field(default_factory=list)
    dir: str | None = None
    password: str | None = field(default=None, repr=False)
    config: dict[str, Any] = field(default_factory=dict)
    worker: str = "process"
    unprotected: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_ca: str | None = None
    requirements: str = "on"
    max_function_memory: str | None = None
    log_level: str = "info"

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServerOptions:
        """The reverse of :meth:`to_json`."""
        return cls(**json.loads(text))


def with_password(url: str, password: str | None) -> str:
    """A URL with a password in it."""
    if not password:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f":{quote(password, safe='')}@{parts.netloc}"))


class Supervisor:
    """Runs the parts of a server.

    Args:
        options: What to run.
    """

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        self.runtime = tempfile.mkdtemp(prefix="redgrease-")  # made with mode 0700
        self.link_path = str(Path(self.runtime) / "link")
        self.local_path = str(Path(self.runtime) / "local")
        self.redis: RedisServer | None = None
        self.proxy: Proxy | None = None
        self.redis_url = options.redis or ""
        self._worker: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._redis_keeper: asyncio.Task[None] | None = None
        self._folder: Folder | None = None  # beside a Redis of others; our own looks after it
        self._stopping = False
        self._worked = False  # the worker has been ready at least once

    async def start(self) -> None:
        """Start everything; returns when commands are answered.

        Raises:
            AccessError: Anybody could run code, or a setting of access is wrong.
            OSError: The address cannot be listened on.
            RuntimeError: There is no Redis, or it does not start.
        """
        options = self.options
        check_password(options.password, options.redis)
        if options.redis is None:
            check_open(options.host, bool(options.password or options.unprotected))
        tls = tls_context(options.tls_cert, options.tls_key, options.tls_ca)
        InstallPolicy.parse(options.requirements)
        parse_size(options.max_function_memory)
        if options.dir:
            Path(options.dir).mkdir(parents=True, exist_ok=True)
        if options.redis is None:
            socket_path = str(Path(self.runtime) / "redis")
            self.redis = RedisServer(
                socket_path, options.dir, options.redis_server, options.password, options.redis_args
            )
            self.redis.start()
            self.redis_url = with_password(self.redis.url, options.password)
            self._redis_keeper = asyncio.get_running_loop().create_task(self._keep_redis())
        else:
            if options.dir:
                self._folder = Folder(options.dir)
                self._folder.claim()
            await asyncio.get_running_loop().run_in_executor(None, self._look_for_redis)
        places = (self.link_path, self.local_path)
        self.proxy = Proxy(self.redis_url, places, options.host, options.port, tls)
        await self.proxy.start()
        if options.worker == "process":
            self._keeper = asyncio.get_running_loop().create_task(self._keep_worker())
            await self._worker_ready()

    async def _keep_redis(self) -> None:
        """Start our own Redis again whenever it dies; clients and the worker connect anew."""
        assert self.redis is not None
        loop = asyncio.get_running_loop()
        delay = MIN_DELAY
        while True:
            if self._stopping:  # while it was started again
                return
            started = loop.time()
            status = await loop.run_in_executor(None, self.redis.wait)
            if self._stopping:
                return
            _log.warning("Redis has ended with status %s; starting it again", status)
            delay = MIN_DELAY if loop.time() - started > MAX_DELAY else min(2 * delay, MAX_DELAY)
            while not self._stopping:
                await asyncio.sleep(delay)
                try:
                    await loop.run_in_executor(None, self.redis.start)
                    break
                except (OSError, RuntimeError) as error:
                    _log.error("Redis did not start: %s", error)
                    delay = min(2 * delay, MAX_DELAY)

    def _look_for_redis(self) -> None:
        """See at once whether the Redis that was named is there, and whether anybody may use it.

        Raises:
            AccessError: Who comes without a password is let in, and comes from anywhere.
            RuntimeError: It cannot be reached, or refuses the credentials.
        """
        options = self.options
        try:
            connection = Connection(Address.parse(self.redis_url))
            answer = connection.call((b"PING",))
            connection.close()
            if not options.unprotected and not is_loopback(options.host):
                stranger = Connection(Address.parse(self.redis_url).without_login())
                check_open(options.host, stranger.asks_for_login())
                stranger.close()
        except AccessError:
            raise
        except (Disconnected, ValueError, OSError) as error:
            raise RuntimeError(str(error)) from None
        if isinstance(answer, ErrorReply) and not answer.startswith("LOADING"):
            raise RuntimeError(f"Redis says: {answer}")

    async def _worker_ready(self) -> None:
        assert self.proxy is not None and self._keeper is not None
        ready = asyncio.ensure_future(self.proxy.link.ready.wait())
        await asyncio.wait({ready, self._keeper}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            self._keeper.result()
        self._worked = True

    async def _keep_worker(self) -> None:
        """Start the worker, and start it again whenever it dies."""
        delay = MIN_DELAY
        loop = asyncio.get_running_loop()
        first = True
        while not self._stopping:
            started = loop.time()
            self._worker = await asyncio.create_subprocess_exec(
                *self._worker_command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=2,  # what functions print goes to the log
                start_new_session=True,
                # Unlike the command line, it is shown to nobody: there may be passwords in it.
                env=dict(
                    # Threads come and go, one at a time has the interpreter: a heap for each of
                    # them would only be memory that nobody gives back.
                    {"MALLOC_ARENA_MAX": "2"} | os.environ,
                    REDGREASE_WORKER_REDIS=self.redis_url,
                    REDGREASE_WORKER_CONFIG=json.dumps(self.options.config),
                ),
            )
            status = await self._worker.wait()
            if self._stopping:
                return
            if first and status > 0 and not self._worked:
                raise RuntimeError(f"the Gears worker ended with status {status} at its start")
            first = False
            _log.warning("the Gears worker has ended with status %s; starting it again", status)
            delay = MIN_DELAY if loop.time() - started > MAX_DELAY else min(2 * delay, MAX_DELAY)
            await asyncio.sleep(delay)

    def _worker_command(self) -> list[str]:
        command = [sys.executable, "-m", "redgrease.engine.worker"]
        command += ["--link", self.link_path, "--dir", self.options.dir or self.runtime]
        command += ["--requirements", self.options.requirements]
        if self.options.max_function_memory is not None:
            command += ["--max-function-memory", self.options.max_function_memory]
        return command

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id."""
        return self._worker.pid if self._worker is not None else None

    async def stop(self) -> None:
        """End everything."""
        self._stopping = True
        if self.proxy is not None:
            await self.proxy.stop()
        if self._worker is not None and self._worker.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._worker.kill()
            await self._worker.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError, RuntimeError):
                await self._keeper
        if self.redis is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self.redis.stop)
            if self._redis_keeper is not None:
                await self._redis_keeper
                await loop.run_in_executor(None, self.redis.stop)  # it may just have started it
        if self._folder is not None:
            self._folder.leave()
        shutil.rmtree(self.runtime, ignore_errors=True)


async def serve(
    options: ServerOptions, started: Callable[[Supervisor], Awaitable[int | None]]
) -> int:
    """Run a server until it is told to end.

    Args:
        options: What to run.
        started: Called when commands are answered; the server ends when it returns, with its
            result as the status.

    Returns:
        An exit status.
    """
    supervisor = Supervisor(options)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        await supervisor.start()
        work = asyncio.ensure_future(started(supervisor))
        told = asyncio.ensure_future(ended.wait())
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not work.done():
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            return 0
        return work.result() or 0
    finally:
        await supervisor.stop()


def allow_many_clients() -> None:
    """Raise the limit of open files as far as may be, as Redis does for itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(options: ServerOptions, started: Callable[[Supervisor], Awaitable[int | None]]) -> int:
    """The same, from a program; uses uvloop where it is installed."""
    logging.basicConfig(
        level=options.log_level.upper(),
        stream=sys.stderr,
        format=f"{os.getpid()}:P %(asctime)s # %(message)s",
    )
    runner: Any = asyncio.run
    try:
        import uvloop

        runner = uvloop.run
    except ImportError:
        pass
    settle_memory()
    allow_many_clients()
    return int(runner(serve(options, started)))
