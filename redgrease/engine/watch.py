"""Which of the commands that pass the proxy concern functions, as the worker tells it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .command_names import TRIGGERS, UNNAMED_KEYS
from .patterns import Patterns

Hooks = dict[bytes, tuple[Sequence[int], "Sequence[bytes] | None"]]
"""Commands, each with the positions of its keys (first, last, step) and prefixes of these."""


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
    hooks: Hooks = field(default_factory=dict)
    channel: bytes = b""

    @classmethod
    def from_json(cls, text: bytes) -> Watch:
        """Read what :meth:`to_json` has written."""
        found = json.loads(text)
        hooks: Hooks = {}
        for name, (positions, prefixes) in found.pop("hooks").items():
            hooks[raw(name)] = (positions, None if prefixes is None else [*map(raw, prefixes)])
        channel = raw(found.pop("channel"))
        names = {kind: frozenset(map(raw, values)) for kind, values in found.items()}
        return cls(**names, hooks=hooks, channel=channel)

    def to_json(self) -> str:
        """Write it down, for the proxy."""
        found: dict[str, Any] = {
            kind: sorted(map(_text, getattr(self, kind)))
            for kind in ("exclusive", "linked", "patterns", "triggers")
        }
        found["hooks"] = {
            _text(name): (positions, None if prefixes is None else [*map(_text, prefixes)])
            for name, (positions, prefixes) in self.hooks.items()
        }
        return json.dumps({**found, "channel": _text(self.channel)})

    @cached_property
    def names(self) -> frozenset[bytes]:
        """All commands that need a closer look."""
        return self.exclusive | self.hooks.keys()

    def alone(self, name: bytes, words: Sequence[bytes]) -> bool:
        """Whether a command is a call of such a trigger."""
        return name in TRIGGERS and len(words) > 1 and words[1] in self.triggers

    @cached_property
    def _keys(self) -> Patterns[None]:
        return Patterns((pattern, None) for pattern in self.patterns)

    def concerns(self, name: bytes, words: Sequence[bytes]) -> bool:
        """Whether functions may have to run behind this very command.

        Its keys are among its words, whatever command it is, but for a few.
        """
        if name not in self.exclusive:
            return False
        return name in UNNAMED_KEYS or self._keys.cover(words[1:])

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


def raw(text: str) -> bytes:
    """A name as clients send it; names that are not UTF-8 have surrogates in their texts."""
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
