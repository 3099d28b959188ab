"""Which keys a registration is for: one of a name, or all that begin in a certain way.

A pattern is a prefix if it ends in a star, and a name otherwise; nothing else in it is special.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
FEW = 16
"""So many prefixes are compared faster one by one."""


class Patterns(Generic[T]):
    """Finds what belongs to the patterns that cover a key, however many patterns there are.

    Args:
        items: Patterns, each with what belongs to it; several may have the same.
    """

    def __init__(self, items: Iterable[tuple[bytes, T]] = ()) -> None:
        names: dict[bytes, list[int]] = {}
        prefixes: dict[int, dict[bytes, list[int]]] = {}
        self._items: list[T] = []
        for place, (pattern, item) in enumerate(items):
            if pattern.endswith(b"*"):
                prefix = pattern[:-1]
                table = prefixes.setdefault(len(prefix), {})
                table.setdefault(prefix, []).append(place)
            else:
                names.setdefault(pattern, []).append(place)
            self._items.append(item)
        self._names = names
        self._prefixes = sorted(prefixes.items())
        self._all = tuple(prefix for table in prefixes.values() for prefix in table)

    def cover(self, keys: Sequence[bytes]) -> bool:
        """Whether there is a pattern that covers any of some keys."""
        if self._names and not self._names.keys().isdisjoint(keys):
            return True
        if len(self._all) > FEW:
            return any(key[:size] in table for size, table in self._prefixes for key in keys)
        for key in keys:  # noqa: SIM110 - any() takes as long as all the rest
            if key.startswith(self._all):
                return True
        return False

    def find(self, key: bytes) -> Sequence[T]:
        """What belongs to the patterns that cover a key, in the order in which it was given."""
        places = self._names.get(key, ())
        for size, table in self._prefixes:
            more = table.get(key[:size])
            if more is not None:
                places = [*places, *more] if places else more
        items = self._items
        return [items[place] for place in sorted(places)] if places else ()
