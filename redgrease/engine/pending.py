"""Results of steps that are to come: one waits for each, and any thread may supply it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from .errors import PIPELINE_FILE, GearsError, PlainError, is_ours

NOT_RETURNED = "Can not handle future untill it returned from the callback"
TWICE = "Can not continue with the same future twice"
LOST = "Async record did not called continue"
MADE_TWICE = "Can not create async record twice on the same step"
OUTSIDE = "Future object can only be created inside certain execution steps"
UNSUPPORTED = "Step does not support async"

CALLERS: dict[CodeType, bool] = {}
"""Functions of the engine that call steps' callbacks, and whether a result may come later there.

Generated code is told by its file name; its global ``REFUSING`` holds the lines where it may not.
"""


class Pending:
    """A result that is to come, as the step that waits for it sees it.

    There are no locks that could be held when the garbage collector or an abort comes.
    """

    __slots__ = ("_bell", "_once", "coroutine", "done", "error", "task", "value")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.error: str | None = None
        self.coroutine = False
        """Whether a coroutine supplies it."""
        self.task: Any = None
        """The coroutine's task, once it has begun."""
        self._once = threading.Lock()
        self._bell = threading.Lock()
        self._bell.acquire()

    def settle(self, value: Any, error: str | None = None) -> bool:
        """Supply it.

        Args:
            value: The value.
            error: The message of the error which it is instead.

        Returns:
            Whether it had not been supplied before.
        """
        if not self._once.acquire(False):
            return False
        self.value, self.error = value, error
        self.done = True
        self.ring()
        return True

    def ring(self) -> None:
        """Have the waiting thread look up."""
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it has not come to look since the last time

    def listen(self) -> None:
        """Wait for :meth:`settle` or :meth:`ring`."""
        if not self.done:
            self._bell.acquire()

    def result(self) -> Any:
        """The value.

        Raises:
            PlainError: It is an error; only the message is reported.
        """
        if self.error is not None:
            raise PlainError(self.error)
        return self.value


class GearsFuture:
    """A result of a step that any thread may supply later (``gearsFuture()``)."""

    def __init__(self) -> None:
        self._pending = Pending()
        self._returned = False
        self._thread = threading.get_ident()

    def returned(self) -> Pending:
        """The step has returned it; the step is to keep no reference to it from now on."""
        self._returned = True
        return self._pending

    def continueRun(self, value: Any = None) -> None:
        """Go on with this value as what the step returned.

        Args:
            value: The value.

        Raises:
            GearsError: The future was used before, or the step has not returned it yet.
        """
        self._settle(value, None)

    def continueFailed(self, error: Any = None) -> None:
        """Go on as if the step had failed with this message.

        Args:
            error: The message.

        Raises:
            GearsError: The future was used before, or the step has not returned it yet.
        """
        self._settle(None, str(error))

    def _settle(self, value: Any, error: str | None) -> None:
        # Another thread may well be faster than the step's return; that is no error here.
        if not self._returned and threading.get_ident() == self._thread:
            raise GearsError(NOT_RETURNED)
        if not self.supply(value, error):
            raise GearsError(TWICE)

    def supply(self, value: Any, error: str | None = None) -> bool:
        """Go on, from wherever; returns whether it was not used before."""
        return self._pending.settle(value, error)

    def __del__(self) -> None:
        if self._returned:
            self._pending.settle(None, LOST)


def supplier(future: Any) -> Callable[[Any, str | None], object]:
    """What hands a result to a future: called with its value, and its error if it is one."""
    if isinstance(future, GearsFuture):
        return future.supply

    def supply(value: Any, error: str | None) -> None:
        if error is not None:
            future.continueFailed(error)
        else:
            future.continueRun(value)

    return supply


class Maker:
    """Makes the gearsFutures of one execution, one in each call of a callback."""

    def __init__(self) -> None:
        self._frame: FrameType | None = None  # of the callback that made the last one

    def make(self) -> GearsFuture:
        """Make one for the callback that is running.

        Raises:
            GearsError: The callback's step does not support it, or it has one already.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            caller = frame.f_back
            if caller is not None and _supports(caller):
                break
            frame = caller
        if frame is None or is_ours(frame.f_code.co_filename):  # a reader's function
            raise GearsError(OUTSIDE)
        if self._frame is not None:
            try:
                self._frame.clear()
            except RuntimeError:  # it is running
                raise GearsError(MADE_TWICE) from None
        self._frame = frame
        return GearsFuture()

    def dropped(self) -> bool:
        """Whether the callback that has just returned made one, and did not return it."""
        made = self._frame is not None
        self.forget()
        return made

    def forget(self) -> None:
        """The callback has returned: keep nothing of it, lest a lost future were kept alive."""
        frame, self._frame = self._frame, None
        if frame is not None:
            try:
                frame.clear()
            except RuntimeError:
                pass


def _supports(caller: FrameType) -> bool:
    """Whether a frame calls a callback.

    Raises:
        GearsError: It does, but the result may not come later.
    """
    known = CALLERS.get(caller.f_code)
    if known is None and caller.f_code.co_filename == PIPELINE_FILE:
        known = caller.f_lineno not in caller.f_globals["REFUSING"]
    if known is False:
        raise GearsError(UNSUPPORTED)
    return known is True
