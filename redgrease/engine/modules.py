"""Gears among the modules that Redis lists."""

from __future__ import annotations

from .resp import bulk

VERSION = 10213
"""The version of the module that is emulated, as Redis counts: 1.2.13."""


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
