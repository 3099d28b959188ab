"""The clients for asyncio, against the embedded server."""

import asyncio
import os
import random
import time

import pytest

import redgrease
from redgrease import CommandReader, KeysReader
from redgrease import exceptions as ex

pytest.importorskip("redis.asyncio.cluster")

from redgrease.aio import RedisGears

# How many triggers, from how many tasks.
TRIGGERS = 10_000
TASKS = 50


@pytest.fixture
def run(gears_server, r):
    """Runs a coroutine function with a client for asyncio."""

    def run(what, **options):
        async def go():
            where = {"host": gears_server.host, "port": gears_server.port}
            async with RedisGears(**where, **options) as client:
                return await what(client)

        return asyncio.run(go())

    return run


async def settled(client):
    """Wait until nothing runs any more."""
    while any(
        str(info.status) in ("created", "running") for info in await client.gears.dumpexecutions()
    ):
        await asyncio.sleep(0.005)


def in_use(client):
    pool = client.connection_pool
    if hasattr(pool, "_in_use_connections"):
        return len(pool._in_use_connections)
    return pool.max_connections - pool.pool.qsize()  # that of redis-py 4 with a limit


def test_functions(run, r):
    r.mset({"a": 1, "b": 2})

    async def what(client):
        assert await client.gears.pyexecute("GB().count().run()") == b"2"
        function = KeysReader().map(lambda record: int(record["value"])).sort()
        assert await function.run(on=client) == [1, 2]
        assert await function.run().on(client) == [1, 2]
        assert await function.run().on(client.gears) == [1, 2]
        started = await KeysReader().map(lambda _: {1}).run(on=client, unblocking=True)
        assert await client.gears.getresultsblocking(started) == [{1}, {1}]
        (info,) = await client.gears.dumpexecutions()
        assert await client.gears.dropexecution(info) is True
        with pytest.raises(ex.ScriptError, match="ZeroDivisionError"):
            await client.gears.pyexecute("1 / 0")
        failed = await KeysReader().map(lambda _: 1 / 0).run(on=client)
        with pytest.raises(ex.ExecutionFailedError):
            failed.raise_for_errors()

    run(what)


def test_registrations(run):
    async def what(client):
        function = CommandReader().map(lambda words: {words[1]})
        done = await function.register(trigger="t", on=client)
        assert await client.gears.trigger("t", "x") == [{"x"}]
        assert await done("y") == {"y"}
        registration = await done.registration
        assert await done.id == registration.id
        assert (await done.statistics).numTriggered == 2
        await done("z")
        assert (await done.statistics).numTriggered == 2  # as it was when it was asked for
        assert await done.refresh() is done
        assert (await done.statistics).numTriggered == 3
        with pytest.raises(ex.DuplicateTriggerError):
            await function.register(trigger="t", on=client)
        again = await function.register(trigger="t", on=client, replace=True)
        assert await again.is_registered
        assert await client.gears.registration(again) == await again.registration
        assert await client.gears.unregister(again)
        assert not await again.is_registered
        with pytest.raises(ex.RegistrationNotFoundError):
            await again.unregister()

    run(what)


def test_decorated(run):
    async def what(client):
        @redgrease.command()
        def add(first, second: int = 3):
            """Adds."""
            return first + second

        bound = await add.on(client)
        assert await bound(1) == 4
        assert await bound(b"x", second=b"y") == b"xy"
        assert bound.__doc__ == "Adds."
        with pytest.raises(TypeError, match=r"\w+\(\) missing a required argument"):
            await bound()
        assert (await bound.registration).RegistrationData.args["trigger"] == "add"
        assert await bound.unregister() is True

    run(what)


def test_decorated_with_a_client(run):
    async def what(client):
        @redgrease.command(on=client, replace=True)
        def factorial(number):
            return 1 if number < 2 else number * factorial(number - 1)

        assert "to be registered" in repr(factorial)
        assert await client.gears.dumpregistrations() == []
        # Registered by the first call, once.
        assert await asyncio.gather(*map(factorial, range(1, 6))) == [1, 2, 6, 24, 120]
        assert await factorial is factorial
        assert "to be" not in repr(factorial)
        (registration,) = await client.gears.dumpregistrations()
        assert await factorial.registration == registration
        assert registration.RegistrationData.numTriggered == 5
        assert await factorial.unregister() is True

    run(what)


def test_decorated_in_vain(run):
    async def what(client):
        await CommandReader().register(trigger="taken", on=client)

        @redgrease.command(on=client)
        def taken():
            return 1

        for _ in range(2):
            replies = await asyncio.gather(taken(), taken(), return_exceptions=True)
            assert {type(reply) for reply in replies} == {ex.DuplicateTriggerError}
        await client.gears.unregister(await client.gears.registration(trigger="taken"))
        assert await taken() == 1

    run(what)


def test_hooks(run):
    async def what(client):
        @redgrease.command(on=client, hook="ECHO")
        def hello(name):
            return "hello " + name

        await hello
        assert (await hello("you")) in (b"hello you", "hello you")

    run(what)


def test_settings_and_figures(run):
    async def what(client):
        gears = client.gears
        assert await gears.config.MaxExecutions == 1000
        assert (await gears.config.get())["ExecutionThreads"] == 3
        assert await gears.gears_version() == (1, 2, 13)
        assert len(await gears.python_version()) == 5
        assert await gears.infocluster() is None
        with pytest.raises(ex.RedGreaseError):
            await gears.networktest()
        assert (await gears.pystats()).TotalAllocated > 0
        assert (await gears.dumpplugins())[0].name == "GearsPythonPlugin"
        assert isinstance(await gears.pydumpreqs(), list)  # whatever others have brought
        assert await gears.pydumpsessions() is not None
        assert await gears.refreshcluster() is True

    run(what)


def test_pipelines(run):
    async def what(client):
        async with client.pipeline() as pipeline:
            pipeline.set("k", "v")
            pipeline.execute_command("RG.CONFIGGET", "MaxExecutions")
            assert await pipeline.execute() == [True, [1000]]
        async with client.pipeline() as pipeline:
            await pipeline.watch("k")
            assert await pipeline.execute_command("RG.PYEXECUTE", "GB().count().run()") == b"1"
            pipeline.multi()
            pipeline.get("k")
            assert await pipeline.execute() == [b"v"]
        assert in_use(client) == 0

    run(what)


def test_a_function_slower_than_the_read_timeout_runs_once(run, r):
    async def what(client):
        def slow(_):
            time.sleep(2)
            return redgrease.execute("INCR", "runs")

        function = redgrease.ShardsIDReader().map(slow)
        assert await function.run(on=client) == 1

    run(what, socket_timeout=1)
    assert r.get("runs") == b"1"


# -- cancellation


@pytest.mark.parametrize("single", [False, True], ids=["pool", "single"])
def test_cancelled_calls_leave_the_connections_usable(run, single):
    """Cancelled at whatever moment: no reply is taken for another's, no connection is lost."""

    async def what(client):
        @redgrease.command(on=client)
        def echo(value, seconds):
            time.sleep(seconds)
            return value

        await echo
        chance = random.Random(7)
        cancelled = 0

        async def call(number):
            nonlocal cancelled
            task = asyncio.ensure_future(echo(number, chance.choice([0, 0.002])))
            if chance.random() < 0.5:
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(0)
                await asyncio.sleep(chance.choice([0, 0, 0.0005, 0.002]))
                task.cancel()
            try:
                assert await task == number
            except asyncio.CancelledError:
                cancelled += 1

        for start in range(0, 300, 30):
            await asyncio.gather(*map(call, range(start, start + 30)))
        assert 10 < cancelled < 290
        assert await echo("last", 0) == "last"
        await settled(client)
        assert in_use(client) == (1 if single else 0)

    run(what, single_connection_client=single)


def test_a_time_limit_around_a_call(run):
    async def what(client):
        @redgrease.command(on=client)
        def slow():
            while not redgrease.execute("EXISTS", "go"):
                time.sleep(0.001)
            return "slow"

        @redgrease.command(on=client)
        def quick():
            return "quick"

        await quick
        await slow
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(slow(), 0.05)
        assert [await quick() for _ in range(5)] == ["quick"] * 5
        await client.set("go", 1)
        await settled(client)
        assert in_use(client) == 0

    run(what)


# -- many at once


@pytest.mark.parametrize("connections", [None, TASKS, 5], ids=["any", "enough", "few"])
def test_triggers_from_many_tasks(run, r, connections):
    """No reply is lost or given to another task, and no connection leaks."""

    async def what(client):
        if connections is not None:
            pool = redgrease_pool(client, connections)
            client = RedisGears(connection_pool=pool)
        function = CommandReader().map(lambda words: words[1])
        await function.register(trigger="echo", convertToStr=False, on=client)
        todo = iter(range(TRIGGERS))
        replies = {}

        async def task():
            for number in todo:
                replies[number] = await client.gears.trigger("echo", str(number))

        await asyncio.gather(*(task() for _ in range(TASKS)))
        assert {number: reply.value for number, reply in replies.items()} == {
            number: b"%d" % number for number in range(TRIGGERS)
        }
        registration = await client.gears.registration(trigger="echo")
        assert registration.RegistrationData.numSuccess == TRIGGERS
        pool = client.connection_pool
        assert in_use(client) == 0
        if connections is None:
            assert len(pool._available_connections) <= TASKS
        clients = [each for each in await client.client_list() if each["cmd"] != "client|list"]
        assert len(clients) <= TASKS + 20
        await pool.disconnect()

    run(what)


@pytest.mark.parametrize("connections", [None, 20], ids=["any", "few"])
def test_triggers_of_which_many_are_cancelled(run, r, connections):
    """A fifth of ten thousand, each at some moment on its way."""

    async def what(client):
        if connections is not None:
            client = RedisGears(connection_pool=redgrease_pool(client, connections))
        function = CommandReader().map(lambda words: words[1])
        await function.register(trigger="echo", convertToStr=False, on=client)
        chance = random.Random(5)
        todo = iter(range(TRIGGERS))
        replies, cancelled = {}, []

        async def call(number):
            replies[number] = (await client.gears.trigger("echo", str(number))).value

        async def task():
            for number in todo:
                if chance.random() >= 0.2:
                    await call(number)
                    continue
                calling = asyncio.ensure_future(call(number))
                for _ in range(chance.randrange(8)):
                    await asyncio.sleep(0)
                await asyncio.sleep(chance.choice([0, 0.001, 0.003]))
                calling.cancel()
                try:
                    await calling
                except asyncio.CancelledError:
                    cancelled.append(number)

        await asyncio.gather(*(task() for _ in range(TASKS)))
        # How many calls are still on their way depends on the speed of the machine.
        assert len(cancelled) > TRIGGERS / 100
        # Whoever was not cancelled has got a reply, and each its own.
        assert replies == {
            number: b"%d" % number for number in set(range(TRIGGERS)) - set(cancelled)
        }
        await settled(client)
        registration = await client.gears.registration(trigger="echo")
        assert len(replies) <= registration.RegistrationData.numSuccess <= TRIGGERS
        assert in_use(client) == 0
        own = await client.client_id()
        for _ in range(1000):
            open_ones = [each for each in await client.client_list() if int(each["id"]) != own]
            if len(open_ones) <= TASKS + 20:
                break
            await asyncio.sleep(0.005)
        assert len(open_ones) <= TASKS + 20
        await client.connection_pool.disconnect()

    run(what)


def redgrease_pool(client, connections):
    """A pool of so many connections, for which tasks wait."""
    from redis.asyncio import BlockingConnectionPool

    kwargs = client.connection_pool.connection_kwargs
    return BlockingConnectionPool(
        host=kwargs["host"], port=kwargs["port"], max_connections=connections, timeout=60
    )
