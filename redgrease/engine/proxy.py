"""The proxy: Redis on one side, clients that may also say ``RG.*`` on the other.

Every client connection has a connection of its own to Redis, so whatever depends on a connection
works as on Redis.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import ssl
import sys
from collections.abc import Iterable
from typing import Any

from .client import Client
from .flow import Flow
from .link import WorkerLink
from .sections import Sections
from .upstream import Upstream

# Begun at once, rather than with the loop's next turn, where Python can.
_EAGER: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}


class Proxy:
    """Takes the clients' connections.

    Args:
        upstream: URL of Redis.
        places: Paths of the sockets for the worker, and for clients of the server's own.
        host: The address to listen on.
        port: The port; 0 for any that is free.
        tls: With what TLS is spoken; None speaks none.
    """

    def __init__(
        self,
        upstream: str,
        places: tuple[str, str],
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.upstream = Upstream(upstream)
        self.host, self.port, self.tls = host, port, tls
        self.sections = Sections(self.drained, self._granted, self._free)
        self.link = WorkerLink(places[0], self.sections, self.run_events)
        self.clients: set[Flow] = set()
        self.flying: set[Flow] = set()
        """Those that have sent Redis something, and nobody has looked whether it is answered."""
        self.writing: set[Flow] = set()
        """Those of them that may have sent something which changes keys, beside a section."""
        self.kept_back: dict[Flow, None] = {}
        """Those with requests that have to wait until others let everybody go on."""
        self.numbers = itertools.count(1)
        self._local = places[1]
        self._servers: list[asyncio.AbstractServer] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: The address is taken, or not this machine's.
        """
        await self.link.start()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Client(self), self.host, self.port, ssl=self.tls)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]
        self._servers.append(await loop.create_unix_server(lambda: Client(self), self._local))
        os.chmod(self._local, 0o600)

    async def stop(self) -> None:
        """Close all connections."""
        for server in self._servers:
            server.close()
        for client in list(self.clients):
            client.close()
        await self.link.stop()

    def spawn(self, coroutine: Any) -> None:
        """Run a coroutine beside; asyncio itself would forget it."""
        task = asyncio.Task(coroutine, loop=asyncio.get_running_loop(), **_EAGER)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drained(self, but: Flow | None = None) -> None:
        """Wait until Redis has answered all that clients have sent, but for one of them."""
        await _settled(self.flying, but)

    async def begin(self, but: Flow | None = None) -> None:
        """Begin a section, once Redis has done what others' commands that needed none write.

        Args:
            but: The client whose section it is.
        """
        await self.sections.begin()
        try:
            await _settled(self.writing, but)
        except BaseException:
            self.sections.end()
            raise

    def _granted(self, hold: bytes) -> None:
        self.link.granted(hold)

    def _free(self) -> None:
        # In the order in which they came; one of them may keep all others back again.
        while self.kept_back and not self.sections.closed:
            client = next(iter(self.kept_back))
            del self.kept_back[client]
            client.process()

    def run_events(self) -> None:
        """The worker has events to handle that no command of a client's has caused."""
        self.spawn(self._run_events())

    async def _run_events(self) -> None:
        await self.begin()
        try:
            await self.link.sync(0, "", ()).ended
        finally:
            self.sections.end()


async def _settled(clients: Iterable[Flow], but: Flow | None) -> None:
    waiting = [client.settled() for client in list(clients) if client is not but]
    if waiting:
        await asyncio.wait([asyncio.ensure_future(mark) for mark in waiting])
