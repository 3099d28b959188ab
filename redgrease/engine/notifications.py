"""Key-space notifications: a connection on which Redis tells what happens to keys."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import hiredis

from .connection import Address, Connection, Disconnected, ErrorReply
from .eager import EagerSocket

WANTED = "EAm"
"""Which notifications are needed: the channel of events, all classes, and misses."""
CHANNELS = b"__keyevent@*__:*"
LOOKS = 10
"""In how many parts Redis is waited for: it was not silent while the whole machine stood still."""
QUIET_SECONDS = 0.003
"""How long events wait, at least, for the command that caused them to be reported by the proxy."""
_CHUNK = 1 << 16
_log = logging.getLogger("redgrease.engine")


class Notifications:
    """Receives the events of all databases, in order, into :attr:`queue`.

    Args:
        address: Where Redis is.
        arrived: Called, from the receiving thread, when there are events that nobody has taken.
        regained: Called when the connection is there again after it was lost.

    Attributes:
        wanted: Says of each event, by its name and key, whether anybody wants it.
    """

    def __init__(
        self, address: Address, arrived: Callable[[], None], regained: Callable[[], None]
    ) -> None:
        self._address, self._arrived, self._regained = address, arrived, regained
        self.wanted: Callable[[str, bytes], bool] = lambda name, key: False
        self.queue: deque[tuple[str, bytes]] = deque()
        """Names of events and of keys."""
        self.hurried = False
        """Whether events are reported at once, rather than after a moment."""
        self._socket: socket.socket | None = None
        self._eager: EagerSocket | None = None
        self._reader = hiredis.Reader()
        self._reading = threading.Lock()
        self._pong = self._marker = b""
        self._channel = b"__redgrease__:" + os.urandom(16).hex().encode()
        self.channel = self._channel + b":proxy"
        """The shard channel on which the proxy publishes its markers: numbers."""
        self.marked = False
        """Whether markers of the proxy arrive."""
        self._passed = 0
        self._number = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether :meth:`start` was called."""
        return self._thread is not None

    def start(self) -> None:
        """Begin to listen; returns when nothing can be missed any more.

        Raises:
            Disconnected: Redis cannot be reached.
        """
        if self._thread is not None:
            return
        self._connect()
        self._thread = threading.Thread(target=self._receive, name="redgrease-events", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        self._hang_up()

    # -- the connection -------------------------------------------------------------------------

    def _connect(self) -> None:
        connection = Connection(self._address)
        try:
            self._switch_on(connection)
        finally:
            connection.close()
        # A connection of its own, which reads what nobody asked for.
        listening = Connection(self._address)
        plain = listening.detach()
        subscriptions = (
            (b"SUBSCRIBE", self._channel),
            (b"SSUBSCRIBE", self.channel),
            (b"PSUBSCRIBE", CHANNELS),
        )
        plain.sendall(b"".join(map(hiredis.pack_command, subscriptions)))
        reader = hiredis.Reader()
        replies: list[Any] = []
        while len(replies) < len(subscriptions):
            reply = reader.gets()
            if reply is not False:
                replies.append(reply)
                continue
            chunk = plain.recv(_CHUNK)
            if not chunk:
                raise Disconnected("connection to Redis lost")
            reader.feed(chunk)
        # Older ones have no such channels, and those of a cluster have not all of them.
        self.marked = not isinstance(replies[1], hiredis.ReplyError)
        if isinstance(replies[0], hiredis.ReplyError):
            _log.warning("events of keys are not available: %s", replies[0])
        self._eager = EagerSocket(plain)
        self._reader, self._socket = reader, plain

    @staticmethod
    def _switch_on(connection: Connection) -> None:
        """Have Redis send notifications, besides those that somebody else wants."""
        answer = connection.call((b"CONFIG", b"GET", b"notify-keyspace-events"))
        flags = answer[1] if type(answer) is list and len(answer) > 1 else ""
        missing = [
            flag for flag in WANTED if flag not in flags and not (flag == "A" and _has_all(flags))
        ]
        if not missing:
            return
        text = flags + "".join(missing)
        answer = connection.call((b"CONFIG", b"SET", b"notify-keyspace-events", text.encode()))
        if type(answer) is ErrorReply:
            _log.warning(
                "Redis does not let its key-space notifications be switched on (%s); set "
                "notify-keyspace-events to %s there, or functions see no events",
                answer,
                WANTED,
            )

    def _hang_up(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _receive(self) -> None:
        """Take in what comes, and connect again whenever the connection breaks."""
        while True:
            try:
                self._listen()
            except (OSError, ValueError, hiredis.ProtocolError):
                pass  # ValueError: it was closed meanwhile
            with self._reading:
                self._hang_up()
            delay = 0.01
            while not self._closed:
                time.sleep(delay)
                try:
                    self._connect()
                    break
                except (OSError, ValueError, Disconnected, hiredis.HiredisError):
                    delay = min(2 * delay, 0.05)  # what happens meanwhile is not seen
            if self._closed:
                return
            _log.warning("the connection for events was lost; events meanwhile are lost, too")
            self._regained()

    def _listen(self) -> None:
        """Read what nobody waits for in :meth:`settle`, which reads for itself."""
        left = None  # the first event that nobody had taken the last time
        while (connection := self._socket) is not None:
            _readable(connection, None if left is None else 0)
            if not self.hurried:
                time.sleep(QUIET_SECONDS)
            with self._reading:
                while _readable(connection, 0):
                    self._read(connection)
            first = self._first()
            if first is not None and (first is left or self.hurried):
                self._arrived()
                left = None
            else:
                left = first

    def _first(self) -> tuple[str, bytes] | None:
        try:
            return self.queue[0]
        except IndexError:
            return None

    def _read(self, connection: socket.socket, chunk: bytes | None = None) -> None:
        if chunk is None:
            chunk = connection.recv(_CHUNK)
        if not chunk:
            raise ConnectionResetError
        self._reader.feed(chunk)
        while (message := self._reader.gets()) is not False:
            self._take(message)

    def _take(self, message: Any) -> None:
        if message[0] == b"pmessage":
            name = message[2].partition(b"__:")[2].decode("utf-8", "replace")
            if self.wanted(name, message[3]):
                self.queue.append((name, message[3]))
        elif message[0] == b"smessage":
            self._passed = max(self._passed, int(message[2]))
        elif message[0] == b"message":
            self._marker = message[2]
        elif message[0] == b"pong":
            self._pong = message[-1]

    # -- the present ----------------------------------------------------------------------------

    def settle(self, patience: float) -> None:
        """Wait until the events of everything that Redis has done so far are in the queue.

        Args:
            patience: How long to wait at most for a sign of Redis, in seconds.
        """
        if threading.current_thread() is self._thread:
            return
        with self._reading:
            connection = self._socket
            if connection is None:
                return
            mark = self._next()
            try:
                connection.sendall(hiredis.pack_command((b"PING", mark)))
                self._read_until(lambda: self._pong == mark, connection, patience)
            except (OSError, hiredis.ProtocolError):
                self._hang_up()  # the other thread notices, and connects again

    def _next(self) -> bytes:
        self._number += 1
        return b"%d" % self._number

    def _read_until(
        self, done: Callable[[], bool], connection: socket.socket, patience: float
    ) -> None:
        assert self._eager is not None
        while not done():
            chunk = self._eager.soon(_CHUNK)
            if chunk is None and not _comes(connection, patience):
                return
            self._read(connection, chunk)

    def marker(self) -> tuple[bytes, bytes, bytes]:
        """A command to be sent behind another, whose events can be waited for then.

        That spares the way to Redis and back which :meth:`settle` takes.
        """
        with self._reading:
            return (b"PUBLISH", self._channel, self._next())

    def settle_by(self, marker: tuple[bytes, bytes, bytes], patience: float) -> None:
        """As :meth:`settle`, for what Redis has done before a marker.

        Args:
            marker: The marker, which Redis has answered.
            patience: How long to wait at most for a sign of Redis, in seconds.
        """
        with self._reading:
            connection = self._socket
            if connection is None:
                return
            try:
                self._read_until(lambda: self._marker == marker[2], connection, patience)
            except (OSError, hiredis.ProtocolError):
                self._hang_up()

    def settle_at(self, number: int, patience: float) -> bool:
        """As :meth:`settle_by`, for a marker that the proxy has sent behind a client's command.

        Args:
            number: The marker's number; they only grow.
            patience: How long to wait at most for a sign of Redis, in seconds.

        Returns:
            Whether the marker has come.
        """
        with self._reading:
            connection = self._socket
            if connection is not None:
                try:
                    self._read_until(lambda: self._passed >= number, connection, patience)
                except (OSError, hiredis.ProtocolError):
                    self._hang_up()
            return self._passed >= number


def _readable(connection: socket.socket, seconds: float | None) -> bool:
    """Wait until there is something to read, or the end; False when the time is up."""
    pending = getattr(connection, "pending", None)  # bytes that TLS has in store
    if pending is not None and pending():
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def _comes(connection: socket.socket, patience: float) -> bool:
    """Wait until there is a sign of Redis, see :data:`LOOKS`."""
    return any(_readable(connection, patience / LOOKS) for _ in range(LOOKS))


def _has_all(flags: str) -> bool:
    """Whether the flags name all the classes that ``A`` stands for."""
    return set("g$lshzxetd") <= set(flags)
