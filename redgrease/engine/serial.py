"""A thread that runs jobs one after the other, and can be replaced in the midst of one.

What a sync function does holds everybody else up.  When it turns out to wait for something, the
rest of its job goes on beside the others, and a new thread takes the next jobs.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

_log = logging.getLogger("redgrease.engine")

Job = Callable[[], None]


class Serial:
    """Runs jobs in order.

    Args:
        name: Name of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Run a job after those submitted before."""
        self._jobs.put(job)
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._start(None)

    def _start(self, first: Job | None) -> threading.Thread:
        self._thread = threading.Thread(
            target=self._work, args=(first,), name=self._name, daemon=True
        )
        self._thread.start()
        return self._thread

    def _work(self, job: Job | None) -> None:
        while True:
            if job is None:
                job = self._jobs.get()
                if job is None:
                    return
            try:
                job()
            except BaseException:
                _log.exception("a job of %s failed", self._name)
            job = None
            if self._thread is not threading.current_thread():
                return

    def hand_over(self, first: Job, before: Callable[[int], None] | None = None) -> None:
        """Let a new thread go on, from within a job; the present thread ends with that job.

        In a job that runs in a thread of somebody else's, the new one only does what comes first.

        Args:
            first: What the new thread does first.
            before: Called with the new thread's identifier, before it begins.
        """
        ready = threading.Event()

        def begin() -> None:
            ready.wait()
            first()

        if self._thread is threading.current_thread():
            thread = self._start(begin)
        else:
            thread = threading.Thread(target=begin, name=self._name, daemon=True)
            thread.start()
        if before is not None:
            assert thread.ident is not None
            before(thread.ident)
        ready.set()

    def close(self) -> None:
        """End the thread after the jobs submitted before."""
        if self._thread is not None:
            self._jobs.put(None)
