"""The proxy's connections to Redis: one for each client.

How a Gears command keeps its place among pipelined ones: before it is carried out, the proxy sends
Redis a *marker*, an unknown command with a random name.  Its error reply comes from any Redis in
any state, and all that comes before it belongs to earlier requests.  No data can look like it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from .connection import Address
from .resp import command, reply_end
from .transaction import if_refused

HELLO = command([b"HELLO", b"rg"])
REFUSED_HELLO = (b"\r\n-ERR Protocol version is not an integer", b"\r\n-NOPROTO")
NO_LOGIN = b"-NOAUTH Authentication required."
LONGEST_LINE = 512
"""How long the line with the marker may be, at most."""
KEEP = 4096
"""How much of Redis's last bytes is kept back while a marker is looked for."""


class Upstream:
    """Where Redis is.

    Args:
        url: Its URL: ``redis://``, ``rediss://`` or ``unix://``.
    """

    def __init__(self, url: str) -> None:
        self._address = Address.parse(url)
        self._tls = self._address.context()

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> Any:
        """Connect to it."""
        loop, address = asyncio.get_running_loop(), self._address
        if address.path is not None:
            return await loop.create_unix_connection(factory, address.path)
        host = address.host or "localhost"
        return await loop.create_connection(factory, host, address.port, ssl=self._tls)


class Redis(asyncio.Protocol):
    """The connection to Redis that belongs to a client."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.transport: Any = None
        self._kept = bytearray()
        self.logged_in = False
        """Whether the client is known to have logged in, or not to need that."""
        self._token = b""  # what the marker's reply is known by
        self._hello = False  # another marker follows
        self._marked: asyncio.Future[bytes] | None = None
        self._collect = False
        self._only_marker = False  # nothing was sent together with it
        self._line = False  # a single reply is waited for, without a marker
        self._turn = asyncio.Lock()
        self.watcher: Any = None
        """Is told of all that Redis replies, if there is one: the client's transaction."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    @property
    def token(self) -> bytes:
        """What the reply to the last marker is known by."""
        return self._token

    def data_received(self, data: bytes) -> None:
        if self.watcher is not None:
            self.watcher.see(data)
        if self._marked is None:
            self.client.reply(data if self.watcher is None else if_refused(data))
            return
        if self._line:
            self._kept += data
            self._take_line()
            return
        start = max(0, len(self._kept) - LONGEST_LINE)
        self._kept += data
        found = self._answered(start)
        if found is None:
            size = 0 if self._collect or self._named(start) else self._passing()
            if size > 0:
                self.client.reply(bytes(self._kept[:size]))
                del self._kept[:size]
            return
        before, after = found
        marked, self._marked = self._marked, None
        self._kept.clear()
        if not marked.done():
            marked.set_result(before)
        if after:  # a push message that came meanwhile
            self.client.later += after

    def _passing(self) -> int:
        """How much of what is kept back need not be, before the marker's reply has begun."""
        kept = self._kept
        least = len(kept) - KEEP if len(kept) > 2 * KEEP else 0
        size = kept.rfind(b"\r\n", least) + 2
        if size < 2 or not self._only_marker:  # else a line before it is looked at, too
            return least
        refused = NO_LOGIN + b"\r\n"
        if self._hello and kept.endswith(refused, 0, size):
            size -= len(refused)
        return size

    def _named(self, start: int) -> bool:
        return self._kept.find(self._token, start) >= 0

    def _answered(self, start: int) -> tuple[bytes, bytes] | None:
        """What is before and behind the marker's reply, if that is here."""
        kept = self._kept
        found = kept.find(self._token, start)
        begin = kept.rfind(b"\r\n", 0, found) + 2 if b"\r\n" in kept[: max(found, 0)] else 0
        end = kept.find(b"\r\n", found) + 2 if found >= 0 else 0
        if not self._hello:
            return (bytes(kept[:begin]), bytes(kept[end:])) if end > 1 else None
        if end > 1:
            self.logged_in = True
            second = kept.find(b"\r\n-", end - 2)  # whatever keeps Redis from saying hello
            if second < 0:
                return None
            between = bytes(kept[end : second + 2])
            end = kept.find(b"\r\n", second + 2) + 2
            return (bytes(kept[:begin]), between + bytes(kept[end:])) if end > 1 else None
        if found < 0:
            begin = max(kept.find(NO_LOGIN + line) for line in REFUSED_HELLO)
            end = kept.find(b"\r\n", begin + len(NO_LOGIN) + 2) + 2
            if begin >= 0 and end > 1:
                return bytes(kept[:begin]), bytes(kept[end:])
        return None

    async def exchange(
        self,
        request: bytes = b"",
        collect: bool = False,
        sent: Callable[[], None] | None = None,
    ) -> bytes:
        """Send something, and a marker behind it.

        Args:
            request: What to send; nothing, to wait for what was sent before.
            collect: Whether to keep back everything that comes before the marker's reply.
            sent: Called when it is on its way.

        Returns:
            What came before the marker's reply, as far as it was kept back.

        Raises:
            ConnectionError: Redis has hung up.
        """
        async with self._turn:
            if self.transport.is_closing():
                raise ConnectionResetError("the connection to Redis is closed")
            self._token = b"rg.~" + os.urandom(16).hex().encode()
            self._marked = asyncio.get_running_loop().create_future()
            self._collect, self._only_marker = collect, not request
            # Before the login some servers refuse all unknown commands alike, and nothing but
            # HELLO is answered.
            self._hello = not self.logged_in and not self.client.subscribed
            marker = command([self._token]) + (HELLO if self._hello else b"")
            self.transport.write(request + marker)
            if sent is not None:
                sent()
            return await self._marked

    async def line(self, request: bytes) -> bytes:
        """Send something, when nothing else is under way; returns the reply to it.

        Raises:
            ConnectionError: Redis has hung up.
        """
        async with self._turn:
            if self.transport.is_closing():
                raise ConnectionResetError("the connection to Redis is closed")
            self._marked, self._line = asyncio.get_running_loop().create_future(), True
            try:
                self.transport.write(request)
                return await self._marked
            finally:
                self._line = False

    def _take_line(self) -> None:
        kept = self._kept
        while kept:
            try:
                end = reply_end(kept, 0)
            except ValueError:  # it is not here yet
                return
            one = bytes(kept[:end])
            del kept[:end]
            if not one.startswith(b">"):
                marked, self._marked = self._marked, None
                self.client.later += kept
                kept.clear()
                if marked is not None and not marked.done():
                    marked.set_result(one)
            else:
                self.client.reply(one)

    def pause_writing(self) -> None:
        self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        self.client.transport.resume_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        left = b"" if exc is None else _unread(self.transport)
        if self._marked is None and left:
            self.client.reply(left)
        else:
            self._kept += left
        if self._kept:  # the last words of Redis, such as a protocol error
            self.client.reply(bytes(self._kept))
            self._kept.clear()
        if self._marked is not None and not self._marked.done():
            self._marked.set_exception(ConnectionResetError("Redis has closed the connection"))
            self._marked.exception()
        self.client.close()


def _unread(transport: Any) -> bytes:
    """What has come on a connection that broke as something was being sent.

    Transports do not read it any more, and it says why: Redis hangs up after a protocol error.
    """
    if transport is None or transport.get_extra_info("ssl_object") is not None:
        return b""
    received = bytearray()
    try:
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as rest:
            rest.setblocking(False)
            while data := rest.recv(1 << 16):
                received += data
    except OSError:  # there is no more, or it is closed already
        pass
    return bytes(received)


def without_last_line(replies: bytes, marks: bytes = b"") -> tuple[bytes, bytes]:
    """Take a reply that is a line off the end of others.

    Args:
        replies: The replies.
        marks: What the line may begin with, if a push message may have come behind it.

    Returns:
        The others, and the line.
    """
    end = len(replies)
    start = replies.rfind(b"\r\n", 0, max(end - 2, 0)) + 2 if b"\r\n" in replies[:-2] else 0
    if marks and replies[start : start + 1] not in marks:
        found = max(replies.rfind(b"\r\n%c" % mark, 0, start) for mark in marks)
        if found >= 0:
            start, end = found + 2, replies.find(b"\r\n", found + 2) + 2
    return replies[:start] + replies[end:], replies[start:end]
