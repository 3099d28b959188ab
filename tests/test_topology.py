"""Clusters: which servers a command goes to, and how their replies come together."""

import sys

import pytest
import redis
from support.scripted import Drop, Error, Status
from support.scripted_cluster import IDS, ScriptedCluster

import redgrease
from redgrease import data
from redgrease import exceptions as ex
from redgrease.client import Gears, RedisGears, RedisGearsCluster, _ClusterBase
from redgrease.topology import RedisPyCluster, topology_of

pytestmark = pytest.mark.skipif(_ClusterBase is None, reason="there is no client for clusters")

NATIVE = _ClusterBase is not None and _ClusterBase.__module__.startswith("redis.")
KEYS = {1: b"foo", 0: b"bar"}  # slots 12182 and 5061


@pytest.fixture
def cluster():
    cluster = ScriptedCluster()
    yield cluster
    cluster.stop()


@pytest.fixture
def client(cluster):
    return cluster.client()


@pytest.fixture
def gears(client):
    return client.gears


def test_startup_nodes_make_a_cluster_client(client):
    assert type(client) is RedisGearsCluster
    assert isinstance(client, _ClusterBase)
    assert [client.get("foo"), client.get("bar")] == [b"1", b"0"]


@pytest.mark.skipif(not NATIVE, reason="about redis-py's own cluster client")
def test_other_ways_to_make_one(cluster):
    from redis.cluster import ClusterNode

    server = cluster.servers[0]
    node = ClusterNode(server.host, server.port)
    for client in (
        RedisGearsCluster(host=server.host, port=server.port),
        RedisGearsCluster(startup_nodes=[node]),
        RedisGearsCluster.from_url(server.url),
    ):
        assert client.get("foo") == b"1"
        assert client.gears._caller.in_cluster


@pytest.mark.skipif(not NATIVE, reason="about redis-py's own cluster client")
def test_arguments_of_the_older_package(cluster):
    client = cluster.client(
        skip_full_coverage_check=True,
        readonly_mode=True,
        init_slot_cache=True,
        max_connections_per_node=True,
    )
    assert client.read_from_replicas or client.load_balancing_strategy
    if tuple(map(int, redis.__version__.split(".")[:2])) < (6, 0):
        cluster.client(cluster_down_retry_attempts=1)


def test_python_runs_on_one_server(cluster, gears):
    cluster.on("RG.PYEXECUTE", [["1"], []])
    for _ in range(20):
        assert gears.pyexecute("x") == b"1"
    one, other = cluster.sent("RG.PYEXECUTE")
    assert one + other == 20
    assert one
    assert other


def test_what_every_kind_must_have():
    from redgrease.connection import Link
    from redgrease.topology import Cluster

    for call in (
        lambda: Cluster(None).primaries(),
        lambda: Cluster(None)._link(None),
        lambda: Link().acquire("x"),
        lambda: Link().release(None),
    ):
        with pytest.raises(NotImplementedError):
            call()
    with Link().locked():
        pass


def test_sent_once(cluster, gears):
    cluster.on("RG.PYEXECUTE", Drop())
    with pytest.raises(ex.GearsConnectionError):
        gears.pyexecute("x")
    assert sum(cluster.sent("RG.PYEXECUTE")) == 1


def test_execute_command(cluster, client):
    cluster.on("RG.PYEXECUTE", [["1"], []])
    assert client.execute_command("RG.PYEXECUTE", "x") == b"1"


@pytest.mark.parametrize("number", [0, 1])
def test_executions_are_asked_for_where_they_live(cluster, gears, number):
    cluster.on("RG.GETRESULTS", [["1"], []])
    for _ in range(3):
        assert gears.getresults(IDS[number] + "-7") == b"1"
    assert cluster.sent("RG.GETRESULTS") == ([3, 0] if number == 0 else [0, 3])


def test_executions_of_unknown_servers_are_searched_for(cluster, gears):
    cluster.servers[0].on("RG.GETRESULTS", Error("execution plan does not exist"))
    cluster.servers[1].on("RG.GETRESULTS", [["1"], []])
    assert gears.getresults(data.ExecID(sequence=1)) == b"1"
    cluster.servers[1].on("RG.GETRESULTS", Error("execution plan does not exist"))
    with pytest.raises(ex.ExecutionNotFoundError):
        gears.getresults(data.ExecID(sequence=1))
    cluster.on("RG.GETRESULTS", Error("execution is still running"))
    with pytest.raises(ex.ExecutionRunningError):
        gears.getresults(data.ExecID(sequence=1))


def test_lists_are_put_together(cluster, gears):
    for number, server in enumerate(cluster.servers):
        server.on(
            "RG.DUMPEXECUTIONS",
            [[b"executionId", IDS[each] + "-1", b"status", b"done"] for each in range(number + 1)],
        )
        server.on(
            "RG.DUMPREGISTRATIONS",
            [[b"id", IDS[0] + "-1", b"RegistrationData", [b"numTriggered", number + 1]]],
        )
    assert [info.executionId.shard_id for info in gears.dumpexecutions()] == IDS
    (registration,) = gears.dumpregistrations()
    assert registration.RegistrationData.numTriggered == 3


def test_settings_are_written_everywhere(cluster, gears):
    cluster.on("RG.CONFIGSET", [Status("OK")])
    cluster.on("RG.CONFIGGET", [5])
    assert gears.config.set(MaxExecutions=5) is True
    assert cluster.sent("RG.CONFIGSET") == [1, 1]
    assert gears.config.MaxExecutions == 5
    assert sum(cluster.sent("RG.CONFIGGET")) == 1
    cluster.servers[1].on("RG.CONFIGSET", [Error("no")])
    assert gears.config.set(MaxExecutions=5) is False


def test_all_servers_refresh(cluster, gears):
    cluster.on("RG.REFRESHCLUSTER", Status("OK"))
    assert gears.refreshcluster() is True
    assert cluster.sent("RG.REFRESHCLUSTER") == [1, 1]


def test_figures_by_server(cluster, gears):
    cluster.on("RG.PYSTATS", ["TotalAllocated", 5])
    stats = gears.pystats()
    assert sorted(stats) == sorted(f"{s.host}:{s.port}" for s in cluster.servers)
    assert set(stats.values()) == {data.PyStats(5)}


@pytest.mark.parametrize("number", [0, 1])
def test_triggers_on_keys(cluster, gears, number):
    cluster.on("RG.TRIGGERONKEY", ["1"])
    assert gears.triggeronkey("t", KEYS[number]) == b"1"
    assert cluster.sent("RG.TRIGGERONKEY") == ([1, 0] if number == 0 else [0, 1])


def test_slots_that_have_moved(cluster, gears):
    one, other = cluster.servers
    one.on("RG.TRIGGERONKEY", Error(f"MOVED 5061 {other.host}:{other.port}"))
    other.on("RG.TRIGGERONKEY", ["1"])
    cluster.on("CLUSTER SLOTS", [[0, 16383, [other.host, other.port, IDS[1]]]])
    assert gears.triggeronkey("t", "bar") == b"1"
    assert cluster.sent("RG.TRIGGERONKEY") == [1, 1]


def test_slots_that_are_moving(cluster, gears):
    one, other = cluster.servers
    one.on("RG.TRIGGERONKEY", Error(f"ASK 5061 {other.host}:{other.port}"))
    other.on("RG.TRIGGERONKEY", ["1"])
    other.on("ASKING", Status("OK"))
    assert gears.triggeronkey("t", "bar") == b"1"
    assert cluster.sent("ASKING") == [0, 1]


def test_servers_that_send_us_around(cluster, gears):
    one, other = cluster.servers
    one.on("RG.TRIGGERONKEY", Error(f"MOVED 5061 {one.host}:{one.port}"))
    with pytest.raises(redis.exceptions.RedisError):
        gears.triggeronkey("t", "bar")
    assert 1 < cluster.sent("RG.TRIGGERONKEY")[0] < 10


@pytest.mark.skipif(not NATIVE, reason="about redis-py's own cluster client")
def test_a_server_that_is_gone(cluster, client):
    one, other = cluster.servers
    other.on("RG.PYEXECUTE", [["1"], []])
    other.on("CLUSTER SLOTS", [[0, 16383, [other.host, other.port, IDS[1]]]])
    nodes = {node.port: node for node in client.get_primaries()}
    topology = client.gears._caller.topology
    gone = topology._link(nodes[one.port])
    one.stop()
    choices = [gone]
    original = topology.any
    topology.any = lambda: choices.pop() if choices else original()
    assert client.gears.pyexecute("x") == b"1"


def test_errors_are_typed(cluster, gears):
    cluster.on("RG.PYEXECUTE", Error("failed running the given script"))
    with pytest.raises(ex.ScriptError):
        gears.pyexecute("x")


def test_replacing_a_trigger_is_done_by_one_server(cluster, gears):
    """Other servers hear of both steps from it, in that order."""
    taken = Error("['Traceback\\n', 'spam.error: trigger already registered\\n']")
    entry = [b"id", b"a-1", b"reader", b"CommandReader", b"RegistrationData",
             [b"mode", b"async", b"args", [b"trigger", b"t"]]]  # fmt: skip
    cluster.on("MODULE LIST", [[b"name", b"rg", b"ver", 10006]])
    cluster.on("RG.DUMPREGISTRATIONS", [entry])
    removed = []

    def unregister(words):
        removed.append(words)
        return Status("OK")

    cluster.on("RG.UNREGISTER", unregister)
    cluster.on("RG.PYEXECUTE", lambda words: Status("OK") if removed else taken)
    gears._memory.python_version = tuple(sys.version_info)
    function = redgrease.CommandReader().map(len).register(trigger="t")
    registered = gears.pyexecute(function, replace=True)
    (server,) = [server for server in cluster.servers if server.sent("RG.UNREGISTER")]
    words = [words[0] for words in server.received]
    assert words[-2:] == [b"RG.UNREGISTER", b"RG.PYEXECUTE"] and len(removed) == 1
    assert registered.registration.id == data.ExecID("a", 1)
    assert all(cluster.sent("RG.DUMPREGISTRATIONS"))


@pytest.mark.parametrize("replace", [None, True, False])
def test_registering_is_one_command(cluster, gears, replace):
    """Servers of RedisGears tell each other."""
    cluster.on("MODULE LIST", [[b"name", b"rg", b"ver", 10213]])
    cluster.on("RG.CONFIGGET", [Error("(error) Unsupported config parameter: x")])
    cluster.on("RG.PYDUMPSESSIONS", [])
    cluster.on("RG.PYEXECUTE", Status("OK"))
    gears._memory.python_version = tuple(sys.version_info)
    function = redgrease.KeysReader().map(len).register("a*")
    assert gears.pyexecute(function, replace=replace)
    assert sum(cluster.sent("RG.PYEXECUTE")) == 1
    (words,) = sum((server.sent("RG.PYEXECUTE") for server in cluster.servers), [])
    assert b"REGISTRATION_IDS" not in words
    assert sum(cluster.sent("RG.INFOCLUSTER")) == 0
    assert sum(cluster.sent("RG.PYDUMPSESSIONS")) == (0 if replace is None else 1)


class TestServersThatAreAlone:
    """Whether servers tell each other is asked until one knows."""

    YES = [b"yes"]
    UNKNOWN = [Error("(error) Unsupported config parameter: x")]

    @staticmethod
    def asked(cluster):
        return sum(cluster.sent("RG.CONFIGGET"))

    @pytest.mark.parametrize("reply, alone", [(YES, True), (UNKNOWN, False)])
    def test_asked_once(self, cluster, gears, reply, alone):
        cluster.on("RG.CONFIGGET", reply)
        assert [gears._is_alone() for _ in range(3)] == [alone] * 3
        assert self.asked(cluster) == 1

    def test_without_gears(self, cluster, gears):
        assert [gears._is_alone() for _ in range(3)] == [False] * 3
        assert self.asked(cluster) == 1

    @pytest.mark.parametrize("first", [0, 1])
    def test_an_error_is_no_answer(self, cluster, gears, first):
        cluster.servers[first].on("RG.CONFIGGET", Error("ERR Redis cannot be reached"))
        cluster.servers[1 - first].on("RG.CONFIGGET", self.YES)
        assert [gears._is_alone() for _ in range(3)] == [True] * 3

    def test_nobody_knows(self, cluster, gears):
        cluster.on("RG.CONFIGGET", Error("ERR Redis cannot be reached"))
        with pytest.raises(ex.ServerError, match="cannot be reached"):
            gears.pyexecute("GB().register()")
        assert cluster.sent("RG.PYEXECUTE") == [0, 0]
        cluster.on("RG.CONFIGGET", self.YES)
        assert gears._is_alone() is True

    def test_nobody_may_tell(self, cluster, gears):
        cluster.on("RG.CONFIGGET", Error("NOPERM this user has no permissions"))
        cluster.on("RG.PYEXECUTE", Status("OK"))
        assert gears.pyexecute("GB().register()")
        assert sum(cluster.sent("RG.PYEXECUTE")) == 1
        cluster.on("RG.CONFIGGET", self.YES)
        assert gears._is_alone() is True

    def test_nobody_is_there(self, cluster, gears):
        cluster.on("RG.CONFIGGET", Drop())
        assert gears._is_alone() is False
        cluster.on("RG.CONFIGGET", self.YES)
        assert gears._is_alone() is True


@pytest.mark.skipif(not NATIVE, reason="about redis-py's own cluster client")
class TestTargets:
    def test_by_node(self, cluster, client):
        cluster.on("RG.DUMPEXECUTIONS", [])
        nodes = sorted(client.get_primaries(), key=lambda node: node.port)
        expected = sorted(cluster.servers, key=lambda server: server.port)
        for targets in (nodes[0], [nodes[0]], {"x": nodes[0]}):
            client.execute_command("RG.DUMPEXECUTIONS", target_nodes=targets)
        assert [len(server.sent("RG.DUMPEXECUTIONS")) for server in expected] == [3, 0]

    @pytest.mark.parametrize(
        "word, count", [("all", 2), ("primaries", 2), ("random", 1), ("default-node", 1)]
    )
    def test_by_word(self, cluster, client, word, count):
        cluster.on("RG.DUMPEXECUTIONS", [])
        client.execute_command("RG.DUMPEXECUTIONS", target_nodes=word)
        assert sum(cluster.sent("RG.DUMPEXECUTIONS")) == count

    def test_replicas(self, client):
        assert client.gears._caller.topology.among("replicas") == []

    def test_a_server_alone(self):
        topology = topology_of(RedisGears())
        assert len(topology.among("all")) == len(topology.all()) == 1
        topology.refresh()
        assert topology.at("x", 1).name == ""

    def test_unknown_address(self, cluster, client):
        assert client.gears._caller.topology.at("10.0.0.1", 1).name


@pytest.mark.skipif(not NATIVE, reason="about redis-py's own cluster client")
def test_plain_cluster_clients(cluster):
    from redis.cluster import RedisCluster

    server = cluster.servers[0]
    client = RedisCluster(host=server.host, port=server.port)
    gears = Gears(client)
    assert isinstance(gears._caller.topology, RedisPyCluster)
    cluster.on("RG.PYEXECUTE", [["1"], []])
    cluster.on("RG.CONFIGSET", [Status("OK")])
    assert gears.pyexecute("x") == b"1"
    assert client.execute_command("RG.PYEXECUTE", "x") is not None
    assert client.execute_command("RG.CONFIGSET", "a", 1) is True
    assert cluster.sent("RG.CONFIGSET") == [1, 1]


class TestOldPackage:
    """The parts of redis-py-cluster that are used, on connections of redis-py."""

    @pytest.fixture
    def gears(self, cluster):
        masters = [
            {"name": f"{server.host}:{server.port}", "host": server.host, "port": server.port}
            for server in cluster.servers
        ]

        class Nodes:
            refreshed = 0

            def all_masters(self):
                return iter(masters)

            def all_nodes(self):
                return iter(masters)

            def keyslot(self, key):
                return 5061 if key == "bar" else 12182

            def node_from_slot(self, slot):
                return masters[slot // 8192]

            def initialize(self):
                self.refreshed += 1

        class Pool:
            nodes = Nodes()

            def get_connection_by_node(self, node):
                return redis.Connection(host=node["host"], port=node["port"])

            def release(self, connection):
                connection.disconnect()

            def get_encoder(self):
                return redis.ConnectionPool().get_encoder()

        class Client:
            connection_pool = Pool()

            def execute_command(self, *words):
                raise AssertionError("would send again")

        return Gears(Client())

    def test_routes(self, cluster, gears):
        cluster.on("RG.TRIGGERONKEY", ["1"])
        cluster.on("RG.CONFIGSET", [Status("OK")])
        cluster.on("RG.DUMPEXECUTIONS", [])
        cluster.on("RG.GETRESULTS", [["1"], []])
        assert gears.triggeronkey("t", "bar") == b"1"
        assert cluster.sent("RG.TRIGGERONKEY") == [1, 0]
        assert gears.config.set(x=1) is True
        assert cluster.sent("RG.CONFIGSET") == [1, 1]
        assert gears.dumpexecutions() == []
        assert gears.getresults(IDS[1] + "-1") == b"1"
        assert cluster.sent("RG.GETRESULTS") == [0, 1]

    def test_addresses(self, cluster, gears):
        topology = gears._caller.topology
        server = cluster.servers[1]
        assert topology.at(server.host, server.port).name == f"{server.host}:{server.port}"
        topology.refresh()
        assert topology.client.connection_pool.nodes.refreshed == 1


def test_pipelines_refuse_gears_commands(client):
    with client.pipeline() as pipeline:
        with pytest.raises(ex.RedGreaseError):
            pipeline.execute_command("RG.PYEXECUTE", "x")
        pipeline.get("foo").get("bar")
        assert pipeline.execute() == [b"1", b"0"]
    client.pipeline()


def test_decoding(cluster):
    cluster.on("RG.PYEXECUTE", [["1"], []])
    cluster.on("CLUSTER SLOTS", cluster.servers[0].replies["CLUSTER SLOTS"][0])
    assert cluster.client(decode_responses=True).gears.pyexecute("x") == "1"
