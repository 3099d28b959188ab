"""Turns at the proxy: times in which one command and what functions make of it happen alone.

A *section* belongs to one client's command, or to the worker's own events: until it has ended, no
other client's command is sent to Redis.  A *hold* is what functions ask for (``atomic()``).  They
exclude each other and come one after the other.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .command_names import SCRIPTS, TRIGGERS


@dataclass(frozen=True)
class Watch:
    """Which commands concern the worker's registrations.

    Attributes:
        exclusive: Names of the commands after which functions may have to run at once.
        linked: Names of those whose replies functions may override.
        patterns: The keys whose events concern functions: prefixes that end in a star, and names.
        triggers: Names of the triggers whose functions run while nothing else happens.
        hooks: Names of the commands that functions stand before, each with the positions of its
            keys (first, last, step) and the prefixes that concern them, or None for all keys.
        channel: Where the worker waits for markers.
    """

    exclusive: frozenset[bytes] = frozenset()
    linked: frozenset[bytes] = frozenset()
    patterns: frozenset[bytes] = frozenset()
    triggers: frozenset[bytes] = frozenset()
    hooks: dict[bytes, tuple[Sequence[int], Sequence[bytes] | None]] = field(default_factory=dict)
    channel: bytes = b""

    @classmethod
    def from_json(cls, text: bytes) -> Watch:
        """Read what the worker sends."""
        found = json.loads(text)
        hooks: dict[bytes, tuple[Sequence[int], Sequence[bytes] | None]] = {}
        for name, (positions, prefixes) in found["hooks"].items():
            raw = None if prefixes is None else [prefix.encode() for prefix in prefixes]
            hooks[name.encode()] = (positions, raw)
        exclusive, linked, patterns, triggers = (
            frozenset(name.encode("utf-8", "surrogateescape") for name in found[kind])
            for kind in ("exclusive", "linked", "patterns", "triggers")
        )
        return cls(exclusive, linked, patterns, triggers, hooks, found["channel"].encode())

    @property
    def names(self) -> frozenset[bytes]:
        """All commands that need a closer look."""
        return self.exclusive | self.hooks.keys()

    def alone(self, name: bytes, words: Sequence[bytes]) -> bool:
        """Whether a command is a call of such a trigger."""
        return name in TRIGGERS and len(words) > 1 and words[1] in self.triggers

    @cached_property
    def _prefixes(self) -> tuple[bytes, ...]:
        return tuple(pattern[:-1] for pattern in self.patterns if pattern.endswith(b"*"))

    def concerns(self, name: bytes, words: Sequence[bytes]) -> bool:
        """Whether functions may have to run behind this very command.

        Its keys are among its words, whatever command it is, apart from those of scripts.
        """
        if name not in self.exclusive:
            return False
        return name in SCRIPTS or any(
            word.startswith(self._prefixes) or word in self.patterns for word in words[1:]
        )

    def hooked(self, name: bytes, words: Sequence[bytes]) -> bool:
        """Whether a function stands before this very command."""
        if name not in self.hooks:
            return False
        (first, last, step), prefixes = self.hooks[name]
        if prefixes is None:
            return True
        end = (last if last >= 0 else len(words) + last) + 1
        keys = words[first : min(end, len(words)) : step or 1] if first > 0 else ()
        return any(key.startswith(prefix) for key in keys for prefix in prefixes)


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
