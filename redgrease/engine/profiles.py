"""Profiles of sessions: where the time of their functions goes (RG.PYPROFILE).

From Python 3.12 on, ``cProfile`` watches all threads at once and only one of it can be active, so
the measuring is done here, in each thread by itself.  The figures are those of ``cProfile``, and
are printed by ``pstats``.
"""

from __future__ import annotations

import os
import pstats
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from types import CodeType, FrameType
from typing import Any
from weakref import WeakKeyDictionary

from .errors import is_ours
from .native import profile_info
from .replies import OK, Error
from .sessions import Session, Sessions

DEFAULT_ORDER = "tottime"
_LIBRARY = (os.path.dirname(os.__file__) + os.sep, "<frozen ")
_C_CODE = "~"  # the file of what is written in C, as cProfile has it

Key = tuple[str, int, str]
"""File, line and name of a function."""


class _Figures:
    """Calls, calls that were not recursive, and times without and with what is called."""

    __slots__ = ("all", "callers", "inner", "primitive", "total")

    def __init__(self) -> None:
        self.all = self.primitive = 0
        self.inner = self.total = 0.0
        self.callers: dict[Key, _Figures] = {}

    def add(self, other: _Figures) -> None:
        self.all += other.all
        self.primitive += other.primitive
        self.inner += other.inner
        self.total += other.total
        for key, figures in other.callers.items():
            self.callers.setdefault(key, _Figures()).add(figures)

    def count(self, inner: float, total: float, recursive: bool) -> None:
        self.all += 1
        self.inner += inner
        if not recursive:
            self.primitive += 1
            self.total += total


class _Call:
    """A call that has not ended yet."""

    __slots__ = ("builtin", "frame", "inside", "key", "start")

    def __init__(self, key: Key, frame: FrameType, builtin: bool) -> None:
        self.key, self.frame, self.builtin = key, frame, builtin
        self.inside = 0.0
        self.start = perf_counter()


class Recorder:
    """Measures the calls of one thread.

    What the engine does for itself is left out; its functions that users call are shown without
    what they do inside.
    """

    def __init__(self) -> None:
        self.figures: dict[Key, _Figures] = {}
        self._before: Callable[..., Any] | None = None
        self._stack: list[_Call] = []
        self._depth: dict[Key, int] = {}
        self._ours: dict[CodeType, bool] = {}
        self._library: dict[CodeType, bool] = {}

    def start(self) -> None:
        """Begin, in the current thread; another one that measures it waits."""
        before = sys.getprofile()
        other = getattr(before, "__self__", None)
        self._before = before if isinstance(other, Recorder) else None
        sys.setprofile(self._on_event)
        if isinstance(other, Recorder):
            other._leave_if(sys._getframe())  # it will not be told that this call ends

    def stop(self) -> None:
        """End, and let go on the one that waits."""
        sys.setprofile(self._before)
        while self._stack:
            self._leave()

    def _is_ours(self, code: CodeType) -> bool:
        known = self._ours.get(code)
        if known is None:
            known = self._ours[code] = is_ours(code.co_filename)
        return known

    def _is_library(self, code: CodeType) -> bool:
        known = self._library.get(code)
        if known is None:
            known = self._library[code] = code.co_filename.startswith(_LIBRARY)
        return known

    def _on_event(self, frame: FrameType, event: str, argument: Any) -> None:
        stack = self._stack
        within = stack and not self._is_ours(stack[-1].frame.f_code)  # a call of the user's code
        if event == "call":
            code = frame.f_code
            if not within and (stack or self._is_ours(code) or self._is_library(code)):
                return
            name = getattr(code, "co_qualname", code.co_name)
            self._enter((code.co_filename, code.co_firstlineno, name), frame, False)
        elif event == "c_call":
            if within:
                self._enter((_C_CODE, 0, _label(argument)), frame, True)
        elif stack and stack[-1].frame is frame and stack[-1].builtin is (event != "return"):
            self._leave()

    def _enter(self, key: Key, frame: FrameType, builtin: bool) -> None:
        self._depth[key] = self._depth.get(key, 0) + 1
        self._stack.append(_Call(key, frame, builtin))

    def _leave_if(self, frame: FrameType) -> None:
        if self._stack and self._stack[-1].frame is frame:
            self._leave()

    def _leave(self) -> None:
        call = self._stack.pop()
        total = perf_counter() - call.start
        self._depth[call.key] -= 1
        recursive = self._depth[call.key] > 0
        figures = self.figures.setdefault(call.key, _Figures())
        figures.count(total - call.inside, total, recursive)
        if self._stack:
            caller = self._stack[-1]
            caller.inside += total
            by_caller = figures.callers.setdefault(caller.key, _Figures())
            by_caller.count(total - call.inside, total, recursive)


def _label(function: Any) -> str:
    """A function written in C, as cProfile names it."""
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type(sys)):
        kind = owner if isinstance(owner, type) else type(owner)
        return f"<method '{function.__name__}' of '{kind.__name__}' objects>"
    return f"<built-in method {function.__module__}.{function.__name__}>"


class Profile:
    """The figures of a session, as :class:`pstats.Stats` takes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._figures: dict[Key, _Figures] = {}
        self.stats: dict[Key, tuple[Any, ...]] = {}

    def add(self, recorder: Recorder) -> None:
        """Add what was measured."""
        with self._lock:
            for key, figures in recorder.figures.items():
                self._figures.setdefault(key, _Figures()).add(figures)

    def create_stats(self) -> None:
        """Make :attr:`stats`."""
        with self._lock:
            self.stats = {
                key: (
                    *(one.primitive, one.all, one.inner, one.total),
                    {
                        caller: (part.all, part.primitive, part.inner, part.total)
                        for caller, part in one.callers.items()
                    },
                )
                for key, one in self._figures.items()
            }

    def __bool__(self) -> bool:
        return bool(self._figures)


class Profiles:
    """The profiles of all sessions.

    Args:
        sessions: The sessions.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._lock = threading.Lock()
        self._all: WeakKeyDictionary[Session, Profile] = WeakKeyDictionary()

    @contextmanager
    def recorded(self, session: Session) -> Iterator[None]:
        """A block whose calls, in the current thread, are added to a session's profile."""
        recorder = Recorder()
        recorder.start()
        try:
            yield
        finally:
            recorder.stop()
            with self._lock:
                profile = self._all.setdefault(session, Profile())
            profile.add(recorder)

    def command(self, words: list[str]) -> Any:
        """The reply to RG.PYPROFILE.

        Args:
            words: Its arguments: ``STATS id [order]`` or ``RESET id``.  An order that ``pstats``
                does not know is passed over, as the original does with all of them.
        """
        action = words[0].upper()
        if action not in ("STATS", "RESET"):
            return Error("Wrong subcommand given to RG.PYPROFILE")
        session = self._sessions.get(words[1])
        if session is None:
            return Error("session does not exists")
        if action == "RESET":
            with self._lock:
                self._all.pop(session, None)
            return OK
        profile = self._all.get(session)
        if not profile:
            return Error(f"session {session.id} has no profile; it needs ProfileExecutions 1")
        known = len(words) > 2 and words[2] in pstats.Stats.sort_arg_dict_default
        return profile_info(profile, words[2] if known else DEFAULT_ORDER)
