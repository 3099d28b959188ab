"""execute() and atomic(), on a real Redis."""

import threading

import pytest

from redgrease.engine import connection
from redgrease.engine.errors import GearsError
from redgrease.engine.keyspace import Keyspace, argument

pytest_plugins = ["worker_fixtures"]


@pytest.fixture
def execute(redis, redis_url):
    keyspace = Keyspace(redis_url)

    def run(*words):
        return keyspace.execute([argument(word) for word in words])

    run.keyspace = keyspace
    yield run
    keyspace.close()


def test_replies(execute):
    assert execute("SET", "k", "é") == "OK"
    assert type(execute("PING")) is str
    assert execute("GET", "k") == "é"
    assert execute("GET", "none") is None
    assert execute("INCR", "n") == 1
    assert execute("SET", "b", b"\xff\x00") == "OK"
    assert execute("MGET", "b", "k", "none") == [bytearray(b"\xff\x00"), "é", None]
    assert execute("LRANGE", "none", 0, -1) == []
    assert execute("EVAL", "return {1, {ARGV[1]}, redis.error_reply('MY bad')}", 0, b"\xff") == [
        1,
        [bytearray(b"\xff")],
        "MY bad",
    ]
    (nested,) = execute("EVAL", "return {redis.error_reply('MY bad')}", 0)
    assert type(nested) is str


@pytest.mark.parametrize(
    "words, text",
    [
        (["INCR", "text"], "ERR value is not an integer or out of range"),
        (["LPUSH", "text", "x"], "WRONGTYPE Operation against"),
        (["NOSUCH", "a"], "^No such file or directory$"),
        (["GET k"], "^No such file or directory$"),
        (["GET"], "^Invalid argument$"),
        (["OBJECT", "ENCODING"], "^Invalid argument$"),
        (["HSET", "h", "f"], "^Invalid argument$"),
        (["HSET", "h", "f", "v", "g"], "^ERR wrong number of arguments"),
        (["SUBSCRIBE", "c"], "isn't allowed for a DENY BLOCKING client"),
        (["MONITOR"], "isn't allowed for a DENY BLOCKING client"),
        (["EXEC"], "ERR EXEC without MULTI"),
    ],
)
def test_errors(execute, words, text):
    execute("SET", "text", "abc")
    with pytest.raises(GearsError, match=text):
        execute(*words)
    assert execute("GET", "text") == "abc"


def test_arguments_are_texts_but_for_bytes():
    values = ["a", 1, 1.5, None, [1, "a"], b"\xff", bytearray(b"\xfe"), "\udcff", "\ud800"]
    expected = [b"a", b"1", b"1.5", b"None", b"[1, 'a']", b"\xff", b"\xfe", b"\xff", b"\\ud800"]
    assert [argument(value) for value in values] == expected


def test_blocking_commands_do_not_block(execute):
    assert execute("BLPOP", "none", 0) is None
    execute("RPUSH", "l", "x")
    assert execute("BLPOP", "l", 0) == ["l", "x"]
    assert execute("XREAD", "BLOCK", 0, "STREAMS", "s", "$") is None
    assert execute("WAIT", 1, 0) == 0
    with pytest.raises(GearsError, match="WRONGTYPE"):
        execute("SET", "k", "v")
        execute("BLPOP", "k", 0)
    with pytest.raises(GearsError, match="^Invalid argument$"):
        execute("BLPOP", "k")


def test_connections_are_not_changed(execute):
    assert execute("SELECT", 1) == "OK"
    assert execute("MULTI") == "OK"
    assert execute("CLIENT", "REPLY", "OFF") == "OK"
    assert execute("WATCH", "k") == "OK"
    assert isinstance(execute("HELLO", 3), list)
    assert execute("SET", "k", "v") == "OK"
    assert execute("GET", "k") == "v"


def test_a_lost_connection_is_replaced(execute, redis, monkeypatch):
    monkeypatch.setattr(connection, "IDLE_SECONDS", 3600)
    execute("SET", "k", "v")
    redis("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
    with pytest.raises(GearsError, match="connection to Redis lost"):
        execute("GET", "k")
    assert execute("GET", "k") == "v"


def test_a_connection_that_was_lost_while_it_was_idle_is_replaced(execute, redis, monkeypatch):
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0)
    execute("SET", "k", "v")
    redis("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
    assert execute("GET", "k") == "v"


def test_atomic_keeps_other_threads_out(execute):
    keyspace = execute.keyspace
    done = threading.Event()

    def other():
        execute("RPUSH", "log", "other")
        done.set()

    keyspace.lock()
    thread = threading.Thread(target=other)
    thread.start()
    for _ in range(20):
        execute("RPUSH", "log", "mine")
    assert not done.is_set()
    keyspace.unlock()
    thread.join()
    assert execute("LRANGE", "log", 0, -1) == ["mine"] * 20 + ["other"]


def test_atomic_holds_the_proxy(worker):
    script = """
def f(x):
    with atomic():
        inside = isInAtomicBlock()
        execute('SET', 'a', '1')
    return [inside, isInAtomicBlock()]
GB('ShardsIDReader').map(f).run()
"""
    worker.grant = False
    pending = worker.start("RG.PYEXECUTE", script)
    assert worker.held.acquire(timeout=20)
    assert not pending.came
    (token,) = worker.holds
    worker.send("HELD", token)
    assert pending.get() == [[b"[True, False]"], []]
    assert worker.released == [token]


def test_an_error_in_an_atomic_block_releases_it(worker):
    script = "def f(x):\n    with atomic():\n        1 / 0\nGB('ShardsIDReader').map(f).run()"
    results, (error,) = worker.run(script)
    assert "ZeroDivisionError" in error
    assert worker.released == worker.holds


def test_an_abort_ends_the_wait_for_the_hold(worker):
    worker.grant = False
    script = "def f(x):\n    with atomic(): pass\nGB('ShardsIDReader').map(f).run()"
    ident = worker.call("RG.PYEXECUTE", script, "UNBLOCKING")
    assert worker.held.acquire(timeout=20)
    assert worker.call("RG.ABORTEXECUTION", ident) == "OK"
    results, (error,) = worker.call("RG.GETRESULTS", ident)
    assert b"gears.forcestopped" in error
    assert worker.released == worker.holds
    worker.grant = True
    assert worker.run(
        "def f(x):\n    with atomic(): return execute('PING')\nGB('ShardsIDReader').map(f).run()"
    ) == ([b"PONG"], [])
