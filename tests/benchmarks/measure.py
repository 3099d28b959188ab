"""How times are taken: always two things in turn, so that a drifting machine hits both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST, LEAST = "<=", ">="


@dataclass
class Figure:
    """One line of the table.

    Attributes:
        group: The group of figures it belongs to.
        name: What was measured.
        value: The figure.
        floor: What it is compared with; None for a figure that stands by itself.
        unit: The unit of both.
        ratio: The ratio that counts; None for a figure that stands by itself.
        compare: ``<=`` or ``>=``.
        target: What ratio, or value without one, is aimed at; None where nothing is.
    """

    group: str
    name: str
    value: float
    floor: float | None = None
    unit: str = "µs"
    ratio: float | None = None
    compare: str = MOST
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        if self.target is None:
            return None
        reached = self.value if self.ratio is None else self.ratio
        return reached <= self.target if self.compare == MOST else reached >= self.target


def seconds(call: Callable[[], Any]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turn(
    ours: Callable[[], Any], floor: Callable[[], Any], rounds: int, warm: int = 1
) -> tuple[float, float]:
    """Call two things in turn; returns the median of the seconds that each takes."""
    for _ in range(warm):
        ours()
        floor()
    taken = [(seconds(ours), seconds(floor)) for _ in range(rounds)]
    return statistics.median(a for a, _ in taken), statistics.median(b for _, b in taken)


def in_blocks(
    ours: Callable[[], Any], floor: Callable[[], Any], calls: int, blocks: int = 9
) -> tuple[float, float, float]:
    """The same for short calls: blocks of calls in turn.

    Returns:
        The medians of both in seconds, and the median ratio of neighbouring blocks.
    """
    pairs = []
    for number in range(blocks + 1):
        first, second = (
            statistics.median(seconds(call) for _ in range(calls // blocks))
            for call in (ours, floor)
        )
        if number:  # the first block warms up
            pairs.append((first, second))
    mine = statistics.median(a for a, _ in pairs)
    theirs = statistics.median(b for _, b in pairs)
    return mine, theirs, statistics.median(a / b for a, b in pairs)


def per_call(call: Callable[[], Any], least: float = 0.2) -> float:
    """Seconds that a quick call takes, the least of some loops."""
    number = 1
    while (taken := seconds(lambda: [call() for _ in range(number)])) < least / 5:
        number *= 2
    return (
        min(taken, *(seconds(lambda: [call() for _ in range(number)]) for _ in range(4))) / number
    )
