"""Calls in a cluster of RedisGears itself: what its servers reply, with and without asyncio."""

import asyncio
import sys

import pytest
from support.scripted import Drop, Error, Status
from support.scripted_cluster import IDS, ScriptedCluster

from redgrease import data
from redgrease import exceptions as ex
from redgrease.asking import Waiting
from redgrease.client import RedisGearsCluster, _ClusterBase

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
