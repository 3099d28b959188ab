"""The proxy's end of the link to the worker.

Frames are arrays of bulk strings, both ways.  To the worker: ``CALL id client flags word…``,
``GONE client`` and ``HELD hold``; from it: ``READY``, ``REPLY id bytes``, ``HOLD hold`` and
``RELEASE hold``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

DIED = b"-ERR the Gears worker died while running this call\r\n"


class WorkerLink:
    """Calls the worker, whichever is connected; calls wait while none is.

    Args:
        path: Where the socket is made.
        on_hold: Called with the name of a hold that the worker asks for.
        on_release: Called with the name of a hold that the worker gives up.
    """

    def __init__(
        self, path: str, on_hold: Callable[[bytes], None], on_release: Callable[[bytes], None]
    ) -> None:
        self.path = path
        self.on_hold, self.on_release = on_hold, on_release
        self._ids = itertools.count(1)
        self._calls: dict[bytes, asyncio.Future[bytes]] = {}
        self._waiting: list[bytes] = []
        self._worker: _Worker | None = None
        self._server: asyncio.AbstractServer | None = None
        self.ready = asyncio.Event()
        self.holds: list[bytes] = []

    async def start(self) -> None:
        """Begin to listen for the worker."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Worker(self), self.path)
        os.chmod(self.path, 0o600)

    async def stop(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        if self._worker is not None and self._worker.transport is not None:
            self._worker.transport.close()

    async def call(self, client: int, flags: str, words: Sequence[bytes]) -> bytes:
        """Have the worker carry a command out.

        Args:
            client: The number of the client's connection.
            flags: ``3`` for RESP3, ``m`` where blocking is not allowed.
            words: The command.

        Returns:
            The reply, as it goes over the wire.
        """
        ident = b"%d" % next(self._ids)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._calls[ident] = future
        self._send(hiredis.pack_command((b"CALL", ident, str(client), flags, *words)))
        try:
            return await future
        finally:
            self._calls.pop(ident, None)

    def send(self, *words: bytes | str) -> None:
        """Tell the worker something, if there is one."""
        if self.ready.is_set():
            self._send(hiredis.pack_command(words))

    def _send(self, frame: bytes) -> None:
        if self.ready.is_set() and self._worker is not None:
            self._worker.transport.write(frame)
        else:
            self._waiting.append(frame)

    def connected(self, worker: _Worker) -> None:
        """The worker is ready for calls."""
        self._worker = worker
        self.ready.set()
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self._send(frame)

    def lost(self, worker: _Worker) -> None:
        """The worker is gone: what it was doing has failed, what it held is free."""
        if worker is not self._worker:
            return
        self._worker = None
        self.ready.clear()
        for future in list(self._calls.values()):
            if not future.done():
                future.set_result(DIED)
        for hold in list(self.holds):
            self.on_release(hold)

    def frame(self, worker: _Worker, words: list[bytes]) -> None:
        """Act on a frame of the worker's."""
        kind = words[0]
        if kind == b"REPLY":
            future = self._calls.get(words[1])
            if future is not None and not future.done():
                future.set_result(words[2])
        elif kind == b"HOLD":
            self.holds.append(words[1])
            self.on_hold(words[1])
        elif kind == b"RELEASE":
            if words[1] in self.holds:
                self.holds.remove(words[1])
            self.on_release(words[1])
        elif kind == b"READY":
            self.connected(worker)


class _Worker(asyncio.Protocol):
    """The connection of a worker."""

    def __init__(self, link: WorkerLink) -> None:
        self.link = link
        self.transport: Any = None
        self._reader = hiredis.Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (words := self._reader.gets()) is not False:
            self.link.frame(self, words)

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.lost(self)
