"""Notices when a function has changed since it was pickled."""

import types
from typing import Any, Callable, Dict, List, Optional, Tuple

from redgrease.shipping.pickler import Pickled

__all__ = ["Watch"]

_CONSTANTS = (
    type(None),
    type(...),
    type(NotImplemented),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type,
    types.BuiltinFunctionType,
    types.ModuleType,
    type(str.join),
    type(int.__add__),
)


def _cells(function: types.FunctionType) -> List[Any]:
    """The contents of a function's closure."""
    contents = []
    for cell in function.__closure__ or ():
        try:
            contents.append(cell.cell_contents)
        except ValueError:  # still empty
            contents.append(_cells)
    return contents


def _parts(function: types.FunctionType, names: Any) -> List[Any]:
    """What makes a function: the same objects as long as it does not change."""
    parts = [function.__code__, function.__defaults__, function.__globals__, function.__module__]
    parts += [function.__name__, *(function.__kwdefaults__ or {}).values(), *_cells(function)]
    parts += [function.__globals__.get(name, _parts) for name in names]
    for key, value in vars(function).items():
        parts += [key, value]
    return parts


def _content(container: Any) -> List[Any]:
    """What is in a container."""
    if isinstance(container, dict):
        return [item for pair in container.items() for item in pair]
    return list(container)


def _same(now: List[Any], then: List[Any]) -> bool:
    return len(now) == len(then) and all(one is other for one, other in zip(now, then))


class Watch:
    """Remembers of what a pickle was made.

    Args:
        pickled: The pickle.
        value: What was pickled.
    """

    def __init__(self, pickled: Pickled, value: Any) -> None:
        self._looks: List[Tuple[Callable[..., List[Any]], Tuple[Any, ...], List[Any]]] = []
        self._seen: Dict[int, Any] = {}
        #: Whether all that can change is watched.
        self.complete = pickled.plain and self._watch(value)
        for function, names in pickled.functions:
            if not self.complete:
                break
            keys = sorted(names)
            self._look(_parts, function, keys)
            values = _parts(function, keys)[2:]
            values.remove(function.__globals__)
            self.complete = self._watch(function.__defaults__) and all(map(self._watch, values))

    def _look(self, look: Callable[..., List[Any]], *arguments: Any) -> None:
        self._looks.append((look, arguments, look(*arguments)))

    def _watch(self, value: Any) -> bool:
        """Watch a value; False if that is not possible."""
        kind = type(value)
        if kind in _CONSTANTS or kind is types.FunctionType or id(value) in self._seen:
            return True
        if kind not in (tuple, frozenset, list, set, dict):
            return value is _cells or value is _parts
        self._seen[id(value)] = value
        if kind in (list, set, dict):
            self._look(_content, value)
        return all(map(self._watch, _content(value)))

    def unchanged(self) -> bool:
        """Whether pickling it anew would give the same."""
        return all(_same(look(*arguments), then) for look, arguments, then in self._looks)


class Cache:
    """Remembers one thing for as long as what it was made of stays as it is."""

    def __init__(self) -> None:
        self._content: Optional[Tuple[Any, Any, Watch]] = None
