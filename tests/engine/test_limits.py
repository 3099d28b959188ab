"""Limits of time and memory, and what callers see of them."""

import os
import sys
import time

import pytest
import redis
from support.redis_versions import impatient
from support.waiting import eventually

from redgrease.engine import GearsServer
from redgrease.engine.access import AccessError
from redgrease.engine.memory import SMALLEST, parse_size

ENDLESS = "GB('ShardsIDReader').map(lambda x: [0 for _ in iter(int, 1)]).run()"
SLEEPY = "import time\nGB('ShardsIDReader').map(lambda x: time.sleep(60)).run()"
CATCHES = """
def stubborn(x):
    while True:
        try:
            while True: pass
        except BaseException as error: execute('RPUSH', 'caught', str(error))
        break
GB('ShardsIDReader').map(stubborn).run()
"""
COROUTINE = """
import asyncio
async def slow(x): await asyncio.sleep(60)
GB('ShardsIDReader').map(slow).run()
"""
NEVER = """
kept = []
def never(x):
    kept.append(gearsFuture())
    return kept[0]
GB('ShardsIDReader').map(never).run()
"""
QUICK = "GB('ShardsIDReader').count().run()"
LIMIT = "execute('RG.CONFIGSET', 'ExecutionMaxTime', '100')\n"
"""Before the last line of a script: its body, which may take its time, has no limit yet."""


def run(client, script, *words):
    return client.execute_command("RG.PYEXECUTE", script, *words)


def pid(client):
    return int(
        run(client, "import os\nGB('ShardsIDReader').map(lambda x: os.getpid()).run()")[0][0]
    )


@pytest.fixture
def tight():
    """A server whose functions have little memory."""
    if sys.platform != "linux":
        pytest.skip("memory can be limited on Linux only")
    with GearsServer(max_function_memory="128mb") as server:
        yield server


class TestTime:
    @pytest.fixture
    def client(self, gears_server):
        options = {"decode_responses": True, "socket_timeout": 60}
        with redis.Redis(port=gears_server.port, **options) as client:
            client.flushall()
            yield client
            for name in ("ExecutionMaxTime", "ExecutionMaxTimePerRegistration"):
                client.execute_command("RG.CONFIGSET", name, 0)
            for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
                client.execute_command("RG.UNREGISTER", registration[1])

    @pytest.mark.parametrize("script", [ENDLESS, SLEEPY, CATCHES, COROUTINE, NEVER])
    def test_an_execution_that_takes_longer(self, client, script):
        before = pid(client)
        started = time.monotonic()
        records, errors = run(client, LIMIT + script)
        assert time.monotonic() - started < 30
        assert "took longer than 100 ms (ExecutionMaxTime)" in str(errors)
        assert len(errors) == 1
        client.execute_command("RG.CONFIGSET", "ExecutionMaxTime", 0)
        assert run(client, QUICK) == [["1"], []]
        assert pid(client) == before

    def test_those_of_registrations_alone(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: [0 for _ in iter(int, 1)]).register(trigger='t')",
        )
        run(client, "GB().map(lambda x: [0 for _ in iter(int, 1)]).register('k*', mode='async')")
        client.execute_command("RG.CONFIGSET", "ExecutionMaxTimePerRegistration", 100)
        with pytest.raises(
            redis.ResponseError, match=r"100 ms \(ExecutionMaxTimePerRegistration\)"
        ):
            client.execute_command("RG.TRIGGER", "t")
        client.set("k", 1)
        text = "100 ms (ExecutionMaxTimePerRegistration)"
        eventually(lambda: text in str(client.execute_command("RG.DUMPREGISTRATIONS")[1]), True)
        script = "import time\nGB('ShardsIDReader').map(lambda x: time.sleep(0.3)).count().run()"
        assert run(client, script) == [["1"], []]

    def test_a_sync_function_of_a_key_event(self, client):
        run(client, "GB().map(lambda x: [0 for _ in iter(int, 1)]).register('k*', mode='sync')")
        before = pid(client)
        client.execute_command("RG.CONFIGSET", "ExecutionMaxTimePerRegistration", 100)
        assert client.set("k", 1)
        assert client.get("k") == "1"
        assert pid(client) == before

    def test_the_body_of_a_script(self, client):
        """It can be ended with the worker only; what is registered is there again afterwards."""
        run(client, "GB('CommandReader').count().register(trigger='t')")
        before = pid(client)
        client.execute_command("RG.CONFIGSET", "ExecutionMaxTime", 100)
        with pytest.raises(
            redis.ResponseError, match="the body of the script took longer than 100"
        ):
            run(client, "while True: pass")
        assert client.execute_command("RG.TRIGGER", "t") == ["1"]
        assert pid(client) != before


class TestMemory:
    @pytest.fixture
    def client(self, tight):
        options = {"decode_responses": True, "socket_timeout": 60, **impatient()}
        with redis.Redis(port=tight.port, **options) as client:
            yield client

    @pytest.mark.parametrize(
        "expression",
        [
            "'x' * (1 << 30)",
            "[str(i) * 50 for i in range(10**8)]",
            "len(dict.fromkeys(range(10**8)))",
        ],
    )
    def test_a_function_that_wants_too_much(self, client, expression):
        before = pid(client)
        for _ in range(3):
            records, errors = run(client, f"GB('ShardsIDReader').map(lambda x: {expression}).run()")
            assert records == [] and "functions may use 128 MB of memory" in errors[0]
            assert "MemoryError" in errors[0]
        assert run(client, QUICK) == [["1"], []]
        time.sleep(0.5)
        assert pid(client) == before

    def test_the_body_of_a_script(self, client):
        with pytest.raises(redis.ResponseError, match="functions may use 128 MB of memory"):
            run(client, "x = [str(i) * 50 for i in range(10**8)]")
        assert run(client, QUICK) == [["1"], []]

    def test_what_is_allowed(self, client):
        script = "GB('ShardsIDReader').map(lambda x: len('x' * (100 << 20))).run()"
        for _ in range(5):
            assert run(client, script) == [[str(100 << 20)], []]

    def test_functions_that_keep_what_they_get(self, client):
        """The worker starts anew, with nothing but what is registered."""
        script = (
            "kept = []\nGB('CommandReader').map(lambda x: kept.append('x' * (10 << 20))).count()"
        )
        run(client, script + ".register(trigger='keep')")
        before = pid(client)
        for _ in range(50):
            try:
                assert client.execute_command("RG.TRIGGER", "keep") == ["1"]
            except redis.ResponseError as error:
                assert "functions may use 128 MB of memory" in str(error)
                break
        else:
            pytest.fail("the limit does not hold")

        def restarted():
            try:
                return pid(client) != before
            except redis.ResponseError:  # it ends while this call runs
                return False

        eventually(restarted, True, timeout=60)
        assert client.execute_command("RG.TRIGGER", "keep") == ["1"]


def test_sizes():
    assert parse_size(None) is None and parse_size("0") is None and parse_size(0) is None
    assert parse_size("512mb") == parse_size(512 << 20) == parse_size("512 MB") == 512 << 20
    assert (parse_size("1g"), parse_size("1gb")) == (10**9, 1 << 30)
    for wrong in ("many", "-1", "1tb", "5.5gb", "15mb", SMALLEST - 1):
        with pytest.raises(AccessError):
            parse_size(wrong)
    with pytest.raises(AccessError):
        GearsServer(max_function_memory="x")
    with pytest.raises(ValueError, match="process of their own"):
        GearsServer(max_function_memory="64mb", worker="thread")
