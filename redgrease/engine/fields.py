"""The order in which the original's records list fields: that of its internal hash table.

The table is that of Redis's own dictionaries, without a secret: where a name comes is told by its
SipHash-1-2, and of names in one place the newest comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

PLACES = 4
"""The size of a table; one of more names grows, and its order depends on when it did so."""
LONGEST = 64
"""Names that are longer are not worth the time, and not worth being remembered."""
_MASK = (1 << 64) - 1
_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def field_dict(flat: Sequence[Any]) -> dict[str, Any]:
    """Fields and values as a dict in the original's order; in reverse, where that is not known.

    Field names are texts on the original too (it keeps them as C strings), so bytes that are no
    UTF-8 appear as escapes; of repeated names the last counts.
    """
    if len(flat) <= 2 * PLACES:
        names = flat[::2]
        if all(type(name) is str and len(name) <= LONGEST for name in names):
            return {name: flat[place] for name, place in order(tuple(names))}
    pairs: dict[str, Any] = {}
    for index in range(0, len(flat), 2):
        name = flat[index]
        if type(name) is not str or "\0" in name:
            name = _kept(name)
        pairs[name] = flat[index + 1]
    return dict(reversed(pairs.items()))


@lru_cache(maxsize=2048)
def order(names: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """The order of some fields, four at most.

    Args:
        names: Their names, in the order in which they are put into a record.

    Returns:
        Names as they are kept, each with the place of its value in a flat list of both.
    """
    places = {_kept(name): 2 * index + 1 for index, name in enumerate(names)}
    found = sorted(places.items(), key=lambda pair: (siphash(pair[0]) % PLACES, -pair[1]))
    return tuple(found)


def _kept(name: str | bytes) -> str:
    text = name if isinstance(name, str) else bytes(name).decode("utf-8", "backslashreplace")
    return text.partition("\0")[0] if "\0" in text else text


def siphash(name: str) -> int:
    """SipHash-1-2 of a name, with a key of zeros."""
    data = name.encode("utf-8", "surrogatepass")
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    words = [int.from_bytes(padded[at : at + 8], "little") for at in range(0, len(padded), 8)]
    v0, v1, v2, v3 = _START
    for word, rounds in (*((word, 1) for word in words), (0, 2)):
        v3 ^= word
        if rounds == 2:
            v2 ^= 0xFF
        for _ in range(rounds):
            v0, v2 = (v0 + v1) & _MASK, (v2 + v3) & _MASK
            v1, v3 = _rotated(v1, 13) ^ v0, _rotated(v3, 16) ^ v2
            v0 = _rotated(v0, 32)
            v0, v2 = (v0 + v3) & _MASK, (v2 + v1) & _MASK
            v3, v1 = _rotated(v3, 21) ^ v0, _rotated(v1, 17) ^ v2
            v2 = _rotated(v2, 32)
        v0 ^= word
    return v0 ^ v1 ^ v2 ^ v3


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK
