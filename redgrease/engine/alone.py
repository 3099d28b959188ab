"""Commands behind which functions have to run at once: carried out while nobody else does anything.

See ``sections``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .upstream import without_last_line

if TYPE_CHECKING:
    from .client import Client


async def alone(
    client: Client, request: bytes, flags: str, words: Sequence[bytes], begun: bool = False
) -> bytes:
    """Carry a command out, and let functions do what they make of it, before anything else.

    Args:
        client: The client.
        request: The command as it goes to Redis.
        flags: ``m`` for a transaction.
        words: The command; for a transaction the names of its commands.
        begun: Whether the beginning of the command has gone to Redis already.

    Returns:
        The reply.

    Raises:
        ConnectionError: The client has gone before its turn, or Redis.
    """
    sections, link, section = client.proxy.sections, client.proxy.link, None
    client.begun = begun
    if client.in_flight and "m" not in flags and not begun:
        await client.mark()  # in a transaction, or a request, a marker would spoil it
    await client.proxy.begin(client)
    client.hurry(True)
    try:
        if client.closed:  # while it waited for its turn
            raise ConnectionResetError("the client has gone")
        # Only where it may be replaced is the whole reply kept back, however large.
        collect = "m" in flags or words[0].upper() in link.watch.linked
        published = bool(link.watch.channel) and client.publishes is not False and not flags
        flags = client.flags + flags
        if published:
            number, marker = link.marker()

            def sent() -> None:
                nonlocal section
                if client.publishes:  # the worker waits for it while Redis is still at the command
                    section = link.sync(client.number, flags, words, number)

            reply = await client.redis.exchange(request + marker, collect, sent)
            reply, line = without_last_line(reply, b":-")
            client.publishes = line.startswith(b":")
        else:
            reply = await client.redis.exchange(request, collect=collect)
        client.begun = False
        if section is not None:
            await section.ended
        if section is None or section.missed:
            section = link.sync(client.number, flags, words)
    finally:
        if section is not None:
            await section.ended
        client.hurry(False)
        sections.end()
    other = await section.reply
    return reply if other is None else other
