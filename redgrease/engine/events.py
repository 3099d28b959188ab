"""Events: takes them from Redis to the registrations, in the order and at the time that is right.

Functions of mode ``sync`` run while nobody else does anything.  After a client's command that may
concern them the proxy keeps all clients back (a *section*) until this class has handled the
command's events.  What functions themselves write is handled before ``execute()`` returns, while
the thread keeps everybody out.  What happens by itself (keys expire, blocked commands go on,
clients talk to Redis directly) is handled in a section that the worker asks for.

Where no registration is ``sync`` or linked to commands, none of that is needed: events are handed
on as they come.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .commands_info import CommandInfo
from .context import current
from .crew import Pace
from .executions import Execution
from .notifications import Notifications
from .patterns import Patterns
from .registrations import Command, Event, Registration, Watches
from .replies import record
from .serial import Serial
from .watch import Hooks, Watch, raw

if TYPE_CHECKING:
    from .core import Engine

SCRIPTS = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})
"""Commands within which nothing may wait."""
WRITING_SCRIPTS = frozenset({"EVAL", "EVALSHA", "FCALL", "EXEC"})
PATIENCE = 10.0
"""Seconds for which a command waits, at most, for its events, without any sign of Redis."""
GLANCE = 1.0
"""The same for what only asks what has happened so far."""
MARKER_PATIENCE = 0.05
"""The same for a command that is still being carried out: the proxy tells again when it is done."""
_log = logging.getLogger("redgrease.engine")


class _Round:
    """Events that are being handled, and what to do afterwards.

    The thread that handles them may be replaced by another when a function begins to wait.
    """

    def __init__(self, events: Sequence[Event], finished: Callable[[], None] | None) -> None:
        self.todo: deque[tuple[Registration, Event]] = deque()
        self.events = events
        self.finished = finished
        self.thread = threading.get_ident()


class Events:
    """Hands events on to registrations.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.notifications = Notifications(engine.keyspace.address, self._arrived, self._regained)
        self.serial = Serial("redgrease-sync")
        """Runs what happens in sections, which must not wait behind those who wait for a hold."""
        self._pace = Pace()
        self._registrations: tuple[Registration, ...] = ()
        self._for_keys: Patterns[Registration] = Patterns()
        self._plain = threading.Lock()
        self._asked = False
        self.sync = False
        """Whether there are registrations for which clients have to wait."""
        self._table: dict[str, CommandInfo] = {}
        self.watch = Watch()
        """Which commands' events have to be handled before they return."""
        self._local = threading.local()

    def close(self) -> None:
        """End the threads."""
        self.notifications.close()
        self.serial.close()

    # -- registrations --------------------------------------------------------------------------

    def update(self, registrations: Sequence[Registration]) -> None:
        """Say which registrations there are; events from before are not for new ones.

        Raises:
            Disconnected: Redis cannot be reached.
        """
        taking = tuple(one for one in registrations if one.takes_events)
        if taking:
            self.notifications.start()
            self.settle(PATIENCE)
        wanted: set[str] = set()
        linked: set[str] = set()
        triggers: set[str] = set()
        patterns: set[str] = set()
        hooks: Hooks = {}
        for registration in registrations:
            watches = registration.watches()
            linked |= watches.commands
            wanted |= watches.raising
            if watches.writes or watches.reads:
                wanted |= self._raising(watches.reads)
            if watches.writes or watches.reads or watches.raising:
                patterns.add(watches.pattern)
            if watches.trigger is not None:
                triggers.add(watches.trigger)
            if watches.hook is not None:
                _add_hook(hooks, watches)
        self.watch = watch = Watch(
            exclusive=_all_raw(wanted | linked),
            linked=_all_raw(linked),
            patterns=_all_raw(patterns),
            triggers=_all_raw(triggers),
            hooks=hooks,
            channel=self.notifications.channel if self.notifications.marked else b"",
        )
        self._registrations = taking
        self._for_keys = Patterns((raw(one.pattern), one) for one in taking)
        self.notifications.wanted = self._wanted
        self.sync = bool(watch.exclusive)
        self.notifications.hurried = not self.sync
        if self._engine.link is not None:
            self._engine.link.watch(watch)

    def _wanted(self, name: str, key: bytes) -> bool:
        return any(registration.wants(name) for registration in self._for_keys.find(key))

    def _raising(self, reads: bool) -> set[str]:
        """Names of the commands that may raise events."""
        if not self._table:
            self._table = CommandInfo.all(self._engine.keyspace)
        found = {
            name for name, info in self._table.items() if info.writes or name in WRITING_SCRIPTS
        }
        if reads:
            found |= {name for name, info in self._table.items() if info.keyed}
        return found

    def _regained(self) -> None:
        for registration in self._registrations:
            rescan = getattr(registration, "rescan", None)
            if rescan is not None:
                rescan(lost=True)

    # -- events come ----------------------------------------------------------------------------

    def _arrived(self) -> None:
        """There are events which no command's section has taken."""
        if not self.sync:
            self._hand_on()
        elif self._engine.link is None:
            self.serial.submit(lambda: self._run_section(None, None))
        elif not self._asked:
            self._asked = True
            self._engine.link.ask_turn()

    def _hand_on(self) -> None:
        """Hand on what there is to registrations none of which is sync."""
        with self._plain:
            for event in self._take(None):
                for registration in self._for_keys.find(event.key):
                    if registration.active:
                        registration.on_event(event)

    def _take(self, command: Command | None) -> list[Event]:
        queue, taken = self.notifications.queue, []
        while queue:
            name, key = queue.popleft()
            taken.append(Event(name, key, command))
        return taken

    def settle(self, patience: float = GLANCE) -> None:
        """Hand on all that has happened so far, as far as that is possible at once.

        Args:
            patience: How long to wait at most for a sign of Redis, in seconds.
        """
        if not self.notifications.started:
            return
        self.notifications.settle(patience)
        if not self.sync:
            self._hand_on()
        else:
            self._see_to_the_rest()

    def _see_to_the_rest(self) -> None:
        """Have events handled that were read here; the thread that listens may not know of them."""
        if self.notifications.queue:
            self._arrived()

    # -- sections -------------------------------------------------------------------------------

    def on_sync(self, ident: str, flags: str, words: list[bytes], mark: int = 0) -> None:
        """The proxy has carried out a command and keeps everybody back.

        Args:
            ident: What the answer refers to.
            flags: Those of the connection; ``m`` for a transaction, ``q`` for a command of one.
            words: The command; the names of all, for a transaction; empty for a turn of our own.
            mark: The number of the marker that is published behind the command, if it is still
                being carried out.
        """
        resp3, multi, queued = "3" in flags, "m" in flags, "q" in flags
        command = None
        if words:
            names = words if multi else words[:1]
            texts = frozenset(name.decode("latin-1").upper() for name in names)
            command = Command(words, texts, linked=not multi, waits=not (multi or queued))
        else:
            self._asked = False
        link = self._engine.link
        assert link is not None

        def report(how: str = "") -> None:
            if command is None or not command.overridden:
                link.done(ident, how)
            else:
                link.done(ident, "=", record(command.reply, resp3))

        def ended() -> None:
            if command is None or command.finish(report):
                report()
            else:
                link.done(ident, "~")

        def section() -> None:
            if mark and not self.notifications.settle_at(mark, MARKER_PATIENCE):
                link.done(ident, "!")
                self._see_to_the_rest()
            else:
                self._run_section(command, ended, settled=bool(mark))

        if not self._pace.quick or not self._engine.run_here(section):
            self.serial.submit(section)

    def _run_section(
        self,
        command: Command | None,
        ended: Callable[[], None] | None,
        settled: bool = False,
    ) -> None:
        keyspace = self._engine.keyspace
        start = perf_counter()
        keyspace.begin_section()

        def finished() -> None:
            keyspace.end_section()
            self._pace.note(perf_counter() - start)
            if ended is not None:
                ended()

        if not settled:
            self.notifications.settle(PATIENCE)
        self._handle(_Round(self._take(command), finished))

    def _handle(self, round_: _Round, muted: frozenset[str] = frozenset()) -> None:
        """Hand the events of a round on, but not to functions of muted readers."""
        for event in round_.events:
            for registration in self._for_keys.find(event.key):
                if registration.request.reader not in muted:
                    round_.todo.append((registration, event))
        self._go_on(round_)

    def _go_on(self, round_: _Round) -> None:
        before = getattr(self._local, "round", None)
        self._local.round = round_
        try:
            while round_.todo:
                registration, event = round_.todo.popleft()
                if registration.active:
                    try:
                        registration.on_event(event)
                    except Exception:
                        _log.exception("registration %s could not handle an event", registration.id)
                if round_.thread != threading.get_ident():
                    return  # another thread has gone on
        finally:
            self._local.round = before
        if round_.finished is not None:
            round_.finished()

    def _suspend(self, round_: _Round) -> Callable[[], None] | None:
        """A function of a round is going to wait: let the others go on."""
        keyspace = self._engine.keyspace
        if round_.finished is None:  # within execute() of another function
            return keyspace.suspend()

        def follow(thread: int) -> None:
            round_.thread = thread
            keyspace.gate.pass_on(thread)

        self.serial.hand_over(lambda: self._go_on(round_), follow)
        return None

    def run_sync(
        self,
        registration: Registration,
        execution: Execution,
        event: Event | None = None,
        link: bool = False,
    ) -> None:
        """Run the execution of a sync registration in the current thread.

        Args:
            registration: The registration.
            execution: The execution.
            event: The event for which it runs.
            link: Whether it may see and answer the command that has caused the event.
        """
        outer = current()
        muted = {registration.request.reader, *(outer.muted if outer is not None else ())}
        round_ = getattr(self._local, "round", None)
        command = event.command if event is not None else None
        waits = command is None or (command.waits and not command.names & SCRIPTS)
        linked = command if link and command is not None and command.linked else None
        execution.surroundings = {
            "muted": frozenset(muted),
            "command": linked,
            "may_wait": waits,
            "suspend": self._suspender(round_),
        }
        if linked is not None:
            linked.take()
            execution.when_done(lambda done: linked.drop())
        execution.run()

    def _suspender(self, round_: _Round | None) -> Callable[[], Callable[[], None] | None]:
        def suspend() -> Callable[[], None] | None:
            context = current()
            if context is not None:
                context.muted, context.suspend = frozenset(), None
            if round_ is not None and round_.thread == threading.get_ident():
                return self._suspend(round_)
            return self._engine.keyspace.suspend() if self._engine.keyspace.locked else None

        return suspend

    # -- what functions do ----------------------------------------------------------------------

    def around(self, words: Sequence[bytes]) -> Any:
        """Run a command of a function, and handle its events before it returns.

        Args:
            words: The command and its arguments.

        Returns:
            The reply, see :meth:`keyspace.Keyspace.execute`.
        """
        keyspace = self._engine.keyspace
        if not self.watch.concerns(words[0].upper(), words):
            return keyspace.execute(words)
        context = current()
        keyspace.lock()
        try:
            marker = self.notifications.marker()
            try:
                return keyspace.execute(words, marker)
            finally:
                if keyspace.marks:
                    self.notifications.settle_by(marker, PATIENCE)
                else:
                    self.notifications.settle(PATIENCE)
                muted = context.muted if context is not None else frozenset()
                self._handle(_Round(self._take(None), None), muted)
        finally:
            keyspace.unlock()


def _all_raw(texts: Iterable[str]) -> frozenset[bytes]:
    return frozenset(map(raw, texts))


def _add_hook(hooks: Hooks, watches: Watches) -> None:
    """Add a hook to those of its command; None in place of prefixes means all keys."""
    assert watches.hook is not None
    name = raw(watches.hook)
    prefixes = None if watches.prefix is None else [raw(watches.prefix)]
    if name in hooks:
        _, others = hooks[name]
        prefixes = None if others is None or prefixes is None else [*others, *prefixes]
    hooks[name] = (watches.keys, prefixes)
