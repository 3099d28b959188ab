"""The same as in ``test_cluster_registering.py``, where asyncio makes a difference."""

import asyncio
import contextlib
import os
import random
import signal

import pytest
from support.alone import (
    NODES,
    AsyncWatched,
    cluster,
    constant,
    counts,
    order,
    patient,
    sessions,
    values,
)
from support.waiting import eventually

from redgrease import exceptions as ex

if os.environ.get("REDGREASE_NO_AIO") is not None:
    pytest.skip("without asyncio", allow_module_level=True)
aio = pytest.importorskip("redgrease.aio")


def with_clients(cluster, number, what):
    """Let a coroutine function run with some clients."""

    async def go():
        async with contextlib.AsyncExitStack() as stack:
            clients = []
            for _ in range(number):
                client = aio.RedisGearsCluster(host="127.0.0.1", port=cluster.ports[0])
                clients.append(await stack.enter_async_context(client))
                await client.gears.python_version()
            return await what(*clients)

    return asyncio.run(go())


@pytest.mark.parametrize("replace", [True, False, None])
def test_the_same_by_several_clients(cluster, order, replace):
    async def what(*clients):
        for _ in range(5):
            calls = [constant(1, on=client, replace=replace) for client in clients]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            failed = [each for each in outcomes if isinstance(each, Exception)]
            if replace is None:
                assert [type(each) for each in failed] == [ex.DuplicateTriggerError] * 3
            else:
                assert failed == []
            assert counts(cluster) == [1, 1, 1]
            assert len({str(each) for each in sessions(cluster)}) == 1
            done = next(each for each in outcomes if each not in failed)
            assert await done.unregister()
            assert counts(cluster) == [0, 0, 0]

    with_clients(cluster, 4, what)


def test_several_versions(cluster, order):
    async def what(*clients):
        for _ in range(5):
            calls = [constant(each[0], on=each[1], replace=True) for each in enumerate(clients)]
            await asyncio.gather(*calls)
            assert len(set(values(cluster))) == 1
            assert len({str(each) for each in sessions(cluster)}) == 1

    with_clients(cluster, 4, what)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("last", NODES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_cancellation_takes_back(cluster, order, when, last, times):
    async def what(client):
        watched, reached = AsyncWatched(client, cluster), asyncio.Event()

        async def wait():
            reached.set()
            await asyncio.Event().wait()

        getattr(watched, when)[order[last]] = wait
        calling = asyncio.ensure_future(constant(1, on=client))
        await reached.wait()
        calling.cancel()
        if times == 2:  # nor does impatience keep it from that
            await asyncio.sleep(0)
            calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        while times == 2 and any(counts(cluster)):
            await asyncio.sleep(0.01)
        assert counts(cluster) == [0, 0, 0]
        assert await constant(1, on=client)
        assert counts(cluster) == [1, 1, 1]

    with_clients(cluster, 1, what)


def test_cancellations_at_whatever_moment(cluster, order):
    async def what(client):
        chance, cancelled = random.Random(5), 0
        await (await constant(1, on=client)).unregister()
        for _ in range(60):
            calling = asyncio.ensure_future(constant(1, on=client))
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(chance.choice([0, 0, 0.0005]))
            calling.cancel()
            try:
                done = await calling
            except asyncio.CancelledError:
                cancelled += 1
            else:
                assert counts(cluster) == [1, 1, 1]
                await done.unregister()
            assert counts(cluster) == [0, 0, 0]
        assert cancelled > 5

    with_clients(cluster, 1, what)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
@pytest.mark.parametrize("last", NODES)
def test_a_server_that_hangs(cluster, order, last):
    async def what(client):
        watched, process = AsyncWatched(client, cluster), cluster.servers[order[last]].pid

        async def stop():
            os.kill(process, signal.SIGSTOP)

        watched.before[order[last]] = stop
        calling = asyncio.ensure_future(constant(1, on=client, timeout=1))
        try:
            with pytest.raises((ex.GearsTimeoutError, ex.NodeDownError)) as caught:
                await calling
        finally:
            os.kill(process, signal.SIGCONT)
        assert str(cluster.ports[order[last]]) in str(caught.value)
        assert await constant(1, on=client)
        assert counts(cluster) == [1, 1, 1]

    with_clients(cluster, 1, what)
    eventually(lambda: counts(cluster), [1, 1, 1])
