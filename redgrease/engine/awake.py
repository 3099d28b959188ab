"""Keeps the proxy's loop awake while the worker is about to answer, or a client to ask again.

On a machine with little else to do, to put a process to sleep and to wake it up again takes longer
than most functions run (see ``eager``).  So for a moment the loop goes on turning, and in each turn
offers its processor to whoever wants it.  It gives that up by and by where answers take longer, and
where several are awaited there is enough to do that keeps it awake.
"""

from __future__ import annotations

import asyncio
import os
from time import perf_counter

from .eager import LEAST_SECONDS, POSSIBLE

ANSWER_SECONDS = 0.0005
"""How long an answer is waited for, at most, before the loop may sleep."""
LINGER_SECONDS = 0.0005
"""How long the loop turns after an answer: who calls functions often calls the next one soon."""


class Awake:
    """Turns the loop while answers are awaited.

    Attributes:
        turning: Whether it does.
    """

    def __init__(self) -> None:
        self.turning = False
        self._seconds = ANSWER_SECONDS if POSSIBLE else -1.0
        self._awaited = 0
        self._asked = self._end = 0.0

    def ask(self) -> None:
        """An answer is awaited from now on."""
        self._awaited += 1
        self._asked = perf_counter()
        if self._awaited > 1 or self._seconds < LEAST_SECONDS:
            return
        self._end = self._asked + self._seconds
        if not self.turning:
            self.turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def answered(self) -> None:
        """An answer has come."""
        self._awaited -= 1
        if self._seconds >= 0:
            now = perf_counter()
            if now - self._asked < ANSWER_SECONDS:
                self._seconds = ANSWER_SECONDS
            self._end = now + LINGER_SECONDS

    def forget(self) -> None:
        """No answers will come any more."""
        self._awaited = 0

    def _turn(self) -> None:
        if self._awaited <= 1 and perf_counter() < self._end:
            os.sched_yield()
            asyncio.get_running_loop().call_soon(self._turn)
            return
        self.turning = False
        if self._awaited == 1:
            self._seconds /= 2
