"""Executions: one run of a plan each; their states, results, limits and abort."""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .context import Context, set_current
from .errors import PIPELINE_FILE, Aborted, GearsForceStopped, error_text
from .pipeline import Pipeline
from .readers import Reader
from .steps import Step, native_steps

if TYPE_CHECKING:
    from .core import Engine
    from .script import Session

SHARD_ID = "0" * 40
ABORT_INTERVAL = 0.002
ABORT_PATIENCE = 5.0
"""Seconds for which a function may resist an abort."""
FINAL = frozenset({"done", "aborted"})
_log = logging.getLogger("redgrease.engine")

Callback = Callable[["Execution"], None]


@dataclass(frozen=True)
class Plan:
    """What an execution does, independent of who runs it and how often."""

    session: Session
    reader: Reader
    steps: tuple[Step, ...]

    @property
    def counted(self) -> bool:
        """Whether the reader need only tell how many records there are."""
        first = next((step for step in self.steps if step.kind != "collect"), None)
        return first is not None and first.kind == "count" and self.reader.countable

    def compiled(self, profile: bool) -> Pipeline:
        """The code that runs it."""
        return Pipeline(self.steps, self.counted, profile)


def throw(thread: int, error: type[BaseException] | None) -> None:
    """Raise an exception in another thread, or take back one that was not raised yet."""
    kind = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind)


class Execution:
    """One run of a plan.

    Args:
        engine: The engine.
        ident: Its ID.
        plan: What to run.
        registered: Whether an event started it.
    """

    def __init__(self, engine: Engine, ident: str, plan: Plan, registered: bool = False) -> None:
        self.id, self.plan, self.registered = ident, plan, registered
        self.status = "created"
        self.results: list[Any] = []
        self.errors: list[str] = []
        self.read_seconds = 0.0
        self.leaves = False
        """Whether it goes from the list as soon as it is done."""
        self.nap = threading.Lock()
        """Held while it is not aborted; functions that sleep wait for it."""
        self.nap.acquire()
        self.finished = threading.Event()
        self._engine = engine
        self._profile = bool(engine.settings["ProfileExecutions"])
        self._pipeline: Pipeline | None = None
        self._started = self._ended = 0.0
        self._lock = threading.Lock()
        self._callbacks: list[Callback] = []
        self._thread: int | None = None
        self._shielded = 0
        self.aborting = False
        """Whether it is to end."""

    # -- run ------------------------------------------------------------------------------------

    def run(self) -> None:
        """Do it, in the current thread."""
        with self._lock:
            if self.status != "created":
                return
            self.status = "running"
            self._started = perf_counter()
            self._thread = threading.get_ident()
        before = set_current(Context(self.plan.session, execution=self))
        results: list[Any] = []
        try:
            try:
                results = self._run()
            except Aborted:
                pass
            except Exception as error:
                self._note_end(error)
        except GearsForceStopped as error:  # came while the above was being noted
            self._note_end(error)
        finally:
            self._close_thread()
            set_current(before)
            # An abort may have come between atomic() and its block.
            self._engine.keyspace.unlock()
        self._finish("done", results)

    def _run(self) -> list[Any]:
        self._pipeline = pipeline = self.plan.compiled(self._profile)
        records = self.plan.reader.open(self._engine.keyspace, self, self.plan.counted)
        return pipeline.run(records, self)

    def _note_end(self, error: Exception) -> None:
        """Note an error that came from between the steps; an abort is noted once."""
        if not (self.aborting and self.errors):
            self.errors.append(self._text(error))

    def _close_thread(self) -> None:
        """From here on no abort may hit this thread."""
        while True:
            try:
                with self._lock:
                    thread, self._thread = self._thread, None
                if thread is not None:
                    throw(thread, None)
                return
            except GearsForceStopped:
                continue

    def _text(self, error: BaseException, frameless: bool = False) -> str:
        return error_text(error, bool(self._engine.settings["PythonAttemptTraceback"]), frameless)

    def fail(self, error: Exception, builtin_lines: frozenset[int]) -> None:
        """Note the error of a record, see :class:`pipeline.Run`."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != PIPELINE_FILE:
            trace = trace.tb_next
        frameless = trace is not None and trace.tb_lineno not in builtin_lines
        self.errors.append(self._text(error, frameless))
        if self.aborting:
            raise Aborted

    def wait(self, pending: Any) -> Any:
        """The value of a step's result that is to come."""
        return self._engine.futures.wait(pending)

    # -- end ------------------------------------------------------------------------------------

    def _finish(self, status: str, results: list[Any]) -> None:
        with self._lock:
            if self.status in FINAL:
                return
            self.results = results
            self.status = status
            self._ended = perf_counter()
            callbacks, self._callbacks = self._callbacks, []
        self._engine.executions.ended(self)
        self.finished.set()
        for callback in callbacks:
            self._notify(callback)

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

    # -- abort ----------------------------------------------------------------------------------

    def abort(self) -> bool:
        """Stop it; waits until it has stopped, or until patience is at an end.

        Returns:
            Whether it has ended.  If not, its function resists.
        """
        with self._lock:
            self.aborting = True
            waiting = self.status == "created"
        if waiting:
            self._finish("aborted", [])
            if self.status == "aborted":
                return True
        deadline = perf_counter() + ABORT_PATIENCE
        while not self.finished.wait(ABORT_INTERVAL):
            if perf_counter() > deadline:
                return False
            with self._lock:
                if self._thread is not None and not self._shielded:
                    throw(self._thread, GearsForceStopped)
            if self.nap.locked():
                self.nap.release()
        return True

    def shield(self, change: int) -> bool:
        """Enter or leave a block that aborts do not interrupt, see :class:`context.Shield`.

        Returns:
            Whether an abort was kept out, and may come now.
        """
        # Nothing but a plain lock is safe here: an abort may come between any two instructions,
        # but not between a lock's own acquisition and the block.
        with self._lock:
            self._shielded += change
            if change > 0 and self.aborting and self._thread is not None:
                throw(self._thread, None)  # one that is on its way: there will be another
            return self.aborting and not self._shielded

    def abandon(self) -> None:
        """Answer for it although its function still resists."""
        self.errors.append(self._text(GearsForceStopped("the function resisted the abort")))
        self._finish("done", [])

    # -- description ----------------------------------------------------------------------------

    def describe(self) -> list[Any]:
        """Its entry in the reply to RG.GETEXECUTION."""
        end = self._ended or perf_counter()
        total = end - self._started if self._started else 0.0
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
        plan += ["total_duration", int(total * 1000)]
        plan += ["read_duration", int(self.read_seconds * 1000), "steps", rows[::-1]]
        return ["shard_id", SHARD_ID, "execution_plan", plan]


class Executions:
    """The list of executions.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._all: dict[str, Execution] = {}
        self._next = 0

    def create(self, plan: Plan, registered: bool = False) -> Execution:
        """Make an execution of a plan and list it; the oldest one may have to go."""
        with self._lock:
            ident = f"{SHARD_ID}-{self._next}"
            self._next += 1
            limit = self._engine.settings["MaxExecutions"]
            if limit > 0:
                self._make_room(limit)
            execution = self._all[ident] = Execution(self._engine, ident, plan, registered)
            return execution

    def _make_room(self, limit: int) -> None:
        listed = [execution for execution in self._all.values() if not execution.leaves]
        for oldest in listed[: max(0, len(listed) - limit + 1)]:
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
