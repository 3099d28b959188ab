"""The thread that reads the link to the proxy, and runs what is quick by itself.

To wake another thread up takes longer than most functions run, all the more as both then want the
interpreter.  So the thread that has read a call carries it out, if such calls have been quick so
far.  A watcher, awake only while there is something to watch, has another thread go on reading
where one turns out to take its time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

Job = Callable[[], None]
TICK_SECONDS = 0.004
"""How often the watcher looks."""
IDLE_TICKS = 25
"""After how many ticks without a job it falls asleep."""
QUICK_SECONDS = 0.0005
"""What takes longer is not for the thread that reads."""
_log = logging.getLogger("redgrease.engine")


class Pace:
    """How long something takes that is done again and again; slow until it has proved quick."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds = 16 * QUICK_SECONDS

    @property
    def quick(self) -> bool:
        """Whether it has been quick for a while."""
        return self._seconds < QUICK_SECONDS

    def note(self, seconds: float) -> None:
        """Take in how long it took; a slow one counts at once, quick ones little by little."""
        self._seconds = max(seconds, (3 * self._seconds + seconds) / 4)


class Crew:
    """Reads, one thread at a time.

    Args:
        read: Reads on, and acts on what it reads, as long as its argument returns True; returns
            False at the end.
        ended: Called at the end, in the thread that has read it.
        name: Begins the names of the threads.
    """

    def __init__(self, read: Callable[[Callable[[], bool]], bool], ended: Job, name: str) -> None:
        self._read, self._on_end, self._name = read, ended, name
        self._lock = threading.Lock()
        self._alarm = threading.Event()
        self._reader: int | None = 0  # the thread that reads, or runs a job in between
        self._taken: Job | None = None
        self._number = 0  # of jobs
        self._busy = False
        self._asleep = False
        self._ended = False

    def start(self) -> None:
        """Begin to read, in a thread of its own."""
        with self._lock:
            self._relieve()
        threading.Thread(target=self._watch, name=f"{self._name}-watch", daemon=True).start()

    def take(self, job: Job) -> bool:
        """Have the current thread run a job when it has acted on what it has read last.

        Args:
            job: The job.

        Returns:
            Whether it will: it has to be the one that reads, and not to have a job yet.
        """
        if self._reader != threading.get_ident() or self._busy or self._taken is not None:
            return False
        self._taken = job
        return True

    def _relieve(self) -> None:
        self._busy = False
        thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
        thread.start()
        self._reader = thread.ident

    def _free(self) -> bool:
        return self._taken is None

    def _serve(self) -> None:
        with self._lock:
            me = self._reader
        while self._goes_on():
            job, self._taken = self._taken, None
            assert job is not None
            self._number += 1
            self._busy = True
            if self._asleep:
                self._alarm.set()
            try:
                job()
            except BaseException:
                _log.exception("a job of %s failed", self._name)
            with self._lock:
                if self._reader != me:
                    return
                self._busy = False
        self._ended = True
        self._alarm.set()
        self._on_end()

    def _goes_on(self) -> bool:
        try:
            return self._read(self._free)
        except BaseException:
            _log.exception("%s cannot go on", self._name)
            return False

    def _watch(self) -> None:
        seen, idle, tick = 0, 0, threading.Event()
        while not self._ended:
            if idle > IDLE_TICKS:
                self._asleep = True
                if not self._busy:  # looked at only now, as the other one looks after busy is set
                    self._alarm.wait()
                self._asleep, idle = False, 0
                self._alarm.clear()
            tick.wait(TICK_SECONDS)
            with self._lock:
                if self._busy and self._number == seen:
                    self._relieve()
                idle = 0 if self._number != seen else idle + 1
                seen = self._number
