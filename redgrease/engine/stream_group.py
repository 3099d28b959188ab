"""What stream registrations ask of Redis: reading through a consumer group, and acknowledging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from .connection import ErrorReply, text_or_bytes
from .fields import field_dict
from .keyspace import Keyspace
from .readers import stream_id

GROUP, CONSUMER = b"__gears_consumer_group__", b"__gears_client__"
"""The names that the original uses; all registrations share them."""
_CHUNK = 10_000
_GLOB = frozenset("*?[\\")

Entry = tuple[bytes, Any]
"""ID, and fields and values in a row (None if it has been deleted)."""
Words = tuple[bytes, ...]


class Gone(Exception):
    """There is no stream of this name any more."""


class Unavailable(Exception):
    """Redis cannot do it now: it is loading its data, or may not write."""


def record(key: bytes, entry: Entry) -> dict[str, Any]:
    """What functions get for an entry."""
    return {
        "key": text_or_bytes(key),
        "id": entry[0].decode(),
        "value": field_dict(entry[1] or ()),
    }


def as_bytes(word: str | bytearray) -> bytes:
    """A word of a reply as it is sent to Redis."""
    return word.encode() if isinstance(word, str) else bytes(word)


class StreamGroup:
    """The consumer group on the streams of one Redis.

    Args:
        keyspace: Redis.
    """

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace

    # -- read -----------------------------------------------------------------------------------

    def delivered(self, key: bytes) -> list[Entry]:
        """The entries that were delivered but not acknowledged; makes the group if need be.

        Raises:
            Disconnected: Redis is gone.
            Gone: The stream is.
            Unavailable: Redis refuses.
        """
        made, reply = self._keyspace.call_all(
            [(b"XGROUP", b"CREATE", key, GROUP, b"0"), self.command(key, None)]
        )
        if type(made) is ErrorReply and not made.startswith("BUSYGROUP"):
            raise _problem(made)
        return entries(reply)

    def read(self, key: bytes, count: int) -> list[Entry]:
        """The next entries, which are delivered to us from now on.

        Args:
            key: The stream.
            count: How many at most.

        Raises:
            Disconnected: Redis is gone.
            Gone: The stream is.
            Unavailable: Redis refuses.
        """
        reply = self._keyspace.call(self.command(key, count))
        if type(reply) is ErrorReply and reply.startswith("NOGROUP"):
            made, reply = self._keyspace.call_all(
                [(b"XGROUP", b"CREATE", key, GROUP, b"0"), self.command(key, count)]
            )
            if type(made) is ErrorReply and not made.startswith("BUSYGROUP"):
                raise _problem(made)
        return entries(reply)

    @staticmethod
    def command(key: bytes, count: int | None) -> Words:
        """The command that reads so many new entries, or those not acknowledged (None)."""
        words: Words = (b"XREADGROUP", b"GROUP", GROUP, CONSUMER)
        if count is None:
            return (*words, b"STREAMS", key, b"0")
        return (*words, b"COUNT", b"%d" % count, b"STREAMS", key, b">")

    # -- acknowledge ----------------------------------------------------------------------------

    @staticmethod
    def acknowledgement(key: bytes, ids: Sequence[bytes], trim: bool) -> list[Words]:
        """The commands that acknowledge entries.

        The original trims the stream to a length that it has counted, which may take away what
        others have not read yet.  Here, exactly the acknowledged entries are deleted.

        Args:
            key: The stream.
            ids: IDs of the entries.
            trim: Whether to delete them.
        """
        commands: list[Words] = []
        for start in range(0, len(ids), _CHUNK):
            part = ids[start : start + _CHUNK]
            commands.append((b"XACK", key, GROUP, *part))
            if trim:
                commands.append((b"XDEL", key, *part))
        return commands

    def send(self, commands: Sequence[Words]) -> list[Any]:
        """Send commands in one go.

        Raises:
            Disconnected: Redis is gone.
            Unavailable: It refuses one of the acknowledgements.
        """
        replies = self._keyspace.call_all(commands)
        for command, reply in zip(commands, replies):
            if (
                type(reply) is ErrorReply
                and command[0] in (b"XACK", b"XDEL")
                and not reply.startswith("WRONGTYPE")
            ):
                raise Unavailable(str(reply))
        return replies

    # -- look -----------------------------------------------------------------------------------

    def waiting(self, key: bytes, limit: int) -> int:
        """How many entries have not been delivered yet.

        Args:
            key: The stream.
            limit: Up to which number to count.

        Raises:
            Disconnected: Redis is gone.
        """
        groups = self._keyspace.call((b"XINFO", b"GROUPS", key))
        if type(groups) is not list:
            return 0
        for group in groups:
            details = dict(zip(group[::2], group[1::2]))
            if details.get("name") == GROUP.decode():
                time, number = stream_id(details["last-delivered-id"])
                break
        else:
            time = number = 0
        found = self._keyspace.call(
            (b"XRANGE", key, b"%d-%d" % (time, number + 1), b"+", b"COUNT", b"%d" % limit)
        )
        return len(found) if type(found) is list else 0

    def streams(self, pattern: str) -> Iterator[bytes]:
        """The names of the streams that match a glob pattern.

        Raises:
            Disconnected: Redis is gone.
            Unavailable: It refuses.
        """
        words = pattern.encode("utf-8", "surrogateescape")
        if not _GLOB.intersection(pattern):
            if self._known(self._keyspace.call((b"TYPE", words))) == "stream":
                yield words
            return
        cursor = b"0"
        while True:
            cursor_text, keys = self._known(
                self._keyspace.call(
                    (b"SCAN", cursor, b"MATCH", words, b"COUNT", b"1000", b"TYPE", b"stream")
                )
            )
            for key in keys:
                yield as_bytes(key)
            cursor = cursor_text.encode()
            if cursor == b"0":
                return

    @staticmethod
    def _known(reply: Any) -> Any:
        if type(reply) is ErrorReply:
            raise Unavailable(str(reply))
        return reply


def entries(reply: Any) -> list[Entry]:
    """The entries in the reply to XREADGROUP.

    Raises:
        Gone: There is no such stream, or no group.
        Unavailable: It is another error.
    """
    if type(reply) is ErrorReply:
        raise _problem(reply)
    if not reply:
        return []
    return [(as_bytes(ident), fields) for ident, fields in reply[0][1]]


def _problem(error: str) -> Exception:
    if error.startswith(("NOGROUP", "WRONGTYPE")) or "requires the key to exist" in error:
        return Gone(error)
    return Unavailable(error)


class InFlight:
    """Which entries are being worked on, so that no two registrations work on the same.

    They share one consumer, so what one of them is working on looks to the others like something
    left over from a crash.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._ids: dict[bytes, set[bytes]] = {}
        self._waiting: dict[bytes, list[Callable[[], None]]] = {}
        self._readings: dict[bytes, int] = {}
        self._dropped: dict[bytes, dict[bytes, int]] = {}
        self._clock = 0

    @contextmanager
    def reading(self, key: bytes) -> Iterator[int]:
        """A block in which entries are read that may be taken then; gives what :meth:`take` needs.

        Between Redis's answer and the taking, somebody else may finish with an entry.
        """
        with self._lock:
            self._readings[key] = self._readings.get(key, 0) + 1
            since = self._clock
        try:
            yield since
        finally:
            with self._lock:
                self._readings[key] -= 1
                if not self._readings[key]:
                    del self._readings[key]
                    self._dropped.pop(key, None)

    def free(self, key: bytes, found: list[Entry], released: Callable[[], None]) -> list[Entry]:
        """Those of some entries that nobody works on.

        Args:
            key: The stream.
            found: The entries.
            released: Called when it is worth looking again, if some are left out.
        """
        with self._lock:
            ids = self._ids.get(key, ())
            free = [entry for entry in found if entry[0] not in ids]
            if len(free) < len(found):
                self._waiting.setdefault(key, []).append(released)
            return free

    def take(self, key: bytes, found: Iterable[Entry], since: int) -> list[Entry]:
        """Begin to work on entries.

        Args:
            key: The stream.
            found: The entries.
            since: What :meth:`reading` gave before they were read.

        Returns:
            Those on which nobody works, nor has worked since.
        """
        with self._lock:
            ids = self._ids.setdefault(key, set())
            late = self._dropped.get(key, {})
            free = [
                entry
                for entry in found
                if entry[0] not in ids and late.get(entry[0], since) <= since
            ]
            ids.update(entry[0] for entry in free)
            if not ids:
                del self._ids[key]
            return free

    def drop(self, key: bytes, done: Iterable[Entry]) -> None:
        """Nobody works on these any more."""
        with self._lock:
            ids = self._ids.get(key, set())
            names = [entry[0] for entry in done]
            ids.difference_update(names)
            if key in self._readings:
                self._clock += 1
                self._dropped.setdefault(key, {}).update(dict.fromkeys(names, self._clock))
            if not ids:
                self._ids.pop(key, None)
            calls = self._waiting.pop(key, [])
        for call in calls:
            call()
