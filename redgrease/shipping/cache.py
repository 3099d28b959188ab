"""Notices when functions have changed since they were pickled."""

import types
from typing import Any, Callable, List, Set, Tuple

from redgrease.shipping.mentions import names_in
from redgrease.shipping.pickler import Pickled

__all__ = ["Watch"]

_CONSTANTS = frozenset(
    [
        type(None),
        type(...),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        types.FunctionType,  # those that have travelled are watched, the others are installed
        types.ModuleType,
        types.BuiltinFunctionType,
        type(str.join),
        type(int.__add__),
    ]
)
_CONTAINERS = frozenset([tuple, frozenset, list, set, dict])


def _nothing() -> None:
    """Stands for a variable that has no value yet."""


def _variables(function: types.FunctionType) -> List[Any]:
    """The values that a function takes from outside, or remembers."""
    values: List[Any] = [function.__defaults__, *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # still empty
            values.append(_nothing)
    names = {path[0] for path in names_in(function.__code__).paths}
    values += [function.__globals__.get(name, _nothing) for name in sorted(names)]
    return values + _content(vars(function))


def _identity(function: types.FunctionType) -> List[Any]:
    """All that makes a function what it is."""
    return [function.__code__, function.__name__, function.__module__, *_variables(function)]


def _content(container: Any) -> List[Any]:
    """What is in a container."""
    if isinstance(container, dict):
        return [item for pair in container.items() for item in pair]
    return list(container)


class Watch:
    """Remembers of what a pickle was made.

    Args:
        value: What was pickled.
        pickled: The pickle.

    Attributes:
        complete: Whether everything that can change is being watched.
    """

    def __init__(self, value: Any, pickled: Pickled) -> None:
        self._looks: List[Tuple[Callable[[Any], List[Any]], Any, List[Any]]] = []
        self._seen: Set[int] = set()
        self.complete = pickled.plain and self._watch(value)
        for function in pickled.functions:
            if self.complete:
                self._look(_identity, function)
                self.complete = all(map(self._watch, _variables(function)))

    def _look(self, look: Callable[[Any], List[Any]], target: Any) -> None:
        self._looks.append((look, target, look(target)))

    def _watch(self, value: Any) -> bool:
        """Watch a value; False if that is not possible."""
        kind = type(value)
        if kind in _CONSTANTS or issubclass(kind, type) or id(value) in self._seen:
            return True
        if kind not in _CONTAINERS:
            return False
        self._seen.add(id(value))  # the look below keeps it alive
        self._look(_content, value)
        return all(map(self._watch, _content(value)))

    def unchanged(self) -> bool:
        """Whether pickling it anew would give the same."""
        for look, target, then in self._looks:
            now = look(target)
            if len(now) != len(then) or any(one is not other for one, other in zip(now, then)):
                return False
        return True
