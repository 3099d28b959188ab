"""How objects of the standard library travel to versions where they have another state."""

import collections
from typing import Any, Callable, Dict, Tuple

from redgrease.shipping import classes
from redgrease.shipping.standard import Lacking
from redgrease.shipping.standins import StandIn

__all__ = ["restated"]

Version = Tuple[int, ...]
Reduced = Tuple[Any, ...]

PROTOCOL = 4

# What objects of classes, and of classes that derive from them, are without in older versions.
_GAINED: Dict[Tuple[str, str], Dict[str, Any]] = {
    ("argparse", "Action"): {"deprecated": False},
    ("argparse", "ArgumentParser"): {"exit_on_error": True},
    ("asyncio.locks", "Semaphore"): {"_wakeup_scheduled": False},
    ("asyncio.queues", "Queue"): {"_is_shutdown": False},
    ("logging", "LoggerAdapter"): {"merge_extra": False},
    ("logging", "PercentStyle"): {"_defaults": None},
    ("pprint", "PrettyPrinter"): {"_sort_dicts": True, "_underscore_numbers": False},
    ("reprlib", "Repr"): {"fillvalue": "...", "indent": None},
}
# What belongs to a loop: once from the start, now when it is first waited for.
_LOOPED = frozenset(
    [
        *(("asyncio.locks", name) for name in ("Condition", "Event", "Lock", "Semaphore")),
        ("asyncio.queues", "Queue"),
    ]
)


def _distribution(value: Any, version: Version) -> Reduced:
    return type(value), (value.mean, value.stdev)


def _morsel(value: Any, version: Version) -> Any:
    """Of a cookie; older versions refuse words that they do not know."""
    if version >= (3, 8) or "samesite" not in value:
        return NotImplemented
    if value["samesite"]:
        raise Lacking("the word samesite of cookies came with Python 3.8")
    make, arguments, state, _, items = value.__reduce_ex__(PROTOCOL)
    return make, arguments, state, None, iter([each for each in items if each[0] != "samesite"])


_REMADE: Dict[Tuple[str, str], Callable[[Any, Version], Any]] = {
    ("statistics", "NormalDist"): _distribution,
    ("http.cookies", "Morsel"): _morsel,
}


def restated(value: Any, version: Version) -> Any:
    """How an object is pickled for another version.

    Args:
        value: The object.
        version: The version, such as ``(3, 7)``.

    Returns:
        How to pickle it; NotImplemented where nothing is special about it.
    """
    kind = type(value)
    names = [(base.__module__, base.__name__) for base in kind.__mro__]
    if names[0] in _REMADE:
        return _REMADE[names[0]](value, version)
    gained: Dict[str, Any] = {}
    for name in names:
        gained = {**_GAINED.get(name, {}), **gained}
    looped = version < (3, 10) and not _LOOPED.isdisjoint(names)
    if not gained and not looped:
        return NotImplemented
    reduced = value.__reduce_ex__(PROTOCOL)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not isinstance(reduced[2], dict):
        return NotImplemented
    state = {**gained, **reduced[2]}
    if looped:
        state.setdefault("_loop", StandIn(classes.CurrentLoop))
        if state.get("_waiters", state) is None:
            state["_waiters"] = collections.deque()
    return (*reduced[:2], state, *reduced[3:])
