"""What a client may do: Redis is asked on the client's own connection, so rights are Redis's own.

Who may run scripts (``EVAL``) may run any ``RG.*`` command.  To trigger functions, it is enough to
be allowed the scripts that others have loaded (``EVALSHA``); and where a function stands before a
command of Redis's, that command.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import hiredis

from .command_names import GEARS, RUNS_CODE, TRIGGERS
from .resp import command
from .upstream import without_last_line

if TYPE_CHECKING:
    from .client import Client

TRUST_SECONDS = 1.0
"""How long a right is not asked for again: the time within which a withdrawn one has effect."""
MAY_EVAL = command([b"EVAL", b"return 1", b"0"])
MAY_TRIGGER = command([b"EVALSHA", b"0" * 40, b"0"])
REPLY_ON, REPLY_OFF = (command([b"CLIENT", b"REPLY", word]) for word in (b"ON", b"OFF"))
NOT_ABOUT_RIGHTS = (b"-ERR unknown command", b"-OOM", b"-MISCONF", b"-NOREPLICAS", b"-READONLY")
"""Errors with which Redis refuses scripts, though not because of who asks."""


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
        answer = await self._ask(MAY_EVAL)
        if answer.startswith(b":"):
            self._until = time.monotonic() + TRUST_SECONDS
            return b""
        if answer.startswith(b"-NOPERM"):
            if name in TRIGGERS:
                answer = await self._ask(MAY_TRIGGER)
                return b"" if answer.startswith(b"-NOSCRIPT") else answer
            return answer if name in GEARS else await self._forbidden(words)
        if answer.startswith(b"-ERR Can't execute"):
            return answer.replace(b"'eval'", b"'%b'" % name.lower(), 1)
        return b"" if answer.startswith(NOT_ABOUT_RIGHTS) else answer

    async def _ask(self, request: bytes) -> bytes:
        """Redis's reply, of one line, to a request of ours on the client's connection."""
        client, silent = self._client, self._client.silent
        before = await client.redis.exchange(REPLY_ON + request if silent else request)
        client.in_flight = False
        before, answer = without_last_line(before)
        if silent:
            before, heard = without_last_line(before)
            self._be_silent(heard)
        client.reply(before)
        return answer

    async def collect(self, request: bytes) -> bytes:
        """All that Redis replies to a request, also where the client wants no replies."""
        client = self._client
        if not client.silent:
            return await client.redis.exchange(request, collect=True)
        reply = await client.redis.exchange(REPLY_ON + request, collect=True)
        heard, _, reply = reply.partition(b"\r\n")
        self._be_silent(heard)
        return reply

    def _be_silent(self, heard: bytes) -> None:
        """Have Redis be silent again, if it was: it may have refused to, as it does now."""
        if heard.startswith(b"+"):
            self._client.redis.transport.write(REPLY_OFF)
        else:
            self._client.silent = False

    async def _forbidden(self, words: list[bytes]) -> bytes:
        """Redis's refusal of this very command, found out without carrying it out."""
        commands = ([b"MULTI"], words, [b"DISCARD"])
        reply = await self.collect(b"".join(map(command, commands)))
        reader = hiredis.Reader(replyError=lambda text: b"-" + text.encode())
        reader.feed(reply)
        for one in iter(reader.gets, False):
            if isinstance(one, bytes) and one.startswith((b"-NOPERM", b"-NOAUTH")):
                return one + b"\r\n"
        return b""
