"""Looks for streams in the background, until Redis has told all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from .connection import Disconnected
from .scheduler import Scheduler
from .stream_group import Unavailable
from .stream_state import MIN_DELAY, longer

_log = logging.getLogger("redgrease.engine")


class StreamScan:
    """Scans of one registration, one at a time; asked for during a scan, another one follows.

    Args:
        name: Who looks for streams, for the log.
        scheduler: Where to wait for another attempt, if Redis cannot be asked.
        wanted: Tells whether to look at all; asked before each scan and each stream.
        streams: Finds the names of the streams.
        found: Takes a name, and whether Redis was away.
    """

    def __init__(
        self,
        name: str,
        scheduler: Scheduler,
        wanted: Callable[[], bool],
        streams: Callable[[], Iterable[bytes]],
        found: Callable[[bytes, bool], None],
    ) -> None:
        self._name, self._scheduler = name, scheduler
        self._wanted, self._streams, self._found = wanted, streams, found
        self._lock = threading.Lock()
        self._running = self._again = self._lost = False
        self._delay = MIN_DELAY

    def begin(self, lost: bool = False) -> None:
        """Scan in the background, if that is wanted.

        Args:
            lost: Whether Redis was away, so that it may not know what was acknowledged.
        """
        if not self._wanted():
            return
        with self._lock:
            self._again = True
            self._lost |= lost
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name="redgrease-streams", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._again or not self._wanted():
                    self._running = False
                    return
                self._again = False
                lost, self._lost = self._lost, False
            try:
                self._scan(lost)
            except (Disconnected, Unavailable) as error:
                with self._lock:
                    self._running = False
                    delay, self._delay = self._delay, longer(self._delay)
                _log.warning("%s cannot look for streams: %s", self._name, error)
                self._scheduler.later(delay, lambda: self.begin(lost=True))
                return
            except BaseException:
                with self._lock:
                    self._running = False
                raise

    def _scan(self, lost: bool) -> None:
        for key in self._streams():
            if not self._wanted():
                return
            self._found(key, lost)
        self._delay = MIN_DELAY
