"""What callers see when something breaks: typed errors, soon, and nothing is done twice."""

import asyncio
import os
import signal
import socket
import threading
import time

import pytest
import redis
from support.ports import free_port
from support.redis_versions import hang_up
from support.waiting import eventually

from redgrease import RedisGears, exceptions
from redgrease.engine import GearsServer
from redgrease.engine.redis_server import RedisServer

SLOW = """
import time
def slow(words):
    execute('INCR', 'runs')
    time.sleep(float(words[1]))
GB('CommandReader').map(slow).register(trigger='slow', mode='async')
"""


class Sync:
    """The plain client."""

    def __init__(self, port):
        self._client = RedisGears(port=port)

    def trigger(self, *words, timeout=None):
        return self._client.gears.trigger(*words, timeout=timeout)


class Async:
    """The client for asyncio, from code that is not asynchronous."""

    def __init__(self, port):
        self._port = port
        self._aio = pytest.importorskip("redgrease.aio")

    def trigger(self, *words, timeout=None):
        async def run():
            client = self._aio.RedisGears(port=self._port)
            try:
                return await client.gears.trigger(*words, timeout=timeout)
            finally:
                await hang_up(client)

        return asyncio.run(run())


@pytest.fixture
def own(tmp_path):
    """A Redis that is there whatever becomes of the server."""
    redis_server = RedisServer(str(tmp_path / "socket"))
    redis_server.start()
    yield redis_server
    redis_server.stop()


@pytest.fixture
def server(own):
    # After its end, nobody shall have its port.
    with GearsServer(port=free_port(), redis=own.url) as server:
        with server.client() as client:
            client.gears.pyexecute(SLOW)
        yield server


@pytest.fixture(params=[Sync, Async])
def client(request, server):
    return request.param(server.port)


def runs(server):
    with server.client() as client:
        return int(client.get("runs") or 0)


def kill_when_begun(server, pid):
    def work():
        while not runs(server):
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)

    threading.Thread(target=work, daemon=True).start()


def refuses(port):
    """Wait until the system has closed the socket of a process that was killed."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        except ConnectionError:
            pass


def test_a_call_that_takes_longer_than_the_caller_waits(server, client):
    with pytest.raises(exceptions.GearsTimeoutError, match="has not been sent again"):
        client.trigger("slow", 60, timeout=0.3)
    eventually(lambda: runs(server), 1)
    client.trigger("slow", 0)
    assert runs(server) == 2


def test_the_worker_dies(server, client):
    kill_when_begun(server, server.worker_pid)
    with pytest.raises(exceptions.WorkerDiedError, match="died while running this call"):
        client.trigger("slow", 60)
    assert runs(server) == 1
    client.trigger("slow", 0)  # it is there again


def test_the_server_dies(server, client):
    kill_when_begun(server, server.pid)
    with pytest.raises(exceptions.GearsConnectionError, match="may have run"):
        client.trigger("slow", 60)
    with redis.Redis.from_url(server.redis_url) as left:
        assert left.get("runs") == b"1"
    refuses(server.port)
    with pytest.raises(redis.ConnectionError) as caught:
        client.trigger("slow", 60)
    assert not isinstance(caught.value, exceptions.GearsConnectionError)  # nothing was sent


def test_a_server_without_gears(server):
    with RedisGears.from_url(server.redis_url) as client:
        with pytest.raises(exceptions.GearsNotAvailableError, match="redgrease serve"):
            client.gears.trigger("slow", 1)


def test_a_replica(own):
    """Functions run; what they write is refused, and they see Redis's own error."""
    with redis.Redis.from_url(own.url) as direct:
        direct.set("k", "v")
        direct.execute_command("REPLICAOF", "127.0.0.1", "1")
    with GearsServer(redis=own.url) as server, server.client() as client:
        assert client.gears.pyexecute("GB('KeysReader').count().run()").value == b"1"
        script = "GB('ShardsIDReader').map(lambda x: execute('SET', 'k', 1)).run()"
        result = client.gears.pyexecute(script)
        assert "READONLY" in result.errors[0]
        with pytest.raises(redis.exceptions.ReadOnlyError):
            client.set("k", 1)
