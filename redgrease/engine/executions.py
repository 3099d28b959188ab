"""Executions: one run of a plan each; their states, results, limits and abort."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .context import Context, Guard, Shield, reset_guard, set_current, set_guard
from .errors import PIPELINE_FILE, Aborted, GearsForceStopped, error_text
from .memory import MemoryLimit
from .pending import Maker, Pending
from .pipeline import Pipeline
from .readers import Reader
from .scheduler import Ticket
from .settings import MAX_TIME, PER_REGISTRATION
from .steps import Step, native_steps

if TYPE_CHECKING:
    from .core import Engine
    from .script import Session

ABORT_INTERVAL = 0.002
ABORT_PATIENCE = 5.0
"""Seconds for which a function may resist an abort."""
ABORT_ROUNDS = 100
"""How often it has to be asked to stop, at least."""
FINAL = frozenset({"done", "aborted"})
_log = logging.getLogger("redgrease.engine")

Callback = Callable[["Execution"], None]
Records = Callable[[], Iterable[Any]]


@dataclass(frozen=True)
class Plan:
    """What an execution does, independent of who runs it and how often."""

    session: Session
    reader: Reader
    steps: tuple[Step, ...]
    _pipelines: dict[bool, Pipeline] = field(default_factory=dict, repr=False, compare=False)

    @property
    def counted(self) -> bool:
        """Whether the reader need only tell how many records there are."""
        first = next((step for step in self.steps if step.kind != "collect"), None)
        return first is not None and first.kind == "count" and self.reader.countable

    def compiled(self, profile: bool, read: bool = True) -> Pipeline:
        """The code that runs it.

        Args:
            profile: Whether to measure the steps.
            read: Whether the records come from the reader.
        """
        counted = read and self.counted
        if profile:
            return Pipeline(self.steps, counted, profile)
        if counted not in self._pipelines:  # an event's function is run again and again
            self._pipelines[counted] = Pipeline(self.steps, counted)
        return self._pipelines[counted]


class Execution:
    """One run of a plan.

    Args:
        engine: The engine.
        ident: Its ID.
        plan: What to run.
        registered: Whether an event started it.
        records: Gives what it works on, in place of the plan's reader; called when it runs.
    """

    def __init__(
        self,
        engine: Engine,
        ident: str,
        plan: Plan,
        registered: bool = False,
        records: Records | None = None,
    ) -> None:
        self.id, self.plan, self.registered = ident, plan, registered
        self.status = "created"
        self.results: list[Any] = []
        self.errors: list[str] = []
        self.read_seconds = 0.0
        self.leaves = False
        """Whether it goes from the list as soon as it is done."""
        self.surroundings: dict[str, Any] = {}
        """What its :class:`Context` has besides session and execution."""
        self.nap = threading.Lock()
        """Held while it is not aborted; functions that sleep wait for it."""
        self.nap.acquire()
        self.pending: set[Pending] = set()
        """Results of its steps that are to come."""
        self.maker = Maker()
        self._running = threading.Lock()
        """Held until it has ended; lighter than an event, and there is one for every call."""
        self._running.acquire()
        self.aborting = False
        """Whether it is to end."""
        self.reason = ""
        """Why, if nobody has asked for it."""
        self.thread = 0
        """The thread that runs it."""
        self._engine, self._records = engine, records
        self._profile = bool(engine.settings["ProfileExecutions"])
        self._pipeline: Pipeline | None = None
        self._started = self._ended = 0.0
        self._lock = threading.Lock()
        self._callbacks: list[Callback] = []
        self._guard: Guard | None = None
        self._inner: Execution | None = None  # one that runs within a call of its function

    # -- limits ---------------------------------------------------------------------------------

    def _limited(self) -> Ticket | None:
        """Begin to count the time that it may take, if that is limited."""
        settings = self._engine.settings
        name = PER_REGISTRATION if self.registered and settings[PER_REGISTRATION] else MAX_TIME
        limit = settings[name]
        if limit <= 0:
            return None
        reason = f"the execution took longer than {limit} ms ({name})"
        return self._engine.scheduler.later(limit / 1000, lambda: self._engine.expire(self, reason))

    # -- run ------------------------------------------------------------------------------------

    def run(self) -> None:
        """Do it, in the current thread; perhaps within a function of another execution."""
        guard = Guard(self)
        outer = set_guard(guard)
        outside = outer.execution if outer is not None else None
        with self._lock:
            if self.status == "created":
                self.status = "running"
                self._started = perf_counter()
                self._guard, self.thread = guard, threading.get_ident()
        ticket = self._limited() if self._guard is guard else None
        try:
            if self._guard is guard:
                if outside is not None:
                    outside._inner = self
                self._finish("done", self._run(guard))
        except MemoryError:
            if MemoryLimit.active is None:
                raise
            MemoryLimit.active.end()  # it could not even say so
        finally:
            if ticket is not None:
                ticket.cancel()
            if outside is not None:
                outside._inner = None
            reset_guard(outer)

    def _run(self, guard: Guard) -> list[Any]:
        keyspace = self._engine.keyspace
        depth = keyspace.depth
        before = set_current(Context(self.plan.session, execution=self, **self.surroundings))
        try:
            if not self._profile:
                return self._work(guard)
            with self._engine.profiles.recorded(self.plan.session):
                return self._work(guard)
        finally:
            set_current(before)
            # An abort may have come between atomic() and its block.
            while keyspace.depth > depth:
                keyspace.unlock()

    def _work(self, guard: Guard) -> list[Any]:
        results: list[Any] = []
        try:
            self._pipeline = pipeline = self.plan.compiled(self._profile, self._records is None)
            guard.depth = 0  # aborts may come from here on
            results = pipeline.run(self._open(), self)
            guard.depth = 1
            if self.aborting:
                guard.clear()
        except Aborted:
            guard.depth = 1
        except BaseException as error:
            guard.depth = 1
            self._note_end(error)
        self.maker.forget()
        if self.pending:
            self._engine.futures.forget(self)
        if self.reason and not any(self.reason in error for error in self.errors):
            self.errors.append(self._text(GearsForceStopped(self.reason)))
        return results

    def _open(self) -> Iterable[Any]:
        if self._records is not None:
            give, self._records = self._records, None  # they are not kept longer than needed
            return give()
        reader = self.plan.reader
        records = reader.open(self._engine.keyspace, self, self.plan.counted)
        return self._timed(records) if self._profile and not reader.timed else records

    def _timed(self, records: Iterable[Any]) -> Iterator[Any]:
        """The records of a reader that does not note by itself how long it reads."""
        iterator = iter(records)
        while True:
            started = perf_counter()
            try:
                record = next(iterator)
            except StopIteration:
                return
            finally:
                self.read_seconds += perf_counter() - started
            yield record

    def _note_end(self, error: BaseException) -> None:
        """Note an error that came from between the steps; an abort is noted once."""
        if not (self.aborting and self.errors):
            self.errors.append(self._text(error))

    def _text(self, error: BaseException, frameless: bool = False) -> str:
        if self.reason and type(error) is GearsForceStopped and not error.args:
            error.args = (self.reason,)
        return error_text(error, bool(self._engine.settings["PythonAttemptTraceback"]), frameless)

    def fail(self, error: BaseException, builtin_lines: frozenset[int]) -> None:
        """Note the error of a record, see :class:`pipeline.Run`."""
        with Shield():
            if type(error) is Aborted:
                raise error
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code.co_filename != PIPELINE_FILE:
                trace = trace.tb_next
            frameless = trace is not None and trace.tb_lineno not in builtin_lines
            self.errors.append(self._text(error, frameless))
            if self.aborting:
                if self._guard is not None:
                    self._guard.depth += 1  # for good: one abort is enough
                raise Aborted

    def adopt(self, result: Any) -> Pending:
        """Take a callback's result that is to come."""
        return self._engine.futures.adopt(result)

    def wait(self, pending: Pending) -> Any:
        """The value of a result that is to come."""
        return self._engine.futures.wait(pending)

    # -- end ------------------------------------------------------------------------------------

    def _finish(self, status: str, results: list[Any], unless_running: bool = False) -> None:
        with self._lock:
            if self.status in FINAL or (unless_running and self.status == "running"):
                return
            self.results = results
            self.status = status
            self._ended = perf_counter()
            callbacks, self._callbacks = self._callbacks, []
        self._engine.executions.ended(self)
        for callback in callbacks:
            self._notify(callback)
        self._running.release()  # only now: who has aborted it finds it counted

    def _notify(self, callback: Callback) -> None:
        try:
            callback(self)
        except Exception:
            _log.exception("could not report the end of execution %s", self.id)

    def when_done(self, callback: Callback) -> None:
        """Call something when it has ended; at once if it has."""
        with self._lock:
            if self.status not in FINAL:
                self._callbacks.append(callback)
                return
        self._notify(callback)

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in FINAL

    @property
    def seconds(self) -> float:
        """Seconds from its start to its end, or until now; 0 if it has not begun."""
        if not self._started:
            return 0.0
        return (self._ended or perf_counter()) - self._started

    @property
    def duration_ms(self) -> int:
        """The same in whole milliseconds."""
        return int(self.seconds * 1000)

    # -- abort ----------------------------------------------------------------------------------

    def abort(self) -> bool:
        """Stop it; waits until it has stopped, or until patience is at an end.

        Returns:
            Whether it has ended.  If not, its function resists.
        """
        self.aborting = True
        self.cancel()
        deadline, rounds = perf_counter() + ABORT_PATIENCE, 0
        while not self._running.acquire(timeout=ABORT_INTERVAL):
            # On a crowded machine, seconds alone do not tell that a function resists.
            if perf_counter() > deadline and rounds > ABORT_ROUNDS:
                return False
            rounds += 1
            self._interrupt()
        self._running.release()  # for whoever else waits
        return True

    def cancel(self) -> bool:
        """Abort it if it has not begun; returns whether it is aborted."""
        self._finish("aborted", [], unless_running=True)
        return self.status == "aborted"

    def _interrupt(self) -> None:
        running = self
        while running._inner is not None:
            running = running._inner
            running.aborting = True
        try:
            running.nap.release()
        except RuntimeError:
            pass  # nobody has slept since the last time
        for pending in list(running.pending):
            pending.ring()
        if running._guard is not None:
            running._guard.interrupt(running)
        self._engine.futures.interrupt(running)

    def abandon(self) -> None:
        """Answer for it although its function still resists."""
        if not self.done:
            reason = self.reason or "the function resisted the abort"
            self.errors.append(self._text(GearsForceStopped(reason)))
            self._finish("done", [])

    # -- description ----------------------------------------------------------------------------

    def describe(self) -> list[Any]:
        """Its entry in the reply to RG.GETEXECUTION."""
        spent = self._pipeline.spent if self._pipeline is not None else []
        rows: list[Any] = []
        last = -1
        for row, number in native_steps(self.plan.steps):
            # The time of a composite step is shown at the first native one it is made of.
            seconds = spent[number] if number != last and 0 <= number < len(spent) else 0.0
            last = number
            duration = int(seconds * 1000)
            rows.append(["type", row.type, "duration", duration, "name", row.name, "arg", row.arg])
        plan: list[Any] = ["status", self.status, "shards_received", 0, "shards_completed", 0]
        plan += ["results", len(self.results) if self.done else -1, "errors", list(self.errors)]
        plan += ["total_duration", self.duration_ms]
        plan += ["read_duration", int(self.read_seconds * 1000), "steps", rows[::-1]]
        return ["shard_id", self._engine.shard.id, "execution_plan", plan]


class Executions:
    """The list of executions.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._all: dict[str, Execution] = {}
        self._listed: dict[str, Execution] = {}  # those that have not lost their place yet
        self._next = 0

    def create(
        self, plan: Plan, registered: bool = False, records: Records | None = None
    ) -> Execution:
        """Make an execution of a plan and list it; the oldest one may have to go."""
        with self._lock:
            ident = f"{self._engine.shard.id}-{self._next}"
            self._next += 1
            limit = self._engine.settings["MaxExecutions"]
            while 0 < limit <= len(self._listed):
                self._displace()
            execution = Execution(self._engine, ident, plan, registered, records)
            self._all[ident] = self._listed[ident] = execution
            return execution

    def skip(self) -> None:
        """Leave a number out."""
        with self._lock:
            self._next += 1

    def _displace(self) -> None:
        """The oldest one has to go, as soon as it is done."""
        oldest = self._listed.pop(next(iter(self._listed)))
        oldest.leaves = True
        if oldest.done:
            self._all.pop(oldest.id, None)

    def ended(self, execution: Execution) -> None:
        """An execution has ended: it may have lost its place in the list meanwhile."""
        if execution.leaves:
            with self._lock:
                self._all.pop(execution.id, None)

    def get(self, ident: str) -> Execution | None:
        """The execution of this ID."""
        return self._all.get(ident)

    def drop(self, ident: str) -> None:
        """Take it off the list."""
        with self._lock:
            self._all.pop(ident, None)
            self._listed.pop(ident, None)

    def all(self) -> list[Execution]:
        """All in the list, the oldest first."""
        with self._lock:
            return list(self._all.values())

    def dump(self) -> list[Any]:
        """The reply to RG.DUMPEXECUTIONS."""
        return [
            ["executionId", one.id, "status", one.status, "registered", int(one.registered)]
            for one in self.all()
        ]


class Kept:
    """The last finished executions of a registration, which stay in the list.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._done: deque[str] = deque()
        self._over = False  # one may end later than its registration, or just then

    def ended(self, execution: Execution) -> None:
        """One has ended; the oldest ones may have to go."""
        limit = self._engine.settings["MaxExecutionsPerRegistration"]
        with self._lock:
            self._done.append(execution.id)
            if self._over:
                limit = 0
            gone = [self._done.popleft() for _ in range(len(self._done) - max(limit, 0))]
        for ident in gone:
            self._engine.executions.drop(ident)

    def drop_all(self) -> None:
        """None of them stays, nor of those that end from now on."""
        with self._lock:
            self._over = True
            gone, self._done = list(self._done), deque()
        for ident in gone:
            self._engine.executions.drop(ident)
