"""Commands of redis-py are answered through the server as they are directly."""

import random
import threading
import time

import pytest
import redis

pytest_plugins = ["transparency"]
pytestmark = pytest.mark.skipif(
    int(redis.__version__.partition(".")[0]) < 4, reason="written for the methods of redis-py 4"
)
TIMEOUT = 20


def test_strings(client):
    assert client.set("k", "v") is True
    assert client.get("k") == "v"
    assert client.set("k", "w", nx=True) is None
    assert client.set("k", "w", get=True) == "v"
    assert client.append("k", "x") == 2
    assert client.getrange("k", 0, 0) == "w"
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.mget("a", "b", "c") == ["1", "2", None]
    assert client.incrby("a", 5) == 6
    assert client.incrbyfloat("a", 0.5) == 6.5
    assert client.setbit("bits", 7, 1) == 0
    assert client.bitcount("bits") == 1
    assert client.expire("a", 100) is True
    assert 0 < client.ttl("a") <= 100
    assert client.getdel("b") == "2"
    assert client.exists("a", "b") == 1
    assert client.type("k") == "string"
    assert client.rename("k", "l") is True
    assert client.dbsize() == 3


def test_bytes_of_all_kinds(way, protocol):
    value = bytes(range(256)) * 3 + b"\r\n$5\r\n*3\r\n-ERR\r\n+OK\r\n"
    with way.connect(protocol=protocol, decode_responses=False) as client:
        client.set(value, value)
        assert client.get(value) == value
        client.hset("h", value, value)
        assert client.hgetall("h") == {value: value}
        client.rpush("l", b"", value)
        assert client.lrange("l", 0, -1) == [b"", value]


def test_hashes(client):
    assert client.hset("h", mapping={"a": 1, "b": 2}) == 2
    assert client.hgetall("h") == {"a": "1", "b": "2"}
    assert client.hincrby("h", "a", 2) == 3
    assert client.hdel("h", "b", "c") == 1
    assert client.hmget("h", "a", "b") == ["3", None]
    assert client.hexists("h", "a") is True
    assert list(client.hscan_iter("h")) == [("a", "3")]


def test_lists(client):
    assert client.rpush("l", "a", "b", "c") == 3
    assert client.lpush("l", "z") == 4
    assert client.lrange("l", 0, -1) == ["z", "a", "b", "c"]
    assert client.lpop("l", 2) == ["z", "a"]
    assert client.rpoplpush("l", "m") == "c"
    assert client.lmove("l", "m", "LEFT", "RIGHT") == "b"
    assert client.linsert("m", "BEFORE", "b", "x") == 3
    assert client.lpos("m", "b") == 2
    assert client.lrem("m", 1, "x") == 1
    assert client.exists("l") == 0


def test_sets(client):
    assert client.sadd("s", "a", "b") == 2
    assert client.sadd("t", "b", "c") == 2
    # With RESP3, redis-py 5 gives lists.
    assert set(client.smembers("s")) == {"a", "b"}
    assert set(client.sinter("s", "t")) == {"b"}
    assert client.sunionstore("u", "s", "t") == 3
    assert client.sismember("u", "c") == 1
    assert set(client.sscan_iter("u")) == {"a", "b", "c"}


def test_sorted_sets(client):
    assert client.zadd("z", {"a": 1, "b": 2.5}) == 2
    found = client.zrange("z", 0, -1, withscores=True)
    assert [tuple(pair) for pair in found] == [("a", 1.0), ("b", 2.5)]
    assert client.zincrby("z", 2, "a") == 3.0
    assert client.zrank("z", "a") == 1
    assert client.zscore("z", "none") is None
    assert client.zrangebyscore("z", 2, 3) == ["b", "a"]


def test_streams(client):
    first = client.xadd("x", {"a": 1}, id="1-1")
    assert first == "1-1"
    assert client.xadd("x", {"a": 2}, id="1-2") == "1-2"
    assert client.xlen("x") == 2
    assert client.xrange("x") == [("1-1", {"a": "1"}), ("1-2", {"a": "2"})]
    assert client.xgroup_create("x", "g", id="0") is True
    read = client.xreadgroup("g", "c", {"x": ">"}, count=1)
    entries = dict(read)["x"]
    assert (entries if client.get_connection_kwargs().get("protocol") != 3 else entries[0])[0] == (
        "1-1",
        {"a": "1"},
    )
    assert client.xack("x", "g", "1-1") == 1
    assert client.xpending("x", "g")["pending"] == 0
    assert client.xtrim("x", maxlen=1, approximate=False) == 1


def test_scan(client):
    names = {f"key:{number}" for number in range(500)}
    client.mset(dict.fromkeys(names, 1))
    assert set(client.scan_iter("key:*", count=17)) == names
    assert sorted(client.keys("key:49?")) == sorted(name for name in names if name[4:-1] == "49")


def test_errors(client):
    client.set("k", "v")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.lpush("k", 1)
    with pytest.raises(redis.ResponseError, match="unknown command"):
        client.execute_command("NO-SUCH-COMMAND", "a")
    with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
        client.execute_command("GET")
    with pytest.raises(redis.ResponseError, match="not an integer"):
        client.incr("k")
    assert client.get("k") == "v"


def test_databases(way, protocol):
    with way.connect(protocol=protocol, db=3) as third, way.connect(protocol=protocol) as first:
        third.set("k", "third")
        assert first.get("k") is None
        assert third.get("k") == "third"
        assert third.client_info()["db"] == 3
        assert first.execute_command("SWAPDB", 0, 3)
        assert first.get("k") == "third"


def test_scripts(client):
    assert client.eval("return {KEYS[1], ARGV[1], 7, false}", 1, "k", "a") == ["k", "a", 7, None]
    script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert [script(keys=["n"], args=[2]), script(keys=["n"], args=[3])] == [2, 5]
    with pytest.raises(redis.exceptions.NoScriptError):
        client.evalsha("f" * 40, 0)
    with pytest.raises(redis.ResponseError, match="my error"):
        client.eval("return redis.error_reply('my error')", 0)


def test_functions(client):
    client.function_flush()
    code = (
        "#!lua name=mine\n"
        "redis.register_function('put', function(k, a) return redis.call('SET', k[1], a[1]) end)"
    )
    assert client.function_load(code) == "mine"
    assert client.fcall("put", 1, "k", "v") == "OK"
    assert client.get("k") == "v"
    client.function_flush()


def test_pipelines(client):
    pipeline = client.pipeline(transaction=False)
    for number in range(300):
        pipeline.set(f"k{number}", number).get(f"k{number}").get("none")
    expected = [answer for number in range(300) for answer in (True, str(number), None)]
    assert pipeline.execute() == expected


def test_pipelines_with_errors_in_between(client):
    client.set("k", "v")
    answers = client.pipeline(transaction=False).lpush("k", 1).get("k").incr("k").get("k")
    first, second, third, fourth = answers.execute(raise_on_error=False)
    assert isinstance(first, redis.ResponseError)
    assert isinstance(third, redis.ResponseError)
    assert (second, fourth) == ("v", "v")


class TestTransactions:
    def test_they_are_carried_out_as_one(self, client):
        with client.pipeline(transaction=True) as transaction:
            transaction.set("k", 1).incr("k").get("k").lrange("none", 0, -1)
            assert transaction.execute() == [True, 2, "2", []]

    def test_an_error_in_one_command(self, client):
        with client.pipeline(transaction=True) as transaction:
            transaction.set("k", "v").incr("k").get("k")
            first, second, third = transaction.execute(raise_on_error=False)
        assert (first, third) == (True, "v")
        assert "not an integer" in str(second)

    def test_a_command_that_cannot_be_queued(self, client):
        client.execute_command("MULTI")
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.execute_command("NO-SUCH-COMMAND")
        with pytest.raises(redis.ResponseError, match="EXECABORT|previous errors"):
            client.execute_command("EXEC")

    def test_discard(self, way):
        with way.connect(single_connection_client=True) as client:
            client.execute_command("MULTI")
            assert client.execute_command("SET", "k", 1) in ("QUEUED", False, None)
            assert client.execute_command("DISCARD") in ("OK", True)
            assert client.get("k") is None

    def test_a_watched_key_that_changes(self, way):
        with way.connect() as client, way.connect() as other, client.pipeline() as transaction:
            transaction.watch("k")
            other.set("k", "other")
            transaction.multi()
            transaction.set("k", "mine")
            with pytest.raises(redis.WatchError):
                transaction.execute()
            assert client.get("k") == "other"

    def test_a_watched_key_that_does_not(self, client):
        client.set("k", 1)

        def double(transaction):
            value = int(transaction.get("k"))
            transaction.multi()
            transaction.set("k", 2 * value)

        assert client.transaction(double, "k") == [True]
        assert client.get("k") == "2"


class TestBlocking:
    @pytest.mark.parametrize(
        ("wait", "expected"),
        [
            (lambda client: client.blpop("l", TIMEOUT), ("l", "a")),
            (lambda client: client.brpop(["m", "l"], TIMEOUT), ("l", "a")),
            (lambda client: client.blmove("l", "n", TIMEOUT), "a"),
        ],
        ids=["blpop", "brpop", "blmove"],
    )
    def test_who_waits_gets_what_comes(self, way, protocol, wait, expected):
        found = []

        def run():
            with way.connect(protocol=protocol) as mine:
                answer = wait(mine)
                found.append(tuple(answer) if isinstance(answer, (list, tuple)) else answer)

        with way.connect() as client:
            thread = threading.Thread(target=run)
            thread.start()
            deadline = time.monotonic() + TIMEOUT
            while client.info("clients")["blocked_clients"] < 1:
                assert time.monotonic() < deadline
            client.rpush("l", "a")
            thread.join(TIMEOUT)
        assert found == [expected]

    def test_the_time_can_be_up(self, client):
        assert client.blpop("l", 0.01) is None
        assert client.bzpopmin("z", 0.01) is None

    def test_entries_of_a_stream(self, way):
        found = []

        def run():
            with way.connect(protocol=2) as mine:
                found.append(mine.xread({"x": "$"}, block=TIMEOUT * 1000))

        with way.connect() as client:
            thread = threading.Thread(target=run)
            thread.start()
            deadline = time.monotonic() + TIMEOUT
            while client.info("clients")["blocked_clients"] < 1:
                assert time.monotonic() < deadline
            client.xadd("x", {"a": 1}, id="5-5")
            thread.join(TIMEOUT)
        assert found == [[["x", [("5-5", {"a": "1"})]]]]


class TestMessages:
    def test_channels_and_patterns(self, way, protocol):
        with way.connect(protocol=protocol) as client:
            listener = client.pubsub()
            listener.subscribe("news")
            listener.psubscribe("n*")
            kinds = [listener.get_message(timeout=TIMEOUT)["type"] for _ in range(2)]
            assert kinds == ["subscribe", "psubscribe"]
            assert client.publish("news", "hello") == 2
            found = [listener.get_message(timeout=TIMEOUT) for _ in range(2)]
            assert [(one["type"], one["data"]) for one in found] == [
                ("message", "hello"),
                ("pmessage", "hello"),
            ]
            listener.unsubscribe()
            listener.punsubscribe()
            kinds = [listener.get_message(timeout=TIMEOUT)["type"] for _ in range(2)]
            assert kinds == ["unsubscribe", "punsubscribe"]
            listener.close()

    def test_after_subscribing_the_connection_can_be_used_again(self, way):
        with way.socket() as plain:
            stream = plain.makefile("rb")
            plain.sendall(b"SUBSCRIBE a\r\n")
            assert [stream.readline() for _ in range(6)][-1] == b":1\r\n"
            plain.sendall(b"GET k\r\n")
            assert stream.readline().startswith(b"-ERR Can't execute 'get'")
            plain.sendall(b"UNSUBSCRIBE a\r\nSET k v\r\nGET k\r\n")
            assert [stream.readline() for _ in range(9)][-3:] == [b"+OK\r\n", b"$1\r\n", b"v\r\n"]

    def test_monitor(self, way):
        with way.connect() as client, way.connect() as watcher, watcher.monitor() as monitor:
            client.set("k", "seen")
            deadline = time.monotonic() + TIMEOUT
            for entry in monitor.listen():
                assert time.monotonic() < deadline
                if entry["command"] == "SET k seen":
                    break

    def test_tracking(self, way):
        """A push message arrives when a key that was read changes."""
        with way.socket() as plain, way.connect() as other:
            stream = plain.makefile("rb")
            plain.sendall(b"HELLO 3\r\n")
            plain.sendall(b"CLIENT TRACKING ON\r\nGET k\r\n")
            while stream.readline() != b"+OK\r\n":
                pass
            assert stream.readline() == b"_\r\n"
            other.set("k", "new")
            pushed = [stream.readline() for _ in range(6)]
            assert pushed == [
                b">2\r\n",
                b"$10\r\n",
                b"invalidate\r\n",
                b"*1\r\n",
                b"$1\r\n",
                b"k\r\n",
            ]
            plain.sendall(b"GET k\r\n")
            assert [stream.readline(), stream.readline()] == [b"$3\r\n", b"new\r\n"]


def test_many_clients_at_once(way):
    def work(seed):
        generator = random.Random(seed)
        with way.connect() as mine:
            for _ in range(60):
                key = f"{seed}:{generator.randrange(10)}"
                value = str(generator.random())
                assert mine.set(key, value) is True
                assert mine.get(key) == value
        done.append(seed)

    done = []
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert sorted(done) == list(range(12))
