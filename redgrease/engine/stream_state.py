"""What a stream registration remembers: of each stream, and for its statistics."""

from __future__ import annotations

import enum
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .registrations import Statistics
from .scheduler import Ticket
from .stream_group import Entry

MIN_DELAY = 0.05
"""Seconds before Redis is asked again after it could not be reached, at first."""
MAX_DELAY = 2.0
"""Seconds before that, at most."""


def longer(delay: float) -> float:
    """Seconds before the next attempt, after one that came after so many."""
    return min(2 * delay, MAX_DELAY)


@dataclass
class StreamStatistics(Statistics):
    """Besides the usual, how long entries wait from their arrival to their acknowledgement."""

    last_lag_ms: int = 0
    total_lag_ms: int = 0

    def lagged(self, arrived: float) -> None:
        """A batch is acknowledged, whose first entry came at this (monotonic) time."""
        with self.lock:
            self.last_lag_ms = int((time.monotonic() - arrived) * 1000)
            self.total_lag_ms += self.last_lag_ms

    def clear(self) -> None:
        """Begin anew, see the base class."""
        super().clear()
        self.last_lag_ms = self.total_lag_ms = 0

    def lags(self) -> list[Any]:
        """As RG.DUMPREGISTRATIONS shows them."""
        ended = self.succeeded + self.failed + self.aborted
        average = self.total_lag_ms / ended if ended else 0.0
        return ["lastEstimatedLagMS", self.last_lag_ms, "avgEstimatedLagMS", average]


class State(enum.Enum):
    """What is being done about a stream."""

    IDLE = enum.auto()
    QUEUED = enum.auto()
    RUNNING = enum.auto()
    WAITING = enum.auto()
    """Redis could not be asked; it will be, in a while."""


@dataclass(eq=False)
class Stream:
    """What a registration knows of one stream.

    Attributes:
        key: Its name.
        state: What is being done about it.
        first: Whether it has not been looked at yet.
        pending: Whether there may be entries that were delivered but not acknowledged.
        old: Whether there may be entries for which no event will come.
        look: Whether to find out about that.
        looking: Whether that has been arranged for.
        suspected: How many had come when it seemed that there are some.
        arrivals: When the entries came which have not been read yet, as far as events tell.
        arrived: How many have come so far.
        done: IDs that still have to be acknowledged.
        delay: Seconds to wait after the next failure to reach Redis.
        ticket: When the oldest entry has waited long enough.
    """

    key: bytes
    state: State = State.IDLE
    first: bool = True
    pending: bool = True
    old: bool = False
    look: bool = False
    looking: bool = False
    suspected: int = -1
    arrivals: deque[float] = field(default_factory=deque)
    arrived: int = 0
    done: list[bytes] = field(default_factory=list)
    delay: float = MIN_DELAY
    ticket: Ticket | None = None

    def came(self) -> None:
        """There is a new entry."""
        self.arrivals.append(time.monotonic())
        self.arrived += 1

    def read(self, number: int) -> float:
        """So many have been read; tells when the first of them came: now, if before its event."""
        first = self.arrivals[0] if self.arrivals else time.monotonic()
        for _ in range(min(number, len(self.arrivals))):
            self.arrivals.popleft()
        return first

    def exhausted(self, arrived: int) -> None:
        """Nothing was left when so many had come."""
        self.old = False
        while self.arrivals and len(self.arrivals) > self.arrived - arrived:
            self.arrivals.popleft()


@dataclass(frozen=True)
class Batch:
    """Entries for one execution.

    Attributes:
        entries: The entries.
        arrived: When the first of them came; not known of pending ones.
        fresh: Whether they were delivered now; otherwise they were pending.
    """

    entries: list[Entry]
    arrived: float | None = None
    fresh: bool = True
