"""Registrations: functions that wait for something, what all kinds of them share, and their list.

A script's registrations are checked one by one, as it makes them, and begin to act together when
it has ended well.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .context import Context, entered
from .crew import Pace
from .errors import GearsError, error_text
from .executions import Execution, Kept, Plan
from .pool import Lane
from .readers import Reader
from .steps import Step

if TYPE_CHECKING:
    from .core import Engine
    from .sessions import Session

SYNC, ASYNC, LOCAL = "sync", "async", "async_local"
_log = logging.getLogger("redgrease.engine")


class Command:
    """A client's command, and what functions that are linked to it do to its reply.

    Args:
        words: The command and its arguments.
        names: Names of all commands that it stands for: those of a transaction, or its own.
        linked: Whether functions may see the command, and override its reply.
        waits: Whether the client may be kept waiting, so that such functions may be async.
    """

    def __init__(
        self, words: list[bytes], names: frozenset[str], linked: bool = True, waits: bool = True
    ) -> None:
        self.words, self.names, self.linked, self.waits = words, names, linked, waits
        self.reply: Any = None
        self.overridden = False
        self._lock = threading.Lock()
        self._pending = 1
        self._done: Callable[[], None] | None = None

    def take(self) -> None:
        """One more function has to end before the client gets its reply."""
        with self._lock:
            self._pending += 1

    def drop(self) -> None:
        """One of them has ended."""
        with self._lock:
            self._pending -= 1
            done = self._done if not self._pending else None
        if done is not None:
            done()

    def finish(self, done: Callable[[], None]) -> bool:
        """No function will be added.

        Args:
            done: Called later, when all have ended; not called if they have ended already.

        Returns:
            Whether all have ended.
        """
        with self._lock:
            self._pending -= 1
            self._done = done
            return not self._pending

    def override(self, reply: Any) -> None:
        """Set another reply.

        Raises:
            GearsError: It has been set already.
        """
        with self._lock:
            if self.overridden:
                raise GearsError("Can only override reply once")
            self.overridden, self.reply = True, reply


@dataclass
class Event:
    """Something that happened to a key.

    Attributes:
        name: What, as in key-space notifications.
        key: The key's name.
        command: The client's command that caused it, if it came through the proxy.
    """

    name: str
    key: bytes
    command: Command | None = None


@dataclass(frozen=True)
class Request:
    """What a script asked for: all that is needed to make the registration again.

    Attributes:
        id: The registration's ID.
        reader: Name of the reader.
        description: Free text.
        steps: The steps of the function.
        mode: ``sync``, ``async`` or ``async_local``.
        options: The reader's own arguments, checked and complete; plain data.
        on_registered: Called when the registration begins to act.
    """

    id: str
    reader: str
    description: str | None
    steps: tuple[Step, ...]
    mode: str
    options: Mapping[str, Any] = field(default_factory=dict)
    on_registered: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Watches:
    """Which of the clients' commands concern a registration before they are answered.

    Attributes:
        writes: Whether all commands that may change keys do.
        reads: Whether all commands that may look for keys do, too.
        raising: Names of commands that do.
        commands: Names of commands that do, and whose replies it may override.
        trigger: The trigger whose function runs while nothing else happens.
        hook: Name of the command that it stands before.
        prefix: The prefix of the keys that the hook is for; None for all commands of the name.
        pattern: A key, or with a star the prefix of keys, outside of which no event concerns it.
        keys: Where that command has its keys: first, last, step.
    """

    writes: bool = False
    reads: bool = False
    raising: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    trigger: str | None = None
    hook: str | None = None
    prefix: str | None = None
    pattern: str = "*"
    keys: tuple[int, int, int] = (0, 0, 0)


@dataclass
class Statistics:
    """What has become of a registration's executions."""

    triggered: int = 0
    succeeded: int = 0
    failed: int = 0
    aborted: int = 0
    last_ms: int = 0
    total_ms: int = 0
    last_error: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def started(self) -> None:
        """One is going to run."""
        with self.lock:
            self.triggered += 1

    def ended(self, execution: Execution) -> None:
        """One has ended, one way or another."""
        with self.lock:
            if execution.status == "aborted":
                self.aborted += 1
            elif execution.errors:
                self.failed += 1
                self.last_error = execution.errors[0]
            else:
                self.succeeded += 1
                self.last_error = None
            self.last_ms = execution.duration_ms
            self.total_ms += self.last_ms

    def cancelled(self) -> None:
        """One that was counted could not be started."""
        with self.lock:
            self.aborted += 1

    def clear(self) -> None:
        """Begin anew; what has not ended yet stays counted."""
        with self.lock:
            self.triggered -= self.succeeded + self.failed + self.aborted
            self.succeeded = self.failed = self.aborted = self.last_ms = self.total_ms = 0
            self.last_error = None

    def counters(self) -> list[Any]:
        """The counters and durations, as RG.DUMPREGISTRATIONS shows them."""
        ended = self.succeeded + self.failed + self.aborted
        return [
            *("numTriggered", self.triggered, "numSuccess", self.succeeded),
            *("numFailures", self.failed, "numAborted", self.aborted),
            *("lastRunDurationMS", self.last_ms, "totalRunDurationMS", self.total_ms),
            *("avgRunDurationMS", self.total_ms / ended if ended else 0.0),
        ]


class Registration:
    """A function that is registered for something; the kinds are subclasses.

    Args:
        engine: The engine.
        session: The session of the script.
        request: What the script asked for.
    """

    takes_events: ClassVar[bool] = False
    """Whether :meth:`on_event` is to be called for key-space events."""

    def __init__(self, engine: Engine, session: Session, request: Request) -> None:
        self.engine, self.session, self.request = engine, session, request
        self.stats = Statistics()
        self.lane = Lane(engine.pool)
        self.active = False
        self.pattern = "*"
        """A key, or with a star the prefix of keys, of which it takes the events."""
        self.plan = Plan(session, Reader(request.reader), request.steps)
        self.kept = Kept(engine)
        self.pace = Pace()
        self._waiting: dict[str, Execution] = {}
        self._aborts = False  # executions that have not begun, and those that are yet to be made

    @property
    def id(self) -> str:
        """Its ID."""
        return self.request.id

    @property
    def mode(self) -> str:
        """``sync``, ``async`` or ``async_local``."""
        return self.request.mode

    # -- life -----------------------------------------------------------------------------------

    def activate(self) -> None:
        """Begin to act."""
        self.active = True

    def announce(self) -> None:
        """Call ``onRegistered``; its errors are logged."""
        function = self.request.on_registered
        if function is None:
            return
        try:
            with entered(Context(self.session)):
                function()
        except BaseException as error:
            _log.warning("onRegistered of %s failed: %s", self.id, error_text(error, True))

    def deactivate(self, abort_pending: bool = False) -> None:
        """End to act.

        Args:
            abort_pending: Whether executions that have not begun are aborted.
        """
        self.active = False
        if abort_pending:
            self._aborts = True  # first: whoever is making one looks at it afterwards
            for execution in list(self._waiting.values()):
                execution.cancel()
        self.kept.drop_all()

    # -- events and executions ------------------------------------------------------------------

    def wants(self, event: str) -> bool:
        """Whether an event of this name may concern it, if its key does."""
        return False

    def on_event(self, event: Event) -> None:
        """Something has happened to a key that its pattern covers.

        Args:
            event: What, and who did it.
        """

    def watches(self) -> Watches:
        """What the proxy must treat specially for this one."""
        return Watches()

    def create(
        self,
        records: Callable[[], Iterable[Any]],
        done: Callable[[Execution], None] | None = None,
        keep: bool = True,
    ) -> Execution:
        """Make an execution of the function, counted and listed, which is not running yet.

        Args:
            records: Called in the execution's thread; gives what it works on.
            done: Called when it has ended, after it has been counted.
            keep: Whether it stays in the list of executions afterwards.
        """
        execution = self.engine.executions.create(self.plan, registered=True, records=records)
        self.stats.started()
        self._waiting[execution.id] = execution

        def ended(execution: Execution) -> None:
            self._waiting.pop(execution.id, None)
            self.stats.ended(execution)
            self.pace.note(execution.seconds)
            if not keep or not self.active:
                self.engine.executions.drop(execution.id)
            else:
                self.kept.ended(execution)

        execution.when_done(ended)
        if done is not None:
            execution.when_done(done)
        if self._aborts:  # it has ended to act since the event came
            execution.cancel()
        return execution

    # -- description ----------------------------------------------------------------------------

    def data(self) -> list[Any]:
        """The reader's own part of :meth:`dump`, ``RegistrationData``."""
        return ["mode", self.mode, *self.stats.counters(), "lastError", self.stats.last_error]

    def dump(self, private: bool = True) -> list[Any]:
        """Its entry in the reply to RG.DUMPREGISTRATIONS.

        Args:
            private: Whether to tell of its session, too.
        """
        from .sessions import private_data

        return [
            *("id", self.id, "reader", self.request.reader, "desc", self.request.description),
            *("RegistrationData", self.data()),
            *(("PD", private_data(self.session)) if private else ()),
            *("ExecutionThreadPool", "DefaultPool"),
        ]


def take_mode(options: dict[str, Any]) -> str:
    """The mode that a script asked for.

    Raises:
        GearsError: There is no such mode.
    """
    mode = options.get("mode", ASYNC)
    if not isinstance(mode, str):
        raise GearsError("execution mode must be a string")
    if mode not in (SYNC, ASYNC, LOCAL):
        raise GearsError("unknown execution mode")
    return mode
