"""Stream registrations when Redis is not what it was a moment ago."""

import pytest

pytest_plugins = ["worker_fixtures", "stream_host"]
pytest.register_assert_rewrite(*pytest_plugins)

from stream_host import GROUP, LOG, add, eventually, ids, log  # noqa: E402

from redgrease.engine.connection import Address, Connection  # noqa: E402


@pytest.mark.parametrize("command", [["FLUSHALL"], ["DEL", "s1"]])
def test_streams_that_come_again(host, redis, command):
    host.register(LOG)
    add(redis, 5)
    eventually(lambda: log(redis), ids(5))
    redis(*command)
    redis("DEL", "log")
    add(redis, 1, 2)
    eventually(lambda: log(redis), ids(1, 2))


def test_another_type_in_its_place(host, redis):
    host.register(LOG)
    add(redis, 1)
    eventually(lambda: redis("XLEN", "s1"), 0)
    redis("DEL", "s1")
    redis("SET", "s1", "text")
    add(redis, 1, key="s2")
    eventually(lambda: len(log(redis)), 2)


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
@pytest.mark.parametrize("mode", ["async", "sync"])
def test_lost_connections(host, redis, redis_url, kind, mode):
    """Whatever was under way: everything is processed at least once."""
    host.register(LOG, mode=mode, batch=3, duration=20)
    killer = Connection(Address.parse(redis_url))
    numbers = range(1, 301)
    for number in numbers:
        add(redis, number)
        if number % 40 == 0:
            clients = killer.call([b"CLIENT", b"LIST", b"TYPE", kind.encode()]).splitlines()
            mine = {killer.call([b"CLIENT", b"ID"]), redis("CLIENT", "ID")}
            for client in clients:
                ident = int(client.split()[0].partition("=")[2])
                if ident not in mine:
                    killer.call([b"CLIENT", b"KILL", b"ID", b"%d" % ident])
    eventually(lambda: set(log(redis)) == set(ids(*numbers)), True)
    eventually(lambda: redis("XLEN", "s1"), 0)
    killer.close()


def test_a_function_that_lost_its_connection_is_run_again(host, redis):
    function = """
def f(r):
    execute('RPUSH', 'log', r['id'])
    if execute('LLEN', 'log') == 1:
        raise gears_error('connection to Redis lost')
GB('StreamReader').foreach(f)"""
    host.register("from redgrease.engine.errors import GearsError as gears_error" + function)
    add(redis, 1, 2)
    eventually(lambda: log(redis), ids(1, 1, 2))


@pytest.fixture
def forbid(redis):
    """Forbids commands, also to the engine."""

    def change(*rules):
        assert redis("ACL", "SETUSER", "default", *rules) == "OK"

    yield change
    change("+@all")


def test_reading_is_refused(host, redis, forbid):
    host.register(LOG)
    add(redis, 1)
    eventually(lambda: redis("XLEN", "s1"), 0)
    forbid("-xreadgroup")
    add(redis, 2)
    host.call("RG.DUMPREGISTRATIONS")
    assert log(redis) == ids(1)
    forbid("+@all")
    eventually(lambda: log(redis), ids(1, 2))


@pytest.mark.parametrize("trim", [True, False])
def test_acknowledging_is_refused(host, redis, forbid, trim):
    """What the function has done once is not done again, only acknowledged."""
    host.register(LOG, trimStream=trim)
    forbid("-xack")
    add(redis, 1, 2)
    eventually(lambda: log(redis), ids(1))
    eventually(lambda: redis("XPENDING", "s1", GROUP)[0] > 0, True)
    forbid("+@all")
    eventually(lambda: log(redis), ids(1, 2))
    eventually(lambda: redis("XPENDING", "s1", GROUP)[0], 0)
    eventually(lambda: redis("XLEN", "s1"), 0 if trim else 2)


def test_scanning_is_refused(host, redis, forbid):
    add(redis, 1)
    forbid("-scan")
    host.register(LOG)
    forbid("+@all")
    eventually(lambda: log(redis), ids(1))


@pytest.mark.parametrize("batch", [1, 2])
def test_the_function_deletes_the_stream(host, redis, batch):
    function = """
def f(r):
    execute('RPUSH', 'log', r['id'])
    execute('DEL', r['key'])
GB('StreamReader').foreach(f)"""
    host.register(function, batch=batch)
    for numbers in (range(1, 5), (11, 12)):
        redis.connection.call_all([(b"XADD", b"s1", b"%d-1" % n, b"n", b"1") for n in numbers])
        # Each entry deletes it once more: what is added meanwhile would go, too.
        eventually(lambda: host.counts()[1] > 1, True)
        eventually(lambda: redis("EXISTS", "s1"), 0)
    eventually(lambda: log(redis)[-1][:2], "11" if batch == 1 else "12")
