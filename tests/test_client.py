"""The clients are redis-py's, with Gears."""

import tempfile
import threading

import pytest
import redis
from support.real_redis import RealRedis, find_server
from support.scripted import Drop, Error, ScriptedServer, Status, Wait

from redgrease import client as c
from redgrease import data
from redgrease import exceptions as ex
from redgrease.client import Gears, RedisGears, RedisGearsCluster

REDIS = tuple(int(part) for part in redis.__version__.split(".")[:2])


@pytest.fixture
def server():
    with ScriptedServer({"RG.PYEXECUTE": [["1"], []]}) as scripted:
        yield scripted


class TestRedisGears:
    def test_is_a_client_of_redis_py(self, server):
        client = RedisGears(server.host, server.port, 0)
        assert isinstance(client, redis.Redis)
        assert type(client) is RedisGears
        assert client.ping() is True
        assert client.set("a", 1) is True
        assert isinstance(client.gears, Gears)
        assert client.gears is client.gears

    def test_from_url(self, server):
        client = RedisGears.from_url(server.url, decode_responses=True)
        assert type(client) is RedisGears
        assert client.gears.pyexecute("x") == "1"

    @pytest.mark.skipif(REDIS < (5, 0), reason="redis-py has no from_pool")
    def test_from_pool(self, server):
        client = RedisGears.from_pool(redis.ConnectionPool(port=server.port))
        assert client.gears.pyexecute("x") == b"1"
        client.close()

    def test_from_another_pool(self, server):
        pool = redis.ConnectionPool(port=server.port)
        assert RedisGears(connection_pool=pool).gears.pyexecute("x") == b"1"

    def test_single_connection(self, server):
        client = RedisGears(port=server.port).client()
        assert type(client) is RedisGears
        assert client.connection is not None
        assert client.gears.pyexecute("x") == b"1"

    def test_sentinel(self, server):
        from redis.sentinel import Sentinel

        master = ["name", "m", "ip", server.host, "port", str(server.port), "flags", "master"]
        master += ["num-other-sentinels", "0"]
        server.on("SENTINEL", [master])
        if REDIS >= (8, 0):
            server.on("SENTINEL", [dict(zip(master[::2], master[1::2]))])
        client = Sentinel([(server.host, server.port)]).master_for("m", redis_class=RedisGears)
        assert type(client) is RedisGears
        assert client.gears.pyexecute("x") == b"1"

    def test_old_names_of_arguments(self, server):
        client = RedisGears(
            port=server.port, host=None, db=None, charset="latin-1", errors="replace",
            startup_nodes=None,
        )  # fmt: skip
        encoder = client.connection_pool.get_encoder()
        assert encoder.encoding == "latin-1"
        assert encoder.encoding_errors == "replace"

    def test_arguments_for_clusters_mean_nothing_to_a_single_server(self, server):
        client = c.RedisMods(
            port=server.port, max_connections_per_node=False, init_slot_cache=True,
            readonly_mode=False, reinitialize_steps=None, skip_full_coverage_check=True,
            nodemanager_follow_cluster=False, connection_class=None, read_from_replicas=False,
            cluster_down_retry_attempts=3, host_port_remap=None,
        )  # fmt: skip
        assert client.ping() is True
        with pytest.raises(TypeError, match="no_such_argument"):
            RedisGears(port=server.port, no_such_argument=None)

    def test_aliases(self):
        assert c.Redis is c.RedisMods is RedisGears
        assert c.RedisCluster is RedisGearsCluster
        assert c.RedisModules is c.RedisGearsModule
        assert issubclass(RedisGears, c.RedisGearsModule)

    def test_execute_command(self, server):
        client = RedisGears(port=server.port)
        assert client.execute_command("rg.pyexecute", "x") == b"1"
        assert client.execute_command(b"RG.PYEXECUTE", "x") == b"1"
        assert client.execute_command("PING") is True
        with pytest.raises(ex.GearsNotAvailableError):
            client.execute_command("RG.NEW")
        with pytest.raises(redis.exceptions.ResponseError):
            client.execute_command("NEW")
        with pytest.raises(Exception):
            client.execute_command()

    def test_commands_in_one_text(self, server):
        client = RedisGears(port=server.port)
        for command in ("rg.pyexecute GB().run()", b"RG.PYEXECUTE  GB().run()"):
            assert client.execute_command(command) == b"1"
            assert client.pipeline().execute_command(command).execute() == [b"1"]
        assert client.execute_command("RG.PYEXECUTE GB().run()", "UNBLOCKING") == b"1"
        sent = [words[1:] for words in server.sent("RG.PYEXECUTE")]
        assert sent == 4 * [(b"GB().run()",)] + [(b"GB().run()", b"UNBLOCKING")]

    @pytest.mark.skipif(REDIS < (5, 0), reason="redis-py knows only RESP2")
    def test_resp3(self, server):
        client = RedisGears(port=server.port, protocol=3)
        server.on("RG.PYSTATS", {"TotalAllocated": 5})
        server.on("RG.DUMPREGISTRATIONS", [{"id": "0-1", "RegistrationData": {"mode": "sync"}}])
        server.on("MODULE", [{"name": "rg", "ver": 10213}])
        assert client.gears.pystats() == data.PyStats(5)
        assert client.gears.dumpregistrations(mode="sync")[0].id == data.ExecID("0", 1)
        assert client.gears.gears_version() == (1, 2, 13)


RESULTS = [data.ExecutionResult(value) for value in (5, 1.5, "text", b"bytes")]
VALUES = (b"5", b"1.5", b"text", b"bytes")


class TestResultsAsArguments:
    """They are sent as their values, not as what prints them."""

    def test_clients(self, server):
        client = RedisGears(port=server.port)
        server.on("MSET", Status("OK"))
        server.on("RG.TRIGGER", [])
        client.execute_command("MSET", *RESULTS)
        client.gears.trigger("t", *RESULTS)
        client.execute_command("RG.TRIGGER", "t", *RESULTS)
        assert server.sent("MSET") == [(b"MSET", *VALUES)]
        assert server.sent("RG.TRIGGER") == [(b"RG.TRIGGER", b"t", *VALUES)] * 2

    @pytest.mark.parametrize("transaction", [False, True])
    def test_pipelines(self, server, transaction):
        server.on("MSET", Status("OK"))
        pipeline = RedisGears(port=server.port).pipeline(transaction)
        pipeline.execute_command("MSET", *RESULTS).execute()
        assert server.sent("MSET") == [(b"MSET", *VALUES)]

    def test_what_redis_cannot_hold_is_refused(self, server):
        client = RedisGears(port=server.port)
        for value in (None, True, [1]):
            with pytest.raises(redis.exceptions.DataError):
                client.set("key", data.ExecutionResult(value))
        assert server.sent("SET") == []


class TestPipelines:
    @pytest.mark.parametrize("transaction", [False, True])
    def test_replies_are_parsed(self, server, transaction):
        client = RedisGears(port=server.port, socket_timeout=0.5)
        ready = threading.Event()
        threading.Timer(0.8, ready.set).start()
        server.on("RG.PYEXECUTE", Wait(ready, [["1"], []]) if not transaction else [["1"], []])
        pipeline = client.pipeline(transaction=transaction)
        assert isinstance(pipeline, redis.client.Pipeline)
        pipeline.ping()
        pipeline.execute_command("RG.PYEXECUTE", "x")
        pipeline.execute_command("RG.NEW", "x")
        ping, result, unknown = pipeline.execute(raise_on_error=False)
        assert ping is True
        assert type(result) is data.ExecutionResult
        assert result == b"1"
        assert isinstance(unknown, ex.GearsNotAvailableError)

    @pytest.mark.parametrize("transaction", [False, True])
    def test_binary_results_of_a_client_that_decodes_texts(self, server, transaction):
        client = RedisGears(port=server.port, decode_responses=True)
        server.on("RG.PYEXECUTE", [[b"\xff", b"a"], []])
        server.on("RG.NEW", b"x")
        server.on("GET", "\u20ac")
        server.on("HGETALL", {"a": "1"})
        server.on("SMEMBERS", ["a"])
        pipeline = client.pipeline(transaction=transaction)
        pipeline.get("k").hgetall("h").execute_command("RG.PYEXECUTE", "x").smembers("s")
        pipeline.execute_command("RG.NEW").execute_command("MGET", "a")
        server.on("MGET", [None, "b", 1])
        texts, hashed, result, members, new, several = pipeline.execute()
        assert (texts, hashed, set(members)) == ("\u20ac", {"a": "1"}, {"a"})
        assert result == [b"\xff", "a"] and new == b"x" and several == [None, "b", 1]
        # Afterwards everything is as before.
        assert pipeline.get("k").execute() == ["\u20ac"]

    @pytest.mark.parametrize("transaction", [False, True])
    def test_errors_are_typed(self, server, transaction):
        server.on("RG.TRIGGER", Error("ERR subcommand not found"))
        pipeline = RedisGears(port=server.port).pipeline(transaction=transaction)
        with pytest.raises(ex.TriggerNotFoundError) as caught:
            pipeline.execute_command("RG.TRIGGER", "x").execute()
        assert caught.value.text == "subcommand not found"

    def test_sent_once(self, server):
        server.on("RG.PYEXECUTE", Drop())
        pipeline = RedisGears(port=server.port).pipeline(transaction=False)
        with pytest.raises(ex.GearsConnectionError) as caught:
            pipeline.execute_command("RG.PYEXECUTE", "x").execute()
        assert "RG.PYEXECUTE" in str(caught.value)
        assert len(server.sent("RG.PYEXECUTE")) == 1

    def test_time_limits_of_others(self, server, monkeypatch):
        def time_out(self, *args, **kwargs):
            raise redis.exceptions.TimeoutError("too slow")

        monkeypatch.setattr(redis.client.Pipeline, "_execute_pipeline", time_out)
        pipeline = RedisGears(port=server.port).pipeline(transaction=False)
        with pytest.raises(ex.GearsTimeoutError):
            pipeline.execute_command("RG.PYEXECUTE", "x").execute()

    def test_errors_that_redis_py_knows(self, server):
        server.on("RG.PYEXECUTE", Error("LOADING later"))
        pipeline = RedisGears(port=server.port).pipeline(transaction=False)
        with pytest.raises(redis.exceptions.BusyLoadingError):
            pipeline.execute_command("RG.PYEXECUTE", "x").execute()
        assert len(server.sent("RG.PYEXECUTE")) == 1

    def test_without_gears_commands_nothing_changes(self, server):
        server.on("GET", b"x")
        for transaction in (False, True):
            with RedisGears(port=server.port).pipeline(transaction=transaction) as pipeline:
                assert pipeline.get("a").ping().execute() == [b"x", True]

    def test_between_watch_and_multi(self, server):
        server.on("WATCH", Status("OK"))
        server.on("UNWATCH", Status("OK"))
        server.on("GET", b"x")
        client = RedisGears(port=server.port)
        with client.pipeline() as pipeline:
            pipeline.watch("a")
            assert pipeline.get("a") == b"x"
            assert pipeline.execute_command("RG.PYEXECUTE", "x") == b"1"
            assert len(server.connections) == 1
        with client.pipeline() as pipeline:
            assert pipeline.immediate_execute_command("RG.PYEXECUTE", "x") == b"1"
        assert client.transaction(lambda pipe: (pipe.multi(), pipe.ping()), "a") == [True]


class TestNoCluster:
    def test_stand_in(self):
        with pytest.raises(ModuleNotFoundError):
            c._NoCluster(host="x")

    def test_bases(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "redis.cluster", None)
        monkeypatch.setitem(sys.modules, "rediscluster", None)
        assert c._cluster_base() is None

        class Module:
            RedisCluster = dict

        monkeypatch.setitem(sys.modules, "rediscluster", Module)
        assert c._cluster_base() is dict


@pytest.fixture(scope="module")
def real():
    binary = find_server()
    if binary is None:
        pytest.skip("there is no Redis server on this machine")
    with tempfile.TemporaryDirectory() as folder:
        server = RealRedis(binary, folder)
        yield server.port
        server.stop()


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("protocol", [2, 3] if REDIS >= (5, 0) else [None])
class TestRealRedis:
    """What is not about Gears is as ever, on a real server."""

    @pytest.fixture
    def client(self, real, protocol, decode):
        options = {} if protocol is None else {"protocol": protocol}
        with RedisGears(port=real, decode_responses=decode, **options) as client:
            client.flushall()
            yield client

    def test_commands(self, client, decode):
        value = "x" if decode else b"x"
        assert client.set("a", "x") is True
        assert client.get("a") == value
        client.hset("h", "x", "x")
        assert client.hgetall("h") == {value: value}

    def test_pipelines(self, client, decode):
        one = "1" if decode else b"1"
        with client.pipeline() as pipeline:
            pipeline.watch("a")
            pipeline.multi()
            assert pipeline.set("a", 1).get("a").execute() == [True, one]
        results = client.pipeline(transaction=False).get("a").lpush("a", 1).execute(False)
        assert results[0] == one
        assert isinstance(results[1], redis.exceptions.ResponseError)

    def test_messages(self, client):
        with client.pubsub() as messages:
            messages.subscribe("c")
            assert messages.get_message(timeout=5)["type"] == "subscribe"
            client.publish("c", "x")
            assert messages.get_message(timeout=5)["type"] == "message"

    def test_no_gears(self, client):
        assert client.gears.gears_version() is None
        for call in (
            client.gears.pyexecute,
            client.gears.python_version,
            lambda: client.execute_command("RG.PYSTATS"),
            lambda: client.pipeline().execute_command("RG.PYSTATS").execute(),
            lambda: client.pipeline(False).execute_command("RG.PYSTATS").execute(),
        ):
            with pytest.raises(ex.GearsNotAvailableError) as caught:
                call()
            assert caught.value.text.startswith("unknown command 'RG.")
        assert client.ping()

    def test_errors_of_other_commands_in_a_pipeline_with_gears_commands(self, client):
        with pytest.raises(redis.exceptions.ResponseError) as caught:
            client.pipeline().execute_command("GET").execute_command("RG.PYSTATS").execute()
        assert "Command # 1 (GET)" in str(caught.value)


@pytest.mark.skipif(REDIS < (4, 2), reason="redis-py has no asyncio client")
def test_clients_for_asyncio_are_refused():
    from redis import asyncio

    with pytest.raises(TypeError):
        Gears(asyncio.Redis())
