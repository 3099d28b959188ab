"""A client's connection: what the proxy does with its requests.

Bytes pass untouched while nothing in them concerns Gears.  Before a Gears command is carried out,
the replies to earlier requests are waited for, see ``upstream``, and where the connection's rights
are not known, Redis is asked for them, see ``rights``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import hiredis

from .command_names import BLOCKING, GEARS, RESCUES, RUNS_CODE, WATCHED
from .resp import Framer, Passage, ProtocolError, command
from .rights import Rights
from .transaction import Transaction, with_module
from .upstream import KEEP, Redis, without_last_line

if TYPE_CHECKING:
    from .proxy import Proxy

SENTINEL = b"*1\r\n$1\r\nX\r\n"
END = [b"X"]
HIGH_WATER = 1 << 20
MOST_UNREAD = 64 << 20
"""Bytes of replies that a client may leave unread before its next request is carried out."""
GATHER_SECONDS = 0.002
HUGE = re.compile(rb"\*\d{7}")
"""The header of a request of a million words or more."""


class Client(asyncio.Protocol):
    """The connection of a client."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.number = next(proxy.numbers)
        self.transport: Any = None
        self.redis = Redis(self)
        self.silent = False  # CLIENT REPLY OFF
        self.subscribed = False  # a RESP2 connection on which little else is allowed
        self.later = bytearray()  # of Redis's, to be passed on behind a Gears reply
        self._gathered = bytearray()  # replies that are sent together with the next ones
        self._flushing = False
        self._rights = Rights(self)
        self._buffer = bytearray()
        self._framer = Framer()
        self._reader = hiredis.Reader()
        self._passage: Passage | None = None
        self._last_words: list[bytes] | None = None  # of a large request that concerns functions
        self._begun = False  # such a request has but its last bytes to go
        self._mixed = False
        self._raw = False  # broken beyond framing: Redis may have it all
        self._busy = False  # a Gears command is being carried out
        self._connected = False
        self._ended = False
        self._closed = False
        self._paused = False
        self._stuck = False  # the client does not read what it is sent
        self._urgent = False  # others wait for the reply
        self._stopped = False  # so Redis's replies are not read either
        self._noticed: asyncio.Future[None] | None = None
        self._publishes: bool | None = None  # Redis lets this connection publish; None: not known
        self._skip = b""  # CLIENT REPLY SKIP, which goes along with the next request
        self._resp3 = False
        self._transaction: Transaction | None = None

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

    # -- the connection -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.proxy.clients.add(self)
        self.proxy.spawn(self._connect())

    async def _connect(self) -> None:
        try:
            await self.proxy.upstream.connect(lambda: self.redis)
        except OSError as error:
            self.transport.write(f"-ERR Redis cannot be reached: {error}\r\n".encode())
            self.transport.close()
            return
        if self._closed:
            self.redis.transport.close()
            return
        self._connected = True
        self.process()

    def data_received(self, data: bytes) -> None:
        if not self._buffer and self._free() and self._unaltered():
            if self._plain(data):
                self.proxy.flying.add(self)
                self.redis.transport.write(data)
                return
            self._mixed = len(data) < KEEP  # of more, all but the last request may be plain
        self._buffer += data
        self.process()

    def eof_received(self) -> bool:
        self._ended = True
        self.process()
        # Replies that are under way are still delivered; TLS knows no half-closed connections.
        return bool(self.transport.can_write_eof())

    def pause_writing(self) -> None:
        self._stuck = True
        if self._noticed is not None and not self._noticed.done():
            self._noticed.set_result(None)
        self._throttle_redis()

    def resume_writing(self) -> None:
        self._stuck = False
        self._throttle_redis()
        self.process()

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

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def close(self) -> None:
        """Close both sides."""
        if self._closed:
            return
        if self._gathered:
            self.reply(b"")
        self._closed = True
        self.proxy.clients.discard(self)
        self.proxy.kept_back.pop(self, None)
        self.proxy.flying.discard(self)
        self.transport.close()
        if self.redis.transport is not None:
            self.redis.transport.close()
        self.proxy.link.send("GONE", str(self.number))

    # -- requests -------------------------------------------------------------------------------

    def process(self) -> None:
        """Carry out as much of the buffer as can be."""
        while self._buffer and (self._free() or self._rescues()):
            try:
                if not self._step():
                    break
            except ProtocolError:
                self._raw = True
        if not self._buffer:
            self._mixed = False
        if (self._buffer or self._ended) and self.proxy.sections.closed:
            self.proxy.kept_back[self] = None
        self._throttle()
        if self._ended and self._free():
            self._ended = False
            if self._buffer:  # Redis knows what to say to a request that is not whole
                self.redis.transport.write(bytes(self._buffer))
                self._buffer.clear()
            if self.redis.transport.can_write_eof():
                self.redis.transport.write_eof()
            else:  # TLS has no such thing
                self._start(self._last())

    def _free(self) -> bool:
        if self._stuck and self.transport.get_write_buffer_size() > MOST_UNREAD:
            return False  # what it does not read fills the memory
        return not (self._busy or self._closed or self.proxy.sections.closed) and self._connected

    def _rescues(self) -> bool:
        """Whether the next request may end what keeps everybody back, so that it must not wait."""
        ready = self._connected and not (self._busy or self._closed or self._raw)
        if not ready or self._transaction is not None or self._passage is not None or self._skip:
            return False
        try:
            end = self._framer.next(self._buffer, 0)
        except ProtocolError:
            return False
        return (
            end > 0 and self._framer.words[:1] != [] and (self._framer.words[0].upper() in RESCUES)
        )

    def _throttle(self) -> None:
        """Stop reading from a client that sends faster than it is served."""
        full = len(self._buffer) > HIGH_WATER and not self._free()
        if full != self._paused and not self._closed:
            self._paused = full
            if full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _step(self) -> bool:
        """Take something off the buffer; False if more bytes are needed first."""
        if self._raw:
            self._forward(len(self._buffer))
            return True
        if self._passage is not None:
            self._pass(self._passage)
            return True
        if not self._mixed and self._unaltered():
            whole = self._buffer.rfind(b"\r\n*") + 2  # without the last one, which may be partial
            for size in (len(self._buffer), *((whole,) if whole > 1 else ())):
                if self._plain(self._buffer[:size]):
                    self._forward(size)
                    return True
        end = self._framer.next(self._buffer, 0)
        if end < 0:
            return self._incomplete()
        self._mixed = True  # the rest is looked at one by one, rather than as a whole every time
        self._request(self._framer.words, end)
        return True

    def _unaltered(self) -> bool:
        """Whether requests mean what they say: nothing before them changes that."""
        return not self._skip and self._transaction is None and self._passage is None

    def _plain(self, data: bytes | bytearray) -> bool:
        """Whether some bytes are whole requests, none of which concerns Gears."""
        if len(data) > HIGH_WATER or HUGE.search(data):
            return False  # the parser would make room for all of it at once
        # The parser takes all of them at once, as an array whose size is guessed: a wrong guess, as
        # a partial request, leaves the sentinel elsewhere than at the end.
        reader, plain = self._reader, self.proxy.link.plain
        reader.feed(b"*%d\r\n" % (data.count(b"\r\n*") + 2) + data + SENTINEL)
        try:
            requests = reader.gets()
            if requests and requests.pop() == END:
                for request in requests:
                    if request[0] not in plain and not self.proxy.link.is_plain(request[0]):
                        return False
                return True
        except (hiredis.ProtocolError, AttributeError, IndexError, TypeError):
            pass  # not what clients send; framing by hand finds out what it is
        self._reader = hiredis.Reader()
        return False

    def _incomplete(self) -> bool:
        """An incomplete request: a large foreign one passes as it comes, others are waited for."""
        words = self._framer.words
        if not words or len(self._buffer) < KEEP:
            return False
        name = words[0].upper()
        watch = self.proxy.link.watch
        if name in WATCHED or name in watch.hooks or name.startswith(b"RG."):
            return False
        if self._skip:
            self.redis.transport.write(self._skip)
            self._skip = b""
        self._passage = Passage(self._buffer, 0)
        alone = name in watch.exclusive and not self._apart(name) and self._transaction is None
        self._last_words = [name] if alone else None
        if self._transaction is not None:
            self._transaction.names.append(name)
        self._forward(self._passage.taken)
        return True

    def _pass(self, passage: Passage) -> None:
        """Forward what there is of a large request; Redis acts when it has the last byte."""
        taken = passage.take(memoryview(self._buffer))
        if not passage.done:
            self._forward(taken)
            return
        self._passage = None
        if self._last_words is None:
            self._forward(taken)
            return
        rest = bytes(self._buffer[:taken])
        del self._buffer[:taken]
        self._start(self._alone(rest, "", self._last_words, begun=True))

    def _forward(self, size: int) -> None:
        self.proxy.flying.add(self)
        self.redis.transport.write(bytes(self._buffer[:size]))
        del self._buffer[:size]

    def _request(self, words: list[bytes], end: int) -> None:
        """One request, which may concern Gears."""
        name = words[0].upper() if words else b""
        if self._skip and words:
            self._after_skip(name, words, end)
            return
        if name == b"CLIENT" and [word.upper() for word in words[1:]] == [b"REPLY", b"SKIP"]:
            self._skip = bytes(self._buffer[:end])
            del self._buffer[:end]
            return
        watch = self.proxy.link.watch
        if name in GEARS or watch.hooked(name, words):
            del self._buffer[:end]
            if self._transaction is not None:
                self.redis.transport.write(self._transaction.placeholder(words))
            elif self._rights.known and not self.in_flight and name not in RUNS_CODE:
                self._busy = True
                self._post(name, words)
            else:
                self._start(self._gears(name, words))
        elif name == b"EXEC" and (special := self._special(words)) is not None:
            del self._buffer[:end]
            self._start(self._execute(special))
        elif name in watch.exclusive and self._transaction is None and not self._apart(name):
            request = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._start(self._alone(request, "", words))
        elif name == b"MODULE" and [word.upper() for word in words[1:]] == [b"LIST"]:
            request = bytes(self._buffer[:end])
            del self._buffer[:end]
            if self._transaction is not None:
                self.redis.transport.write(request)
            else:
                self._start(self._modules(request))
        else:
            if self._transaction is not None:
                self._transaction.names.append(name)
            self._note(name, words)
            self._forward(end)
            if name in BLOCKING:  # nobody waits for it
                self.in_flight = False

    def _note(self, name: bytes, words: list[bytes]) -> None:
        """Follow what changes the state of the connection."""
        if name == b"MULTI" and len(words) == 1:
            self._transaction = self._transaction or Transaction()
        elif name in (b"EXEC", b"DISCARD") and len(words) == 1:
            self._transaction = None
        elif name == b"HELLO":
            self._forget()
            if len(words) > 1:
                self._resp3 = words[1] == b"3"
        elif name == b"AUTH":
            self._forget()
        elif name.endswith(b"SUBSCRIBE"):
            self.subscribed = not self._resp3
        elif name == b"MONITOR":
            self.subscribed = True
        elif name == b"RESET" and len(words) == 1:
            self._transaction, self._resp3, self.silent = None, False, False
            self.subscribed = self.redis.logged_in = False
            self._forget()
        elif name == b"CLIENT" and len(words) == 3 and words[1].upper() == b"REPLY":
            self.silent = words[2].upper() == b"OFF"

    def _forget(self) -> None:
        """The connection may be somebody else's now."""
        self._publishes = None
        self._rights.forget()

    def _after_skip(self, name: bytes, words: list[bytes], end: int) -> None:
        """A request that gets no reply.

        Redis must not see a marker in its place, so functions that its events concern run as for
        a client that talks to Redis directly.
        """
        skip, self._skip = self._skip, b""
        if self._transaction is None and (
            name in GEARS or self.proxy.link.watch.hooked(name, words)
        ):
            del self._buffer[:end]
            self._start(self._unheard(name, words))
            return
        self.redis.transport.write(skip)
        self._note(name, words)
        self._forward(end)

    async def _unheard(self, name: bytes, words: list[bytes]) -> bytes:
        await self._gears(name, words)
        return b""

    def _apart(self, name: bytes) -> bool:
        """Whether the proxy cannot know when a command has ended."""
        return self.silent or self.subscribed or name in BLOCKING

    def _special(self, words: list[bytes]) -> Transaction | None:
        """The transaction that EXEC carries out, if functions have to do with it."""
        transaction, exclusive = self._transaction, self.proxy.link.watch.exclusive
        if transaction is None or len(words) > 1:
            return None
        watched = not self.silent and not exclusive.isdisjoint(transaction.names)
        return transaction if transaction.calls or watched else None

    async def _last(self) -> bytes:
        """Wait for the replies that are under way, and hang up."""
        await self.mark()
        self.redis.transport.close()
        return b""

    # -- Gears ----------------------------------------------------------------------------------

    def _post(self, name: bytes, words: list[bytes]) -> None:
        """Have the worker carry a command out, with nothing else to be done before."""
        link, sections = self.proxy.link, self.proxy.sections
        if not link.watch.alone(name, words) or self.proxy.flying or not sections.try_begin():
            kind = "CALL" if name in GEARS else "HOOK"
            link.post(self.number, self._flags, words, self._answered, kind)
            return
        # Nothing is under way: the function need not ask for everybody to be kept back.
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                sections.end()

        def answered(reply: bytes) -> None:
            end()
            self._answered(reply)

        link.post(self.number, self._flags + "s", words, answered, released=end)

    @property
    def _flags(self) -> str:
        return "3" if self._resp3 else ""

    def _start(self, coroutine: Any) -> None:
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
        if self._closed:
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
        self.transport.write(data)

    def _flush(self) -> None:
        self._flushing = False
        if self._gathered and not self._closed:
            self.reply(b"")

    async def mark(self) -> None:
        """Wait until Redis has answered all that was sent to it.

        Not within a transaction, where all is only queued, nor within a large request: a marker
        would spoil them.
        """
        within = self._transaction is not None or self._passage is not None or self._begun
        within = within or self._raw
        if self.silent or self._closed or not self._connected or within:
            return
        try:
            before = await self.redis.exchange()
        except ConnectionError:
            return
        self.in_flight = False
        self.reply(before + bytes(self.later))
        self.later.clear()

    async def settled(self) -> None:
        """The same, for others: they do not wait for a client that does not read its replies."""
        if self._stuck:
            return
        self._noticed = asyncio.get_running_loop().create_future()
        await asyncio.wait(
            [asyncio.ensure_future(self.mark()), self._noticed],
            return_when=asyncio.FIRST_COMPLETED,
        )

    async def _gears(self, name: bytes, words: list[bytes]) -> bytes:
        refusal = await self._rights.refusal(name, words)
        if refusal:
            return refusal
        return await self._call(name, self._flags, words)

    async def _call(self, name: bytes, flags: str, words: list[bytes]) -> bytes:
        kind = "CALL" if name in GEARS else "HOOK"
        return await self.proxy.link.call(self.number, flags, words, kind)

    async def _alone(
        self, request: bytes, flags: str, words: Sequence[bytes], begun: bool = False
    ) -> bytes:
        """Carry a command out, and let functions do what they make of it, before anything else.

        Args:
            request: The command as it goes to Redis.
            flags: ``m`` for a transaction.
            words: The command; for a transaction the names of its commands.
            begun: Whether the beginning of the command has gone to Redis already.

        Returns:
            The reply.
        """
        sections, link, section = self.proxy.sections, self.proxy.link, None
        self._begun = begun
        if self.in_flight and "m" not in flags and not begun:
            await self.mark()  # in a transaction, or a request, a marker would spoil it
        await sections.begin()
        self._urgent = True
        self._throttle_redis()
        try:
            if self._closed:  # while it waited for its turn
                raise ConnectionResetError("the client has gone")
            # Only where it may be replaced is the whole reply kept back, however large.
            collect = "m" in flags or words[0].upper() in link.watch.linked
            published = bool(link.watch.channel) and self._publishes is not False and not flags
            flags = self._flags + flags
            if published:
                number, marker = link.marker()
                if self._publishes:  # the worker waits for it while Redis is still at the command
                    section = link.sync(self.number, flags, words, number)
                reply = await self.redis.exchange(request + marker, collect=collect)
                reply, line = without_last_line(reply, b":-")
                self._publishes = line.startswith(b":")
            else:
                reply = await self.redis.exchange(request, collect=collect)
            self._begun = False
            if section is not None:
                await section.ended
            if section is None or section.missed:
                section = link.sync(self.number, flags, words)
        finally:
            if section is not None:
                await section.ended
            self._urgent = False
            self._throttle_redis()
            sections.end()
        other = await section.reply
        return reply if other is None else other

    async def _modules(self, request: bytes) -> bytes:
        """MODULE LIST, with Gears among the modules."""
        await self.mark()
        return with_module(await self._rights.collect(request), self._resp3)

    async def _execute(self, transaction: Transaction) -> bytes:
        """EXEC of a transaction with which functions have to do."""
        calls = transaction.calls
        request = command([b"EXEC"])
        if self.silent:
            reply = await self._rights.execute()
        elif self.proxy.link.watch.exclusive.isdisjoint(transaction.names):
            reply = await self.redis.exchange(request, collect=True)
        else:
            reply = await self._alone(request, "m", transaction.names)
        self.in_flight, self._transaction = False, None
        if not calls:
            return reply
        replies = []
        if transaction.done(reply):
            for name, words in zip(transaction.called, calls):
                refusal = await self._rights.refusal(name, words)
                replies.append(refusal or await self._call(name, self._flags + "m", words))
        return transaction.fill(reply, replies)
