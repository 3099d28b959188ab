"""``ExecutionResult``: what a function gave, usable as if it were the plain value."""

import operator
from typing import Any, Callable, Dict, Generic, Iterator, List, Optional, Sequence, Tuple, TypeVar

from redgrease.exceptions import ExecutionFailedError

__all__ = ["ExecutionResult", "unwrapped"]

T = TypeVar("T")

_MISSING = object()


def _plain(value: Any) -> Any:
    """The value inside a result; other values unchanged."""
    return value.value if issubclass(type(value), ExecutionResult) else value


class ExecutionResult(Generic[T]):
    """The value that an execution gave, together with its errors.

    A result can be used like its value: compared, added, indexed, called, iterated over;
    ``isinstance(result, int)`` holds for a result whose value is an int.  The list of a single
    record is replaced by that record; hence a result with a plain value also equals the list of
    just that value, and can be iterated over like it.

    Args:
        value: The value.
        errors: The error messages of the execution.

    Attributes:
        value: The plain value.
        errors: The errors, or None if the server does not report them (for triggers, for example).
    """

    __slots__ = ("_errors", "_value")

    _value: T
    _errors: Optional[List[Any]]

    def __init__(self, value: T, errors: Optional[Sequence[Any]] = None) -> None:
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "_errors", None if errors is None else list(errors))

    @property
    def value(self) -> T:
        """The plain value."""
        return self._value

    @property
    def errors(self) -> Optional[List[Any]]:
        """The error messages of the execution; None if the server did not report them."""
        return self._errors

    def raise_for_errors(self) -> "ExecutionResult[T]":
        """Raise an exception if the execution had errors.

        Returns:
            The result itself, so that calls can be chained.

        Raises:
            ExecutionFailedError: There were errors.
        """
        if self._errors:
            raise ExecutionFailedError([str(error) for error in self._errors], self._value)
        return self

    # -- what the value looks like

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # isinstance() asks for this, after it has looked at the real type.
        return type(self._value)

    def __repr__(self) -> str:
        errors = f", errors={self._errors!r}" if self._errors else ""
        return f"ExecutionResult[{type(self._value).__name__}]({self._value!r}{errors})"

    def __str__(self) -> str:
        return str(self._value)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        """What notebooks show: a table of the records, and the errors."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        from redgrease.views import result_html

        return result_html(self)

    def __format__(self, spec: str) -> str:
        return format(self._value, spec)

    def __bytes__(self) -> bytes:
        value: Any = self._value
        if value is None:
            return b""
        if isinstance(value, bool):
            value = int(value)
        if isinstance(value, (bytes, bytearray, memoryview)) or hasattr(value, "__bytes__"):
            return bytes(value)
        return str(value).encode("utf-8")

    def __dir__(self) -> List[str]:
        return sorted({*dir(self._value), "value", "errors", "raise_for_errors"})

    def __getattr__(self, name: str) -> Any:
        if name in ("_value", "_errors"):  # not filled in yet: an unfinished copy
            raise AttributeError(name)
        return getattr(self._value, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__orig_class__":  # typing notes ExecutionResult[int](5) this way
            raise AttributeError(name)
        setattr(self._value, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._value, name)

    def __reduce_ex__(self, protocol: Any) -> Tuple[Any, ...]:
        return ExecutionResult, (self._value, self._errors)

    def __copy__(self) -> "ExecutionResult[T]":
        return ExecutionResult(self._value, self._errors)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function: Any = self._value
        return function(*args, **kwargs)

    # -- comparing; results are not hashable, because they may equal lists

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        other = _plain(other)
        if isinstance(other, list) and not isinstance(self._value, list):
            return len(other) == 1 and other[0] == self._value
        return self._value == other

    def __ne__(self, other: object) -> Any:
        return not self == other

    # -- being a container

    def _items(self) -> Any:
        """The value, if it is a container of any kind; else a list of what it stands for."""
        value: Any = self._value
        if value is None:
            return []
        if hasattr(type(value), "__iter__") or hasattr(type(value), "__getitem__"):
            return value
        return [value]

    def __len__(self) -> int:
        # One text is one record, whatever its length.
        if isinstance(self._value, (str, bytes)):
            return 1
        return len(self._items())

    def __bool__(self) -> bool:
        return bool(self._value)

    def __iter__(self) -> Iterator[Any]:
        yield from self._items()

    def __reversed__(self) -> Iterator[Any]:
        yield from reversed(self._items())

    def __contains__(self, item: Any) -> bool:
        return _plain(item) in self._items()

    def __getitem__(self, key: Any) -> Any:
        value: Any = self._value
        if hasattr(type(value), "__getitem__"):
            return value[key]
        if value is not None and key == 0 and not isinstance(key, slice):
            return value
        raise TypeError(f"{type(value).__name__!r} object is not subscriptable")

    def __setitem__(self, key: Any, item: Any) -> None:
        operator.setitem(self._value, key, item)  # type: ignore[call-overload]

    def __delitem__(self, key: Any) -> None:
        operator.delitem(self._value, key)  # type: ignore[call-overload]


def _unary(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: function(self._value)


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: function(self._value, _plain(other))


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: function(_plain(other), self._value)


def _power(self: Any, other: Any, modulus: Any = None) -> Any:
    return pow(self._value, _plain(other), modulus)


def _round(self: Any, digits: Any = None) -> Any:
    return round(self._value) if digits is None else round(self._value, digits)


def _complete() -> None:
    """Give the class the operators that do nothing but pass on to the value."""
    for name in ("lt", "le", "gt", "ge"):
        setattr(ExecutionResult, f"__{name}__", _binary(getattr(operator, name)))
    # `x += y` needs no method: it makes x the sum, a plain value, as `x = x + y` does.
    for name in _ARITHMETIC:
        function = getattr(operator, f"__{name}__")
        setattr(ExecutionResult, f"__{name}__", _binary(function))
        setattr(ExecutionResult, f"__r{name}__", _reflected(function))
    for name, function in (("divmod", divmod), ("pow", pow)):
        setattr(ExecutionResult, f"__r{name}__", _reflected(function))
    for name in ("neg", "pos", "abs", "invert", "index"):
        setattr(ExecutionResult, f"__{name}__", _unary(getattr(operator, name)))
    for kind in (int, float, complex):
        setattr(ExecutionResult, f"__{kind.__name__}__", _unary(kind))
    for name, function in (("divmod", _binary(divmod)), ("pow", _power), ("round", _round)):
        setattr(ExecutionResult, f"__{name}__", function)


_ARITHMETIC = (
    "add",
    "sub",
    "mul",
    "matmul",
    "truediv",
    "floordiv",
    "mod",
    "lshift",
    "rshift",
    "and",
    "or",
    "xor",
)

_complete()


def unwrapped(words: Sequence[Any]) -> Sequence[Any]:
    """The words of a command, with values in the place of results.

    Without this redis-py would send the ``repr`` of a result whose value is a number.

    Args:
        words: The words.

    Returns:
        The very same object, if there is no result among the words.
    """
    for word in words:
        if type(word) is ExecutionResult:
            return [_plain(word) for word in words]
    return words
