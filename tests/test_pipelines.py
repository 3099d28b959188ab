"""Pipelines that watch keys: if the connection breaks, nothing is overwritten."""

import asyncio
import sys
import threading
import time

import pytest
import redis
from support.scripted import Drop, ScriptedServer, Status, Wait

from redgrease import exceptions as ex
from redgrease.asking import Waiting
from redgrease.client import RedisGears
from redgrease.connection import _is_closed


@pytest.fixture
def server():
    with ScriptedServer() as server:
        for name in ("WATCH", "UNWATCH"):
            server.on(name, Status("OK"))
        server.on("GET", b"x")
        server.on("RG.TRIGGER", ["1"])
        yield server


@pytest.fixture(params=["waiting", "asyncio"])
def check(request, server):
    """Runs a generator function with a pipeline that watches; ``yield`` gives the replies."""

    def watching(client):
        pipeline = client.pipeline()
        yield pipeline.watch("k")
        return pipeline

    if request.param == "waiting":

        def check(what, **options):
            client = RedisGears(port=server.port, **options)
            pipeline = Waiting()._run(watching(client))
            Waiting()._run(what(pipeline))
            pipeline.reset()

        return check
    if sys.version_info < (3, 10):
        pytest.skip("redgrease.aio needs Python 3.10")
    aio = pytest.importorskip("redgrease.aio")
    from redgrease.aio.running import Awaited

    def check(what, **options):
        async def go():
            async with aio.RedisGears(port=server.port, **options) as client:
                pipeline = await Awaited()._run(watching(client))
                await Awaited()._run(what(pipeline))
                await pipeline.reset()
                assert not getattr(client.connection_pool, "_in_use_connections", ())

        asyncio.run(go())

    return check


def overwrite(pipeline):
    """What a caller does when the value that is watched was as expected."""
    pipeline.multi()
    pipeline.set("k", "overwritten")
    yield pipeline.execute()


def closed(connection):
    """Wait until the client's side has noticed that the other one is closed."""
    while True:
        reader = getattr(connection, "_reader", None)
        if reader is None:
            if _is_closed(connection):
                return
            time.sleep(0.001)
        elif reader.at_eof():
            return
        else:
            yield asyncio.sleep(0.001)


def test_a_connection_that_has_been_closed(server, check):
    def what(pipeline):
        assert (yield pipeline.execute_command("RG.TRIGGER", "t")) == b"1"
        server.drop_all()
        yield from closed(pipeline.connection)
        with pytest.raises(redis.exceptions.WatchError, match="may have been changed"):
            yield pipeline.execute_command("RG.TRIGGER", "t")
        assert not pipeline.watching
        assert pipeline.connection is None
        # As after any WatchError, one can begin again.
        yield pipeline.watch("k")
        assert (yield pipeline.execute_command("RG.TRIGGER", "t")) == b"1"

    check(what)
    assert len(server.sent("RG.TRIGGER")) == 2


@pytest.mark.parametrize("way", ["lost", "late"])
@pytest.mark.parametrize("then", ["execute", "get", "trigger"])
def test_a_call_that_fails(server, check, way, then):
    """The error is that of the call; but the keys are not watched any more after it."""
    never = threading.Event()
    server.on("RG.TRIGGER", Drop() if way == "lost" else Wait(never, ["1"]))

    def what(pipeline):
        with pytest.raises((ex.GearsConnectionError, ex.GearsTimeoutError)):
            yield pipeline.execute_command("RG.TRIGGER", "t", timeout=0.2)
        with pytest.raises(redis.exceptions.WatchError):
            if then == "execute":
                yield from overwrite(pipeline)
            elif then == "get":
                yield pipeline.get("k")
            else:
                yield pipeline.execute_command("RG.TRIGGER", "t")
        assert not pipeline.watching

    check(what)
    never.set()
    assert len(server.sent("RG.TRIGGER")) == 1
    assert server.sent("MULTI") == server.sent("GET") == []


def test_a_call_that_could_not_be_sent(server, check, monkeypatch):
    """It is not tried again on another connection, where nothing is watched."""

    def fail(connection, *args, **kwargs):
        raise redis.exceptions.ConnectionError("broken pipe")

    monkeypatch.setattr("redgrease.connection._send", failing(fail))
    try:
        monkeypatch.setattr("redgrease.aio.connection._write", failing(fail))
    except (ImportError, AttributeError):
        pass  # there is none

    def what(pipeline):
        with pytest.raises(redis.exceptions.WatchError):
            yield pipeline.execute_command("RG.TRIGGER", "t")

    check(what)
    assert server.sent("RG.TRIGGER") == []


def failing(fail):
    def send(connection, *args, **kwargs):
        result = connection.disconnect()
        if result is not None:
            result.close()  # redgrease itself will drop it
        fail(connection)

    return send


def test_a_health_check_that_connects_anew(server, check):
    """redis-py does so silently."""

    def what(pipeline):
        server.on("PING", Drop(), Status("PONG"))
        pipeline.connection.next_health_check = 0
        with pytest.raises(redis.exceptions.WatchError):
            yield pipeline.execute_command("RG.TRIGGER", "t")
        yield pipeline.watch("k")
        pipeline.connection.next_health_check = 0
        assert (yield pipeline.execute_command("RG.TRIGGER", "t")) == b"1"

    check(what, health_check_interval=1000)
    assert len(server.sent("RG.TRIGGER")) == 1
