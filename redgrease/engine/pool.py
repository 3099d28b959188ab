"""The threads that run executions, and lanes for those that must run one after the other."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_log = logging.getLogger("redgrease.engine")

Job = Callable[[], None]


class Pool:
    """A number of threads that take jobs from one queue.

    Args:
        size: How many jobs run at the same time.
        name: Begins the names of the threads.
    """

    def __init__(self, size: int, name: str = "redgrease-execution") -> None:
        self._size, self._name = size, name
        self._condition = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._busy = 0  # threads at work, without those that wait for something
        self._idle = 0
        self._number = 0
        self._closed = False

    def submit(self, job: Job) -> None:
        """Run a job as soon as a thread is free."""
        with self._condition:
            self._jobs.append(job)
            self._wake()

    def _wake(self) -> None:
        if self._closed or not self._jobs or self._busy >= self._size:
            return
        if self._idle:
            self._condition.notify()
        else:
            self._number += 1
            self._idle += 1  # counts from now on, lest two be started for one job
            name = f"{self._name}-{self._number}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        with self._condition:
            while True:
                while not self._jobs or self._busy >= self._size:
                    if self._closed or self._idle > self._size:
                        self._idle -= 1
                        return
                    self._condition.wait()
                job = self._jobs.popleft()
                self._idle -= 1
                self._busy += 1
                self._condition.release()
                try:
                    job()
                except BaseException:
                    _log.exception("a job of the pool failed")
                finally:
                    self._condition.acquire()
                    self._busy -= 1
                    self._idle += 1
                    self._wake()

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """A block in which the current job only waits: another may run in its place."""
        with self._condition:
            self._busy -= 1
            self._wake()
        try:
            yield
        finally:
            with self._condition:
                self._busy += 1

    def lose_thread(self) -> None:
        """A thread will never come back from its job: go on without it."""
        with self._condition:
            self._size += 1
            self._wake()

    def close(self) -> None:
        """Let the threads end when they are free; jobs not begun are forgotten."""
        with self._condition:
            self._closed = True
            self._jobs.clear()
            self._condition.notify_all()


class Lane:
    """Runs jobs one after the other, on the threads of a pool.

    Args:
        pool: The pool.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._running = False

    def submit(self, job: Job) -> None:
        """Run a job after those submitted before."""
        with self._lock:
            self._jobs.append(job)
            if self._running:
                return
            self._running = True
        self._pool.submit(self._next)

    def _next(self) -> None:
        with self._lock:
            job = self._jobs.popleft()
        try:
            job()
        finally:
            with self._lock:
                self._running = bool(self._jobs)
                again = self._running
            if again:
                self._pool.submit(self._next)
