"""Calls functions after a while, in one thread for the whole engine."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger("redgrease.engine")

Job = Callable[[], None]


class Ticket:
    """A call that is to come."""

    __slots__ = ("cancelled", "job")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cancelled = False

    def cancel(self) -> None:
        """It is not wanted any more."""
        self.cancelled = True


class Scheduler:
    """Calls short functions when they are due; the thread starts with the first of them."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._due: list[tuple[float, int, Ticket]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def later(self, seconds: float, job: Job) -> Ticket:
        """Call a function in so many seconds.

        Args:
            seconds: How many.
            job: The function; it must not take long, and its errors are only logged.
        """
        ticket = Ticket(job)
        due = time.monotonic() + max(0.0, min(seconds, threading.TIMEOUT_MAX))
        with self._condition:
            if self._closed:
                return ticket
            heapq.heappush(self._due, (due, next(self._numbers), ticket))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="redgrease-scheduler", daemon=True
                )
                self._thread.start()
            if self._due[0][2] is ticket:
                self._condition.notify()
        return ticket

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._closed:
                    while self._due and self._due[0][2].cancelled:
                        heapq.heappop(self._due)
                    if not self._due:
                        self._condition.wait()
                        continue
                    left = self._due[0][0] - time.monotonic()
                    if left <= 0:
                        break
                    self._condition.wait(left)
                if self._closed:
                    return
                ticket = heapq.heappop(self._due)[2]
            try:
                ticket.job()
            except Exception:
                _log.exception("a scheduled job failed")

    def close(self) -> None:
        """End the thread; what is not due yet is forgotten."""
        with self._condition:
            self._closed = True
            self._due.clear()
            self._condition.notify()
