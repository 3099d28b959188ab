"""What Redis says about its commands: flags, and where the keys are among the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import GearsError

if TYPE_CHECKING:
    from .keyspace import Keyspace


@dataclass(frozen=True)
class CommandInfo:
    """A command, as ``COMMAND INFO`` describes it.

    Attributes:
        flags: Its flags.
        first: Position of the first key; 0 if it has none.
        last: Position of the last key; negative ones count from the end.
        step: Distance between keys.
    """

    flags: frozenset[str]
    first: int
    last: int
    step: int

    @classmethod
    def of(cls, keyspace: Keyspace, name: str) -> CommandInfo | None:
        """Ask Redis; None if there is no such command."""
        reply = keyspace.call((b"COMMAND", b"INFO", name.encode("utf-8", "surrogateescape")))
        if type(reply) is not list or not reply or type(reply[0]) is not list:
            return None
        return cls._of(reply[0])

    @classmethod
    def _of(cls, details: list[Any]) -> CommandInfo:
        flags = set(map(str, details[2]))
        for inner in details[9] if len(details) > 9 else ():
            flags |= {str(flag) for flag in inner[2] if str(flag) == "write"}
        return cls(frozenset(flags), details[3], details[4], details[5])

    @classmethod
    def all(cls, keyspace: Keyspace) -> dict[str, CommandInfo]:
        """All commands that Redis has, by name in capitals."""
        reply = keyspace.call((b"COMMAND",))
        if type(reply) is not list:
            raise GearsError(str(reply))
        return {str(details[0]).upper(): cls._of(details) for details in reply}

    @property
    def writes(self) -> bool:
        """Whether it may change keys."""
        return "write" in self.flags

    @property
    def keyed(self) -> bool:
        """Whether it has to do with keys at all."""
        return self.first != 0 or self.movable

    @property
    def movable(self) -> bool:
        """Whether the keys can only be found by knowing the command's syntax."""
        return "movablekeys" in self.flags

    def keys(self, words: Sequence[bytes]) -> Sequence[bytes]:
        """The keys among the words of such a command."""
        if self.first <= 0:
            return ()
        last = self.last if self.last >= 0 else len(words) + self.last
        return [words[at] for at in range(self.first, min(last + 1, len(words)), self.step or 1)]
