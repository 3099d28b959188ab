"""A client's connection as a stream: how bytes come and go, and who waits for whom.

Neither side may fill the memory: who sends faster than it is served, or does not read what it is
sent, is not read from.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .upstream import Redis

if TYPE_CHECKING:
    from .proxy import Proxy

HIGH_WATER = 1 << 20
MOST_UNREAD = 64 << 20
"""Bytes of replies that a client may leave unread before its next request is carried out,
and before others wait no longer for what Redis replies to it."""
GATHER_SECONDS = 0.002


class Flow(asyncio.Protocol):
    """The connection of a client, and the one to Redis that belongs to it.

    Args:
        proxy: The proxy.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.number = next(proxy.numbers)
        self.transport: Any = None
        self.redis = Redis(self)
        self.silent = False  # CLIENT REPLY OFF
        self.later = bytearray()  # of Redis's, to be passed on behind a Gears reply
        self.closed = False
        self._gathered = bytearray()  # replies that are sent together with the next ones
        self._flushing = False
        self._buffer = bytearray()
        self._busy = False  # a Gears command is being carried out
        self._connected = False
        self._ended = False
        self._paused = False
        self._stuck = False  # the client does not read what it is sent
        self._urgent = 0  # how many wait for what Redis replies
        self._bound = False  # what has begun has to be carried through
        self._stopped = False  # so Redis's replies are not read either
        self._over = False  # Redis has been told that there is no more, and will hang up
        self._noticed: asyncio.Future[None] | None = None

    def process(self) -> None:
        """Carry out as much of the buffer as can be."""
        raise NotImplementedError

    async def mark(self) -> None:
        """Wait until Redis has answered all that was sent to it."""
        raise NotImplementedError

    @property
    def in_flight(self) -> bool:
        """Whether something was sent to Redis of which nobody has seen whether it is answered."""
        return self in self.proxy.flying

    @in_flight.setter
    def in_flight(self, value: bool) -> None:
        if value:
            self.proxy.flying.add(self)
        else:
            self.proxy.flying.discard(self)
            self.proxy.writing.discard(self)

    # -- the connection -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.proxy.clients.add(self)
        self.proxy.spawn(self._connect())

    async def _connect(self) -> None:
        try:
            await self.proxy.upstream.connect(lambda: self.redis)
        except OSError as error:
            # With this word clients try again, or look for the server that has taken its place.
            self.transport.write(f"-LOADING Redis cannot be reached: {error}\r\n".encode())
            self.transport.close()
            return
        if self.closed:
            self.redis.transport.close()
            return
        self._connected = True
        self.process()

    def eof_received(self) -> bool:
        self._ended = True
        self.process()
        # Replies that are under way are still delivered; TLS knows no half-closed connections.
        return bool(self.transport.can_write_eof())

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def close(self) -> None:
        """Close both sides."""
        if self.closed:
            return
        if self._gathered:
            self.reply(b"")
        self.closed = True
        self._notice()
        self.proxy.clients.discard(self)
        self.proxy.kept_back.pop(self, None)
        self.in_flight = False
        self.transport.close()
        if self.redis.transport is not None and not self._bound:
            self.redis.transport.close()
        self.proxy.link.send("GONE", str(self.number))

    def bind(self, bound: bool) -> None:
        """Say whether what the client has begun is carried through even if it goes."""
        self._bound = bound
        if not bound and self.closed and self.redis.transport is not None:
            self.redis.transport.close()

    # -- not too much at once -------------------------------------------------------------------

    def pause_writing(self) -> None:
        self._stuck = True
        self._throttle_redis()

    def resume_writing(self) -> None:
        self._stuck = False
        self._throttle_redis()
        self.process()

    def hurry(self, urgent: bool) -> None:
        """Say whether others wait for the reply of what is being carried out."""
        self._urgent += 1 if urgent else -1
        self._throttle_redis()

    def _throttle_redis(self) -> None:
        """Stop reading from Redis while the client does not read; but others are not to wait."""
        stop = self._stuck and not self._urgent
        if self.redis.transport is None or stop == self._stopped:
            return
        self._stopped = stop
        if stop:
            self.redis.transport.pause_reading()
        else:
            self.redis.transport.resume_reading()

    def _free(self) -> bool:
        """Whether the next request may be carried out."""
        if self._stuck and self.transport.get_write_buffer_size() > MOST_UNREAD:
            return False  # what it does not read fills the memory
        return not (self._busy or self.closed or self.proxy.sections.closed) and self._connected

    def _throttle(self) -> None:
        """Stop reading from a client that sends faster than it is served."""
        full = len(self._buffer) > HIGH_WATER and not self._free()
        if full != self._paused and not self.closed:
            self._paused = full
            if full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    async def settled(self) -> None:
        """The same, for others; they do not wait for one that leaves very much unread."""
        self._noticed = noticed = asyncio.get_running_loop().create_future()
        self.hurry(True)
        self._notice()
        waiting = [noticed] if self._over else [asyncio.ensure_future(self.mark()), noticed]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.hurry(False)

    def _notice(self) -> None:
        """Have nobody wait any more, if it is of no use."""
        if self._noticed is None or self._noticed.done():
            return
        if self.closed or self.transport.get_write_buffer_size() > MOST_UNREAD:
            self._noticed.set_result(None)

    # -- what the client gets -------------------------------------------------------------------

    def _start(self, coroutine: Any) -> None:
        """Carry something out; further requests wait for it."""
        self._busy = True
        self.proxy.spawn(self._finish(coroutine))

    async def _finish(self, coroutine: Any) -> None:
        try:
            reply = await coroutine
        except ConnectionError:
            return  # Redis has hung up, and so do we
        self._answered(reply)

    def _answered(self, reply: bytes) -> None:
        """Pass the reply of a command that was carried out here on, and go on."""
        if self.closed:
            return
        if not self.silent:
            self._gathered += reply
        if self.later:
            self._gathered += self.later
            self.later.clear()
        self._busy = False
        self.process()
        if not self._gathered:
            return
        if not self._busy or len(self._gathered) > HIGH_WATER:
            self.reply(b"")
        elif not self._flushing:
            # As Redis does, wake the client up once for several replies, if they come soon.
            self._flushing = True
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._flush)

    def reply(self, data: bytes) -> None:
        """Send the client something, behind the replies that were gathered."""
        if self._gathered:
            data = bytes(self._gathered) + data
            self._gathered.clear()
        if not self.closed:
            self.transport.write(data)
            self._notice()

    def _flush(self) -> None:
        self._flushing = False
        if self._gathered and not self.closed:
            self.reply(b"")
