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
        self._jobs: deque[tuple[Job, Lane | None]] = deque()
        self._busy = 0  # threads at work, without those that wait for something
        self._idle = 0
        self._number = 0
        self._threads: set[int] = set()
        self._lost: set[int] = set()
        self._closed = False
        self._local = _Work()

    def submit(
        self, job: Job, lane: Lane | None = None, take: Callable[[Job], bool] | None = None
    ) -> None:
        """Run a job as soon as a thread is free.

        Args:
            job: The job.
            lane: The lane that is occupied by it, if any.
            take: Has another thread, in place of one of the pool's, run what it is given if one
                would be free; returns whether it will.
        """
        with self._condition:
            free = not self._jobs and self._busy < self._size
            if free and take is not None and take(lambda: self._work_elsewhere(job)):
                self._busy += 1
                return
            self._jobs.append((job, lane))
            self._wake()

    def _work_elsewhere(self, job: Job) -> None:
        self._local.working = True
        try:
            job()
        finally:
            self._local.working = False
            with self._condition:
                self._busy -= 1
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
        local, me = self._local, threading.get_ident()
        with self._condition:
            self._threads.add(me)
            while True:
                while not self._jobs or self._busy >= self._size:
                    if self._closed or self._idle > self._size:
                        self._idle -= 1
                        self._threads.discard(me)
                        return
                    self._condition.wait()
                job, local.lane = self._jobs.popleft()
                local.working = True
                self._idle -= 1
                self._busy += 1
                self._wake()  # for jobs that came while this thread was being started
                self._condition.release()
                try:
                    job()
                except BaseException:
                    _log.exception("a job of the pool failed")
                finally:
                    self._condition.acquire()
                    local.working = False
                    if local.lane is not None:
                        following = local.lane.next()
                        if following is not None:
                            self._jobs.append((following, local.lane))
                        local.lane = None
                    self._busy -= 1
                    if me in self._lost:  # it has come back after all
                        self._lost.discard(me)
                        self._size -= 1
                    self._idle += 1
                    if len(self._jobs) > 1:  # this thread takes one itself
                        self._wake()

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """A block in which the current job only waits: another may run in its place.

        Does nothing in threads that are not the pool's.
        """
        local = self._local
        if not local.working:
            yield
            return
        with self._condition:
            if local.lane is not None:
                local.lane.leave()
                local.lane = None
            self._busy -= 1
            self._wake()
        try:
            yield
        finally:
            with self._condition:
                self._busy += 1

    def lose_thread(self, ident: int) -> None:
        """A thread will not come back from its job for long: go on without it."""
        with self._condition:
            if ident in self._threads and ident not in self._lost:
                self._lost.add(ident)
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

    A job that waits for something lets the next one begin, see :meth:`Pool.replaced`.

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
            job = self._jobs.popleft()
        self._pool.submit(job, self)

    def leave(self) -> None:
        """The job under way begins to wait: the next one may run."""
        job = self.next()
        if job is not None:
            self._pool.submit(job, self)

    def next(self) -> Job | None:
        """The job after the one under way, which has ended."""
        with self._lock:
            self._running = bool(self._jobs)
            return self._jobs.popleft() if self._jobs else None


class _Work(threading.local):
    """What a thread does."""

    working = False
    lane: Lane | None = None
