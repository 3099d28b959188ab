"""The worker process: connects to the proxy's link and runs what comes over it.

``python -m redgrease.engine.worker --link PATH --redis URL`` is how the server starts it;
:func:`run_worker` does the same within a thread of another process, for debugging.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis

from .access import InstallPolicy
from .context import check
from .core import Engine
from .crew import Crew
from .eager import EagerSocket
from .errors import GearsError
from .garbage import settle_memory
from .memory import MemoryLimit, parse_size
from .orphan import clean_up
from .watch import Watch

_log = logging.getLogger("redgrease.engine")
_CHUNK = 1 << 16


@dataclass
class WorkerOptions:
    """What a worker needs to know.

    Attributes:
        link: Path of the proxy's link socket.
        redis: URL of Redis.
        dir: The server's folder.
        config: The configuration at the start.
        version: The version of the module that is emulated.
        own_process: Whether the process is the worker's own.
        requirements: What may be installed: ``on``, ``off`` or ``allow:FILE``.
        max_function_memory: How much memory functions may use, such as ``512mb``.
    """

    link: str
    redis: str
    dir: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    version: str = "10213"
    own_process: bool = False
    requirements: str = "on"
    max_function_memory: str | None = None


class Link:
    """The worker's end of the link.

    Frames are arrays of bulk strings both ways: the proxy sends CALL, GONE and HELD, the worker
    READY, REPLY, HOLD and RELEASE.

    Args:
        connection: The connected socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self._holds = itertools.count(1)
        self._held: dict[bytes, threading.Event] = {}
        self.closed = threading.Event()

    def send(self, *words: bytes | str) -> None:
        """Send a frame; says nothing if the proxy is gone, for then the worker ends anyway."""
        frame = hiredis.pack_command(tuple(words))
        try:
            with self._sending:
                self._socket.sendall(frame)
        except OSError:
            self.closed.set()

    def hold(self) -> str:
        """Have the proxy keep its clients' commands back; returns when it does.

        Raises:
            GearsError: The proxy is gone.
        """
        token = str(next(self._holds))
        held = self._held[token.encode()] = threading.Event()
        try:
            self.send("HOLD", token)
            while not held.wait(0.05):
                check()
                if self.closed.is_set():
                    raise GearsError("the server is shutting down")
        except BaseException:
            self.release(token)
            raise
        finally:
            self._held.pop(token.encode(), None)
        return token

    def release(self, token: str) -> None:
        """Have it go on with them."""
        self.send("RELEASE", token)

    def watch(self, watch: Watch) -> None:
        """Say which commands concern registrations."""
        self.send("WATCH", watch.to_json())

    def ask_turn(self) -> None:
        """Ask for a section of the worker's own."""
        self.send("EVENTS")

    def done(self, ident: str, how: str, data: bytes = b"") -> None:
        """End a section: ``""`` lets the command's reply go, ``"="`` sends another, ``"~"`` keeps
        it back until this is called again."""
        self.send("DONE", ident, how, data)

    def serve(self, engine: Engine, ended: Callable[[], None]) -> None:
        """Begin to read frames and to act on them.

        Args:
            engine: What acts.
            ended: Called when the proxy has closed the link.
        """
        reader, eager = hiredis.Reader(), EagerSocket(self._socket)

        def read(on: Callable[[], bool]) -> bool:
            try:
                while on():
                    frame = reader.gets()
                    if frame is not False:
                        self._act(engine, frame)
                        continue
                    chunk = eager.receive(_CHUNK)
                    if not chunk:
                        return False
                    reader.feed(chunk)
            except (OSError, hiredis.ProtocolError):
                return False
            return True

        def closed() -> None:
            self.closed.set()
            ended()

        engine.crew = Crew(read, closed, "redgrease-link")
        engine.crew.start()

    def _act(self, engine: Engine, frame: list[bytes]) -> None:
        kind = frame[0]
        if kind == b"CALL":
            ident, flags, words = frame[1], frame[3], frame[4:]
            release = (lambda: self.done(ident.decode(), "~")) if b"s" in flags else None
            try:
                engine.dispatcher.call(
                    words,
                    lambda reply: self.send("REPLY", ident, reply),
                    resp3=b"3" in flags,
                    multi=b"m" in flags,
                    release=release,
                )
            except Exception as error:
                _log.exception("%r failed", words[0])
                text = f"-ERR the Gears worker failed: {type(error).__name__}\r\n"
                self.send("REPLY", ident, text)
        elif kind == b"SYNC":
            engine.sync(frame[1].decode(), frame[3].decode(), int(frame[4]), frame[5:])
        elif kind == b"HOOK":
            ident, flags, words = frame[1], frame[3], frame[4:]
            release = (lambda: self.done(ident.decode(), "~")) if b"s" in flags else None
            engine.dispatcher.hook(
                words,
                lambda reply: self.send("REPLY", ident, reply),
                resp3=b"3" in flags,
                multi=b"m" in flags,
                release=release,
            )
        elif kind == b"HELD":
            held = self._held.get(frame[1])
            if held is not None:
                held.set()
        # GONE: replies to a client that has left are dropped by the proxy.

    def close(self) -> None:
        """Close the socket; ends :meth:`serve`."""
        self.closed.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()


def run_worker(options: Any, connection: socket.socket | None = None) -> None:
    """Run a worker in the current thread until the proxy closes the link.

    Args:
        options: A :class:`WorkerOptions`, or anything with its attributes.
        connection: The link, if it is connected already.

    Raises:
        OSError: The link cannot be connected.
    """
    if connection is None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(options.link)
    link = Link(connection)
    own_process = bool(getattr(options, "own_process", False))
    server = os.getppid()

    def give_up(reason: str) -> None:
        # The proxy starts another one.
        _log.warning("%s: the worker is restarted", reason)
        link.send("DYING", reason)
        _exit(70)

    engine = Engine(
        options.redis,
        getattr(options, "dir", None),
        getattr(options, "config", None),
        link,
        own_process,
        give_up,
    )
    engine.requirements.policy = InstallPolicy.parse(getattr(options, "requirements", "on"))
    engine.install()

    def ended() -> None:
        if own_process:
            # The proxy is gone: whatever a script still does, nobody waits for it.
            clean_up(server, options.link, options.redis)
            _exit(0)
        engine.scripts.close()

    try:
        if own_process:
            settle_memory()
        link.serve(engine, ended)
        engine.start()
        limit = parse_size(getattr(options, "max_function_memory", None))
        if limit is not None and own_process:
            MemoryLimit(limit, give_up).begin()
        link.send("READY")
        engine.scripts.serve()
    finally:
        link.close()
        engine.uninstall()


def _mark(record: logging.LogRecord) -> bool:
    """Show the level as Redis does."""
    record.mark = "#" if record.levelno >= logging.WARNING else "*" if record.levelno > 10 else "."
    return True


def _exit(status: int) -> None:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker process.

    Args:
        arguments: The command line, without the program.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m redgrease.engine.worker")
    parser.add_argument("--link", required=True, help="path of the proxy's socket")
    # Functions, and what they start, need not see them.
    url = os.environ.pop("REDGREASE_WORKER_REDIS", None)
    config = os.environ.pop("REDGREASE_WORKER_CONFIG", "{}")
    parser.add_argument("--redis", default=url, required=url is None, help="URL of Redis")
    parser.add_argument("--dir", help="folder of the server")
    parser.add_argument("--config", type=json.loads, default=config, help="configuration, as JSON")
    parser.add_argument("--requirements", default="on", help="on, off or allow:FILE")
    parser.add_argument("--max-function-memory", help="such as 512mb")
    parser.add_argument("--version", default="10213", help="module version to emulate")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends us
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(process)d:W %(asctime)s.%(msecs)03d %(mark)s %(message)s",
        datefmt="%d %b %Y %H:%M:%S",
    )
    logging.getLogger().handlers[0].addFilter(_mark)
    # print() in functions goes to the server's log, line by line.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    sys.setswitchinterval(0.001)  # commands are answered soon, also beside a busy function
    run_worker(WorkerOptions(**vars(options), own_process=True))
    return 0


if __name__ == "__main__":
    # Under its real name: as "__main__" the module would exist twice.
    from redgrease.engine.worker import main as real_main

    sys.exit(real_main())
