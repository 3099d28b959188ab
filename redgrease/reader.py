"""The readers: where the records of a GearFunction come from."""

import builtins
from typing import Any, Callable, Container, Dict, Iterable, List, Optional, Union

from redgrease import operations as ops
from redgrease.arguments import (
    check_key_type,
    check_number,
    check_reader,
    key_text,
    operand,
    source,
)
from redgrease.gears import OpenGearFunction, Requirements
from redgrease.operations import Reader
from redgrease.utils import dict_filter, record, stream_record

__all__ = [
    "CommandReader",
    "GearReader",
    "KeysOnlyReader",
    "KeysReader",
    "PythonReader",
    "ShardsIDReader",
    "StreamReader",
]

Choice = Union[str, Container[str], Any]


def field(name: str) -> Callable[[Any], Any]:
    """Makes a function that takes a field of a record."""

    def take(item: Any) -> Any:
        return item[name]

    return take


class GearReader(OpenGearFunction[Any]):
    """Any reader, by its name on the server.

    Args:
        reader: The name.
        defaultArg: What to read unless ``run`` is given something else; for a PythonReader, the
            generator function.
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
        defaults: Default values for arguments of ``run`` and ``register``.

    Raises:
        TypeError: An argument has a wrong type, or is unknown.
        ValueError: There is no such reader, or the value of an argument is invalid.
    """

    def __init__(
        self,
        reader: str = "KeysReader",
        defaultArg: Any = "*",
        desc: Optional[str] = None,
        requirements: Requirements = None,
        **defaults: Any,
    ) -> None:
        check_reader(reader)
        if desc is not None and not isinstance(desc, str):
            raise TypeError(f"desc is a text, not {desc!r}")
        shown = [reader] if type(self) is GearReader else []
        if defaultArg != "*":
            shown.append(defaultArg)
        named = {} if desc is None else {"desc": desc}
        if reader != "PythonReader":
            defaultArg = key_text("key pattern", defaultArg)
        elif defaultArg != "*":
            defaultArg = source(reader, defaultArg)
        step = Reader(reader, defaultArg, desc)
        step.shown = ops.call(type(self).__name__, shown, {**named, **defaults})
        super().__init__(step, None, requirements, **defaults)


class _PatternReader(GearReader):
    """A reader whose default argument is a pattern of keys."""

    _name = ""

    def __init__(
        self,
        default_key_pattern: Any = "*",
        desc: Optional[str] = None,
        requirements: Requirements = None,
        **defaults: Any,
    ) -> None:
        super().__init__(self._name, default_key_pattern, desc, requirements, **defaults)
        self.default_key_pattern = self.operation.args[1]


class KeysReader(_PatternReader):
    """Reads keys with their types and values, or key events if registered.

    Records are dicts with ``key``, ``value``, ``type`` and ``event``.

    Args:
        default_key_pattern: Which keys to read unless ``run`` is given another pattern.
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
        defaults: Default values for arguments of ``run`` and ``register``.
    """

    _name = "KeysReader"

    def values(self, type: Choice = ..., event: Choice = ...) -> OpenGearFunction[Any]:
        """Continue with the values, optionally only those of certain types and events.

        Args:
            type: One key type, or several.  When the function is registered, the server does the
                selecting (``keyTypes``).
            event: One event, or several.  Likewise (``eventTypes``).
        """
        return self._select("values", field("value"), type, event)

    def keys(self, type: Choice = ..., event: Choice = ...) -> OpenGearFunction[str]:
        """Continue with the keys; arguments as for :meth:`values`."""
        return self._select("keys", field("key"), type, event)

    def records(self, type: Choice = ..., event: Choice = ...) -> OpenGearFunction[Any]:
        """Continue with :class:`redgrease.utils.Record` objects; arguments as for values."""
        return self._select("records", record, type, event)

    def _select(
        self, name: str, mapper: Callable[[Any], Any], type: Choice, event: Choice
    ) -> OpenGearFunction[Any]:
        given = {
            key: _choice(key, value)
            for key, value in (("type", type), ("event", event))
            if value is not ...
        }
        start: OpenGearFunction[Any] = self
        if given:
            start = start.filter(dict_filter(**given))
            start.operation.narrows = _narrows(given)
            start.operation.needs_value = "type" in given
            start.operation.shown = ""
        selected = start.map(mapper)
        selected.operation.needs_value = name == "values"
        selected.operation.shown = ops.call(name, [], given)
        return selected


#: The types that records have; servers call a stream "unknown".
_RECORD_TYPES = ("string", "hash", "list", "set", "zset", "module", "stream", "unknown", "empty")
#: Those by which servers can select events, whatever their version.
_SELECTABLE = frozenset(["string", "hash", "list", "set", "zset", "module"])


def _choice(name: str, value: Any) -> Any:
    """What a field of a record may be, in a form that travels.

    Raises:
        ValueError: There is no such type of keys.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8")
    if not isinstance(value, (str, builtins.type)) and isinstance(value, Iterable):
        value = [each.decode("utf-8") if isinstance(each, bytes) else each for each in value]
    for each in _texts(value):
        if name == "type":
            check_key_type(each, _RECORD_TYPES)
    if name == "type" and "stream" in _texts(value):
        value = [*(value if isinstance(value, list) else [value]), "unknown"]
    return value


def _texts(choice: Any) -> List[str]:
    items = choice if isinstance(choice, list) else [choice]
    return [item for item in items if isinstance(item, str)]


def _narrows(given: Dict[str, Any]) -> Dict[str, Any]:
    """What the server can be told about the events that a filter lets pass."""
    narrows = {}
    for name, argument in (("event", "eventTypes"), ("type", "keyTypes")):
        texts = _texts(given.get(name))
        known = texts if name == "event" else [text for text in texts if text in _SELECTABLE]
        # What is no text, or only in the records, is left to the filter.
        if known and len(known) == (len(given[name]) if isinstance(given[name], list) else 1):
            narrows[argument] = sorted(set(known))
    return narrows


class KeysOnlyReader(_PatternReader):
    """Reads the names of keys.

    Args:
        default_key_pattern: Which keys to read unless ``run`` is given another pattern.
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
        defaults: Default values for arguments of ``run`` and ``register``.
    """

    _name = "KeysOnlyReader"


class StreamReader(_PatternReader):
    """Reads the messages of a stream, or those arriving in any number of streams if registered.

    Records are dicts with ``key``, ``id`` and ``value``.

    Args:
        default_key_pattern: The key of the stream to read, when run.
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
        defaults: Default values for arguments of ``run`` and ``register``.
    """

    _name = "StreamReader"

    def values(self) -> OpenGearFunction[Dict[str, Any]]:
        """Continue with the fields of the messages."""
        return self._select("values", field("value"))

    def keys(self) -> OpenGearFunction[str]:
        """Continue with the keys of the streams."""
        return self._select("keys", field("key"))

    def records(self) -> OpenGearFunction[Any]:
        """Continue with :class:`redgrease.utils.StreamRecord` objects."""
        return self._select("records", stream_record)

    def _select(self, name: str, mapper: Callable[[Any], Any]) -> OpenGearFunction[Any]:
        selected = self.map(mapper)
        selected.operation.shown = ops.call(name)
        return selected


class PythonReader(GearReader):
    """Reads what a generator function yields on each shard: ``run(function)``.

    Args:
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
        defaults: Default values for arguments of ``run`` and ``register``.

    Raises:
        TypeError: An argument has a wrong type, such as a function for ``desc``.
    """

    def __init__(
        self, desc: Optional[str] = None, requirements: Requirements = None, **defaults: Any
    ) -> None:
        if callable(desc):
            raise TypeError(
                f"desc is a text, not {desc!r}; the function is given to run(), or by hand: "
                "GearReader('PythonReader', function)"
            )
        super().__init__("PythonReader", "*", desc, requirements, **defaults)


class ShardsIDReader(GearReader):
    """Reads one record on each shard: its id.

    Args:
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
        defaults: Default values for arguments of ``run`` and ``register``.
    """

    def __init__(
        self, desc: Optional[str] = None, requirements: Requirements = None, **defaults: Any
    ) -> None:
        super().__init__("ShardsIDReader", "*", desc, requirements, **defaults)


class CommandReader(GearReader):
    """Reads calls by ``RG.TRIGGER name …``, each as a list of strings; can only be registered.

    Args:
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
        defaults: Default values for arguments of ``run`` and ``register``.
    """

    def __init__(
        self, desc: Optional[str] = None, requirements: Requirements = None, **defaults: Any
    ) -> None:
        super().__init__("CommandReader", "*", desc, requirements, **defaults)

    def args(self, max_count: Optional[int] = None) -> OpenGearFunction[Any]:
        """Continue with the list of arguments, without the name of the trigger.

        Args:
            max_count: The maximum number of arguments; None for all.
        """
        end = None if max_count is None else check_number("max_count", max_count, 0) + 1

        def arguments(words: Any) -> Any:
            return words[1:end]

        selected = self.map(arguments)
        selected.operation.shown = ops.call("args", [] if max_count is None else [max_count])
        return selected

    def apply(self, fun: Any, requirements: Requirements = None) -> OpenGearFunction[Any]:
        """Continue with what a function returns for the arguments.

        Args:
            fun: Called with the arguments, without the name of the trigger.
            requirements: Packages that the function needs on the server.
        """
        function = operand("apply", fun)

        def applied(words: Any) -> Any:
            return function(*words[1:])

        applied.__name__ = function.__name__
        selected = self.map(applied, requirements)
        selected.operation.shown = ops.call("apply", [fun])
        return selected
