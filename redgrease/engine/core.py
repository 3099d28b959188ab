"""The engine: all rooms of the worker, put together."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from .context import Context, Shield, check, current
from .crew import Crew
from .dispatch import Dispatcher
from .events import Events
from .executions import Execution, Executions, Plan
from .futures import Futures, RunFuture
from .keyspace import Keyspace
from .native import Native, redis_ai_stub
from .pool import Pool
from .profiles import Profiles
from .readers import Reader
from .registry import Registrations
from .requirements import Requirements
from .scheduler import Scheduler, Ticket
from .script import Background, Scripts, Session, Sessions
from .serial import Serial
from .settings import MAX_TIME, Settings
from .shard import Shard
from .steps import Step
from .store import Store
from .stream_group import InFlight
from .timers import Timers
from .watch import Watch

MODULES = ("redisgears", "redisAI")
STORE_FILE = "redgrease.db"


class ProxyLink(Protocol):
    """What the proxy does for the engine."""

    def hold(self) -> str:
        """Keep all clients back; returns a token when it does."""

    def release(self, token: str) -> None:
        """Let them go."""

    def watch(self, watch: Watch) -> None:
        """Say which commands concern registrations."""

    def ask_turn(self) -> None:
        """Ask for a call of :meth:`Engine.sync` in which nothing else happens."""

    def done(self, ident: str, how: str, data: bytes = b"") -> None:
        """Answer such a call: ``""``, ``"="`` with another reply, or ``"~"`` for later."""


class Engine:
    """Runs scripts and functions against one Redis.

    Args:
        redis: URL of Redis.
        directory: The server's folder; a temporary one if not given.
        config: The configuration at the start.
        link: The way to the proxy; without one there are no clients to be held back.
        own_process: Whether the process is the engine's own, so that it may be changed (sleeps
            that can be interrupted, names in ``__main__``) and ended.
        give_up: Ends the process, for the reason that is given, such as a function that has
            resisted an abort.
    """

    def __init__(
        self,
        redis: str,
        directory: str | None = None,
        config: Mapping[str, Any] | None = None,
        link: ProxyLink | None = None,
        own_process: bool = False,
        give_up: Callable[[str], None] | None = None,
    ) -> None:
        self.own_process = own_process
        self._give_up = give_up
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="redgrease-")
        self.directory = directory or str(self._temporary and self._temporary.name)
        self.settings = Settings(config)
        self.link = link
        self.keyspace = Keyspace(redis, link.hold if link else None, link.release if link else None)
        self.shard = Shard(self.keyspace, self.settings)
        self.main = Serial("redgrease-main")
        self.store = Store(os.path.join(self.directory, STORE_FILE))
        self.crew: Crew | None = None
        """The threads that read the link."""
        self.pool = Pool(max(1, self.settings["ExecutionThreads"]))
        self.executions = Executions(self)
        self.futures = Futures(self)
        self.events = Events(self)
        self.registrations = Registrations(self)
        self.requirements = Requirements(self.directory)
        self.timers = Timers(self)
        self.scheduler = Scheduler()
        self.in_flight = InFlight()
        self.sessions = Sessions(self)
        self.profiles = Profiles(self.sessions)
        self.scripts = Scripts(self)
        self.dispatcher = Dispatcher(self)
        self._numbers = itertools.count(self.store.next_number())
        native = Native(self)
        self.module, self._redis_ai = native.module(), redis_ai_stub()
        self.script_names = native.script_globals(self.module, self._redis_ai)
        self.scripts.set_globals(self.script_names)
        self._before: dict[str, Any] = {}
        self._sleep = time.sleep

    # -- the process ----------------------------------------------------------------------------

    def install(self) -> None:
        """Make the runtime modules importable; in a process of its own, more than that."""
        self._before = {name: sys.modules.get(name) for name in MODULES}
        sys.modules["redisgears"] = self.module
        sys.modules["redisAI"] = self._redis_ai
        if os.path.isdir(self.requirements.path) and self.requirements.path not in sys.path:
            sys.path.insert(0, self.requirements.path)
        if self.own_process:
            time.sleep = self._interruptible_sleep
            main = vars(sys.modules["__main__"])
            for name, value in self.script_names.items():
                main.setdefault(name, value)

    def start(self) -> None:
        """Let the registrations act that were kept from the last time."""
        self.shard.look()
        self._numbers = itertools.count(max(next(self._numbers), self.shard.first_number()))
        self.registrations.load()
        self.timers.load()

    def uninstall(self) -> None:
        """Undo :meth:`install` and end the threads."""
        for name, module in self._before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
        if self.own_process:
            time.sleep = self._sleep
        self.timers.close()
        self.scheduler.close()
        self.registrations.close()
        self.requirements.close()
        self.events.close()
        self.main.close()
        self.pool.close()
        self.futures.close()
        self.store.close()
        self.keyspace.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _interruptible_sleep(self, seconds: Any) -> None:
        """``time.sleep``, which an abort can end; Python's own goes on sleeping."""
        context = current()
        if context is None or context.execution is None or context.coroutine:
            self._sleep(seconds)
            return
        if not isinstance(seconds, (int, float)) or not seconds > 0:
            self._sleep(seconds)  # complains as it should, or gives way
            return
        nap = context.execution.nap
        if nap.acquire(True, min(seconds, threading.TIMEOUT_MAX)):
            check()

    def in_server(self) -> bool:
        """Whether the caller is a script or function, rather than the code that hosts a worker."""
        return self.own_process or current() is not None

    def expire(self, execution: Execution, reason: str) -> None:
        """An execution has taken all its time: it is aborted, with that as its error."""
        execution.reason = reason

        def abort() -> None:
            if not execution.abort():
                self.resisted(execution, lambda: None)

        Background.run(abort, "limit")

    def resisted(self, execution: Execution, answer: Callable[[], None]) -> None:
        """A function would not be stopped: answer for it, and get rid of its thread."""
        execution.abandon()
        answer()
        if self.own_process and self._give_up is not None:
            self._give_up("a function resisted its abort for too long")
        else:
            self.pool.lose_thread(execution.thread)

    def sync(self, ident: str, flags: str, mark: int, words: list[bytes]) -> None:
        """The proxy keeps everybody back until it gets an answer, see :meth:`Events.on_sync`."""
        self.events.on_sync(ident, flags, words, mark)

    # -- functions ------------------------------------------------------------------------------

    def run_here(self, job: Callable[[], None]) -> bool:
        """Have the thread that reads the link run a job when it has read a call.

        Returns:
            Whether it will; other threads will not.
        """
        return self.crew is not None and self.crew.take(job)

    def take_registration_number(self) -> int:
        """The next number of registration IDs; every builder takes one."""
        return next(self._numbers)

    def plan(self, session: Session, reader: Reader, steps: tuple[Step, ...]) -> Plan:
        """Make a plan of what a builder has collected."""
        return Plan(session, reader, steps)

    def run_inside(self, context: Context, reader: Reader, steps: tuple[Step, ...]) -> RunFuture:
        """Start a run within a function."""
        result: Future[Any] = Future()

        def ended(done: Execution) -> None:
            self.executions.drop(done.id)
            result.set_result([list(done.results), list(done.errors)])

        with Shield():
            execution = self.executions.create(self.plan(context.session, reader, steps))
            execution.when_done(ended)
            self.pool.submit(execution.run)
        return RunFuture(result)

    def limited(self, what: str) -> Ticket | None:
        """Begin to count the time that a script's body may take, if that is limited.

        It cannot be stopped, but for the worker's end.
        """
        limit = self.settings[MAX_TIME]
        if limit <= 0 or not self.own_process or self._give_up is None:
            return None
        reason = f"{what} took longer than {limit} ms ({MAX_TIME})"
        give_up = self._give_up
        return self.scheduler.later(limit / 1000, lambda: give_up(reason))

    def loop_name(self) -> Any:
        """What scripts find under the name ``loop``."""
        return _LazyLoop(self.futures)


class _LazyLoop:
    """The event loop, which starts when something is asked of it."""

    def __init__(self, futures: Futures) -> None:
        self._futures = futures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._futures.loop, name)
