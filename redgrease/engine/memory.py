"""The limit of the memory that functions may use (``--max-function-memory``).

The system refuses the worker more than that, so a function that wants too much gets a
``MemoryError`` where it asks for it, and the caller sees that.  Where functions keep what they have
got, so that there would be nothing left for others, the worker is ended and started again.
"""

from __future__ import annotations

import gc
import logging
import re
import resource
import sys
import threading
import time
from collections.abc import Callable

from .access import AccessError

SMALLEST = 16 << 20
RESERVE = 64 << 20
"""Bytes beyond the limit for the engine itself: stacks of its threads, replies, errors."""
CROWDED = 0.9
"""Which part of the limit may still be in use when a function has failed for want of memory."""
SETTLE_SECONDS, LOOKS = 1.0, 40
"""For how long, and how often, it is looked at whether memory has become free."""
STATUS = 71
"""Exit status of a worker that has run out of memory."""
_UNITS = {"": 1, "k": 1000, "m": 10**6, "g": 10**9, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_SIZE = re.compile(r"(\d+)\s*([kmg]?b?)", re.IGNORECASE)
_log = logging.getLogger("redgrease.engine")


def parse_size(text: str | int | None) -> int | None:
    """Read a size as Redis does: ``512mb``, ``1gb``, ``1000000``.

    Args:
        text: The size; 0 or None is no limit.

    Returns:
        Bytes; None for no limit.

    Raises:
        AccessError: It is no size, too small to run anything, or cannot be had on this system.
    """
    match = _SIZE.fullmatch(str(text or 0).strip())
    unit = match[2].lower() if match is not None else ""
    if match is None or unit not in _UNITS:
        raise AccessError(f"the memory of functions is a size such as 512mb, not {text!r}")
    size = int(match[1]) * _UNITS[unit]
    if not size:
        return None
    if size < SMALLEST:
        raise AccessError(f"functions need at least 16mb of memory, more than {text}")
    if sys.platform != "linux":
        raise AccessError("the memory of functions can be limited on Linux only")
    return size


def _used() -> int:
    """Bytes that count for the system's limit."""
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[5]) * resource.getpagesize()


class MemoryLimit:
    """The limit of this process.

    Args:
        size: How many bytes functions may use.
        give_up: Ends the process; called with what is to be told to those who wait for it.
    """

    active: MemoryLimit | None = None
    """The limit that holds."""

    def __init__(self, size: int, give_up: Callable[[str], None]) -> None:
        self.text = f"functions may use {size >> 20} MB of memory (--max-function-memory)"
        self._size, self._give_up = size, give_up
        self._base = 0
        self._hit = threading.Event()

    def begin(self) -> None:
        """Let it hold, beyond what is in use now."""
        self._base = _used()
        threading.Thread(target=self._watch, name="redgrease-memory", daemon=True).start()
        threading.excepthook = self._uncaught
        self._set(RESERVE)
        MemoryLimit.active = self

    def _set(self, reserve: int) -> None:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        soft = self._base + self._size + reserve
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))

    def hit(self, error: MemoryError) -> None:
        """Something has failed for want of memory: there shall be enough to say so."""
        self._set(2 * RESERVE)
        if not error.args:
            error.args = (self.text,)
        self._hit.set()

    def _uncaught(self, hook: threading.ExceptHookArgs) -> None:
        if issubclass(hook.exc_type, MemoryError):
            self.end()
        threading.__excepthook__(hook)

    def end(self) -> None:
        """There is no memory left to go on with."""
        self._set(4 * RESERVE)
        self._give_up(f"{self.text}, and there was none left to go on with")

    def _watch(self) -> None:
        while True:
            self._hit.wait()
            self._hit.clear()
            gc.collect()
            if not any(self._settled() for _ in range(LOOKS)):
                self._give_up(f"{self.text}, and keep too much of it")
            if not self._hit.is_set():
                self._set(RESERVE)

    def _settled(self) -> bool:
        """Whether, after a while, there is memory for functions again."""
        time.sleep(SETTLE_SECONDS / LOOKS)
        return _used() < self._base + CROWDED * self._size + RESERVE


def note(error: BaseException) -> None:
    """Say in a ``MemoryError`` which limit it is about, if there is one."""
    limit = MemoryLimit.active
    if limit is not None and isinstance(error, MemoryError):
        limit.hit(error)
