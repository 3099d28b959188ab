"""What the current thread is doing for which session: the ground under the runtime functions.

Three things run users' code: the script thread (bodies of scripts), the pool's threads (steps of
executions) and the event loop's thread (coroutines).  Each enters a context first.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import GearsForceStopped

if TYPE_CHECKING:
    from .commands_registration import Chain
    from .executions import Execution
    from .registrations import Command
    from .script import ScriptRun, Session


@dataclass
class Context:
    """For whom a thread is working.

    Attributes:
        session: The script's session.
        script: The run of a script body, if that is what the thread does.
        execution: The execution whose step it runs.
        coroutine: Whether it runs a coroutine of that step.
        atomic: Depth of ``atomic()`` blocks (0 or 1).
        may_wait: Whether results may come later (not within MULTI, Lua ...).
        command: The client's command to which the function is linked.
        hook: Goes on with the command that a hook has intercepted.
        muted: Names of the readers to whose functions its writes are no events: that of the event
            which the function handles at once, as Redis tells nobody while it is being told.
        suspend: Gives back what a sync function holds, before it waits for a result that is to
            come; returns what is to be done after the wait, if anything.
    """

    session: Session
    script: ScriptRun | None = None
    execution: Execution | None = None
    coroutine: bool = False
    atomic: int = 0
    may_wait: bool = True
    command: Command | None = None
    hook: Chain | None = None
    muted: frozenset[str] = frozenset()
    suspend: Callable[[], Callable[[], None] | None] | None = None


class Guard:
    """Whether a thread that runs an execution's functions may be interrupted by an abort.

    It may be while :attr:`depth` is 0.  An exception that is thrown into a thread is raised where
    the thread next looks for such things: where it begins or ends a call, or jumps back.  So a
    function of the engine that counts up in its first lines gets it before these or never, as
    long as the thrower's look and throw are one step for the interpreter, see :meth:`interrupt`.
    """

    __slots__ = ("_ident", "depth", "execution")

    def __init__(self, execution: Execution | None = None) -> None:
        self.execution = execution
        self.depth = 1
        self._ident = ctypes.c_ulong(threading.get_ident())

    def interrupt(self, execution: Execution) -> None:
        """Throw the abort of an execution into the thread, if it may be interrupted now."""
        # No call, nor jump, between the look and the throw.
        if not self.depth and self.execution is execution:
            _throw(self._ident, _FORCE_STOPPED)

    def clear(self) -> None:
        """Get rid of an abort that has been thrown and not been raised; for the thread itself."""
        # Taking it back would leave the interpreter (before 3.13) with its mark that there is one:
        # slower from then on, and on 3.11 it hangs under a profiler or debugger.
        try:
            _throw(self._ident, _FORCE_STOPPED)
            while True:
                pass  # it is raised where the thread jumps back
        except GearsForceStopped:
            pass


_throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
_FORCE_STOPPED = ctypes.py_object(GearsForceStopped)


class _Current(threading.local):
    context: Context | None = None
    guard: Guard | None = None


_current = _Current()


def current() -> Context | None:
    """The context of this thread, if it runs users' code."""
    return _current.context


def set_current(context: Context | None) -> Context | None:
    """Enter a context without leaving it again; returns the one before."""
    before, _current.context = _current.context, context
    return before


def set_guard(guard: Guard) -> Guard | None:
    """Let aborts look at another guard for the current thread.

    Returns:
        The one before, for :func:`reset_guard`; its execution is left alone meanwhile.
    """
    before = _current.guard
    if before is not None:
        before.depth += 1
    _current.guard = guard
    return before


def reset_guard(before: Guard | None) -> None:
    """Go back to the guard before."""
    _current.guard = before
    if before is not None:
        before.depth -= 1


class Shield:
    """A block that an abort does not interrupt: the engine's own code in the midst of a step.

    An exception out of nowhere would leave locks held and replies unread.  The abort comes when
    the block has been left; whatever waits in it calls :func:`check` now and then.
    """

    __slots__ = ("_guard",)

    def __enter__(self) -> None:
        self._guard = guard = _current.guard
        if guard is not None:
            guard.depth += 1

    def __exit__(self, kind: object, *_: object) -> None:
        guard = self._guard
        if guard is not None:
            guard.depth -= 1
            if not guard.depth and kind is None:
                execution = guard.execution
                if execution is not None and execution.aborting:
                    raise GearsForceStopped  # or a function that is always shielded would not end


def check() -> None:
    """Raise the abort of the current execution, if there is one.

    Raises:
        GearsForceStopped: The execution is being aborted.
    """
    context = _current.context
    if context is not None and context.execution is not None and context.execution.aborting:
        raise GearsForceStopped


@contextmanager
def entered(context: Context | None) -> Iterator[Context | None]:
    """Run a block within a context."""
    before = set_current(context)
    try:
        yield context
    finally:
        _current.context = before
