"""Turns at the proxy: times in which one command and what functions make of it happen alone.

A *section* belongs to one client's command, or to the worker's own events: until it has ended, no
other client's command is sent to Redis.  A *hold* is what functions ask for (``atomic()``).  They
exclude each other and come one after the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class Sections:
    """Gives turns, to sections and holds.

    Args:
        drained: Awaited before a hold is granted: nothing of the clients' is under way any more.
        granted: Called with a hold that is granted.
        free: Called when the clients may go on.
    """

    def __init__(
        self,
        drained: Callable[[], Any],
        granted: Callable[[bytes], None],
        free: Callable[[], None],
    ) -> None:
        self._drained, self._granted, self._free = drained, granted, free
        self._holds: list[bytes] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def closed(self) -> bool:
        """Whether the clients' commands are kept back."""
        return self._busy or bool(self._holds)

    # -- sections -------------------------------------------------------------------------------

    def try_begin(self) -> bool:
        """Take a turn if there is no need to wait for one; to be followed by :meth:`end`."""
        if self.closed or self._waiting:
            return False
        self._busy = True
        return True

    async def begin(self) -> None:
        """Wait for a turn; to be followed by :meth:`end`."""
        if self.try_begin():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.end()
            raise

    def end(self) -> None:
        """End the section: holds come next, then sections, then everybody."""
        self._busy = False
        if self._holds:
            self._grant()
        else:
            self._go_on()

    def _go_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._busy = True
                turn.set_result(None)
                return
        self._free()

    # -- holds ----------------------------------------------------------------------------------

    def hold(self, name: bytes) -> None:
        """A function asks for everybody to be kept back."""
        self._holds.append(name)
        if len(self._holds) == 1 and not self._busy:
            self._grant()

    def _grant(self) -> None:
        task = asyncio.get_running_loop().create_task(self._drain(self._holds[0]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, name: bytes) -> None:
        await self._drained()
        if self._holds[:1] == [name]:
            self._granted(name)

    def release(self, name: bytes) -> None:
        """It has what it wanted."""
        if name not in self._holds:
            return
        first = self._holds[0] == name
        self._holds.remove(name)
        if not first or self._busy:
            return
        if self._holds:
            self._grant()
        else:
            self._go_on()
