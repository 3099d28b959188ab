"""Functions that are registered for streams, on the embedded server."""

import sys
import threading
import time

import pytest
from support.waiting import eventually

redis = pytest.importorskip("redis")

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="the server needs Python 3.10")

TIMEOUT = 10
LOG = "GB('StreamReader').foreach(lambda r: execute('RPUSH', 'log', r['id']))"
COROUTINE = """
async def slowly(r):
    execute('RPUSH', 'begun', r['id'])
    while not execute('EXISTS', 'go'):
        await asyncio.sleep(0.001)
    execute('RPUSH', 'log', r['id'])
GB('StreamReader').foreach(slowly)"""


@pytest.fixture
def client(r, gears_server):
    """A plain redis-py client, as anybody may use."""
    with redis.Redis(port=gears_server.port, decode_responses=True) as plain:
        yield plain


def register(client, function, options, prefix="s*"):
    answer = client.execute_command("RG.PYEXECUTE", f"{function}.register('{prefix}', {options})")
    assert answer == "OK"


def log(client):
    return client.lrange("log", 0, -1)


def add(client, *numbers):
    for number in numbers:
        client.xadd("s1", {"n": number}, id=f"{number}-1")


class TestSync:
    def test_the_function_has_run_before_the_reply(self, client):
        register(client, LOG, "mode='sync'")
        for number in range(1, 101):
            add(client, number)
            assert client.lindex("log", -1) == f"{number}-1"
            assert client.xlen("s1") == 0

    def test_whoever_completes_the_batch_waits(self, client):
        register(client, LOG, "mode='sync', batch=3")
        add(client, 1, 2)
        assert log(client) == []
        add(client, 3)
        assert log(client) == ["1-1", "2-1", "3-1"]

    def test_transactions_and_scripts(self, client):
        register(client, LOG, "mode='sync'")
        with client.pipeline(transaction=True) as transaction:
            transaction.xadd("s1", {"n": 1}, id="1-1").xadd("s2", {"n": 1}, id="2-1")
            transaction.execute()
        assert log(client) == ["1-1", "2-1"]
        client.eval("for i = 3, 5 do redis.call('XADD', 's1', i .. '-1', 'n', i) end", 0)
        assert log(client) == [f"{number}-1" for number in range(1, 6)]

    def test_many_clients_at_once(self, client, gears_server):
        register(client, LOG, "mode='sync'")

        def write(name):
            with redis.Redis(port=gears_server.port) as mine:
                for number in range(50):
                    mine.xadd(name, {"n": number})

        threads = [threading.Thread(target=write, args=(f"s{i % 2}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(log(client)) == 200
        assert client.xlen("s0") == client.xlen("s1") == 0

    def test_another_function_adds(self, client):
        register(client, LOG, "mode='sync'")
        script = (
            "GB('ShardsIDReader').foreach(lambda x: execute('XADD', 's1', '1-1', 'n', 1)).run()"
        )
        client.execute_command("RG.PYEXECUTE", script)
        assert log(client) == ["1-1"]

    def test_clients_that_talk_to_redis_itself(self, client, gears_server):
        register(client, LOG, "mode='sync'")
        with redis.Redis.from_url(gears_server.redis_url) as direct:
            add(direct, 1, 2)
        eventually(lambda: log(client), ["1-1", "2-1"])


@pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
def test_coroutines_go_one_after_the_other(client, gears_server, mode):
    """Others go on, but the next entry of the stream has to wait."""
    register(client, COROUTINE, f"mode='{mode}'")

    def write():
        with redis.Redis(port=gears_server.port) as mine:
            add(mine, 1, 2, 3)

    thread = threading.Thread(target=write)
    thread.start()
    eventually(lambda: client.lrange("begun", 0, -1), ["1-1"])
    assert client.set("other", 1)
    assert log(client) == []
    client.set("go", 1)
    thread.join(TIMEOUT)
    eventually(lambda: log(client), ["1-1", "2-1", "3-1"])
    eventually(lambda: client.xlen("s1"), 0)


def test_a_chain_of_streams(client):
    """What one function adds is for the next."""
    function = "GB('StreamReader').foreach(lambda r: execute('XADD', 's2', r['id'], 'n', 1))"
    register(client, function, "batch=2, duration=10", prefix="s1")
    register(client, LOG, "mode='async_local'", prefix="s2")
    add(client, *range(1, 51))
    eventually(lambda: log(client), [f"{number}-1" for number in range(1, 51)])
