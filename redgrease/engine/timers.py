"""Time events: functions that are called every so many seconds (``registerTE``).

A timer with a key lasts as long as its key does: deleting the key ends it, and it goes on after
a restart.  The key's value is a text that says what it is.
"""

from __future__ import annotations

import heapq
import inspect
import itertools
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .connection import Disconnected
from .context import Context, Shield, entered
from .errors import GearsError, error_text
from .keyspace import argument
from .store import SavedTimer, pickled

if TYPE_CHECKING:
    from .core import Engine
    from .sessions import Session

_log = logging.getLogger("redgrease.engine")


@dataclass(eq=False)
class Timer:
    """A function that is called again and again.

    Attributes:
        session: The session it belongs to.
        seconds: The time between two calls.
        function: The function; it takes no arguments.
        key: The key that keeps it, if any.
        mark: The value of the key.
    """

    session: Session
    seconds: float
    function: Callable[[], Any]
    key: bytes | None = None
    mark: bytes = b""

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.function.__name__


class Timers:
    """The timers of the engine.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._condition = threading.Condition()
        self._all: set[Timer] = set()
        self._due: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def count(self, session: Session) -> int:
        """How many timers a session has."""
        with self._condition:
            return sum(timer.session is session for timer in self._all)

    # -- begin ----------------------------------------------------------------------------------

    def register(self, context: Context | None, args: tuple[Any, ...]) -> bool:
        """``registerTE(seconds, function[, key])``.

        Args:
            context: Of the calling thread.
            args: The arguments.

        Returns:
            Whether there is a timer now; not if the key exists.

        Raises:
            GearsError: An argument is wrong, or the function cannot be kept.
        """
        if not 2 <= len(args) <= 3:
            raise GearsError("not enough arguments for time event")
        seconds, function = args[:2]
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
            raise GearsError("time event interval must be a positive number of seconds")
        if not isinstance(function, FunctionType) or inspect.iscoroutinefunction(function):
            raise GearsError("time event callback must be a function")
        key = args[2] if len(args) == 3 else None
        if key is not None and not isinstance(key, (str, bytes, bytearray)):
            raise GearsError("time event key must be a string")
        if context is None:
            raise GearsError("Can not register a time event outside of a session")
        timer = Timer(context.session, float(min(seconds, threading.TIMEOUT_MAX)), function)
        with Shield():
            if key is not None and not self._take_key(timer, argument(key)):
                return False
            self._begin(timer)
        return True

    def _take_key(self, timer: Timer, key: bytes) -> bool:
        """Make the key of a timer, and save it; tells whether the key was free."""
        engine = self._engine
        pickled(timer.function, timer.session, engine)
        text = f"time event {os.urandom(8).hex()}: {timer.name}() every {timer.seconds:g} s"
        timer.key, timer.mark = key, text.encode("utf-8", "replace")
        if engine.keyspace.call((b"SET", key, timer.mark, b"NX")) != "OK":
            return False
        try:
            engine.store.save_timer(
                SavedTimer(key, timer.session, timer.seconds, timer.function, timer.mark), engine
            )
        except BaseException:
            engine.keyspace.call((b"DEL", key))
            raise
        return True

    def load(self) -> None:
        """Go on with the timers that were saved and whose keys are still there."""
        engine = self._engine
        for saved in engine.store.load_timers(engine, engine.sessions.all()):
            timer = Timer(saved.session, saved.seconds, saved.function, saved.key, saved.mark)
            saved.session.owner = engine.sessions
            if self._has_key(timer):
                self._begin(timer)
            else:
                engine.store.remove_timer(saved.key, saved.mark)

    def _begin(self, timer: Timer) -> None:
        with self._condition:
            self._all.add(timer)
            self._plan(timer)

    def _plan(self, timer: Timer) -> None:
        if self._closed:
            return
        heapq.heappush(self._due, (monotonic() + timer.seconds, next(self._numbers), timer))
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._serve, name="redgrease-timers", daemon=True
            )
            self._thread.start()
        self._condition.notify()

    # -- go on ----------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Give what is due to the pool, until :meth:`close`."""
        with self._condition:
            while not self._closed:
                if not self._due:
                    self._condition.wait()
                    continue
                left = self._due[0][0] - monotonic()
                if left > 0:
                    self._condition.wait(left)
                    continue
                timer = heapq.heappop(self._due)[2]
                self._engine.pool.submit(lambda timer=timer: self._tick(timer))  # type: ignore[misc]

    def _tick(self, timer: Timer) -> None:
        """Call the function; what has been missed meanwhile is not made up for."""
        try:
            if timer.key is not None and not self._has_key(timer):
                self._end(timer)
                return
            with entered(Context(timer.session)):
                timer.function()
        except Disconnected as error:
            _log.warning("time event %s: %s; it goes on", timer.name, error)
        except BaseException as error:
            _log.warning("time event %s ends: %s", timer.name, error_text(error))
            self._end(timer, failed=True)
            return
        finally:
            self._engine.keyspace.unlock()
        with self._condition:
            self._plan(timer)

    def _has_key(self, timer: Timer) -> bool:
        assert timer.key is not None
        found = self._engine.keyspace.call((b"GET", timer.key))
        return isinstance(found, str) and found.encode("utf-8", "replace") == timer.mark

    def _end(self, timer: Timer, failed: bool = False) -> None:
        with self._condition:
            self._all.discard(timer)
        if timer.key is None:
            return
        try:
            self._engine.store.remove_timer(timer.key, timer.mark)
            if failed and self._has_key(timer):
                text = timer.mark + b", ended by an error"
                self._engine.keyspace.call((b"SET", timer.key, text))
        except Exception:
            _log.exception("the end of time event %s could not be noted", timer.name)

    def close(self) -> None:
        """End the thread; timers with keys stay in the store."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()
