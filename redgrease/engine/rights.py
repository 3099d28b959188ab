"""What a client may do: Redis is asked on the client's own connection, so rights are Redis's own.

Who may run scripts (``EVAL``) may run any ``RG.*`` command.  To trigger functions, it is enough to
be allowed the scripts that others have loaded (``EVALSHA``); and where a function stands before a
command of Redis's, that command.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from .command_names import GEARS, RUNS_CODE, TRIGGERS
from .resp import command, reply_end
from .transaction import DISCARD, MULTI
from .upstream import NO_LOGIN, without_last_line

if TYPE_CHECKING:
    from .client import Client

TRUST_SECONDS = 1.0
"""How long a right is not asked for again: the time within which a withdrawn one has effect."""
MAY_EVAL = command([b"EVAL", b"return 1", b"0"])
MAY_TRIGGER = command([b"EVALSHA", b"0" * 40, b"0"])
MAY_MANAGE = command([b"LASTSAVE"])
"""Asked where Redis has no EVAL any more (``rename-command``): a command for administrators."""
REPLY_ON, REPLY_OFF = (command([b"CLIENT", b"REPLY", word]) for word in (b"ON", b"OFF"))
UNKNOWN = b"-ERR unknown command"
NOT_ABOUT_RIGHTS = (b"-OOM", b"-MISCONF", b"-NOREPLICAS", b"-READONLY")
"""Errors with which Redis refuses commands of those who have the right to them."""
ANSWERS = (b":", b"-", b"+OK\r", b"+QUEUED\r")
"""How replies to requests of ours begin; all else is pushed to the client."""
WATCHES = (
    b"-ERR a function stands before this command; between WATCH and EXEC, that takes the right"
    b" to EVAL\r\n"
)


class Rights:
    """What one client may do.

    Args:
        client: The client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._until = 0.0

    @property
    def known(self) -> bool:
        """Whether Redis has let the connection run scripts a moment ago."""
        return time.monotonic() < self._until

    def forget(self) -> None:
        """The connection may have become somebody else's."""
        self._until = 0.0

    async def refusal(self, name: bytes, words: list[bytes]) -> bytes:
        """Redis's refusal, if it would not let this connection do such a thing.

        Args:
            name: The command, in capitals: of Gears, or one that a function stands before.
            words: The command with its arguments.
        """
        client = self._client
        if self.known and name not in RUNS_CODE:
            if client.in_flight:
                await client.mark()
            return b""
        silent = await self._listen()
        refusal = await self._refusal(name, words)
        if silent:
            client.redis.transport.write(REPLY_OFF)
        return refusal

    async def _refusal(self, name: bytes, words: list[bytes]) -> bytes:
        answer = await self._ask(MAY_EVAL)
        if answer.startswith(UNKNOWN):
            answer = await self._ask(MAY_MANAGE)
        if answer.startswith(b":"):
            self._until = time.monotonic() + TRUST_SECONDS
            return b""
        if answer.startswith(b"-NOPERM"):
            if name in TRIGGERS:
                other = await self._ask(MAY_TRIGGER)
                if other.startswith(b"-NOSCRIPT"):
                    return b""
                return answer if other.startswith(UNKNOWN) else other
            return answer if name in GEARS else await self._forbidden(words)
        if answer.startswith(b"-ERR Can't execute"):
            return answer.replace(b"'eval'", b"'%b'" % name.lower(), 1)
        return b"" if answer.startswith(NOT_ABOUT_RIGHTS) else answer

    async def _listen(self) -> bool:
        """Wait until all earlier replies are here; returns whether Redis is to be silent again."""
        client = self._client
        if not client.silent:
            if client.in_flight:
                await client.mark()
            return False
        before, heard = without_last_line(await client.redis.exchange(REPLY_ON), b"+-")
        client.in_flight = False
        client.reply(before)
        client.silent = heard.startswith(b"+")  # or it has refused to be, as it does now
        return client.silent

    async def _ask(self, request: bytes) -> bytes:
        """Redis's reply, of one line, to one or more requests of ours on the client's connection.

        Between them may be what others publish, and they can have it look like any reply.  So it
        is read from a line on that nobody else can make: the reply to an unknown command.
        """
        client, token = self._client, b"rg.~" + os.urandom(16).hex().encode()
        reply = await client.redis.exchange(command([token]) + request, collect=True)
        client.in_flight = False
        found = reply.find(token)
        if found < 0:  # some servers tell who has not logged in nothing else than that
            client.reply(without_last_line(without_last_line(reply)[0])[0])
            return NO_LOGIN + b"\r\n"
        start = reply.rfind(b"\r\n", 0, found) + 2 if b"\r\n" in reply[:found] else 0
        pushed, answer = [reply[:start]], b""
        start = reply.index(b"\r\n", found) + 2
        while start < len(reply):
            end = reply_end(reply, start)
            one = reply[start:end]
            if not one.startswith(ANSWERS):
                pushed.append(one)
            elif not answer:
                answer = one
            start = end
        client.reply(b"".join(pushed))
        return answer

    async def collect(self, request: bytes) -> bytes:
        """All that Redis replies to a request, also where the client wants no replies."""
        client = self._client
        if not client.silent:
            return await client.redis.exchange(request, collect=True)
        reply = await client.redis.exchange(REPLY_ON + request, collect=True)
        heard, _, reply = reply.partition(b"\r\n")
        client.silent = heard.startswith(b"+")  # or it has refused to be, as it does now
        if client.silent:
            client.redis.transport.write(REPLY_OFF)
        return reply

    async def _forbidden(self, words: list[bytes]) -> bytes:
        """Redis's refusal of this very command, found out without carrying it out.

        A transaction that is discarded tells; so one has to be allowed, and to do no harm.
        """
        if self._client.watching:
            return WATCHES
        begun = await self._ask(MULTI)
        if not begun.startswith(b"+"):
            return begun
        answer = await self._ask(command(words) + DISCARD)
        return b"" if answer.startswith((b"+QUEUED", *NOT_ABOUT_RIGHTS)) else answer
