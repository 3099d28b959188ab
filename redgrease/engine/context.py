"""What the current thread is doing for which session: the ground under the runtime functions.

Three things run users' code: the script thread (bodies of scripts), the pool's threads (steps of
executions) and the event loop's thread (coroutines).  Each enters a context first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import GearsForceStopped

if TYPE_CHECKING:
    from .executions import Execution
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
        command: What a command hook or a linked command offers to the function.
    """

    session: Session
    script: ScriptRun | None = None
    execution: Execution | None = None
    coroutine: bool = False
    atomic: int = 0
    may_wait: bool = True
    command: Any = field(default=None)


class _Current(threading.local):
    context: Context | None = None


_current = _Current()


def current() -> Context | None:
    """The context of this thread, if it runs users' code."""
    return _current.context


def set_current(context: Context | None) -> Context | None:
    """Enter a context without leaving it again; returns the one before."""
    before, _current.context = _current.context, context
    return before


class Shield:
    """A block that an abort does not interrupt: the engine's own code in the midst of a step.

    An exception out of nowhere would leave locks held and replies unread.  The abort comes when
    the block has been left; whatever waits in it calls :func:`check` now and then.
    """

    __slots__ = ("_execution",)

    def __enter__(self) -> None:
        context = _current.context
        self._execution = None if context is None or context.coroutine else context.execution
        if self._execution is not None:
            self._execution.shield(1)

    def __exit__(self, kind: object, *_: object) -> None:
        if self._execution is not None and self._execution.shield(-1) and kind is None:
            raise GearsForceStopped  # a function that is nearly always shielded stops here


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
