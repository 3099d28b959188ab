"""The proxy's end of the link to the worker.

Frames are arrays of bulk strings, both ways.  To the worker: ``CALL id client flags word…`` and
``HOOK …`` (a command for Gears, a hooked one), ``SYNC id client flags mark word…`` (a command has
been carried out, or will have been when its marker is published, see ``sections``), ``GONE client``
and ``HELD hold``; from it: ``READY``,
``REPLY id bytes``, ``WATCH json``, ``EVENTS`` (asks for a section), ``DONE id how bytes``,
``HOLD hold`` and ``RELEASE hold``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from .awake import Awake
from .command_names import always_special
from .sections import Sections
from .watch import Watch


class Section:
    """The worker's answer to a section.

    Attributes:
        ended: Done when others may go on.
        reply: What the client gets, when it is known; None for Redis's own reply.
        missed: Whether the worker has not seen the marker of the command, nor done anything.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.reply: asyncio.Future[bytes | None] = loop.create_future()
        self.missed = False

    def finish(self, how: str, data: bytes) -> bool:
        """Take an answer: ``""``, ``"="`` with another reply, ``"~"`` for later, ``"!"`` if missed.

        Returns:
            Whether nothing more will come.
        """
        self.missed = how == "!"
        if not self.ended.done():
            self.ended.set_result(None)
        if how == "~":
            return False
        if not self.reply.done():
            self.reply.set_result(data if how == "=" else None)
        return True


MANY_NAMES = 1000
"""How many spellings of names are remembered; clients may make them up."""
DIED = b"-ERR the Gears worker died while running this call%b\r\n"


class WorkerLink:
    """Calls the worker, whichever is connected; calls wait while none is.

    Args:
        path: Where the socket is made.
        sections: Gets the holds that the worker asks for and gives up.
        on_events: Called when the worker has events to handle.
    """

    def __init__(self, path: str, sections: Sections, on_events: Callable[[], None]) -> None:
        self.path = path
        self.sections, self.on_events = sections, on_events
        self.awake = Awake()
        self.watch = Watch()
        self.plain: set[bytes] = set()
        """Names, as clients have spelled them, of commands that concern nobody but Redis."""
        self._told: dict[bytes, bytes] = {}
        """The same of commands whose words tell whom they concern, each with it in capitals."""
        self._sections: dict[bytes, Section] = {}
        self._released: dict[bytes, Callable[[], None]] = {}
        self._ids = itertools.count(1)
        self._calls: dict[bytes, Callable[[bytes], None]] = {}
        self._waiting: list[bytes] = []
        self._worker: _Worker | None = None
        self._server: asyncio.AbstractServer | None = None
        self.ready = asyncio.Event()
        self.holds: list[bytes] = []
        self._reason = b""  # why the worker is about to end, if it knows
        self._asked = False  # for a turn, before the worker was ready

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

    def post(
        self,
        client: int,
        flags: str,
        words: Sequence[bytes],
        answered: Callable[[bytes], None],
        kind: str = "CALL",
        released: Callable[[], None] | None = None,
    ) -> None:
        """Have the worker carry a command out.

        Args:
            client: The number of the client's connection.
            flags: ``3`` for RESP3, ``m`` where blocking is not allowed, ``s`` in a section.
            words: The command.
            answered: Called with the reply, as it goes over the wire.
            kind: ``CALL``, or ``HOOK`` for a command of Redis's that is hooked.
            released: Called when the section may end before there is a reply.
        """
        ident = b"%d" % next(self._ids)
        if released is not None:
            self._released[ident] = released
        self._calls[ident] = answered
        self.awake.ask()
        self._send(hiredis.pack_command((kind, ident, str(client), flags, *words)))

    async def call(
        self, client: int, flags: str, words: Sequence[bytes], kind: str = "CALL"
    ) -> bytes:
        """The same, for who can wait: returns the reply."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answered(reply: bytes) -> None:
            if not future.done():
                future.set_result(reply)

        self.post(client, flags, words, answered, kind)
        return await future

    def sync(self, client: int, flags: str, words: Sequence[bytes], mark: int = 0) -> Section:
        """Have the worker handle the events of a command; others may go on when that has ended.

        Args:
            client: The number of the client's connection; 0 for events without one.
            flags: ``3`` for RESP3, ``m`` for a transaction, ``q`` for a command of one.
            words: The command; the names of all, for a transaction.
            mark: The number of the marker that is published behind the command, if it is not
                answered yet, see :meth:`marker`.
        """
        section = Section()
        if not self.ready.is_set():
            section.finish("", b"")
            return section
        ident = b"%d" % next(self._ids)
        self._sections[ident] = section
        self.awake.ask()
        head = (b"SYNC", ident, str(client), flags, str(mark))
        self._send(hiredis.pack_command((*head, *words)))
        return section

    def marker(self) -> tuple[int, bytes]:
        """A marker for :meth:`sync`: its number, and the command that publishes it.

        It goes to a channel of its own kind, of which clients that listen to all do not hear.
        """
        number = next(self._ids)
        return number, hiredis.pack_command((b"SPUBLISH", self.watch.channel, b"%d" % number))

    def send(self, *words: bytes | str) -> None:
        """Tell the worker something, if there is one."""
        if self.ready.is_set():
            self._send(hiredis.pack_command(words))

    def _send(self, frame: bytes) -> None:
        if self.ready.is_set() and self._worker is not None:
            self._worker.transport.write(frame)
        else:
            self._waiting.append(frame)

    def arrived(self, worker: _Worker) -> None:
        """A worker has come, which is not ready for calls, but may hold everybody back."""
        self._worker, self._asked, self._reason = worker, False, b""

    def connected(self, worker: _Worker) -> None:
        """The worker is ready for calls."""
        self._worker = worker
        self.ready.set()
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self._send(frame)
        if self._asked:
            self.on_events()

    def _ask_turn(self) -> None:
        if self.ready.is_set():
            self.on_events()
        else:
            self._asked = True

    def granted(self, hold: bytes) -> None:
        """Tell the worker, ready or not, that everybody is held back."""
        if self._worker is not None:
            self._worker.transport.write(hiredis.pack_command((b"HELD", hold)))

    def lost(self, worker: _Worker) -> None:
        """The worker is gone: what it was doing has failed, what it held is free."""
        if worker is not self._worker:
            return
        self._worker = None
        self.ready.clear()
        self.awake.forget()
        calls, self._calls = self._calls, {}
        self._released.clear()
        reason = b": " + self._reason if self._reason else b""
        for answered in calls.values():
            answered(DIED % reason)
        for section in self._sections.values():
            section.finish("", b"")
        self._sections.clear()
        self._look_for(Watch())
        holds, self.holds = self.holds, []
        for hold in holds:
            self.sections.release(hold)

    def _look_for(self, watch: Watch) -> None:
        self.watch, self.plain, self._told = watch, set(), {}

    def is_plain(self, name: bytes) -> bool:
        """Whether a command of this name concerns nobody but Redis; remembers if it does."""
        upper = name.upper()
        if upper in self.watch.names or always_special(upper):
            return False
        if len(self.plain) < MANY_NAMES:
            self.plain.add(name)
        return True

    def passes(self, words: Sequence[bytes]) -> bool:
        """Whether a command of a name that may concern registrations is known not to."""
        name, watch = self._told.get(words[0]), self.watch
        if name is None:
            name = words[0].upper()
            if name not in watch.names or always_special(name):
                return False
            if len(self._told) < MANY_NAMES:
                self._told[words[0]] = name
        return not (watch.concerns(name, words) or watch.hooked(name, words))

    def _end_section(self, words: list[bytes]) -> None:
        section = self._sections.get(words[1])
        released = self._released.pop(words[1], None)
        if released is not None:
            released()
        elif section is not None:
            if not section.ended.done():
                self.awake.answered()
            if section.finish(words[2].decode(), words[3]):
                del self._sections[words[1]]

    def frame(self, worker: _Worker, words: list[bytes]) -> None:
        """Act on a frame of the worker's."""
        kind = words[0]
        if kind == b"REPLY":
            self._released.pop(words[1], None)
            answered = self._calls.pop(words[1], None)
            if answered is not None:
                self.awake.answered()
                answered(words[2])
        elif kind == b"HOLD":
            self.holds.append(words[1])
            self.sections.hold(words[1])
        elif kind == b"RELEASE":
            if words[1] in self.holds:
                self.holds.remove(words[1])
            self.sections.release(words[1])
        elif kind == b"DONE":
            self._end_section(words)
        elif kind == b"WATCH":
            self._look_for(Watch.from_json(words[1]))
        elif kind == b"EVENTS":
            self._ask_turn()
        elif kind == b"DYING":
            self._reason = words[1]
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
        self.link.arrived(self)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (words := self._reader.gets()) is not False:
            self.link.frame(self, words)

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.lost(self)
