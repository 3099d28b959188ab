"""A client's requests: what passes, and what concerns Gears.

Bytes pass untouched while nothing in them concerns Gears.  Before a Gears command is carried out,
the replies to earlier requests are waited for, see ``upstream``, and where the connection's rights
are not known, Redis is asked for them, see ``rights``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import hiredis

from .alone import alone
from .command_names import BLOCKING, GEARS, RESCUES, RUNS_CODE, STREAMING, always_special
from .flow import HIGH_WATER, Flow
from .modules import amendment, told
from .resp import Framer, Passage, ProtocolError
from .rights import Rights
from .segments import carry_out
from .transaction import (
    DISCARD,
    EXEC,
    MULTI,
    NOT_QUEUED,
    PLACEHOLDER,
    Transaction,
    changes,
)
from .upstream import KEEP, without_last_line

if TYPE_CHECKING:
    from .proxy import Proxy

SENTINEL = b"*1\r\n$1\r\nX\r\n"
END = [b"X"]
ENDING = frozenset({b"EXEC", b"DISCARD", b"RESET"})
"""Commands that end a transaction."""
EXECUTES = re.compile(rb"\r\nEXEC\r\n", re.IGNORECASE)
"""What shows that the whole of a transaction is here."""
LINGER_SECONDS = 1.0
"""How long a command that may block may take yet when its client has said all."""
HUGE = re.compile(rb"\*\d{7}")
"""The header of a request of a million words or more."""


class Client(Flow):
    """The connection of a client."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.subscribed = False  # a RESP2 connection on which little else is allowed
        self._blocked = False  # something was sent that may take for ever, and nobody has looked
        self.begun = False  # a large request that concerns functions has but its last bytes to go
        self.publishes: bool | None = None  # Redis lets this connection publish; None: not known
        self.rights = Rights(self)
        self._framer = Framer()
        self._reader = hiredis.Reader()
        self._passage: Passage | None = None
        self._last_words: list[bytes] | None = None  # of such a request
        self._mixed = False
        self._raw = False  # broken beyond framing: Redis may have it all
        self._skip = b""  # CLIENT REPLY SKIP, which goes along with the next request
        self._resp3 = False
        self.watching = False  # keys, since WATCH
        self._transaction: Transaction | None = None

    def data_received(self, data: bytes) -> None:
        if not self._buffer and self._free() and self._unaltered():
            if self._plain(data):
                self.proxy.flying.add(self)
                self.redis.transport.write(data)
                return
            self._mixed = len(data) < KEEP  # of more, all but the last request may be plain
        self._buffer += data
        self.process()

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
        if self._ended and self._blocked and self._busy:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._leave_blocked)
        elif self._ended and self._free():
            self._ended = False
            if self._buffer:  # Redis knows what to say to a request that is not whole
                self.redis.transport.write(bytes(self._buffer))
                self._buffer.clear()
            if self.redis.transport.can_write_eof():
                self.redis.transport.write_eof()
                self._over = True
            else:  # TLS has no such thing
                self._start(self._last())

    def _rescues(self) -> bool:
        """Whether the next request may end what keeps everybody back, so that it must not wait."""
        ready = self._connected and not (self._busy or self.closed or self._raw)
        if not ready or self._transaction is not None or self._passage is not None or self._skip:
            return False
        try:
            end = self._framer.next(self._buffer, 0)
        except ProtocolError:
            return False
        return (
            end > 0 and self._framer.words[:1] != [] and (self._framer.words[0].upper() in RESCUES)
        )

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
        unaltered = not (self._skip or self._blocked)
        return unaltered and self._transaction is None and self._passage is None

    def _plain(self, data: bytes | bytearray) -> bool:
        """Whether some bytes are whole requests, none of which concerns Gears.

        If they are, notes whether they may write, beside a section.
        """
        if len(data) > HIGH_WATER or HUGE.search(data):
            return False  # the parser would make room for all of it at once
        # The parser takes all of them at once, as an array whose size is guessed: a wrong guess, as
        # a partial request, leaves the sentinel elsewhere than at the end.
        reader, link = self._reader, self.proxy.link
        plain, writes = link.plain, False
        reader.feed(b"*%d\r\n" % (data.count(b"\r\n*") + 2) + data + SENTINEL)
        try:
            requests = reader.gets()
            if requests and requests.pop() == END:
                for request in requests:
                    if request[0] not in plain and not link.is_plain(request[0]):
                        if not link.passes(request):
                            return False
                        writes = True
                if writes:
                    self.proxy.writing.add(self)
                return True
        except (hiredis.ProtocolError, AttributeError, LookupError, TypeError):
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
        if always_special(name) or name in watch.hooks:
            return False
        if self._transaction is not None and self._transaction.withholds:
            return False
        if self._blocked or (self._transaction is None and self._unsettled()):
            self._start(self._catch_up())
            return True
        if self._skip:
            self.redis.transport.write(self._skip)
            self._skip = b""
        self._passage = Passage(self._buffer, 0)
        waits = name in watch.exclusive and not self._apart(name) and self._transaction is None
        self._last_words = [name] if waits else None
        piece = self._forward(self._passage.taken)
        if self._transaction is not None:
            self._transaction.add(name, piece)
        return True

    def _pass(self, passage: Passage) -> None:
        """Forward what there is of a large request; Redis acts when it has the last byte."""
        taken = passage.take(memoryview(self._buffer))
        if passage.done:
            self._passage = None
            if self._last_words is not None:
                self._start(alone(self, self._take(taken), "", self._last_words, begun=True))
                return
        piece = self._forward(taken)
        if self._transaction is not None:
            self._transaction.more(piece)

    def _take(self, size: int) -> bytes:
        """Take something off the buffer."""
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _forward(self, size: int) -> bytes:
        """Pass something on to Redis; returns it."""
        data = self._take(size)
        self.proxy.flying.add(self)
        self.redis.transport.write(data)
        return data

    def _request(self, words: list[bytes], end: int) -> None:
        """One request, which may concern Gears."""
        name = words[0].upper() if words else b""
        if self._blocked or (self._unmarked(name, end) and self._unsettled()):
            self._start(self._catch_up())
            return
        if self._skip and words:
            self._after_skip(name, words, end)
            return
        ends = len(words) == 1 and name in ENDING
        if self._transaction is not None and words and not ends:
            self._queue(self._transaction, name, words, end)
            return
        if name == b"CLIENT" and [word.upper() for word in words[1:]] == [b"REPLY", b"SKIP"]:
            self._skip = self._take(end)
            return
        watch = self.proxy.link.watch
        if name in GEARS or watch.hooked(name, words):
            del self._buffer[:end]
            if self.rights.known and not self.in_flight and name not in RUNS_CODE:
                self._busy = True
                self._post(name, words)
            else:
                self._start(self._gears(name, words))
        elif name == b"EXEC" and (special := self._special()) is not None:
            del self._buffer[:end]
            self._start(special)
        elif self._transaction is None and not self._apart(name) and watch.concerns(name, words):
            self._note(name, words)  # WATCH, which may find that a key has expired
            self._start(alone(self, self._take(end), "", words))
        elif (amend := amendment(name, words)) is not None:
            self._start(told(self, self._take(end), words, amend))
        else:
            self._let_pass(name, words, end)

    def _let_pass(self, name: bytes, words: list[bytes], end: int) -> None:
        """A request that goes to Redis as it is."""
        self._note(name, words)
        if name in self.proxy.link.watch.exclusive:
            self.proxy.writing.add(self)
        self._forward(end)
        self._may_block(name, words)

    def _may_block(self, name: bytes, words: list[bytes]) -> None:
        """Have nobody wait for a command that may take for ever, but what comes behind it."""
        if name not in BLOCKING or self._transaction is not None:
            return
        self.in_flight = False
        if name.startswith(b"XREAD"):
            self._blocked = b"BLOCK" in map(bytes.upper, words)
        else:
            self._blocked = name not in STREAMING
        self._blocked = self._blocked and not self.silent

    def _unmarked(self, name: bytes, end: int) -> bool:
        """Whether markers cannot follow a command, for some time."""
        if self._transaction is not None:
            return False
        if name == b"MULTI":
            return EXECUTES.search(self._buffer, end) is None
        return name in BLOCKING

    def _unsettled(self) -> bool:
        """Whether there may be writes under way of which a section could not see the end."""
        return self in self.proxy.writing and not (self.silent or self._skip)

    def _leave_blocked(self) -> None:
        """The client has said all, or has gone: Redis gives its blocked clients up then."""
        if self._blocked and not self.closed:
            self.redis.transport.close()

    async def _catch_up(self) -> bytes:
        """Wait for all that was sent, before what comes next."""
        await self.mark()
        self._blocked = self.in_flight = False
        return b""

    def _note(self, name: bytes, words: list[bytes]) -> None:
        """Follow what changes the state of the connection."""
        if name == b"MULTI" and len(words) == 1:
            self._transaction = self.redis.watcher = Transaction(self.watching)
        elif name == b"WATCH":
            self.watching = True
        elif name == b"UNWATCH" and len(words) == 1:
            self.watching = False
        elif name in (b"EXEC", b"DISCARD") and len(words) == 1:
            self.leave(done=name == b"EXEC")
        elif name == b"RESET" and len(words) == 1:
            self.leave()
            self._resp3, self.silent = False, False
            self.subscribed = self.redis.logged_in = False
            self._forget()
        else:
            self.note(name, words)

    def note(self, name: bytes, words: list[bytes]) -> None:
        """The same, for a command that may be one of a transaction."""
        if name == b"HELLO":
            self._forget()
            if len(words) > 1:
                self._resp3 = words[1] == b"3"
        elif name == b"AUTH":
            self._forget()
        elif name.endswith(b"SUBSCRIBE"):
            self.subscribed = not self._resp3
        elif name == b"MONITOR":
            self.subscribed = True
        elif name == b"CLIENT" and len(words) == 3 and words[1].upper() == b"REPLY":
            self.silent = words[2].upper() == b"OFF"

    def leave(self, done: bool = False) -> None:
        """The transaction has ended.

        Args:
            done: Whether Redis has carried its commands out.
        """
        transaction = self._transaction
        self._transaction = self.redis.watcher = None
        self.watching = False
        if transaction is not None and done:
            for one in transaction.queue:
                if changes(one.name):
                    self.note(one.name, one.words)

    def _forget(self) -> None:
        """The connection may be somebody else's now."""
        self.publishes = None
        self.rights.forget()

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
        self._let_pass(name, words, end)

    async def _unheard(self, name: bytes, words: list[bytes]) -> bytes:
        await self._gears(name, words)
        return b""

    def _apart(self, name: bytes) -> bool:
        """Whether the proxy cannot know when a command has ended."""
        return self.silent or self.subscribed or name in BLOCKING

    # -- transactions ---------------------------------------------------------------------------

    def _queue(self, transaction: Transaction, name: bytes, words: list[bytes], end: int) -> None:
        """A command within a transaction."""
        if name in GEARS or self.proxy.link.watch.hooked(name, words):
            first = not transaction.calls
            transaction.add(name, self._take(end), gears=True)
            if first and not self.silent and not transaction.watching:
                self._start(self._first_call(transaction, name, words))
                return
        elif transaction.withholds and name not in NOT_QUEUED:
            transaction.add(name, self._take(end))
        else:
            transaction.add(name, self._forward(end))
            return
        self.proxy.flying.add(self)
        self.redis.transport.write(PLACEHOLDER)

    async def _first_call(self, transaction: Transaction, name: bytes, words: list[bytes]) -> bytes:
        """The first Gears command of a transaction: see what Redis makes of it so far.

        What Redis has queued is kept by the proxy, and Redis begins anew.
        """
        before = await self.redis.exchange(DISCARD, collect=True)
        self.in_flight = False
        before, line = without_last_line(before, b"+-")
        self.reply(before)
        if not line.startswith(b"+"):  # MULTI was refused
            self.leave(done=True)
            return await self._gears(name, words)
        transaction.judge(self.redis.token, ahead=1)
        begun = await self.redis.line(MULTI)
        if not begun.startswith(b"+"):  # it was accepted a moment ago; what comes must not run
            self.close()
            raise ConnectionResetError("Redis has refused MULTI")
        self.in_flight = True
        self.redis.transport.write(PLACEHOLDER)
        return b""

    def _special(self) -> Coroutine[Any, Any, bytes] | None:
        """What carries EXEC out, if functions have to do with the transaction."""
        transaction = self._transaction
        if transaction is None:
            return None
        if transaction.calls or transaction.doubtful:
            return carry_out(self, transaction)
        watch = self.proxy.link.watch
        exclusive = [one for one in transaction.queue if one.name in watch.exclusive]
        if self.silent or not exclusive:
            return None
        if transaction.unfit:
            return self._whole(transaction)
        concerned = [one for one in exclusive if watch.concerns(one.name, one.words)]
        last = transaction.queue[-1]
        if not concerned:
            return None
        if transaction.watching or (concerned == [last] and last.name not in watch.linked):
            return self._whole(transaction)
        return carry_out(self, transaction)

    async def _whole(self, transaction: Transaction) -> bytes:
        """Have Redis carry out a transaction, and then functions what they make of it."""
        try:
            names = [one.name for one in transaction.queue]
            return await alone(self, EXEC, "m", names)
        finally:
            self.in_flight = False
            self._note(b"EXEC", [b"EXEC"])

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
            link.post(self.number, self.flags, words, self._answered, kind)
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

        link.post(self.number, self.flags + "s", words, answered, released=end)

    @property
    def flags(self) -> str:
        return "3" if self._resp3 else ""

    async def mark(self) -> None:
        """Wait until Redis has answered all that was sent to it.

        Not within a transaction, where all is only queued, nor within a large request: a marker
        would spoil them.
        """
        within = self._transaction is not None or self._passage is not None or self.begun
        within = within or self._raw
        if self.silent or self.closed or not self._connected or within:
            return
        try:
            before = await self.redis.exchange()
        except ConnectionError:
            return
        self.in_flight = False
        self.reply(before + bytes(self.later))
        self.later.clear()

    async def _gears(self, name: bytes, words: list[bytes]) -> bytes:
        refusal = await self.rights.refusal(name, words)
        if refusal:
            return refusal
        return await self._call(name, self.flags, words)

    async def _call(self, name: bytes, flags: str, words: list[bytes]) -> bytes:
        kind = "CALL" if name in GEARS else "HOOK"
        return await self.proxy.link.call(self.number, flags, words, kind)
