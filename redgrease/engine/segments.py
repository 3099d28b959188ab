"""Transactions in whose midst functions run: carried out in segments, and nobody comes between.

Redis carries out what lies between two Gears commands as a transaction of its own, and so it does
up to each command whose events functions wait for.  Their replies make up one reply of EXEC.

Whether a transaction takes place at all is known before: Redis has queued all of its commands and
then discards them.  With watched keys only EXEC can tell.  So Redis queues only what stands before
the first Gears command, and the client's own EXEC carries it out, or does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .command_names import GEARS
from .resp import command, reply_end
from .rights import REPLY_OFF, REPLY_ON
from .transaction import (
    DISCARD,
    ECHOED,
    EXEC,
    MULTI,
    NOT_QUEUED,
    PLACEHOLDER,
    Queued,
    Transaction,
    changes,
    if_refused,
)
from .upstream import without_last_line

if TYPE_CHECKING:
    from .client import Client

UNKNOWN = command([b"rg.~"])
"""A command that no Redis knows; it spoils a transaction."""
NO_WORKER = b"-ERR the Gears worker has died and is being started again\r\n"
UNFIT = (
    b"-EXECABORT Transaction discarded because a transaction with Gears commands cannot hold %b\r\n"
)


class Aborted(Exception):
    """The transaction does not take place.

    Args:
        reply: What EXEC replies then.
    """

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


async def carry_out(client: Client, transaction: Transaction) -> bytes:
    """Carry out a transaction on EXEC.

    Args:
        client: The client.
        transaction: What it has queued.

    Returns:
        The reply of EXEC.

    Raises:
        ConnectionError: The client has gone before its turn, or Redis in the midst.
    """
    proxy = client.proxy
    if transaction.calls:
        await proxy.link.ready.wait()  # a worker that starts may need a turn itself
    await proxy.sections.begin()
    client.hurry(True)
    try:
        if client.closed:  # while it waited for its turn
            raise ConnectionResetError("the client has gone")
        client.bind(True)
        await proxy.drained(client)
        return await Segments(client, transaction).run()
    except Aborted as aborted:
        return aborted.reply
    finally:
        client.leave()
        client.in_flight = False
        client.hurry(False)
        client.bind(False)
        proxy.sections.end()


class Segments:
    """Carries one transaction out.

    Args:
        client: The client, while nobody else's commands are carried out.
        transaction: What it has queued.
    """

    def __init__(self, client: Client, transaction: Transaction) -> None:
        self._client, self._transaction = client, transaction
        self._link, self._redis = client.proxy.link, client.redis
        self._pending: list[Queued] = []
        self._count = 0
        self._replies: list[bytes] = []
        self._silenced = False  # the client wants no replies, but for now Redis gives them
        self._unseen: list[bytes] = []  # names of commands whose events nobody has looked for

    async def run(self) -> bytes:
        """Carry it out; returns the reply of EXEC.

        Raises:
            Aborted: It does not take place.
        """
        client, transaction = self._client, self._transaction
        todo = transaction.queue
        try:
            unfit = transaction.unfit
            if transaction.watching and client.silent:
                unfit = b"WATCH without replies"  # it cannot be heard whether EXEC does anything
            if transaction.watching and not unfit:
                todo = await self._begin()
            else:
                await self._leave()
                if not transaction.too_large:
                    await self._judge()
                if unfit:
                    raise Aborted(UNFIT % unfit)
            for one in todo:
                if one.name not in NOT_QUEUED:
                    await self._next(one)
            await self._flush()
            await self._rest()
        finally:
            if self._silenced:
                self._redis.transport.write(REPLY_OFF)
                client.silent = True
        return b"*%d\r\n%b" % (self._count, b"".join(self._replies))

    # -- whether it takes place -----------------------------------------------------------------

    async def _leave(self) -> None:
        """Have Redis drop what it has queued."""
        client, transaction = self._client, self._transaction
        if client.silent:
            before = await self._redis.exchange(DISCARD + REPLY_ON, collect=True)
            transaction.unsure = True
            before, heard = without_last_line(before, b"+-")
            self._silenced = heard.startswith(b"+")
            if not self._silenced:  # Redis has refused to be silent, as it does now
                before, _ = without_last_line(before, b"+-")
            client.silent = False
            client.reply(before)
            client.leave()
            client.in_flight = False
            return
        before = await self._redis.exchange(DISCARD, collect=True)
        before, line = without_last_line(before, b"+-")
        transaction.judge(self._redis.token)
        client.reply(if_refused(before))
        client.leave(done=not line.startswith(b"+"))
        client.in_flight = False
        if not line.startswith(b"+"):  # there was no transaction: MULTI had been refused
            raise Aborted(await self._redis.exchange(EXEC, collect=True))

    async def _judge(self) -> None:
        """Raise ``Aborted`` if Redis has not taken all that was queued."""
        transaction = self._transaction
        if transaction.unsure and not transaction.refused:
            requests = [PLACEHOLDER if one.gears else one.raw for one in transaction.queue]
            reply = await self._redis.exchange(b"".join((MULTI, *requests, DISCARD)), collect=True)
            (first, *lines), _ = self._split(reply, len(requests) + 1)
            if first.startswith(b"-"):
                raise Aborted(await self._redis.exchange(EXEC, collect=True))
            nested = []
            for one, line in zip(transaction.queue, lines):
                if one.name in NOT_QUEUED:
                    nested.append(one.raw)
                elif line.startswith(b"-"):
                    transaction.refused = True
            if nested and not transaction.refused:
                await self._try(b"".join(nested))
        if transaction.refused:
            await self._try(UNKNOWN)
        elif transaction.queue and transaction.queue[0].gears:
            await self._try()  # whether the user may EXEC

    async def _try(self, request: bytes = b"") -> None:
        """Raise ``Aborted`` if Redis would not carry out a transaction with such a request."""
        reply = await self._redis.exchange(MULTI + request + EXEC, collect=True)
        _, line = without_last_line(reply, b"-*")
        if line.startswith(b"-"):
            raise Aborted(line)

    async def _begin(self) -> list[Queued]:
        """Have the client's own EXEC carry out what Redis has queued; returns the rest."""
        client, queue = self._client, self._transaction.queue
        first = next(position for position, one in enumerate(queue) if one.gears)
        begun = [one for one in queue[:first] if one.name not in NOT_QUEUED]
        reply = await self._redis.exchange(EXEC, collect=True)
        client.leave()
        client.in_flight = False
        withheld = sum(one.name not in NOT_QUEUED for one in queue[first:])
        body = self._own_part(reply, len(begun), withheld)
        if body is None:
            raise Aborted(if_refused(reply))
        self._replies.append(body)
        self._count = len(begun)
        self._note(begun)
        await self._rest()
        return queue[first:]

    def _own_part(self, reply: bytes, own: int, placeholders: int) -> bytes | None:
        """What Redis has replied to the commands of a transaction that ends in placeholders.

        Args:
            reply: That of EXEC, behind those to earlier requests.
            own: How many commands there are.
            placeholders: How many placeholders.

        Returns:
            The replies to the commands; None if the transaction has not taken place.
        """
        head = b"*%d\r\n" % (own + placeholders)
        ends = placeholders * ECHOED
        start = -1
        while (start := reply.find(head, start + 1)) >= 0:
            if start and reply[start - 2 : start] != b"\r\n":
                continue
            position = begin = start + len(head)
            try:
                for _ in range(own):
                    position = reply_end(reply, position)
            except ValueError:  # it was data that looked like it
                continue
            if reply.startswith(ends, position):
                self._client.reply(reply[:start])
                self._client.later += reply[position + len(ends) :]
                return reply[begin:position]
        return None

    # -- carrying it out ------------------------------------------------------------------------

    async def _next(self, one: Queued) -> None:
        """Carry out the next command, or put it off until it has to be."""
        watch = self._link.watch
        if one.gears and (one.name in GEARS or watch.hooked(one.name, one.words)):
            await self._flush()
            self._add(await self._call(one))
            return
        concerned = one.name in watch.exclusive and watch.concerns(one.name, one.words)
        if concerned and one.name in watch.linked:
            await self._flush()
        self._pending.append(one)
        if concerned:
            await self._flush(concerned=True)

    def _add(self, reply: bytes) -> None:
        self._replies.append(reply)
        self._count += 1

    async def _call(self, one: Queued) -> bytes:
        """Have the worker carry out a command."""
        client, words = self._client, one.words
        refusal = await client.rights.refusal(one.name, words)
        if refusal:
            return refusal
        if not self._link.ready.is_set():
            return NO_WORKER
        kind = "CALL" if one.name in GEARS else "HOOK"
        return await self._link.call(client.number, client.flags + "ms", words, kind)

    async def _flush(self, concerned: bool = False) -> None:
        """Have Redis carry out what was put off.

        Args:
            concerned: Whether functions have to handle the events of the last command.
        """
        done, self._pending = self._pending, []
        if not done:
            return
        position = len(self._replies)
        self._replies += await self._redis_does(done)
        self._count += len(done)
        self._note(done)
        if concerned:
            self._unseen.clear()
            other = await self._events("q", done[-1].words)
            if other is not None and len(done) == 1:
                self._replies[position:] = [other]

    def _note(self, done: list[Queued]) -> None:
        """Redis has carried out some commands."""
        exclusive = self._link.watch.exclusive
        for one in done:
            if changes(one.name):
                self._client.note(one.name, one.words)
            if one.name in exclusive:
                self._unseen.append(one.name)

    async def _events(self, flags: str, words: Sequence[bytes]) -> bytes | None:
        """Let functions handle events, see ``alone``; returns the reply of theirs."""
        section = self._link.sync(self._client.number, self._client.flags + flags, words)
        await section.ended
        return await section.reply

    async def _rest(self) -> None:
        """Let functions handle what else has happened: keys expire, and blocked clients go on."""
        if self._unseen:
            names, self._unseen = self._unseen, []
            await self._events("m", names)

    async def _redis_does(self, done: list[Queued]) -> list[bytes]:
        """Have Redis carry out some commands as a transaction.

        What it refuses when they are queued again, such as for want of memory that functions have
        taken meanwhile, is left out: the transaction takes place.

        Returns:
            Their replies, in one or more pieces.

        Raises:
            Aborted: It refuses EXEC, and nothing has been carried out.
        """
        refused: dict[int, bytes] = {}
        while len(refused) < len(done):
            asked = [position for position in range(len(done)) if position not in refused]
            requests = [done[position].raw for position in asked]
            reply = await self._redis.exchange(b"".join((MULTI, *requests, EXEC)), collect=True)
            (first, *lines), result = self._split(reply, len(requests) + 1)
            if first.startswith(b"-"):  # another user, since AUTH, who may not use transactions
                return lines
            if result.startswith(b"*") and not result.startswith(b"*-"):
                body = result[result.index(b"\r\n") + 2 :]
                return self._filled(body, refused, len(done)) if refused else [body]
            again = {where: line for where, line in zip(asked, lines) if line.startswith(b"-")}
            if not again:
                if not self._count:
                    raise Aborted(result)
                return [refused.get(position, result) for position in range(len(done))]
            refused.update(again)
        return [refused[position] for position in range(len(done))]

    @staticmethod
    def _filled(body: bytes, refused: dict[int, bytes], total: int) -> list[bytes]:
        replies, position = [], 0
        for number in range(total):
            if number in refused:
                replies.append(refused[number])
            else:
                end = reply_end(body, position)
                replies.append(body[position:end])
                position = end
        return replies

    def _split(self, replies: bytes, lines: int) -> tuple[list[bytes], bytes]:
        """Take replies apart; push messages among them are passed on later.

        Args:
            replies: Some replies that are lines, and another one.
            lines: How many lines.

        Returns:
            The lines, and the other reply.
        """
        found: list[bytes] = []
        position = 0
        usual = b"+OK\r\n" + (lines - 1) * b"+QUEUED\r\n"
        if replies.startswith(usual):
            found = [b"+OK\r\n"] + (lines - 1) * [b"+QUEUED\r\n"]
            position = len(usual)
            if b"\r\n>" not in replies:
                return found, replies[position:]
        while position < len(replies):
            end = reply_end(replies, position)
            one = replies[position:end]
            if one.startswith(b">"):
                self._client.later += one
            else:
                found.append(one)
            position = end
        return found[:lines], found[lines] if len(found) > lines else b""
