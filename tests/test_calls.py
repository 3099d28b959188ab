"""Calls in a cluster of RedisGears itself: what its servers reply, with and without asyncio."""

import asyncio
import gc
import sys
import threading

import pytest
import redis
from support.redis_versions import settled
from support.scripted import Drop, Error, Status, Wait
from support.scripted_cluster import IDS, ScriptedCluster

from redgrease import data
from redgrease import exceptions as ex
from redgrease.asking import Waiting
from redgrease.client import RedisGearsCluster, _ClusterBase

NATIVE = _ClusterBase is not None and _ClusterBase.__module__.startswith("redis.")
NO_TARGETS = getattr(redis.exceptions, "RedisClusterException", redis.exceptions.RedisError)

pytestmark = pytest.mark.skipif(_ClusterBase is None, reason="there is no client for clusters")


@pytest.fixture
def cluster():
    cluster = ScriptedCluster()
    # Only redgrease's own servers know the setting by which clients tell them.
    cluster.on("RG.CONFIGGET", [Error("(error) Unsupported config parameter: x")])
    cluster.on("MODULE LIST", [[b"name", b"rg", b"ver", 10213]])
    cluster.on("RG.PYSTATS", ["TotalAllocated", 1])
    yield cluster
    cluster.stop()


@pytest.fixture(params=["waiting", "asyncio"])
def check(request, cluster):
    """Runs a generator function with a client of each kind; ``yield`` gives the replies."""
    nodes = [{"host": server.host, "port": server.port} for server in cluster.servers]
    if request.param == "waiting":
        return lambda what: Waiting()._run(what(RedisGearsCluster(startup_nodes=nodes)))
    if sys.version_info < (3, 10):
        pytest.skip("redgrease.aio needs Python 3.10")
    aio = pytest.importorskip("redgrease.aio")
    from redgrease.aio.running import Awaited

    def check(what):
        async def go():
            async with aio.RedisGearsCluster(startup_nodes=nodes) as client:
                await Awaited()._run(what(client))
            await settled()

        asyncio.run(go())

    return check


def test_results_and_errors_of_all_shards(cluster, check):
    cluster.on("RG.PYEXECUTE", [["1", "2", "3"], ["shard a: no memory", "shard b: ValueError"]])

    def what(client):
        result = yield client.gears.pyexecute("GB().run()")
        assert result == [b"1", b"2", b"3"]
        assert result.errors == ["shard a: no memory", "shard b: ValueError"]
        with pytest.raises(ex.ExecutionFailedError, match="no memory"):
            result.raise_for_errors()

    check(what)
    assert sum(cluster.sent("RG.PYEXECUTE")) == 1


def test_an_execution_on_all_shards(cluster, check):
    plans = [
        [b"shard_id", id, b"execution_plan", [b"status", b"done", b"results", number]]
        for number, id in enumerate(IDS)
    ]
    cluster.on("RG.GETEXECUTION", plans)

    def what(client):
        found = yield client.gears.getexecution(IDS[1] + "-1", "cluster")
        assert {id: plan.results for id, plan in found.items()} == {IDS[0]: 0, IDS[1]: 1}

    check(what)
    assert cluster.sent("RG.GETEXECUTION") == [0, 1]
    assert cluster.servers[1].sent("RG.GETEXECUTION")[0][2] == b"CLUSTER"


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    "command, name, reply",
    [
        ("RG.GETRESULTS", "getresults", [["1"], []]),
        ("RG.GETRESULTSBLOCKING", "getresultsblocking", [["1"], []]),
        ("RG.GETEXECUTION", "getexecution", []),
        ("RG.ABORTEXECUTION", "abortexecution", Status("OK")),
        ("RG.DROPEXECUTION", "dropexecution", Status("OK")),
    ],
)
def test_executions_are_asked_for_by_the_id(cluster, check, number, command, name, reply):
    cluster.servers[number].on(command, reply)
    cluster.servers[1 - number].on(command, Error("execution plan does not exist"))

    def what(client):
        for _ in range(3):
            yield getattr(client.gears, name)(IDS[number] + "-7")

    check(what)
    assert cluster.sent(command)[number] == 3
    assert sum(cluster.sent("CLUSTER")) > 0
    assert sum(cluster.sent(command)) == 3


def test_ids_of_nodes_that_nobody_knows(cluster, check):
    """As after a failover, or where servers do not tell their ids: all are asked."""
    cluster.on("CLUSTER MYID", Error("ERR unknown subcommand"))
    cluster.servers[0].on("RG.GETRESULTS", Error("execution plan does not exist"))
    cluster.servers[1].on("RG.GETRESULTS", [["1"], []])
    cluster.on("RG.DROPEXECUTION", Error("execution plan does not exist"))

    def what(client):
        for id in (IDS[0] + "-1", "c" * 40 + "-1"):
            assert (yield client.gears.getresults(id)) == b"1"
        with pytest.raises(ex.ExecutionNotFoundError):
            yield client.gears.dropexecution("c" * 40 + "-1")

    check(what)
    assert cluster.sent("RG.DROPEXECUTION") == [1, 1]


def test_executions_that_all_shards_list(cluster, check):
    shared = [[b"executionId", IDS[0] + "-1", b"status", b"done"]]
    cluster.servers[0].on("RG.DUMPEXECUTIONS", shared)
    own = [b"executionId", IDS[1] + "-1", b"status", b"running"]
    cluster.servers[1].on("RG.DUMPEXECUTIONS", [*shared, own])

    def what(client):
        found = yield client.gears.dumpexecutions()
        assert [str(info.executionId) for info in found] == [IDS[0] + "-1", IDS[1] + "-1"]

    check(what)


def test_functions_are_registered_by_one_server(cluster, check):
    """It tells the others; sending it to them as well would register twice."""
    registered = [b"id", IDS[0] + "-1", b"reader", b"CommandReader", b"RegistrationData",
                  [b"mode", b"async", b"numTriggered", 2, b"args", [b"trigger", b"t"]]]  # fmt: skip
    session = [b"ID", b"s", b"registrations", [IDS[0] + "-1"]]
    cluster.on("RG.PYEXECUTE", Status("OK"))
    cluster.on("RG.DUMPREGISTRATIONS", [registered])
    cluster.on("RG.PYDUMPSESSIONS", [session])
    for command in ("UNREGISTER", "PAUSEREGISTRATIONS", "CLEARREGISTRATIONSSTATS"):
        cluster.on("RG." + command, Status("OK"))

    def what(client):
        done = yield client.gears.pyexecute("GB('CommandReader').register(trigger='t')")
        assert done.value is True
        found = yield client.gears.registration(trigger="t")
        assert found.RegistrationData.numTriggered == 4  # on both together
        yield client.gears.pauseregistrations(found)
        yield client.gears.clearregistrationsstats()
        yield client.gears.unregister(found)

    check(what)
    assert cluster.sent("RG.DUMPREGISTRATIONS") == [1, 1]
    for command in ("PYEXECUTE", "UNREGISTER", "PAUSEREGISTRATIONS", "CLEARREGISTRATIONSSTATS"):
        assert sum(cluster.sent("RG." + command)) == 1


def test_slots_that_have_moved(cluster, check):
    one, other = cluster.servers
    one.on("RG.TRIGGERONKEY", Error(f"MOVED 5061 {other.host}:{other.port}"))
    other.on("RG.TRIGGERONKEY", ["1"])

    def what(client):
        yield client.get("foo")  # so that the asynchronous one knows the slots as they were
        cluster.on("CLUSTER SLOTS", [[0, 16383, [other.host, other.port, IDS[1]]]])
        assert (yield client.gears.triggeronkey("t", "bar")) == b"1"
        assert (yield client.gears.triggeronkey("t", "bar")) == b"1"

    check(what)
    assert cluster.sent("RG.TRIGGERONKEY") == [1, 2]


def test_slots_that_are_moving(cluster, check):
    one, other = cluster.servers
    one.on("RG.TRIGGERONKEY", Error(f"ASK 5061 {other.host}:{other.port}"))
    other.on("RG.TRIGGERONKEY", ["1"])
    other.on("ASKING", Status("OK"))

    def what(client):
        assert (yield client.gears.triggeronkey("t", "bar")) == b"1"

    check(what)
    assert cluster.sent("ASKING") == [0, 1]
    words = [words[0] for words in other.received]
    assert words[words.index(b"ASKING") + 1] == b"RG.TRIGGERONKEY"


def test_what_a_shard_knows_about_the_cluster(cluster, check):
    shards = [
        [b"id", id, b"ip", b"127.0.0.1", b"port", 7000 + number, b"unixSocket", b"None",
         b"runid", [b"r1", None][number], b"minHslot", 8192 * number,
         b"maxHslot", 8192 * number + 8191, b"pendingMessages", number]
        for number, id in enumerate(IDS)
    ]  # fmt: skip
    cluster.on("RG.INFOCLUSTER", [b"MyId", IDS[0], b"MyRunId", b"r1", shards])

    def what(client):
        info = yield client.gears.infocluster()
        assert (info.my_id, info.my_run_id) == (IDS[0], "r1")
        assert [shard.runid for shard in info.shards] == ["r1", ""]
        assert [shard.maxHslot for shard in info.shards] == [8191, 16383]
        assert isinstance(info, data.ClusterInfo)

    check(what)


def test_a_cluster_that_is_not_ready(cluster, check):
    cluster.on("RG.PYEXECUTE", Error("ERRCLUSTER Uninitialized cluster state"))

    def what(client):
        with pytest.raises(ex.ClusterNotReadyError):
            yield client.gears.pyexecute("GB().run()")

    check(what)
    assert sum(cluster.sent("RG.PYEXECUTE")) == 1


def test_connections_that_break_after_a_command_was_sent(cluster, check):
    cluster.on("RG.PYEXECUTE", Drop())
    cluster.on("RG.TRIGGERONKEY", Drop())

    def what(client):
        with pytest.raises(ex.GearsConnectionError):
            yield client.gears.pyexecute("GB().run()")
        with pytest.raises(ex.GearsConnectionError):
            yield client.gears.triggeronkey("t", "foo")
        assert (yield client.get("foo")) == b"1"

    check(what)
    assert sum(cluster.sent("RG.PYEXECUTE")) == 1
    assert sum(cluster.sent("RG.TRIGGERONKEY")) == 1


def test_a_shard_that_fails_where_all_are_asked(cluster, check):
    cluster.servers[1].on("RG.REFRESHCLUSTER", Error("ERRCLUSTER Uninitialized cluster state"))
    cluster.servers[0].on("RG.REFRESHCLUSTER", Status("OK"))

    def what(client):
        with pytest.raises(ex.ClusterNotReadyError):
            yield client.gears.refreshcluster()

    check(what)


# -- servers that are down


@pytest.mark.parametrize("kind", ["LOADING", "ERR"])
def test_a_server_whose_redis_is_gone(cluster, check, kind):
    """It has run nothing, so calls go elsewhere where they may; else they say which it was."""
    one, other = cluster.servers
    name = f"{one.host}:{one.port}"
    for command in ("TRIGGER", "PYEXECUTE", "TRIGGERONKEY", "DUMPEXECUTIONS", "GETRESULTS"):
        other.on("RG." + command, ["1"] if command.startswith("TRIGGER") else [["1"], []])
        one.on("RG." + command, Error(kind + " Redis cannot be reached: [Errno 111] refused"))

    def what(client):
        for _ in range(20):
            assert (yield client.gears.trigger("t")) == b"1"
            assert (yield client.gears.pyexecute("GB().run()")) == b"1"
        for call in (
            client.gears.dumpexecutions,
            lambda: client.gears.triggeronkey("t", "bar"),
            lambda: client.gears.getresults(IDS[0] + "-1"),
            lambda: client.gears.getresults("c" * 40 + "-1"),
        ):
            if call is not client.gears.dumpexecutions:
                other.on("RG.GETRESULTS", Error("execution plan does not exist"))
            with pytest.raises(ex.NodeDownError, match="Redis cannot be reached") as caught:
                yield call()
            assert caught.value.nodes == (name,)

    check(what)
    assert cluster.sent("RG.TRIGGER")[1] == cluster.sent("RG.PYEXECUTE")[1] == 20


def test_no_connection_is_left_open(cluster, check, request):
    """Also those of nodes that redis-py has made anew in the meantime."""
    one, other = cluster.servers
    gone = Error("LOADING Redis cannot be reached: [Errno 111] refused")
    one.on("RG.GETRESULTS", gone, [["1"], []])
    one.on("RG.TRIGGERONKEY", gone, Error(f"MOVED 5061 {other.host}:{other.port}"))
    other.on("RG.TRIGGERONKEY", ["1"])

    def what(client):
        assert (yield client.gears.getresults(IDS[0] + "-1")) == [b"1"]
        cluster.on("CLUSTER SLOTS", [[0, 16383, [other.host, other.port, IDS[1]]]])
        assert (yield client.gears.triggeronkey("t", "bar")) == b"1"
        assert (yield client.gears.triggeronkey("t", "bar")) == b"1"

    check(what)
    if request.node.callspec.params["check"] == "asyncio":
        ports = [server.port for server in cluster.servers]
        for thing in gc.get_objects():
            if isinstance(thing, redis.asyncio.Connection):
                assert thing.port not in ports or not thing.is_connected


def test_connections_that_redis_py_wants_made_anew(cluster):
    """Those that were in use when something changed in the cluster."""
    cluster_module = pytest.importorskip("redis.asyncio.cluster")
    if not hasattr(cluster_module.ClusterNode, "update_active_connections_for_reconnect"):
        pytest.skip("redis-py does so since 7.2")
    aio = pytest.importorskip("redgrease.aio")
    server, go_on = cluster.servers[0], threading.Event()
    server.on("RG.TRIGGERONKEY", Wait(go_on, ["1"]), ["1"])

    async def go():
        async with aio.RedisGearsCluster(host=server.host, port=server.port) as client:
            call = asyncio.ensure_future(client.gears.triggeronkey("t", "bar"))
            await asyncio.get_running_loop().run_in_executor(
                None, server.wait_for, "RG.TRIGGERONKEY"
            )
            client.get_node(server.host, server.port).update_active_connections_for_reconnect()
            before = len(server.connections)
            go_on.set()
            assert await call == b"1"
            assert await client.gears.triggeronkey("t", "bar") == b"1"
            assert len(server.connections) == before + 1

    asyncio.run(go())


def test_another_server_that_has_taken_its_place(cluster, check):
    """Redis's clients for clusters find that out as well."""
    one, other = cluster.servers
    other.on("RG.TRIGGERONKEY", ["1"])

    def what(client):
        assert (yield client.get("bar")) == b"0"
        gone = Error("LOADING Redis cannot be reached: [Errno 111] refused")
        for name in ("RG.TRIGGERONKEY", "CLUSTER SLOTS", "GET"):
            one.on(name, gone)
        other.on("CLUSTER SLOTS", [[0, 16383, [other.host, other.port, IDS[1]]]])
        assert (yield client.gears.triggeronkey("t", "bar")) == b"1"
        assert (yield client.get("bar")) == b"1"

    check(what)
    assert cluster.sent("RG.TRIGGERONKEY") == [1, 1]


def test_functions_whose_errors_only_look_like_that(cluster, check):
    """They have run, so they are not run again elsewhere."""
    error = "['Traceback\\n', 'gears.error: Redis cannot be reached: [Errno 111] refused\\n']"
    cluster.on("RG.TRIGGER", Error(error))

    def what(client):
        with pytest.raises(ex.ServerError, match="Traceback"):
            yield client.gears.trigger("t")

    check(what)
    assert sum(cluster.sent("RG.TRIGGER")) == 1


def test_no_server_at_all(cluster, check):
    names = {f"{server.host}:{server.port}" for server in cluster.servers}

    def what(client):
        yield client.get("foo")
        cluster.stop()
        for call in (
            client.gears.dumpexecutions,  # may be sent again, so it may notice what is closed
            lambda: client.gears.trigger("t"),
            lambda: client.gears.triggeronkey("t", "foo"),
            lambda: client.gears.pyexecute("GB().run()"),
            client.gears.refreshcluster,
            lambda: client.gears.getresults(IDS[0] + "-1"),
        ):
            with pytest.raises(ex.NodeDownError, match="it was not sent") as caught:
                yield call()
            assert caught.value.nodes
            assert names.issuperset(caught.value.nodes)

    check(what)


# -- nodes that are named


def test_named_nodes(cluster, check):
    """The reply of each; that of one without its name."""
    for number, server in enumerate(cluster.servers):
        server.on("RG.PYEXECUTE", [[str(number)], []])
        server.on("RG.TRIGGER", [str(number)])
    names = [f"{server.host}:{server.port}" for server in cluster.servers]

    def what(client):
        yield client.get("foo")
        for words in (("RG.PYEXECUTE", "x"), ("RG.TRIGGER", "t")):
            for targets in ("primaries", "all"):
                replies = yield client.execute_command(*words, target_nodes=targets)
                assert {name: reply.value for name, reply in replies.items()} == {
                    name: b"%d" % number for number, name in enumerate(names)
                }
        figures = yield client.execute_command("RG.PYSTATS", target_nodes="primaries")
        assert set(figures) == set(names)
        for targets in ("replicas", []):
            with pytest.raises(NO_TARGETS, match="No targets were found to execute RG.TRIGGER"):
                yield client.execute_command("RG.TRIGGER", "t", target_nodes=targets)
        if NATIVE:
            for number in range(2):
                node = client.get_node(node_name=names[number])
                for target in (node, [node]):
                    reply = yield client.execute_command("RG.TRIGGER", "t", target_nodes=target)
                    assert reply == b"%d" % number

    check(what)
