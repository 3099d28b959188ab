"""Small functions that client, functions and servers share.

Only the standard library is used here, and nothing of redgrease: functions that use these travel
with them.
"""

import ast
import enum
import types
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional

Converter = Optional[Callable[[Any], Any]]


def as_is(value: Any) -> Any:
    """The value itself."""
    return value


def str_if_bytes(value: Any) -> Any:
    """The text of bytes (what is not UTF-8 is replaced); other values unchanged."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    return value


def safe_str(value: Any) -> str:
    """The text of any value; of None, the empty text."""
    return "" if value is None else str(str_if_bytes(value))


def safe_str_upper(value: Any) -> str:
    """The text of any value, in capitals."""
    return safe_str(value).upper()


def bool_ok(value: Any) -> bool:
    """Whether a reply is Redis's ``OK`` (followed by nothing, or by more words)."""
    text = str_if_bytes(value)
    return isinstance(text, str) and (text + " ")[:3].lower() == "ok "


def optional(constructor: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let None pass a converter as it is."""

    def convert(value: Any) -> Any:
        return None if value is None else constructor(value)

    return convert


def safe_bool(value: Any) -> bool:
    """Whether a reply means yes: true numbers, and the words true, ok, yes, y and 1."""
    if isinstance(value, (bool, int)):
        return bool(value)
    text = str_if_bytes(value)
    return isinstance(text, str) and text.strip().lower() in ("true", "ok", "yes", "y", "1")


def to_int_if_bool(value: Any) -> Any:
    """1 or 0 for a truth value; other values unchanged."""
    return int(value) if isinstance(value, bool) else value


def to_redis_type(value: Any) -> Any:
    """A value as redis-py can send it: bytes, an int or a float."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (bytes, int, float)):
        return value
    if isinstance(value, (bytearray, memoryview)) or hasattr(value, "__bytes__"):
        return bytes(value)
    return str(value).encode("utf-8")


def to_bytes(value: Any) -> bytes:
    """A value as bytes, as they arrive in Redis."""
    plain = to_redis_type(value)
    return plain if isinstance(plain, bytes) else str(plain).encode("utf-8")


def to_list(
    mapping: Optional[Mapping[Any, Any]],
    key_transform: Callable[[Any], Any] = str_if_bytes,
    val_transform: Callable[[Any], Any] = to_redis_type,
) -> List[Any]:
    """A mapping as a flat list: key, value, key, value and so on."""
    return [
        item
        for key, value in (mapping or {}).items()
        for item in (key_transform(key), val_transform(value))
    ]


def transform(value: Any, constructor: Any, key: Any = None) -> Any:
    """Convert a value, if that is possible.

    Args:
        value: The value.
        constructor: A function; or a mapping of functions by key, of which the one for None
            is the fallback; None for no conversion.
        key: The key to look the function up by.

    Returns:
        What the function gives; the value itself if it fails.
    """
    if isinstance(constructor, Mapping):
        constructor = constructor.get(key, constructor.get(None))
    if constructor is None:
        return value
    try:
        return constructor(value)
    except (TypeError, ValueError):
        return value


def to_dict(
    items: Optional[Iterable[Any]],
    keys: Optional[Iterable[Any]] = None,
    key_transform: Any = None,
    val_transform: Any = None,
) -> Dict[Any, Any]:
    """A dict of a flat list of keys and values, or of values for given keys.

    Args:
        items: Keys and values in turn; with ``keys``, only values.  An odd end is left out.
        keys: The keys, in the order of the values.
        key_transform: A function for keys.
        val_transform: A function for values, or functions by key.

    Returns:
        The dict.
    """
    values = list(items or ())
    names = list(keys) if keys is not None else []
    pairs = zip(names, values) if names else zip(values[::2], values[1::2])
    result = {}
    for key, value in pairs:
        name = transform(key, key_transform)
        result[name] = transform(value, val_transform, name)
    return result


def to_kwargs(items: Optional[Iterable[Any]]) -> Dict[str, Any]:
    """A dict with texts as keys, of keys and values in turn."""
    return to_dict(items, key_transform=safe_str)


def list_parser(item_parser: Callable[[Any], Any]) -> Callable[[Any], List[Any]]:
    """Makes a parser of lists, which may also come as the text of a Python list."""

    def parse(value: Any) -> List[Any]:
        """Read the items of a list, or of the text of one."""
        if isinstance(value, (str, bytes)):
            value = ast.literal_eval(safe_str(value))
        return [item_parser(item) for item in value]

    return parse


list_of_str = list_parser(safe_str)


def dict_of(constructors: Mapping[Any, Any]) -> Callable[..., Dict[Any, Any]]:
    """Makes a parser ``(values, keys) -> dict`` that converts each value by its key."""

    def parse(values: Iterable[Any], keys: Iterable[Any]) -> Dict[Any, Any]:
        return to_dict(values, keys=keys, val_transform=constructors)

    return parse


class _Fields:
    """Equality and text by attributes."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join("{}={!r}".format(*field) for field in vars(self).items())
        return f"{type(self).__name__}({fields})"


class Record(_Fields):
    """A record of a KeysReader, with attributes.

    Args:
        key: The key.
        value: Its value.
        type: Its Redis type.
        event: The event that it is about; none in a batch run.
        kwargs: Whatever else the record has.
    """

    def __init__(
        self, key: Any, value: Any = None, type: Any = None, event: Any = None, **kwargs: Any
    ) -> None:
        if not key:
            raise ValueError("a record has a key")
        self.key = safe_str(key)
        self.value = value
        self.type = safe_str(type)
        self.event = safe_str(event)
        self.kwargs = kwargs


class StreamRecord(_Fields):
    """A record of a StreamReader, with attributes.

    Args:
        key: The key of the stream.
        id: The id of the message.
        value: The fields of the message.
        kwargs: Whatever else the record has.
    """

    def __init__(self, key: Any, id: Any = None, value: Any = None, **kwargs: Any) -> None:
        if not key:
            raise ValueError("a record has a key")
        self.key = safe_str(key)
        self.id = safe_str(id) if id else None
        self.value = value
        self.kwargs = kwargs


def record(value: Any) -> Record:
    """A :class:`Record` of a dict, or of a key."""
    if isinstance(value, Record):
        return value
    return Record(**value) if isinstance(value, dict) else Record(value)


def stream_record(value: Any) -> StreamRecord:
    """A :class:`StreamRecord` of a dict, or of a key."""
    if isinstance(value, StreamRecord):
        return value
    return StreamRecord(**value) if isinstance(value, dict) else StreamRecord(value)


def compose(*functions: Callable[..., Any]) -> Callable[..., Any]:
    """Make one function of several; the last one is called first.

    ``compose(f, g)(x)`` is ``f(g(x))``; of none, the identity.
    """
    if not functions:
        return as_is
    first, rest = functions[-1], functions[-2::-1]

    def composed(*args: Any, **kwargs: Any) -> Any:
        value = first(*args, **kwargs)
        for function in rest:
            value = function(value)
        return value

    return composed


def dict_filter(**conditions: Any) -> Callable[[Mapping[str, Any]], bool]:
    """Makes a test for dicts.

    Args:
        conditions: For each key what its value must be: ``...`` is anything, a type is that
            type, a container (not a text) is one of its elements, all else is equality.

    Returns:
        A function that is true for dicts which have all keys, with such values.
    """

    def matches(expected: Any, value: Any) -> bool:
        if expected is ...:
            return True
        if isinstance(expected, type):
            return isinstance(value, expected)
        if hasattr(expected, "__contains__") and not isinstance(expected, (str, bytes)):
            return value in expected
        return bool(value == expected)

    def test(candidate: Mapping[str, Any]) -> bool:
        return all(
            key in candidate and matches(expected, candidate[key])
            for key, expected in conditions.items()
        )

    return test


def passfun(fun: Any = None, default: Any = None) -> Callable[..., Any]:
    """Make a plain Python function of anything, since servers accept nothing else.

    Args:
        fun: A function (returned as it is), any other callable, a constant, or None.
        default: What stands for None and for what is not callable.

    Returns:
        A plain function: the callable's, the default, the constant's, or the identity.
    """
    if isinstance(fun, types.FunctionType):
        return fun
    if callable(fun):

        def passed(*args: Any, **kwargs: Any) -> Any:
            return fun(*args, **kwargs)

        # The server shows the name in its list of steps.
        name = getattr(fun, "__name__", None)
        passed.__name__ = name if isinstance(name, str) else type(fun).__name__
        return passed
    if default is not None:
        return passfun(default)
    if fun is None:

        def identity(value: Any) -> Any:
            return value

        return identity

    def constant(*args: Any, **kwargs: Any) -> Any:
        return fun

    return constant


class CaseInsensitiveDict(Dict[str, Any]):
    """A dict of texts whose keys are the same in small letters and in capitals."""

    def __init__(self, data: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__()
        self.update(data or {})

    @staticmethod
    def _key(key: Any) -> Any:
        return key.upper() if isinstance(key, str) else key

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self._key(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(self._key(key), value)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(self._key(key))

    def __contains__(self, key: Any) -> bool:
        return super().__contains__(self._key(key))

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self._key(key), default)

    def pop(self, key: Any, *default: Any) -> Any:
        return super().pop(self._key(key), *default)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        return super().setdefault(self._key(key), default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value


class _REnum(enum.Enum):
    """An enumeration whose members equal their Redis texts, as str and as bytes."""

    def __str__(self) -> str:
        return safe_str(self.value)

    def __bytes__(self) -> bytes:
        return to_bytes(self.value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (str, bytes, _REnum)) and str(self) == safe_str(other)

    def __hash__(self) -> int:
        return hash(str(self))
