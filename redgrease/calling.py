"""Calls of decorated functions, from the client's side: arguments keep their Python types.

Servers cut arguments of ``RG.TRIGGER`` at NUL bytes, and tell texts from bytes only by whether
they are UTF-8.  So the arguments of a call travel as one text: JSON, in which every value that
JSON does not know is an object with one name, such as ``{"t": [1, 2]}`` for a tuple.  Nothing in
it can make a server run other code: only harmless classes of the standard library are known, and
those that the function itself names.

:mod:`redgrease.answering` is the other side.
"""

import base64
import inspect
import itertools
import json
import os
import types
import typing
from typing import Any, Callable, Dict, Iterable, List, Tuple

from redgrease.answering import MARK, PLAIN_CLASSES
from redgrease.shipping.modules import Modules

__all__ = ["Call", "classes_of"]


def _key(kind: type) -> str:
    return f"{kind.__module__} {kind.__qualname__}"


class Call:
    """One call: what is sent for it, and what makes its value of the reply.

    Args:
        classes: The classes that the function on the server knows, beyond the plain ones.
        args: Positional arguments.
        kwargs: Keyword arguments.

    Raises:
        TypeError: An argument cannot be sent.

    Attributes:
        words: The arguments for ``RG.TRIGGER``.
    """

    def __init__(
        self, classes: Dict[str, type], args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> None:
        self._classes = classes
        self._token = _TOKEN % next(_NUMBERS)
        try:
            parts = [self._listed(args)]
            if kwargs:
                parts.append(self._packed(kwargs))
            text = _DUMPS(parts)
        except RecursionError:
            raise TypeError("an argument refers to itself, or is nested too deeply") from None
        self.words = (MARK, f"{self._token}:{text}")

    def value(self, reply: Any, read: Callable[[bytes], Any]) -> Any:
        """Read the reply.

        Args:
            reply: What the server replied.
            read: What makes a value of a pickle.

        Returns:
            What the function returned; where all servers of a cluster ran it (mode ``async``), a
            list of what it returned on each.

        Raises:
            RedGreaseError: Another function has replied, which knows nothing of such calls.
        """
        if isinstance(reply, list) and reply:
            return [self.value(record, read) for record in reply]
        start = f"{MARK}:{self._token}:".encode("ascii")
        if not isinstance(reply, bytes) or not reply.startswith(start):
            from redgrease.exceptions import RedGreaseError

            raise RedGreaseError(
                "the trigger belongs to another function, which was not made by the decorator;"
                f" it returned {reply!r}"
            )
        return read(reply[len(start) :])

    def _listed(self, values: Iterable[Any]) -> List[Any]:
        return [self._packed(value) for value in values]

    def _packed(self, value: Any) -> Any:
        """A value in the form that JSON knows."""
        kind = type(value)
        if kind in (str, bool, float, type(None)):
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**63 else {"i": hex(value)}
        if kind is list:
            return self._listed(value)
        if kind in _CONTAINERS:
            return {_CONTAINERS[kind]: self._listed(value)}
        if kind is dict:
            return {"d": [self._listed(pair) for pair in value.items()]}
        if kind in (bytes, bytearray):
            text = base64.b64encode(value).decode("ascii")
            return {"b" if kind is bytes else "B": text}
        if value is ...:
            return {"e": 0}
        if issubclass(kind, type):
            return {"k": self._known(value)}
        if hasattr(kind, "raise_for_errors"):  # the result of an execution
            return self._packed(value.value)
        return self._object(value)

    def _known(self, kind: type) -> str:
        key = _key(kind)
        if self._classes.get(key) is kind or key in PLAIN_CLASSES:
            return key
        if kind.__module__ == "builtins" and issubclass(kind, BaseException):
            return key
        raise TypeError(
            f"an argument is a {kind.__module__}.{kind.__qualname__}, which cannot be sent: only"
            " plain data can, and objects of your own classes that the function's annotations or"
            " its code name"
        )

    def _object(self, value: Any) -> Any:
        key = self._known(type(value))
        if key == "zoneinfo ZoneInfo":
            return {"o": [key, "call", [value.key], None, [], []]}
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise TypeError(f"an argument cannot be sent, {value!r}: {error}") from None
        if isinstance(reduced, str):
            raise TypeError(f"an argument cannot be sent, {value!r}")
        make, args, state, items, pairs = (*reduced, None, None, None)[:5]
        if make is type(value):
            how = "call"
        elif getattr(make, "__name__", "") == "__newobj__" and args[0] is type(value):
            how, args = "new", args[1:]
        else:
            raise TypeError(f"an argument cannot be sent, {value!r}; send plain data")
        packed = [how, self._listed(args), self._packed(state), self._listed(items or ())]
        return {"o": [key, *packed, [self._listed(pair) for pair in pairs or ()]]}


# Not to be guessed by functions of others, and not the same for two calls.
_TOKEN = os.urandom(8).hex() + "%x"
_NUMBERS = itertools.count()
_DUMPS = json.JSONEncoder().encode
_CONTAINERS: Dict[type, str] = {tuple: "t", set: "s", frozenset: "f"}


def classes_of(function: Callable[..., Any], requirements: Iterable[Any] = ()) -> Dict[str, type]:
    """Find the user's classes that a function names, in its annotations, its defaults or its code.

    Args:
        function: The function.
        requirements: The packages that the server is asked to install.

    Returns:
        The classes that can be arguments of the function, by their full names.
    """
    modules = Modules(requirements)
    found: Dict[str, type] = {}

    def note(value: Any) -> None:
        for part in getattr(value, "__args__", None) or ():  # Optional[Point], List[Point]
            note(part)
        if not isinstance(value, type) or not modules.by_value(value.__module__):
            return
        if not inspect.isabstract(value) and not getattr(value, "_is_protocol", False):
            found[_key(value)] = value

    try:
        hints = typing.get_type_hints(function)
    except Exception:  # a name in an annotation is not known
        hints = getattr(function, "__annotations__", {})
    for name, hint in hints.items():
        if name != "return":
            note(hint)
    inner = inspect.unwrap(function)
    for default in getattr(inner, "__defaults__", None) or ():
        note(type(default))
    for default in (getattr(inner, "__kwdefaults__", None) or {}).values():
        note(type(default))
    code = getattr(inner, "__code__", None)
    if code is not None:
        names = getattr(inner, "__globals__", {})
        for name in _names(code):
            note(names.get(name))
    return found


def _names(code: types.CodeType) -> List[str]:
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names += _names(constant)
    return names
