"""``redgrease.cmd``: redis-py inside a server.  The commands run on a real Redis."""

import pickle
import socket
import subprocess
import sys
import threading
import types

import pytest

redis = pytest.importorskip("redis")

from support.real_redis import RealRedis, find_server  # noqa: E402

import redgrease  # noqa: E402
from redgrease import gearialization, runtime_client  # noqa: E402
from redgrease.exceptions import (  # noqa: E402
    BlockingNotAllowedError,
    ExecutionNotFoundError,
    NotInServerError,
)
from redgrease.runtime_client import cmd  # noqa: E402


class GearsError(Exception):
    """The server's class for failed commands."""


class Shard:
    """Runs commands as a server's ``execute`` does: the same arguments, replies and errors."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")
        self.calls = []

    def execute(self, command, *args):
        assert type(command) is str
        self.calls.append((command, *args))
        words = [command.encode()]
        for arg in args:
            words.append(bytes(arg) if isinstance(arg, (bytes, bytearray)) else str(arg).encode())
        self.socket.sendall(
            b"*%d\r\n" % len(words)
            + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        )
        reply = self.read()
        if isinstance(reply, GearsError):
            raise reply
        return reply

    def read(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            return GearsError(rest.decode() + "\r\n")
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"*":
            items = [self.read() for _ in range(int(rest))]
            return [str(item) if isinstance(item, GearsError) else item for item in items]
        if rest == b"-1":
            return None
        data = self.file.read(int(rest) + 2)[:-2]
        try:
            return data.decode()
        except UnicodeDecodeError:
            return bytearray(data)

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    binary = find_server()
    if binary is None:
        pytest.skip("there is no Redis on this machine")
    running = RealRedis(binary, str(tmp_path_factory.mktemp("redis")))
    yield running
    running.stop()


@pytest.fixture
def shard(server, monkeypatch):
    """Makes this process look like the inside of a server."""
    running = Shard(server.port)
    running.execute("FLUSHALL")
    del running.calls[:]
    running.blocks = []

    class Atomic:
        def __enter__(self):
            if running.blocks[-1:] == ["enter"]:
                raise GearsError("Already inside an atomic block")
            running.blocks.append("enter")
            return self

        def __exit__(self, *exception):
            running.blocks.append("exit")

    module = types.ModuleType("redisgears")
    module.executeCommand = running.execute
    module.atomicCtx = Atomic
    module.GearsError = GearsError
    monkeypatch.setitem(sys.modules, "redisgears", module)
    yield running
    running.close()


def test_outside_a_server():
    with pytest.raises(NotInServerError, match="works only inside a Gears server") as caught:
        cmd.get("key")
    assert str(caught.value).startswith("redgrease.cmd works")
    assert "RedisGears() has the same methods" in str(caught.value)
    with pytest.raises(NotInServerError):
        cmd.pipeline().set("a", 1).execute()
    assert repr(cmd) == "<redgrease.cmd: commands in the local shard>"
    assert isinstance(cmd, redis.Redis)
    assert redgrease.cmd is cmd


def test_values_have_the_types_of_redis_py(shard):
    assert cmd.set("text", "a\u20ac") is True
    assert cmd.get("text") == "a\u20ac"
    assert cmd.get("nothing") is None
    assert cmd.set("number", 5) is True
    assert cmd.incr("number") == 6
    assert cmd.set("float", 1.5) and cmd.get("float") == "1.5"
    assert cmd.expire("text", 100) is True
    assert cmd.set("text", "b", nx=True) is None
    assert cmd.exists("text", "number") == 2
    assert cmd.hset("hash", "a", 1) == 1
    assert cmd.hgetall("hash") == {"a": "1"}
    assert cmd.hgetall("nothing") == {}
    assert cmd.rpush("list", 1, 2) == 2
    assert cmd.lrange("list", 0, -1) == ["1", "2"]
    assert cmd.zadd("zset", {"a": 1.5}) == 1
    assert cmd.zrange("zset", 0, -1, withscores=True) == [("a", 1.5)]
    assert cmd.zscore("zset", "a") == 1.5
    assert cmd.sadd("set", "a") == 1
    assert cmd.smembers("set") == {"a"}
    assert cmd.mget("text", "nothing") == ["a\u20ac", None]
    assert cmd.type("hash") == "hash"
    assert cmd.ping() is True
    assert cmd.delete("text") == 1
    assert isinstance(cmd.info()["redis_version"], str)
    assert sorted(cmd.scan_iter("*set")) == ["set", "zset"]


CALLS = [
    lambda r: r.set("a", 1, ex=100),
    lambda r: r.set("a", 2, nx=True),
    lambda r: r.set("a", 3, xx=True, keepttl=True),
    lambda r: r.mset({"c": 1, "d": "2"}),
    lambda r: r.msetnx({"c": 1, "e": "2"}),
    lambda r: r.mget(["a", "c"], "nothing"),
    lambda r: r.ttl("a") > 90,
    lambda r: r.persist("a"),
    lambda r: r.incrbyfloat("c", 1.5),
    lambda r: r.decr("d", 5),
    lambda r: r.getset("d", "z"),
    lambda r: r.append("d", "yx"),
    lambda r: r.getrange("d", 0, 1),
    lambda r: r.setbit("bits", 7, 1),
    lambda r: r.bitcount("bits"),
    lambda r: r.rename("d", "e"),
    lambda r: r.exists("d", "e", "e"),
    lambda r: r.keys("*"),
    lambda r: r.type("a"),
    lambda r: r.object("encoding", "a"),
    lambda r: r.dbsize(),
    lambda r: r.hset("hash", "x", 1),
    lambda r: r.hset("hash", mapping={"y": 2.5, "z": b"3"}),
    lambda r: r.hincrbyfloat("hash", "y", 1),
    lambda r: r.hmget("hash", ["x", "nothing"]),
    lambda r: sorted(r.hkeys("hash")),
    lambda r: r.hexists("hash", "x"),
    lambda r: r.hgetall("hash"),
    lambda r: r.rpush("list", 1, 2, 3),
    lambda r: r.lset("list", 0, "first"),
    lambda r: r.ltrim("list", 0, 1),
    lambda r: r.lrange("list", 0, -1),
    lambda r: r.linsert("list", "before", 2, "x"),
    lambda r: r.sort("list", alpha=True, desc=True),
    lambda r: r.sadd("set", "a", "b", "c"),
    lambda r: r.sismember("set", "a"),
    lambda r: r.sinter("set", "set"),
    lambda r: r.smembers("set"),
    lambda r: r.zadd("zset", {"a": 1, "b": 2.5}, nx=True),
    lambda r: r.zincrby("zset", 3, "a"),
    lambda r: r.zadd("zset", {"a": 1}, incr=True, xx=True),
    lambda r: r.zrange("zset", 0, -1, withscores=True),
    lambda r: r.zrevrange("zset", 0, -1, withscores=True),
    lambda r: r.zrangebyscore("zset", "-inf", "(5", withscores=True, start=0, num=5),
    lambda r: r.zrank("zset", "a"),
    lambda r: r.zscore("zset", "nothing"),
    lambda r: r.zpopmin("zset"),
    lambda r: r.xadd("stream", {"f": "v", "g": 1}, id="1-1"),
    lambda r: r.xadd("stream", {"f": "w"}, id="2-1", maxlen=10),
    lambda r: r.xlen("stream"),
    lambda r: r.xrange("stream", "-", "+", count=1),
    lambda r: r.xrevrange("stream"),
    lambda r: r.xgroup_create("stream", "group", "0"),
    lambda r: r.xreadgroup("group", "me", {"stream": ">"}, count=1),
    lambda r: r.xread({"stream": "1-1"}),
    lambda r: r.xpending("stream", "group"),
    lambda r: r.xack("stream", "group", "1-1"),
    lambda r: r.xinfo_stream("stream")["length"],
    lambda r: r.xinfo_groups("stream")[0]["name"],
    lambda r: r.xtrim("stream", 1, approximate=False),
    lambda r: r.pfadd("log", "a", "b"),
    lambda r: r.pfcount("log"),
    lambda r: r.geoadd("geo", *GEO),
    lambda r: r.geodist("geo", "Palermo", "Catania", unit="km"),
    lambda r: r.geohash("geo", "Palermo"),
    lambda r: r.eval("return {1, ARGV[1], KEYS[1], false}", 1, "k", "x"),
    lambda r: r.script_exists("0" * 40),
    lambda r: r.config_get("maxmemory*")["maxmemory"],
    lambda r: r.config_set("maxmemory", 0),
    lambda r: sorted(r.info("server"))[:3],
    lambda r: r.echo("x"),
    lambda r: r.publish("channel", "x"),
    lambda r: r.time()[0] > 0,
    lambda r: r.scan(0, count=1000)[0],
    lambda r: r.memory_usage("a") > 0,
    lambda r: r.dump("nothing"),
    lambda r: r.unlink("a", "b"),
    lambda r: r.flushdb(),
]
GEO = (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
if int(redis.__version__.partition(".")[0]) >= 4:
    GEO = (GEO,)


def test_the_same_as_with_a_connection(server, shard):
    settings = {"protocol": 2} if int(redis.__version__.partition(".")[0]) >= 5 else {}
    plain = redis.Redis(port=server.port, decode_responses=True, **settings)
    found, expected = ([call(client) for call in CALLS] for client in (cmd, plain))
    for number, (ours, theirs) in enumerate(zip(found, expected)):
        if isinstance(theirs, list) and all(isinstance(item, str) for item in theirs):
            ours, theirs = sorted(ours), sorted(theirs)
        assert (number, ours) == (number, theirs)
        assert type(ours) is type(theirs)
    plain.close()


def test_bytes_stay_bytes(shard):
    assert cmd.set("image", b"\xff\0\xfe")
    assert cmd.get("image") == b"\xff\0\xfe"
    assert type(cmd.get("image")) is bytes
    assert cmd.set(b"by\xff", memoryview(b"a"))
    assert cmd.mget("image", b"by\xff") == [b"\xff\0\xfe", "a"]


def test_arguments_that_redis_py_refuses(shard):
    with pytest.raises(redis.exceptions.DataError):
        cmd.set("key", None)
    assert shard.calls == []


def test_what_is_never_decoded(shard):
    cmd.set("text", "é")
    assert cmd.execute_command("GET", "text", NEVER_DECODE=True) == "é".encode()
    assert cmd.execute_command("MGET", "text", "no", NEVER_DECODE=[]) == ["é".encode(), None]


@pytest.mark.skipif(
    not hasattr(redis.client, "NEVER_DECODE"), reason="redis-py 3 decodes all replies alike"
)
def test_dumps_are_bytes_even_if_they_look_like_text(shard, monkeypatch):
    monkeypatch.setattr(sys.modules["redisgears"], "executeCommand", lambda *words: "\0dump")
    assert cmd.dump("key") == b"\0dump"


def test_commands_of_several_words(shard):
    assert cmd.config_get("maxmemory") == {"maxmemory": "0"}
    assert cmd.client_id() > 0
    assert cmd.execute_command(b"CONFIG GET", "maxmemory") == {"maxmemory": "0"}
    assert cmd.execute_command("config", "GET", "maxmemory") == ["maxmemory", "0"]
    assert [call[:2] for call in shard.calls[:2]] == [("CONFIG", "GET"), ("CLIENT", "ID")]


def test_streams(shard):
    ident = cmd.xadd("stream", {"a": 1})
    assert cmd.xrange("stream") == [(ident, {"a": "1"})]
    assert cmd.xread({"stream": 0})[0][0] == "stream"
    assert cmd.xgroup_create("stream", "group", "0") is True
    assert cmd.xreadgroup("group", "me", {"stream": ">"}, count=5)
    assert cmd.xack("stream", "group", ident) == 1


def test_scripts(shard):
    script = cmd.register_script("return {KEYS[1], ARGV[1]}")
    cmd.script_flush()
    assert script(keys=["a"], args=["b"]) == ["a", "b"]  # found missing, loaded, called again


def test_errors_are_those_of_redis_py_and_of_the_server(shard):
    cmd.set("text", "a")
    with pytest.raises(redis.exceptions.ResponseError) as caught:
        cmd.lpush("text", 1)
    assert isinstance(caught.value, GearsError)
    assert str(caught.value).startswith("WRONGTYPE ")
    assert not str(caught.value).endswith("\r\n")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("No such file or directory", "does not know this command"),
        ("Invalid argument", "too few or too many arguments"),
        ("Operation not permitted", "only the keys of their own shard"),
    ],
)
def test_the_servers_words_for_refused_commands_are_explained(shard, monkeypatch, text, reason):
    def refuse(*words):
        raise GearsError(text)

    monkeypatch.setattr(sys.modules["redgrease.runtime"], "execute", refuse)
    with pytest.raises(redis.exceptions.ResponseError, match=f"JSON.SET: {text} .*{reason}"):
        cmd.execute_command("JSON.SET", "key", "$", "{}")


def test_the_texts_of_errors_are_those_of_redis_py(server, shard):
    def text(client):
        with pytest.raises(redis.ResponseError) as caught:
            client.execute_command("SETRANGE", "key")
        return str(caught.value)

    assert text(cmd) == text(redis.Redis(port=server.port)) != ""


def test_without_the_servers_class_of_errors(shard, monkeypatch):
    monkeypatch.delattr(sys.modules["redisgears"], "GearsError")
    with pytest.raises(GearsError):
        cmd.execute_command("NOSUCH")


def test_replies_that_redis_py_does_not_expect_are_returned(shard, monkeypatch):
    monkeypatch.setattr(sys.modules["redisgears"], "executeCommand", lambda *words: None)
    assert cmd.hgetall("key") in (None, {})
    assert cmd.time() is None
    monkeypatch.setattr(sys.modules["redisgears"], "executeCommand", lambda *words: "odd")
    assert cmd.time() == "odd"
    assert cmd.execute_command("TIME", NEVER_DECODE=True, EMPTY_RESPONSE=1, keys=[]) == "odd"


@pytest.mark.parametrize(
    "call",
    [
        lambda: cmd.blpop("list"),
        lambda: cmd.brpoplpush("a", "b"),
        lambda: cmd.wait(1, 1),
        lambda: cmd.xread({"stream": "$"}, block=10),
        lambda: cmd.xreadgroup("g", "c", {"stream": ">"}, block=10),
        lambda: cmd.execute_command("xread", "block", 0),
    ],
)
def test_commands_that_wait_are_refused(shard, call):
    with pytest.raises(BlockingNotAllowedError, match="may wait"):
        call()
    assert shard.calls == []


def test_commands_about_connections_are_refused(shard):
    for call in (cmd.pubsub, cmd.monitor, lambda: cmd.execute_command("MULTI")):
        with pytest.raises(BlockingNotAllowedError, match=r"redgrease\.atomic"):
            call()
    assert cmd.xread({"BLOCK": 0}) in ([], {}, None)  # a stream of that name


def test_gears_commands(shard, monkeypatch):
    pytest.importorskip("attr")
    assert cmd.gears is cmd.gears
    with pytest.raises(redis.exceptions.ResponseError):
        cmd.gears.dumpregistrations()
    assert shard.calls[-1] == ("RG.DUMPREGISTRATIONS",)

    def fail(*words):
        raise GearsError("execution plan does not exist\0")

    monkeypatch.setattr(sys.modules["redisgears"], "executeCommand", fail)
    for ask in (lambda: cmd.gears.getresults("0-1"), lambda: cmd.execute_command("rg.x", 1)):
        with pytest.raises(ExecutionNotFoundError) as caught:
            ask()
        assert isinstance(caught.value, GearsError)
        assert caught.value.text == "execution plan does not exist"
        assert isinstance(caught.value.__cause__, GearsError)


def test_pipelines_run_in_one_block(shard):
    with cmd.pipeline() as pipeline:
        assert pipeline.set("a", 1).incr("a") is pipeline
        assert len(pipeline) == 2 and pipeline
        pipeline.multi()
        assert shard.calls == []
        assert pipeline.execute() == [True, 2]
        assert shard.blocks == ["enter", "exit"]
        assert pipeline.execute() == []
        pipeline.get("a")
        pipeline.reset()
        assert len(pipeline) == 0
    with cmd.pipeline(transaction=False) as pipeline:
        pipeline.get("a")
        assert pipeline.execute() == ["2"]
    assert shard.blocks == ["enter", "exit", "enter", "exit"]


def test_errors_in_pipelines(shard):
    pipeline = cmd.pipeline()
    pipeline.set("a", "text").incr("a").get("a")
    with pytest.raises(redis.exceptions.ResponseError, match="not an integer"):
        pipeline.execute()
    pipeline.incr("a").get("a")
    replies = pipeline.execute(raise_on_error=False)
    assert isinstance(replies[0], redis.exceptions.ResponseError)
    assert replies[1] == "text"


def test_pipelines_inside_an_atomic_block(shard):
    with redgrease.atomic():
        assert cmd.pipeline().set("a", 1).execute() == [True]
    assert shard.blocks == ["enter", "exit"]


def test_transactions(shard):
    def change(pipeline):
        pipeline.set("a", 1)
        pipeline.get("a")
        return "value"

    assert cmd.transaction(change) == [True, "1"]
    assert cmd.transaction(change, value_from_callable=True) == "value"
    assert shard.blocks == ["enter", "exit", "enter", "exit"]


def test_transactions_that_read_first(shard):
    def increment(pipeline):
        value = int(pipeline.get("a") or 0)
        pipeline.multi()
        pipeline.set("a", value + 1)

    for _ in range(2):
        assert cmd.transaction(increment, "a", "b") == [True]
    assert cmd.get("a") == "2"
    assert shard.blocks == ["enter", "exit"] * 2

    with cmd.pipeline() as pipeline:
        assert pipeline.watch("a") and pipeline.watch("b")
        assert shard.blocks[4:] == ["enter"]
        assert pipeline.get("a") == "2"
        assert pipeline.unwatch()
        assert shard.blocks[4:] == ["enter", "exit"]
        pipeline.get("a")
        pipeline.watch("a")
    assert shard.blocks[4:] == ["enter", "exit"] * 2
    cmd.pipeline().watch("a")  # forgotten
    assert shard.blocks[4:] == ["enter", "exit"] * 3
    with pytest.raises(ZeroDivisionError):
        cmd.transaction(lambda pipeline: 1 // 0, "a")
    assert shard.blocks[4:] == ["enter", "exit"] * 4


def test_iterators(shard):
    for number in range(30):
        cmd.set("key%d" % number, number)
        cmd.hset("hash", str(number), number)
        cmd.sadd("set", number)
        cmd.zadd("zset", {str(number): number})
    assert len(set(cmd.scan_iter("key*", count=5))) == 30
    assert dict(cmd.hscan_iter("hash")) == {str(number): str(number) for number in range(30)}
    assert set(cmd.sscan_iter("set")) == set(map(str, range(30)))
    assert dict(cmd.zscan_iter("zset"))["7"] == 7.0
    cursor, keys = cmd.scan(0, "key*", 5)
    assert isinstance(cursor, int) and isinstance(keys, list)


def test_other_clients_are_the_same_one(shard):
    assert cmd.client() is cmd
    assert cmd.set("a", 1)
    cmd.close()
    with cmd as same:
        assert same.get("a") == "1"


def test_threads_do_not_wait_for_each_other(shard, monkeypatch):
    meet = threading.Barrier(4, timeout=10)

    def execute(*words):
        meet.wait()  # all of them are under way at the same time
        return "1"

    monkeypatch.setattr(sys.modules["redisgears"], "executeCommand", execute)
    found = []
    threads = [threading.Thread(target=lambda: found.append(cmd.get("a"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == ["1"] * 4


def test_redis_py_is_enough():
    program = (
        "import sys\n"
        "for name in ('attr', 'attrs', 'cloudpickle', 'hiredis'):\n"
        "    sys.modules[name] = None\n"
        "from redgrease.runtime_client import cmd\n"
        "import redgrease\n"
        "assert redgrease.cmd is cmd\n"
        "try:\n"
        "    cmd.get('a')\n"
        "except redgrease.exceptions.NotInServerError:\n"
        "    print('good')\n"
    )
    assert subprocess.check_output([sys.executable, "-c", program]).strip() == b"good"


def test_the_client_travels_by_name():
    assert pickle.loads(pickle.dumps(cmd)) is cmd
    assert runtime_client.get_runtime_client() is cmd
    shipment = gearialization.serialize(
        redgrease.KeysReader().map(cmd.get).run(), sys.version_info[:2]
    )
    assert [each.partition("==")[0] for each in shipment.requirements] == ["redgrease[runtime]"]
    assert len(shipment.script) < 25000
