"""Gears commands inside MULTI, and Gears among the modules: replies that are put together."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .resp import bulk, command

VERSION = 10213
"""The version of the module that is emulated, as Redis counts: 1.2.13."""


class Transaction:
    """What a client has queued for Gears since MULTI.

    Redis queues an ECHO in the place of each command; in the reply of EXEC, the command's own
    reply takes the place of the echo.
    """

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.names: list[bytes] = []
        """Names of the commands that Redis itself has queued."""
        self._tokens: list[bytes] = []

    @property
    def called(self) -> list[bytes]:
        """The names of those that are for Gears."""
        return [words[0].upper() for words in self.calls]

    def placeholder(self, words: list[bytes]) -> bytes:
        """Queue a command; returns what Redis is to queue."""
        token = os.urandom(16).hex().encode()
        self.calls.append(words)
        self._tokens.append(token)
        return command([b"ECHO", token])

    def done(self, reply: bytes) -> bool:
        """Whether the transaction was carried out, by the reply of EXEC."""
        return all(bulk(token) in reply for token in self._tokens) or reply == b"+OK\r\n"

    def fill(self, reply: bytes, replies: Sequence[bytes]) -> bytes:
        """The reply of EXEC, with the commands' replies in their places."""
        for token, own in zip(self._tokens, replies):
            reply = reply.replace(bulk(token), own, 1)
        return reply


def with_module(reply: bytes, resp3: bool) -> bytes:
    """The reply of MODULE LIST, with Gears as the last of the modules.

    Args:
        reply: Redis's reply.
        resp3: Whether the connection speaks RESP3.

    Returns:
        The reply; unchanged if it is an error.
    """
    if not reply.startswith(b"*"):
        return reply
    head, _, rest = reply.partition(b"\r\n")
    fields = [b"%4\r\n" if resp3 else b"*8\r\n", bulk(b"name"), bulk(b"rg"), bulk(b"ver")]
    fields += [b":%d\r\n" % VERSION, bulk(b"path"), bulk(b"redgrease"), bulk(b"args"), b"*0\r\n"]
    return b"*%d\r\n%b%b" % (int(head[1:]) + 1, rest, b"".join(fields))
