"""The readers that can be run: what they accept, and the records they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType, GeneratorType
from typing import Any

from .connection import ErrorReply
from .errors import GearsError, PlainError
from .fields import field_dict
from .keyspace import Keyspace
from .pages import Clock, Pages

READERS = frozenset(
    {
        "KeysReader",
        "KeysOnlyReader",
        "StreamReader",
        "PythonReader",
        "ShardsIDReader",
        "CommandReader",
    }
)
MODES = frozenset({"async", "async_local"})
STREAM_PAGE = 1000
_GLOB = frozenset("*?[\\")


@dataclass(frozen=True)
class Reader:
    """The start of a plan: a kind of reader, its argument and its options, as data."""

    name: str
    argument: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def open(self, keyspace: Keyspace, clock: Clock, counted: bool = False) -> Iterable[Any]:
        """Begin to read.

        Args:
            keyspace: Redis.
            clock: Gets the time spent reading.
            counted: Deliver numbers of records instead of records, see :meth:`countable`.

        Returns:
            The records, read as they are asked for.
        """
        return _OPEN[self.name](self, Pages(keyspace, clock), keyspace, counted)

    @property
    def timed(self) -> bool:
        """Whether it notes the time spent reading."""
        return self.name in ("KeysReader", "KeysOnlyReader")

    @property
    def countable(self) -> bool:
        """Whether it can say how many records there are without reading them."""
        return self.name in ("KeysReader", "KeysOnlyReader") and not self.options.get(
            "patternGenerator"
        )


def check_mode(options: dict[str, Any]) -> str:
    """Take the execution mode out of the options of ``run``.

    Raises:
        GearsError: There is no such mode.
    """
    mode = options.pop("mode", "async")
    if not isinstance(mode, str):
        raise GearsError("execution mode must be a string")
    if mode not in MODES:
        raise GearsError("unknown execution mode")
    return mode


def for_run(name: str, argument: Any, options: dict[str, Any]) -> Reader:
    """The reader of ``run(argument, **options)``.

    Args:
        name: Its name.
        argument: The argument, or the builder's default one.
        options: Further keyword arguments; unknown ones are ignored, as on the original.

    Raises:
        GearsError: An argument is wrong, or the reader cannot be run.
        TypeError: KeysOnlyReader got an unknown keyword.
    """
    if name == "KeysOnlyReader":
        return _keys_only(argument, **options)
    check_mode(options)
    if name == "KeysReader":
        if not isinstance(argument, str):
            raise GearsError("regex argument must be a string")
        chosen: dict[str, Any] = {}
        for option, default, shown in (("noScan", False, "exactMatch"), ("readValue", True, "")):
            chosen[option] = options.get(option, default)
            if not isinstance(chosen[option], bool):
                raise GearsError(f"{shown or option} value is not boolean")
        return Reader(name, argument, chosen)
    if name == "PythonReader":
        if not isinstance(argument, FunctionType):
            raise GearsError("pyreader argument must be a function")
        return Reader(name, argument)
    if name == "StreamReader":
        if not isinstance(argument, str):
            raise GearsError("stream reader argument must be a string")
        from_id = options.get("fromId", "0-0")
        if not isinstance(from_id, str):
            raise GearsError("fromId argument must be a string")
        return Reader(name, argument, {"fromId": from_id})
    if name == "ShardsIDReader":
        return Reader(name)
    raise GearsError("Given reader do not support run or not exists")


def _keys_only(
    pattern: Any,
    count: Any = 1000,
    noScan: Any = False,
    patternGenerator: Callable[[], Any] | None = None,
) -> Reader:
    """The arguments are checked by Python alone, as those of the original's generator."""
    options = {"count": count, "noScan": noScan, "patternGenerator": patternGenerator}
    return Reader("KeysOnlyReader", pattern, options)


# -- the records ---------------------------------------------------------------------------------


def _literal(pattern: str) -> bool:
    """Whether a pattern matches nothing but the key of this very name."""
    return not _GLOB.intersection(pattern)


def _open_keys(reader: Reader, pages: Pages, keyspace: Keyspace, counted: bool) -> Iterator[Any]:
    pattern = reader.argument
    if reader.options["noScan"] or _literal(pattern):
        if not reader.options["noScan"] and not _exists(keyspace, pattern):
            return
        if counted:
            yield 1
        elif reader.options["readValue"]:
            yield pages.one(pattern)
        else:
            yield {"event": None, "key": pattern}
    elif counted:
        yield from pages.counts(pattern)
    elif reader.options["readValue"]:
        yield from pages.records(pattern)
    else:
        for key in pages.keys(pattern):
            yield {"event": None, "key": key}


def _open_keys_only(
    reader: Reader, pages: Pages, keyspace: Keyspace, counted: bool
) -> Iterator[Any]:
    pattern, no_scan = reader.argument, reader.options["noScan"]
    if reader.options["patternGenerator"] is not None:
        pattern, no_scan = reader.options["patternGenerator"]()
    found: Iterable[Sequence[Any]]
    if no_scan:
        found = [[pattern]] if _exists(keyspace, pattern) else []
    else:
        found = pages.key_pages(str(pattern), str(reader.options["count"]))
    for keys in found:
        if counted:
            yield len(keys)
        else:
            yield from keys


def _exists(keyspace: Keyspace, key: Any) -> bool:
    reply = keyspace.call([b"EXISTS", str(key).encode("utf-8", "surrogateescape")])
    if type(reply) is ErrorReply:
        raise GearsError(str(reply))
    return bool(reply)


def _open_python(reader: Reader, pages: Pages, keyspace: Keyspace, counted: bool) -> Iterator[Any]:
    function = reader.argument
    record = function()
    if isinstance(record, GeneratorType):
        yield from record
        return
    while True:  # not a generator function: every call gives a record, for ever
        yield record
        record = function()


def _open_shards(reader: Reader, pages: Pages, keyspace: Keyspace, counted: bool) -> Iterator[Any]:
    yield keyspace.node_id or "1"


def _open_stream(reader: Reader, pages: Pages, keyspace: Keyspace, counted: bool) -> Iterator[Any]:
    """The entries that are there now, a page at a time; later ones are not waited for."""
    key = reader.argument
    name = key.encode("utf-8", "surrogateescape")
    after = reader.options["fromId"].encode("utf-8", "surrogateescape")
    read = [b"XREAD", b"COUNT", b"%d" % STREAM_PAGE, b"STREAMS", name]
    newest, reply = keyspace.call_all(
        [[b"XREVRANGE", name, b"+", b"-", b"COUNT", b"1"], [*read, after]]
    )
    if type(reply) is ErrorReply:
        raise PlainError(str(reply))
    if not newest or reply is None:
        return
    end = stream_id(newest[0][0])
    while reply is not None:
        entries = reply[0][1]
        for entry, fields in entries:
            if stream_id(entry) > end:
                return
            yield {"key": key, "id": entry, "value": field_dict(fields or ())}
        if len(entries) < STREAM_PAGE:
            return
        reply = keyspace.call([*read, entries[-1][0].encode()])
        if type(reply) is ErrorReply:
            raise PlainError(str(reply))


def stream_id(text: str) -> tuple[int, int]:
    """A stream entry's ID in comparable form."""
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence or 0)


_OPEN: dict[str, Callable[[Reader, Pages, Keyspace, bool], Iterator[Any]]] = {
    "KeysReader": _open_keys,
    "KeysOnlyReader": _open_keys_only,
    "PythonReader": _open_python,
    "ShardsIDReader": _open_shards,
    "StreamReader": _open_stream,
}
