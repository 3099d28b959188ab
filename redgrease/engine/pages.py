"""Reads the key space a page at a time: keys, types and values in one round trip.

A read-only script on the server does the reading.  While a page is processed, the next one is
already under way.  Where scripts are refused, pipelines of plain commands do the same in three
round trips a page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, Protocol

from .connection import Connection, ErrorReply
from .context import Shield
from .errors import GearsError
from .fields import field_dict
from .keyspace import Keyspace

READ_SCRIPT = b"""
local keys, cursor = KEYS, '0'
if #keys == 0 then
  local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
  cursor, keys = page[1], page[2]
end
local values, others = {}, {}
for first = 1, #keys, 1000 do
  local last = math.min(first + 999, #keys)
  local part = redis.call('MGET', unpack(keys, first, last))
  for i = first, last do
    local value = part[i - first + 1]
    values[i] = value
    if not value then
      local kind = redis.call('TYPE', keys[i])['ok']
      if kind == 'list' then value = redis.call('LRANGE', keys[i], 0, -1)
      elseif kind == 'hash' then value = redis.call('HGETALL', keys[i])
      end
      others[#others + 1] = i - 1
      others[#others + 1] = kind
      others[#others + 1] = value
    end
  end
end
return {cursor, keys, values, others}
"""
"""Answers cursor, keys, the strings' values (nil for others), and for the others index (from 0),
type and value, flat."""

CLUSTER_SCRIPT = READ_SCRIPT.replace(
    b"local part = redis.call('MGET', unpack(keys, first, last))\n",
    b"""local part = {}
  for i = first, last do
    local value = redis.pcall('GET', keys[i])
    part[i - first + 1] = type(value) == 'string' and value
  end
""",
)
"""The same for a node of a cluster, where no command may have keys of several slots.  Valkey 9.1
would refuse all scripts from then on."""

TYPES = {
    "string": "string",
    "list": "list",
    "hash": "hash",
    "set": "set",
    "zset": "zset",
    "none": "empty",
    "stream": "unknown",
    "vectorset": "unknown",
}
"""The names of types in records; what is not here belongs to a module."""

FIRST_COUNT, MAX_COUNT = 250, 1000
SMALL_PAGE, LARGE_PAGE = 1 << 18, 1 << 22  # bytes
Record = dict[str, Any]


class Clock(Protocol):
    """Where the time spent reading is noted."""

    read_seconds: float


def key_record(key: Any, kind: str, value: Any) -> Record:
    """The record of a key, from its type and value as Redis gives them."""
    if kind == "hash":
        value = field_dict(value)
    return {"event": None, "key": key, "type": TYPES.get(kind, "module"), "value": value}


class Pages:
    """Reads pages for one reader.

    Args:
        keyspace: Redis.
        clock: Gets the time spent reading.
    """

    def __init__(self, keyspace: Keyspace, clock: Clock) -> None:
        self._keyspace, self._clock = keyspace, clock
        self._scripts = Scripts(keyspace)

    def records(self, pattern: str) -> Iterator[Record]:
        """The records of the keys that match a glob pattern."""
        for keys, values, others in self._scan(pattern):
            if not others:
                for key, value in zip(keys, values):
                    yield {"event": None, "key": key, "type": "string", "value": value}
                continue
            records = [
                {"event": None, "key": key, "type": "string", "value": value}
                for key, value in zip(keys, values)
            ]
            gone = 0
            for at in range(0, len(others), 3):
                index, kind, value = others[at : at + 3]
                if kind == "none":  # expired while the page was read
                    records[index] = {}
                    gone += 1
                else:
                    records[index] = key_record(keys[index], kind, value)
            yield from filter(None, records) if gone else records

    def counts(self, pattern: str) -> Iterator[int]:
        """The numbers of keys that match a glob pattern, page by page."""
        for keys in self.key_pages(pattern):
            yield len(keys)

    def keys(self, pattern: str, count: str = "1000") -> Iterator[Any]:
        """The names of the keys that match a glob pattern, see :meth:`key_pages`."""
        for page in self.key_pages(pattern, count):
            yield from page

    def key_pages(self, pattern: str, count: str = "1000") -> Iterator[Sequence[Any]]:
        """The names of the keys that match a glob pattern, page by page.

        Raises:
            GearsError: Redis does not accept the count.
        """
        words = [b"MATCH", _bytes(pattern), b"COUNT", _bytes(count)]
        with _Ahead(self._keyspace, self._clock) as ahead:
            ahead.ask([b"SCAN", b"0", *words])
            while True:
                reply = ahead.answer()
                if type(reply) is ErrorReply:
                    raise GearsError(str(reply))
                cursor, keys = reply
                if cursor != "0":
                    ahead.ask([b"SCAN", cursor.encode(), *words])
                yield keys
                if cursor == "0":
                    return

    def one(self, key: str) -> Record:
        """The record of the one key of this name, existing or not."""
        started = perf_counter()
        words = _bytes(key)
        reply = self._scripts.run([words], [])
        self._clock.read_seconds += perf_counter() - started
        if reply is None:
            ((name, kind, value),) = self._plain([key])
            return key_record(name, kind, value)
        _, keys, values, others = reply
        if others:
            return key_record(keys[0], others[1], others[2] if len(others) > 2 else None)
        return key_record(keys[0], "string", values[0])

    # -- pages ----------------------------------------------------------------------------------

    def _scan(self, pattern: str) -> Iterator[Sequence[Any]]:
        count = FIRST_COUNT
        words = _bytes(pattern)
        with _Ahead(self._keyspace, self._clock) as ahead:
            cursor = "0"
            ahead.ask(self._scripts.command([], [b"0", words, b"%d" % count]))
            while True:
                reply = ahead.answer()
                if type(reply) is ErrorReply:
                    if self._scripts.another_way(reply):
                        again = [cursor.encode(), words, b"%d" % count]
                        ahead.ask(self._scripts.command([], again))
                        continue
                    yield from self._scan_plainly(cursor, pattern)
                    return
                cursor = reply[0]
                if ahead.size < SMALL_PAGE:
                    count = min(count * 2, MAX_COUNT)
                elif ahead.size > LARGE_PAGE:
                    count = max(count // 4, 10)
                if cursor != "0":
                    following = [cursor.encode(), words, b"%d" % count]
                    ahead.ask(self._scripts.command([], following))
                yield reply[1:]
                if cursor == "0":
                    return

    def _scan_plainly(self, cursor: str, pattern: str) -> Iterator[Sequence[Any]]:
        """The same without scripts."""
        while True:
            started = perf_counter()
            words = [b"SCAN", cursor.encode(), b"MATCH", _bytes(pattern), b"COUNT", b"1000"]
            reply = self._keyspace.call(words)
            if type(reply) is ErrorReply:
                raise GearsError(str(reply))
            cursor, keys = reply
            others: list[Any] = []
            for index, (_, kind, value) in enumerate(self._plain(keys)):
                others += [index, kind, value]
            self._clock.read_seconds += perf_counter() - started
            yield keys, keys, others
            if cursor == "0":
                return

    def _plain(self, keys: Sequence[Any]) -> list[tuple[Any, str, Any]]:
        """Keys with their types and values, read by pipelines."""
        if not keys:
            return []
        names = [_bytes(key) for key in keys]
        kinds = self._keyspace.call_all([(b"TYPE", name) for name in names])
        readers = {"string": (b"GET",), "list": (b"LRANGE",), "hash": (b"HGETALL",)}
        commands = []
        for name, kind in zip(names, kinds):
            if kind in readers:
                ends = (b"0", b"-1") if kind == "list" else ()
                commands.append((*readers[kind], name, *ends))
        values = iter(self._keyspace.call_all(commands) if commands else ())
        found = []
        for key, kind in zip(keys, kinds):
            value = next(values) if kind in readers else None
            if (value is None and kind == "string") or type(value) is ErrorReply:
                kind, value = "none", None  # it changed in between
            found.append((key, str(kind), value))
        return found


def _ways(script: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The ways to run a script."""
    digest = hashlib.sha1(script).hexdigest().encode()
    return (
        (b"EVALSHA_RO", digest),
        (b"EVAL_RO", script),
        (b"EVALSHA", digest),
        (b"EVAL", script),
    )


class Scripts:
    """Runs the reading script in the way that the server knows.

    Args:
        keyspace: Redis; remembers what was found out.
    """

    WAYS = _ways(READ_SCRIPT)
    CLUSTER_WAYS = _ways(CLUSTER_SCRIPT)

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self._ways = self.WAYS if keyspace.node_id is None else self.CLUSTER_WAYS
        self._way = keyspace.script_way

    def command(self, keys: Sequence[bytes], words: Sequence[bytes]) -> list[bytes]:
        """The command that runs the script."""
        name, body = self._ways[self._way]
        return [name, body, b"%d" % len(keys), *keys, *words]

    def another_way(self, error: str) -> bool:
        """After an error: whether there is another way to try, to which this has switched."""
        if error.startswith("NOSCRIPT") and self._way in (0, 2):
            self._way += 1  # loads it; the next reader uses the short form again
            return True
        if error.startswith("ERR unknown command") and self._way < 2:
            self._way = self._keyspace.script_way = 2
            return True
        return False

    def run(self, keys: Sequence[bytes], words: Sequence[bytes]) -> Any:
        """Run the script; None if the server refuses it."""
        arguments = list(words) or [b"", b"", b""]
        while True:
            reply = self._keyspace.call(self.command(keys, arguments))
            if type(reply) is not ErrorReply:
                return reply
            if not self.another_way(reply):
                return None


class _Ahead:
    """A connection on which the next page is asked for while this one is processed."""

    def __init__(self, keyspace: Keyspace, clock: Clock) -> None:
        self._keyspace, self._clock = keyspace, clock
        self._connection: Connection | None = None
        self._waiting = False
        self.size = 0

    def __enter__(self) -> _Ahead:
        with Shield():
            self._connection = self._keyspace.borrow()
        return self

    def ask(self, words: Sequence[bytes]) -> None:
        """Send a request."""
        assert self._connection is not None
        with Shield():
            self._waiting = True
            try:
                self._keyspace.gate.enter()
                self._connection.send(words)
            finally:
                self._keyspace.gate.leave()

    def answer(self) -> Any:
        """The reply to it."""
        assert self._connection is not None
        started = perf_counter()
        with Shield():
            reply = self._connection.read()
            self._waiting = False
        self.size = self._connection.size
        self._clock.read_seconds += perf_counter() - started
        return reply

    def __exit__(self, *_: object) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with Shield():
            if self._waiting:  # ended early: a reply is still to come
                connection.close()
            else:
                self._keyspace.give_back(connection)


def _bytes(text: Any) -> bytes:
    """A key or pattern as it is sent."""
    if isinstance(text, (bytes, bytearray)):
        return bytes(text)
    return str(text).encode("utf-8", "surrogateescape")
