"""The readers: where the records of a GearFunction come from."""

from typing import Any, Callable, Container, Dict, Optional, Union

from redgrease import operations as ops
from redgrease.gears import OpenGearFunction, Requirements, operand
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
        defaultArg: What is read when ``run`` does not say.
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.

    Raises:
        TypeError: The description is not a text.
    """

    def __init__(
        self,
        reader: str = "KeysReader",
        defaultArg: Any = "*",
        desc: Optional[str] = None,
        requirements: Requirements = None,
    ) -> None:
        given: Dict[str, Any] = {}
        if desc is not None:
            given["desc"] = desc
        args = [reader, defaultArg] if type(self) is GearReader else []
        if args == [] and defaultArg != "*":
            args = [defaultArg]
        super().__init__(
            Reader(reader, defaultArg, desc, ops.call(type(self).__name__, args, given)),
            requirements=requirements,
        )
        if desc is not None and not isinstance(desc, str):
            raise TypeError(f"desc is a text, not {desc!r}")


class _PatternReader(GearReader):
    """A reader whose default argument is a pattern of keys."""

    def __init__(
        self,
        default_key_pattern: str = "*",
        desc: Optional[str] = None,
        requirements: Requirements = None,
    ) -> None:
        if not isinstance(default_key_pattern, (str, bytes)):
            raise TypeError(f"the key pattern is a text, not {default_key_pattern!r}")
        super().__init__(type(self).__name__, default_key_pattern, desc, requirements)
        self.default_key_pattern = default_key_pattern


class KeysReader(_PatternReader):
    """Reads keys with their types and values; registered, their events.

    Records are dicts with ``key``, ``value``, ``type`` and ``event``.

    Args:
        default_key_pattern: Which keys, when ``run`` does not say.
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
    """

    def values(self, type: Choice = ..., event: Choice = ...) -> OpenGearFunction[Any]:
        """Continue with the values, of certain types and events only if these are given.

        Args:
            type: A type of keys, or several.  When the function is registered, the server is
                told (``keyTypes``).
            event: An event, or several.  Likewise (``eventTypes``).
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
            key: value for key, value in (("type", type), ("event", event)) if value is not ...
        }
        start: OpenGearFunction[Any] = self
        if given:
            start = start.filter(dict_filter(**given))
            start.operation.narrows = _narrows(given)
            start.operation.shown = ""
        selected = start.map(mapper)
        selected.operation.shown = ops.call(name, [], given)
        return selected


def _narrows(given: Dict[str, Any]) -> Dict[str, Any]:
    """What the server can be told about the events that a filter lets pass."""
    narrows = {}
    for name, argument in (("event", "eventTypes"), ("type", "keyTypes")):
        choice = given.get(name)
        if isinstance(choice, str):
            narrows[argument] = [choice]
        elif isinstance(choice, (list, tuple, set, frozenset)):
            narrows[argument] = sorted(choice)
    # What only the records know (a stream is "unknown" there) is left to the filter.
    if set(narrows.get("keyTypes", ())) - {"string", "hash", "list", "set", "zset", "module"}:
        del narrows["keyTypes"]
    return narrows


class KeysOnlyReader(_PatternReader):
    """Reads the names of keys.

    Args:
        default_key_pattern: Which keys, when ``run`` does not say.
        desc: A description.
        requirements: Packages that the function needs on the server.
    """


class StreamReader(_PatternReader):
    """Reads the messages of a stream; registered, those that arrive in any of many.

    Records are dicts with ``key``, ``id`` and ``value``.

    Args:
        default_key_pattern: The key of the stream to run over.
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
    """

    def values(self) -> OpenGearFunction[Dict[str, Any]]:
        """Continue with the messages' fields."""
        return self._select("values", field("value"))

    def keys(self) -> OpenGearFunction[str]:
        """Continue with the streams' keys."""
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
        desc: A description.
        requirements: Packages that the function needs on the server.
    """

    def __init__(self, desc: Optional[str] = None, requirements: Requirements = None) -> None:
        super().__init__("PythonReader", "*", desc, requirements)


class ShardsIDReader(GearReader):
    """Reads one record on each shard: its id.

    Args:
        desc: A description.
        requirements: Packages that the function needs on the server.
    """

    def __init__(self, desc: Optional[str] = None, requirements: Requirements = None) -> None:
        super().__init__("ShardsIDReader", "*", desc, requirements)


class CommandReader(GearReader):
    """Registered only: reads the words of ``RG.TRIGGER name …``, as a list.

    Args:
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
    """

    def __init__(self, desc: Optional[str] = None, requirements: Requirements = None) -> None:
        super().__init__("CommandReader", "*", desc, requirements)

    def args(self, max_count: Optional[int] = None) -> OpenGearFunction[Any]:
        """Continue with the list of arguments, without the name of the trigger.

        Args:
            max_count: How many at most; None for all.
        """
        end = None if max_count is None else max_count + 1

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
