"""The clients for asyncio, against a server that answers as it was told to."""

import asyncio
import inspect
import sys
import threading

import pytest
from support.scripted import Drop, Error, ScriptedServer, Status, Wait

import redgrease
from redgrease import data
from redgrease import exceptions as ex
from redgrease.gears_client import Gears as WaitingGears

pytest.importorskip("redis.asyncio.cluster")
if sys.version_info < (3, 10):
    pytest.skip("redgrease.aio needs Python 3.10", allow_module_level=True)

import redis
import redis.asyncio as redis_asyncio

from redgrease.aio import Gears, RedisGears, RedisGearsCluster
from redgrease.aio.connection import Link
from redgrease.aio.running import Awaited
from redgrease.asking import Asks, Waiting, asking


@pytest.fixture
def server():
    server = ScriptedServer()
    yield server
    server.stop()


def using(server, what, **options):
    """Run a coroutine function with a client."""

    async def go():
        async with RedisGears(port=server.port, **options) as client:
            return await what(client)

    return asyncio.run(go())


# -- methods that ask


class Asking:
    @asking
    def twice(self, number: int) -> Asks[int]:
        """Ask two times."""
        one = yield self.once(number)
        other = yield self.once(one)
        return one + other

    @asking
    def caught(self) -> Asks[str]:
        try:
            yield self.once(None)
        except TypeError as error:
            return str(error)
        return "nothing"

    @asking
    def nothing(self) -> Asks[int]:
        return 5
        yield


class InWaiting(Asking, Waiting):
    def once(self, number):
        return number + 1


class InAsync(Awaited, Asking):
    async def once(self, number):
        await asyncio.sleep(0)
        return number + 1


def test_methods_that_ask():
    assert InWaiting().twice(1) == 5
    assert asyncio.run(InAsync().twice(1)) == 5
    assert InWaiting().caught() == asyncio.run(InAsync().caught())
    assert "NoneType" in InWaiting().caught()
    assert InWaiting().nothing() == asyncio.run(InAsync().nothing()) == 5
    with pytest.raises(TypeError):
        asyncio.run(InAsync().twice(None))
    with pytest.raises(TypeError):
        InWaiting().twice(None)
    assert Asking.twice.__doc__ == "Ask two times."
    assert inspect.signature(Asking.twice).return_annotation is int


def test_a_cancellation_goes_through_the_method():
    seen = []

    class Slow(InAsync):
        @asking
        def wait(self) -> Asks[None]:
            try:
                yield self.once_more()
            finally:
                seen.append("left")

        async def once_more(self):
            await asyncio.sleep(60)

    async def go():
        task = asyncio.ensure_future(Slow().wait())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert seen == ["left"]


# -- the same methods

ARGUMENTS = {
    "pyexecute": ("script",),
    "trigger": ("t",),
    "triggeronkey": ("t", "k"),
    "getresults": ("a-1",),
    "getresultsblocking": ("a-1",),
    "getexecution": ("a-1",),
    "abortexecution": ("a-1",),
    "dropexecution": ("a-1",),
    "unregister": ("a-1",),
    "pyexportreq": ("p",),
    "pyprofile_stats": ("s",),
    "pyprofile_reset": ("s",),
    "send": ("RG.PYSTATS",),
    "execute": ("RG.PYSTATS",),
}
METHODS = [
    name
    for name, method in inspect.getmembers(WaitingGears, inspect.isfunction)
    if not name.startswith("_")
]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_to_be_awaited(name):
    gears = Gears(RedisGears())
    coroutine = getattr(gears, name)(*ARGUMENTS.get(name, ()))
    assert inspect.iscoroutine(coroutine)
    coroutine.close()
    assert inspect.getdoc(getattr(Gears, name)) == inspect.getdoc(getattr(WaitingGears, name))


def test_parsers_and_errors(server):
    server.on("RG.PYEXECUTE", [["1", "2"], ["oops"]], "a-1", Status("OK"))
    server.on("RG.TRIGGER", Error("subcommand not found"))
    server.on("RG.CONFIGGET", [7], [Error("Unsupported config parameter: x")])
    server.on("RG.CONFIGSET", [Status("OK")])

    async def what(client):
        gears = client.gears
        assert gears is client.gears
        result = await gears.pyexecute("x")
        assert result == [b"1", b"2"]
        assert result.errors == ["oops"]
        assert isinstance((await gears.pyexecute("x", unblocking=True)).value, data.ExecID)
        assert (await client.execute_command("rg.pyexecute", "x")).value is True
        with pytest.raises(ex.TriggerNotFoundError):
            await gears.trigger("t")
        assert await gears.config.MaxExecutions == 7
        with pytest.raises(ex.UnknownConfigError):
            await gears.config.get_single("x")
        assert await gears.config.set(MaxExecutions=3) is True
        assert await gears.config.set() is True
        with pytest.raises(AttributeError, match="await config.set"):
            gears.config.MaxExecutions = 3

    using(server, what)


def test_results_as_arguments(server):
    server.on("MSET", Status("OK"))
    number, text = data.ExecutionResult(5), data.ExecutionResult("text")

    async def go(client):
        await client.execute_command("MSET", number, text)
        async with client.pipeline() as pipeline:
            pipeline.execute_command("MSET", number, text)
            await pipeline.execute()

    using(server, go)
    assert server.sent("MSET") == [(b"MSET", b"5", b"text")] * 2


def test_decoded_replies(server):
    server.on("RG.PYEXECUTE", [["ä"], []], [[b"\xff"], []])

    async def what(client):
        assert await client.gears.pyexecute("x") == "ä"
        assert await client.gears.pyexecute("x") == b"\xff"

    using(server, what, decode_responses=True)


def test_any_client_of_redis_asyncio(server):
    server.on("RG.PYEXECUTE", [["1"], []])

    async def go():
        async with redis_asyncio.Redis(port=server.port) as client:
            assert await Gears(client).pyexecute("x") == b"1"
            assert await redgrease.gears.gears_of(client).pyexecute("x") == b"1"

    asyncio.run(go())


def test_what_is_no_client():
    with pytest.raises(TypeError, match="not a client of redis.asyncio"):
        Gears(redgrease.RedisGears())
    with pytest.raises(
        TypeError, match="do not use asyncio; for the others there is redgrease.aio.Gears"
    ):
        WaitingGears(RedisGears())

    async def go():
        for call in (Link().acquire("x"), Link().release(None)):
            with pytest.raises(NotImplementedError):
                await call

    asyncio.run(go())


class Proxy:
    """A client that has no connections, only a coroutine function."""

    async def execute_command(self, *words):
        if words[0] == "RG.TRIGGER":
            raise redis_asyncio.ResponseError("subcommand not found")
        return [[b"1"], []]


def test_a_client_without_connections():
    async def go():
        gears = Gears(Proxy())
        assert await gears.pyexecute("x") == b"1"
        with pytest.raises(ex.TriggerNotFoundError):
            await gears.trigger("t")

    asyncio.run(go())


# -- sent once


@pytest.mark.parametrize("way", ["pool", "single"])
def test_sent_once(server, way):
    server.on("RG.PYEXECUTE", Drop())

    async def what(client):
        with pytest.raises(ex.GearsConnectionError, match="has not been sent again"):
            await client.gears.pyexecute("x")
        server.on("RG.PYEXECUTE", [["1"], []])
        assert await client.gears.pyexecute("x") == b"1"

    using(server, what, single_connection_client=way == "single")
    assert len(server.sent("RG.PYEXECUTE")) == 2


def test_what_does_no_harm_is_sent_again(server):
    server.on("RG.PYSTATS", Drop(), Drop(), [b"TotalAllocated", 1])

    async def what(client):
        assert (await client.gears.pystats()).TotalAllocated == 1

    using(server, what)
    assert len(server.sent("RG.PYSTATS")) == 3


def test_no_read_timeout_unless_given(server):
    event = threading.Event()
    server.on("RG.PYEXECUTE", Wait(event, [["1"], []]))

    async def what(client):
        asyncio.get_running_loop().call_later(0.8, event.set)
        assert await client.gears.pyexecute("x") == b"1"

    using(server, what, socket_timeout=0.5)
    assert len(server.sent("RG.PYEXECUTE")) == 1


def test_a_timeout(server):
    event = threading.Event()
    server.on("RG.PYEXECUTE", Wait(event, [["late"], []]), [["2"], []])
    server.on("RG.TRIGGER", ["3"])

    async def what(client):
        with pytest.raises(ex.GearsTimeoutError, match=r"within 0\.1 s"):
            await client.gears.pyexecute("x", timeout=0.1)
        event.set()
        assert await client.gears.pyexecute("x", timeout=5) == b"2"
        client.gears.timeout = 5
        assert await client.gears.trigger("t") == b"3"

    using(server, what)


def test_a_cancelled_call_gives_its_reply_to_nobody(server):
    event = threading.Event()
    server.on("RG.TRIGGER", Wait(event, ["late"]), ["next"])

    async def what(client):
        task = asyncio.ensure_future(client.gears.trigger("t"))
        while not server.sent("RG.TRIGGER"):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        event.set()
        assert await client.gears.trigger("t") == b"next"

    using(server, what, max_connections=1)


@pytest.mark.skipif(
    sys.version_info < (3, 11) and int(redis.__version__.split(".")[0]) < 8,
    reason="redis-py loses some itself when it looks whether a connection was closed",
)
@pytest.mark.parametrize("options", [{}, {"socket_timeout": 5}, {"socket_timeout": None}])
@pytest.mark.parametrize("timeout", [None, 5])
def test_a_cancellation_is_never_lost(server, options, timeout):
    event = threading.Event()
    server.on("RG.TRIGGER", Wait(event, ["late"]))
    server.on("GET", "x")

    async def what(client):
        for steps in range(20):
            await client.get("k")  # so that it is connected
            task = asyncio.ensure_future(client.gears.trigger("t", timeout=timeout))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 2)
        event.set()
        server.on("RG.TRIGGER", ["next"])
        assert await client.gears.trigger("t") == b"next"

    using(server, what, max_connections=1, **options)


def test_a_connection_that_was_closed_meanwhile(server):
    server.on("RG.PYEXECUTE", [["1"], []])

    async def what(client):
        await client.gears.pyexecute("x")
        server.drop_all()
        await asyncio.sleep(0.05)
        assert await client.gears.pyexecute("x") == b"1"

    for single in (False, True):
        using(server, what, single_connection_client=single)


# -- pipelines


def test_pipelines(server):
    server.on("RG.PYEXECUTE", [["1"], []])
    server.on("RG.TRIGGER", Error("subcommand not found"))
    server.on("GET", "ä")

    async def what(client):
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.execute_command("RG.PYEXECUTE", "x")
            pipeline.get("k")
            assert await pipeline.execute() == ["1", "ä"]
            pipeline.execute_command("RG.TRIGGER", "t")
            with pytest.raises(ex.TriggerNotFoundError):
                await pipeline.execute()
            pipeline.execute_command("RG.TRIGGER", "t")
            (error,) = await pipeline.execute(raise_on_error=False)
            assert type(error) is ex.TriggerNotFoundError
            pipeline.get("k")
            assert await pipeline.execute() == ["ä"]

    using(server, what, decode_responses=True)


def test_pipelines_are_sent_once(server):
    server.on("RG.PYEXECUTE", Drop())

    async def what(client):
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command("RG.PYEXECUTE", "x")
        with pytest.raises(ex.GearsConnectionError, match="the pipeline with RG.PYEXECUTE"):
            await pipeline.execute()

    using(server, what)
    assert len(server.sent("RG.PYEXECUTE")) == 1


def test_a_module_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.asyncio.cluster", None)
    for name in [name for name in sys.modules if name.startswith("redgrease.aio")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModuleNotFoundError, match=r"redis-py 4\.3 or later"):
        import redgrease.aio  # noqa: F401


def test_arguments_of_cluster_clients():
    client = RedisGearsCluster(startup_nodes=[{"host": "localhost", "port": "7000"}])
    assert client.gears._caller.in_cluster
