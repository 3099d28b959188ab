"""Sending with asyncio: nothing runs twice, nor after the client has given it up."""

import asyncio
import sys
import threading

import pytest
from support.scripted import ScriptedServer

from redgrease import exceptions as ex

pytest.importorskip("redis.asyncio.cluster")
if sys.version_info < (3, 10):
    pytest.skip("redgrease.aio needs Python 3.10", allow_module_level=True)

import redis

from redgrease.aio import RedisGears
from redgrease.aio import connection as aio_connection
from redgrease.connection import pool_connection

BIG = b"x" * (32 << 20)
"""More than the system keeps for a server that does not read."""


class Reluctant(ScriptedServer):
    """Reads no more than the names of Gears commands until it is told to go on.

    Attributes:
        go: Set to read the rest.
        ended: How many connections have ended.
    """

    def __init__(self):
        self.go = threading.Event()
        self.ended = 0
        super().__init__({"RG.TRIGGER": ["1"]})

    def _serve(self, connection):
        super()._serve(connection)
        with self.arrived:
            self.ended += 1
            self.arrived.notify_all()

    def _read(self, stream):
        words = []
        head = stream.readline()
        for _ in range(int(head[1:] or b"0")):
            if words and words[0].startswith(b"RG."):
                self.go.wait(60)
            length = int(stream.readline()[1:] or b"0")
            word = stream.read(length + 2)
            if len(word) < length + 2:
                return ()
            words.append(word[:-2])
        return tuple(words)

    def wait_for_the_end(self):
        """Wait until all connections have ended."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.ended == len(self.connections), 10)


@pytest.fixture
def server():
    with Reluctant() as server:
        yield server
        server.go.set()


def using(server, what, **options):
    """Run a coroutine function with a client."""

    async def go():
        async with RedisGears(port=server.port, **options) as client:
            return await what(client)

    return asyncio.run(go())


@pytest.mark.parametrize("single", [False, True], ids=["pool", "single"])
def test_what_could_not_be_sent_in_time_does_not_arrive_later(server, single):
    async def what(client):
        with pytest.raises(redis.exceptions.TimeoutError):
            await client.gears.trigger("t", BIG)
        server.go.set()
        assert await client.ping()

    using(server, what, socket_timeout=0.2, single_connection_client=single)
    server.wait_for_the_end()
    assert server.sent("RG.TRIGGER") == []


def test_nor_does_what_was_cancelled(server):
    async def what(client):
        call = asyncio.ensure_future(client.gears.trigger("t", BIG))
        while not server.connections:
            await asyncio.sleep(0.001)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call, 0.2)
        server.go.set()
        assert await client.ping()

    using(server, what)
    server.wait_for_the_end()
    assert server.sent("RG.TRIGGER") == []


def slow_at_first(monkeypatch, write):
    """Let the first write take too long."""
    original, writes = aio_connection._write, []

    async def slow(connection, packed):
        writes.append(packed)
        if len(writes) > 1 or write:
            await original(connection, packed)
        if len(writes) == 1:
            await asyncio.sleep(60)

    monkeypatch.setattr(aio_connection, "_write", slow)


def test_time_that_is_up_when_all_is_sent(server, monkeypatch):
    """The server may have got it, so it is not sent again."""
    slow_at_first(monkeypatch, write=True)
    server.go.set()

    async def what(client):
        with pytest.raises(ex.GearsTimeoutError, match="has not been sent again"):
            await client.gears.trigger("t")
        caller = client.gears._caller
        link = caller.topology.any()
        slow_at_first(monkeypatch, write=True)
        with pytest.raises(ex.GearsTimeoutError, match="has not been sent again"):
            await caller.topology.exchange_together(link, [("RG.TRIGGER", "t")])

    using(server, what, socket_timeout=0.1)
    server.wait_for_the_end()
    assert len(server.sent("RG.TRIGGER")) <= 2


def test_time_that_is_up_before(server, monkeypatch):
    slow_at_first(monkeypatch, write=False)
    monkeypatch.setattr(aio_connection, "_is_sent", lambda connection: False)
    server.go.set()

    async def what(client):
        assert await client.gears.trigger("t") == b"1"

    using(server, what, socket_timeout=0.1)
    assert len(server.sent("RG.TRIGGER")) == 1


@pytest.mark.parametrize("side", ["client", "transport"])
def test_a_connection_that_was_closed_before_it_is_written_to(server, side):
    async def what(client):
        connection = await pool_connection(client.connection_pool, "PING")
        if side == "client":
            await connection.disconnect()
        else:
            connection._writer.transport.abort()
            await asyncio.sleep(0)  # it takes place in the next round of the loop
        with pytest.raises(redis.exceptions.ConnectionError, match="was closed"):
            await aio_connection._write(connection, [b"PING"])
        await client.connection_pool.release(connection)

    using(server, what)
