"""A Redis Cluster of three nodes with a Gears server in front of each, and the cluster clients."""

import asyncio
import os
import random

import pytest
import redis
from support.gears_cluster import GearsCluster
from support.redis_versions import impatient
from support.waiting import eventually

import redgrease
from redgrease import CommandReader, KeysReader, ShardsIDReader
from redgrease import exceptions as ex
from redgrease.client import _ClusterBase
from redgrease.engine.shard import slot_of
from redgrease.testing.cleaning import clean

pytestmark = pytest.mark.skipif(_ClusterBase is None, reason="there is no client for clusters")
NATIVE = _ClusterBase is not None and _ClusterBase.__module__.startswith("redis.")


def cluster_fixture():
    with GearsCluster() as cluster:
        yield cluster


cluster = pytest.fixture(scope="module")(cluster_fixture)
# For tests that break it.
fresh = pytest.fixture(cluster_fixture)


@pytest.fixture
def ids(cluster):
    return cluster.ids


@pytest.fixture
def r(cluster):
    client = cluster.client()
    for number in range(3):
        with cluster.node(number) as node:
            clean(node)
    yield client
    client.close() if hasattr(client, "close") else None


def keys_of(cluster, ids, count=30):
    """Some keys of each node."""
    keys = {id: [] for id in ids}
    for number in range(count):
        key = f"key{number}"
        keys[ids[min(slot_of(key.encode()) * 3 // 16384, 2)]].append(key)
    return keys


def registered(cluster):
    return [cluster.node(number).gears.dumpregistrations() for number in range(3)]


# -- each server is a shard


def test_infocluster(cluster, ids):
    for number in range(3):
        info = cluster.node(number).gears.infocluster()
        assert info.my_id == ids[number]
        assert [shard.id for shard in info.shards] == ids
        assert [shard.port for shard in info.shards] == cluster.ports
        assert [shard.minHslot for shard in info.shards] == [0, 5461, 10922]
        assert info.shards[-1].maxHslot == 16383
        assert info.shards[number].runid == info.my_run_id
        assert {shard.unixSocket for shard in info.shards} == {"None"}


def test_infocluster_on_the_wire(cluster, ids):
    with cluster.node(1) as node:
        with node.pipeline(transaction=False) as pipeline:
            pipeline.response_callbacks = {}
            pipeline.execute_command("RG.INFOCLUSTER")
            (reply,) = pipeline.execute()
    assert reply[0:4:2] == [b"MyId", b"MyRunId"]
    assert len(reply) == 5
    assert [len(node) for node in reply[4]] == [16, 16, 16]
    assert reply[4][0][::2] == [
        *(b"id", b"ip", b"port", b"unixSocket", b"runid", b"minHslot", b"maxHslot"),
        b"pendingMessages",
    ]
    assert reply[4][0][9] is None
    assert reply[4][1][9] == reply[3]


def test_refreshcluster_draws_a_new_run_id(cluster):
    with cluster.node(0) as node:
        before = node.gears.infocluster().my_run_id
        assert node.gears.refreshcluster() is True
        assert node.gears.infocluster().my_run_id != before


def test_shard_id_and_hashtag(cluster, ids):
    for number, slot in enumerate((0, 5461, 10922)):
        with cluster.node(number) as node:
            assert ShardsIDReader().run(on=node) == ids[number]
            script = "GB('ShardsIDReader').map(lambda _: hashtag()).run()"
            tag = node.gears.pyexecute(script).value
            assert slot_of(tag) == slot
            node.set(b"{%s}x" % tag, 1)
            if number == 0:
                assert tag == b"06S"


def test_executions_are_named_after_the_node(cluster, ids):
    for number in range(3):
        with cluster.node(number) as node:
            id = node.gears.pyexecute("GB('ShardsIDReader').run()", unblocking=True).value
            assert id.shard_id == ids[number]
            node.gears.getresultsblocking(id)
            for locality in (None, "SHARD", "CLUSTER"):
                assert list(node.gears.getexecution(id, locality)) == [ids[number]]
            assert node.gears.dropexecution(id)


def test_a_run_covers_the_node_that_it_was_sent_to(cluster, ids, r):
    keys = keys_of(cluster, ids)
    for key in sum(keys.values(), []):
        r.set(key, "x")
    for number in range(3):
        with cluster.node(number) as node:
            found = KeysReader().keys().run(on=node)
            assert sorted(found) == sorted(keys[ids[number]])
    assert sorted(KeysReader().keys().run(on=r)) in [sorted(some) for some in keys.values()]


def test_values_of_all_types(cluster, ids, r):
    keys = keys_of(cluster, ids)[ids[0]]
    r.set(keys[0], "x")
    r.rpush(keys[1], 1, 2)
    r.hset(keys[2], "a", "b")
    r.sadd(keys[3], "member")
    with cluster.node(0) as node:
        found = {one["key"]: (one["type"], one["value"]) for one in KeysReader().run(on=node)}
        assert found == {
            keys[0]: ("string", "x"),
            keys[1]: ("list", ["1", "2"]),
            keys[2]: ("hash", {"a": "b"}),
            keys[3]: ("set", None),
        }
        assert KeysReader(keys[1]).values().run(on=node, noScan=True) == ["1", "2"]
        assert node.eval("return redis.call('GET', KEYS[1])", 1, keys[0]) == b"x"


NEEDS_ALL = {
    "count": "GB().count().run()",
    "avg": "GB().avg(lambda r: 1).run()",
    "aggregate": "GB().aggregate(0, lambda a, r: a, lambda a, r: a).run()",
    "sort": "GB().sort().run()",
    "distinct": "GB().distinct().run()",
    "groupby": "GB().groupby(lambda r: 'x', lambda k, a, r: 1).run()",
    "batchgroupby": "GB().batchgroupby(lambda r: 'x', lambda k, r: 1).run()",
    "aggregateby": "GB().aggregateby(lambda r: 'x', 0, lambda k, a, r: 1, lambda k, a, r: 1).run()",
    "countby": "GB().countby(lambda r: 'x').run()",
    "repartition": "GB().repartition(lambda r: 'x').run()",
    "collect": "GB().collect().foreach(lambda r: None).run()",
}


@pytest.mark.parametrize("name", NEEDS_ALL)
def test_what_needs_all_shards_is_refused(cluster, name):
    with cluster.node(0) as node:
        with pytest.raises(ex.ScriptError, match=f"{name} needs the records of all 3 shards"):
            node.gears.pyexecute(NEEDS_ALL[name])
        # An execution on its shard alone has never needed the others.
        node.gears.pyexecute(NEEDS_ALL[name].replace(".run()", ".run(mode='async_local')"))


@pytest.mark.parametrize(
    "steps", ["", ".collect()", ".limit(1)", ".localgroupby(lambda r: 1, max)"]
)
def test_what_does_not_is_not(cluster, steps):
    steps = steps.replace("max", "lambda k, a, r: 1")
    with cluster.node(0) as node:
        node.gears.pyexecute(f"GB(){steps}.run()")


def test_events_that_would_need_other_shards(cluster, r):
    with pytest.raises(ex.ScriptError, match="repartition needs the records of all 3 shards"):
        r.gears.pyexecute("GB().repartition(lambda r: 'x').register()")
    assert registered(cluster) == [[], [], []]
    r.gears.pyexecute("GB().countby(lambda r: 'x').register(mode='async_local')")
    r.gears.pyexecute("GB().count().register()")  # all records of an event are on one shard


# -- registrations


def test_a_function_is_registered_everywhere_under_one_id(cluster, ids, r):
    function = KeysReader("key*").foreach(lambda e: redgrease.cmd.incr("{" + e["key"] + "}n"))
    done = function.register(eventTypes=["set"], on=r)
    assert [[found.id for found in node] for node in registered(cluster)] == [[done.id]] * 3
    keys = keys_of(cluster, ids)
    for key in sum(keys.values(), []):
        r.set(key, "x")
    for key in sum(keys.values(), []):
        eventually(lambda: r.get("{" + key + "}n"), b"1")
    eventually(lambda: done.refresh().statistics.numSuccess, 30)
    assert len(r.gears.dumpregistrations()) == 1
    assert done.unregister() is True
    assert registered(cluster) == [[], [], []]
    assert not done.is_registered


def test_a_script_with_several_registrations(cluster, r):
    script = "\n".join(f"GB('CommandReader').register(trigger='t{n}')" for n in range(3))
    assert r.gears.pyexecute(script) == True  # noqa: E712
    one, two, three = ([found.id for found in node] for node in registered(cluster))
    assert one == two == three
    assert len(one) == 3


def test_a_script_that_registers_nothing_runs_once(cluster, r):
    r.gears.pyexecute("execute('SET', '{' + hashtag() + '}', '1')")
    assert sum(cluster.node(number).dbsize() for number in range(3)) == 1


def test_replacing(cluster, r):
    for value in range(3):
        CommandReader().map(lambda _, value=value: value).register(trigger="t", on=r, replace=True)
        assert [len(node) for node in registered(cluster)] == [1, 1, 1]
        assert {r.gears.trigger("t", unpickle=True).value for _ in range(10)} == {value}
    with pytest.raises(ex.DuplicateTriggerError):
        CommandReader().map(lambda _: 4).register(trigger="t", on=r)


def test_a_trigger_that_is_taken_on_another_shard(cluster, r):
    with cluster.node(2) as node:
        node.gears.pyexecute("GB('CommandReader').register(trigger='t')")
    for _ in range(5):
        with pytest.raises(ex.DuplicateTriggerError):
            r.gears.pyexecute("GB('CommandReader').register(trigger='t')")
        assert [len(node) for node in registered(cluster)] == [0, 0, 1]


def test_decorated(cluster, r):
    @redgrease.command(on=r, replace=True)
    def add(a, b):
        return a + b

    assert [add(1, 2) for _ in range(10)] == [3] * 10
    assert add.registration.RegistrationData.numTriggered == 10
    assert add.unregister() is True
    assert registered(cluster) == [[], [], []]


def test_clearing_statistics(r):
    done = CommandReader().register(trigger="t", on=r)
    for _ in range(10):
        r.gears.trigger("t")
    assert done.refresh().statistics.numTriggered == 10
    assert r.gears.clearregistrationsstats()
    assert done.refresh().statistics.numTriggered == 0


def test_pausing(cluster, r):
    done = redgrease.StreamReader("s*").register(on=r)
    states = lambda: {node[0].RegistrationData.status for node in registered(cluster)}
    before = states()
    assert r.gears.pauseregistrations(done)
    assert states() != before
    assert r.gears.unpauseregistrations(done)
    assert states() == before


# -- routing


def test_triggers_go_where_the_key_is(cluster, ids, r):
    script = "GB('CommandReader').map(lambda x: execute('INCR', x[1])).register(trigger='t')"
    r.gears.pyexecute(script)
    for key in sum(keys_of(cluster, ids).values(), []):
        assert r.gears.triggeronkey("t", key) == b"1"
    with cluster.node(0) as node:
        key = keys_of(cluster, ids)[ids[1]][0]
        with pytest.raises(redis.ResponseError, match=rf"127.0.0.1:{cluster.ports[1]}"):
            node.execute_command("RG.TRIGGERONKEY", "t", key)


def test_executions_are_asked_for_where_they_are(r):
    started = [
        r.gears.pyexecute("GB('ShardsIDReader').run()", unblocking=True).value for _ in range(9)
    ]
    for id in started:
        assert r.gears.getresultsblocking(id) == id.shard_id.encode()
        assert r.gears.getresults(id) == id.shard_id.encode()
        assert list(r.gears.getexecution(id)) == [id.shard_id]
        assert r.gears.abortexecution(id)
    assert {info.executionId for info in r.gears.dumpexecutions()} == set(started)
    for id in started:
        assert r.gears.dropexecution(id)
    assert r.gears.dumpexecutions() == []
    with pytest.raises(ex.ExecutionNotFoundError):
        r.gears.getresults(started[0])
    with pytest.raises(ex.ExecutionNotFoundError):
        r.gears.getresults("0" * 40 + "-1")


def test_settings_and_figures(cluster, r):
    assert r.gears.config.set(MaxExecutions=77)
    assert [cluster.node(number).gears.config.MaxExecutions for number in range(3)] == [77] * 3
    assert r.gears.refreshcluster() is True
    assert len(r.gears.pystats()) == 3
    r.gears.config.MaxExecutions = 1000


def test_the_server_of_a_cluster_finds_that_out_by_itself(cluster, ids):
    from redgrease.engine import GearsServer

    url = f"redis://127.0.0.1:{cluster.redis_ports[1]}"
    with GearsServer(redis=url) as server, server.client() as client:
        assert client.gears.infocluster().my_id == ids[1]


# -- nodes that are down


def test_a_node_that_is_down(fresh):
    ids, r = fresh.ids, fresh.client()
    r.gears.pyexecute("GB('CommandReader').register(trigger='t')")
    keys = keys_of(fresh, ids)
    lost = r.gears.pyexecute("GB().run()", unblocking=True).value
    gone = ids.index(lost.shard_id)
    name = f"127.0.0.1:{fresh.ports[gone]}"
    fresh.servers[gone].stop()
    for call in (
        lambda: r.gears.getresults(lost),
        r.gears.dumpexecutions,
        r.gears.dumpregistrations,
        lambda: r.gears.config.set(a=1),
        lambda: r.gears.triggeronkey("t", keys[ids[gone]][0]),
        lambda: r.gears.unregister(r.gears.registration(trigger="t")),
        lambda: r.gears.pyexecute("GB('CommandReader').register(trigger='other')"),
    ):
        with pytest.raises(ex.NodeDownError, match=name) as caught:
            call()
        assert caught.value.nodes == (name,)
        assert isinstance(caught.value, redis.ConnectionError)
    # What can go on goes on.
    for number in range(10):
        assert r.gears.trigger("t", str(number))
        r.gears.pyexecute("GB('ShardsIDReader').run()")
    assert r.gears.triggeronkey("t", keys[ids[gone - 1]][0])
    for number in {0, 1, 2} - {gone}:
        triggers = [
            found.RegistrationData.args["trigger"]
            for found in fresh.node(number).gears.dumpregistrations()
        ]
        assert triggers == ["t"]


def test_servers_that_have_lost_their_registrations(fresh):
    """What others still have is not replaced by what is registered there."""
    r = fresh.client()

    def register(trigger):
        r.gears.pyexecute(f"GB('CommandReader').register(trigger={trigger!r})")

    for trigger in ("a", "b"):
        register(trigger)
    expected = [["a", "b"], ["a", "b"], ["a", "b"]]
    for number in range(3):
        fresh.restart(number)
        register(str(number))
        expected[number] = []
        expected = [[*triggers, str(number)] for triggers in expected]
        found = [
            [each.RegistrationData.args["trigger"] for each in one] for one in registered(fresh)
        ]
        assert found == expected


def test_ids_that_are_taken(cluster, ids, r):
    script = "GB('CommandReader').register(trigger='{}')"
    with cluster.node(0) as node:
        for trigger in ("a", "b"):
            words = (*("REGISTRATION_IDS", f"{ids[1]}-7"), "ID", trigger)
            call = (*("RG.PYEXECUTE", script.format(trigger)), *words)
            if trigger == "a":
                node.execute_command(*call)
                continue
            with pytest.raises(redis.ResponseError, match="is that of another registration"):
                node.execute_command(*call)
        (only,) = node.gears.dumpregistrations()
        assert only.RegistrationData.args["trigger"] == "a"


def test_a_server_whose_redis_is_down(fresh):
    """Clients take it for a server that is down, also those that know nothing of Gears."""
    fresh.processes[0].kill()
    fresh.processes[0].wait()
    client = redis.Redis(port=fresh.ports[0], **impatient())
    with pytest.raises(redis.ConnectionError, match="Redis cannot be reached|not ready"):
        client.ping()
    client.close()


def test_calls_around_a_server_whose_redis_is_down(fresh):
    fresh.client().gears.pyexecute("GB('CommandReader').register(trigger='t')")
    ids = fresh.ids
    key = keys_of(fresh, ids)[ids[1]][0]
    fresh.processes[1].kill()
    fresh.processes[1].wait()
    r = fresh.client()  # with connections that were made since
    for number in range(10):
        assert r.gears.trigger("t", str(number))
        assert r.gears.pyexecute("GB('ShardsIDReader').run()")
    for call in (r.gears.dumpregistrations, lambda: r.gears.triggeronkey("t", key)):
        with pytest.raises(ex.NodeDownError) as caught:
            call()
        assert caught.value.nodes == (f"127.0.0.1:{fresh.ports[1]}",)
    found = [
        each.RegistrationData.numTriggered
        for number in (0, 2)
        for each in fresh.node(number).gears.dumpregistrations()
    ]
    assert sum(found) == 10  # none twice


@pytest.mark.skipif(not NATIVE, reason="redis-py before 4 has no cluster client of its own")
def test_a_slot_that_is_being_moved(fresh):
    ids, r = fresh.ids, fresh.client()
    r.gears.pyexecute(
        "GB('CommandReader').map(lambda x: execute('SET', x[1], 1)).register(trigger='t')"
    )
    key = keys_of(fresh, ids)[ids[0]][0]
    slot = slot_of(key.encode())
    source, target = (redis.Redis(port=port) for port in fresh.redis_ports[:2])
    target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    with pytest.raises(redis.ResponseError, match="is being moved to this server"):
        r.gears.triggeronkey("t", key)
    for node in (target, source):
        node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        node.close()
    assert r.gears.triggeronkey("t", key).value == b"OK"


# -- with asyncio

if NATIVE and os.environ.get("REDGREASE_NO_AIO") is None:

    def on_async(cluster, what, **options):
        aio = pytest.importorskip("redgrease.aio")

        async def go():
            nodes = [{"host": "127.0.0.1", "port": port} for port in cluster.ports]
            async with aio.RedisGearsCluster(startup_nodes=nodes, **options) as client:
                return await what(client)

        return asyncio.run(go())

    def test_async_registrations(cluster, r):
        async def what(client):
            done = await CommandReader().map(lambda x: x[1]).register(trigger="t", on=client)
            assert len(await client.gears.dumpregistrations()) == 1
            replies = await asyncio.gather(*(done(str(number)) for number in range(50)))
            assert replies == [str(number) for number in range(50)]
            for number in range(30):
                assert await client.gears.triggeronkey("t", f"key{number}") == f"key{number}"
            assert [len(node) for node in registered(cluster)] == [1, 1, 1]
            assert (await done.statistics).numTriggered == 80
            assert await done.unregister()
            assert registered(cluster) == [[], [], []]

            @redgrease.command(on=client)
            def double(number):
                return 2 * number

            assert await asyncio.gather(*map(double, range(20))) == [2 * n for n in range(20)]
            assert [len(node) for node in registered(cluster)] == [1, 1, 1]

        on_async(cluster, what)

    @pytest.mark.parametrize("decode", [False, True])
    def test_async_nodes(cluster, r, decode):
        """A run on each, and a registration on one alone."""

        async def what(client):
            values = redgrease.ShardsIDReader().map(lambda id: {id: (1, b"2")})
            nodes = client.get_primaries()
            found = [await values.run(on=node) for node in nodes]
            assert sorted(map(str, found)) == sorted(str({id: (1, b"2")}) for id in cluster.ids)
            assert await aio.Gears(nodes[0]).pyexecute("GB('ShardsIDReader').run()") in (
                cluster.ids if decode else [id.encode() for id in cluster.ids]
            )
            done = await CommandReader().map(lambda x: {1: x[1]}).register(trigger="t", on=nodes[0])
            assert await done("x") == {1: "x"}
            assert sorted(map(len, registered(cluster))) == [0, 0, 1]
            assert await done.unregister()
            assert registered(cluster) == [[], [], []]
            for node in nodes:
                assert len(node._free) == len(node._connections)

        aio = pytest.importorskip("redgrease.aio")
        on_async(cluster, what, decode_responses=decode)

    def test_async_executions(cluster, r):
        async def what(client):
            gears = client.gears
            script = "GB('ShardsIDReader').run()"
            started = [(await gears.pyexecute(script, unblocking=True)).value for _ in range(9)]
            for id in started:
                assert await gears.getresultsblocking(id) == id.shard_id.encode()
                assert list(await gears.getexecution(id)) == [id.shard_id]
            assert {info.executionId for info in await gears.dumpexecutions()} == set(started)
            for id in started:
                assert await gears.dropexecution(id)
            assert await gears.config.set(MaxExecutions=1000)
            assert await gears.refreshcluster()
            assert len(await gears.pystats()) == 3
            assert (await gears.infocluster()).my_id in cluster.ids
            assert await client.execute_command("RG.PYEXECUTE", "GB().run()") is not None
            with pytest.raises(ex.RedGreaseError, match="pipeline of a cluster"):
                client.pipeline().execute_command("RG.PYSTATS")
            assert await client.set("x", 1)

        on_async(cluster, what)

    def test_async_calls_that_are_cancelled(cluster, r):
        """At whatever moment: no reply is taken for another's, no connection is lost."""

        async def what(client):
            function = CommandReader().map(lambda words: words[1])
            await function.register(trigger="echo", convertToStr=False, on=client)
            chance = random.Random(3)
            replies, cancelled = {}, []

            async def call(number):
                key = f"key{number}"
                replies[number] = (await client.gears.triggeronkey("echo", key)).value

            async def one(number):
                calling = asyncio.ensure_future(call(number))
                if chance.random() < 0.3:
                    for _ in range(chance.randrange(8)):
                        await asyncio.sleep(0)
                    await asyncio.sleep(chance.choice([0, 0.001, 0.003]))
                    calling.cancel()
                try:
                    await calling
                except asyncio.CancelledError:
                    cancelled.append(number)

            for start in range(0, 1500, 50):
                await asyncio.gather(*map(one, range(start, start + 50)))
            assert len(cancelled) > 50
            assert replies == {
                number: b"key%d" % number for number in set(range(1500)) - set(cancelled)
            }
            for node in client.get_primaries():
                assert len(node._free) == len(node._connections) <= 50

        on_async(cluster, what)

    def test_async_node_that_is_down(fresh):
        async def what(client):
            await client.gears.pyexecute("GB('CommandReader').register(trigger='t')")
            gone, name = fresh.servers[1], f"127.0.0.1:{fresh.ports[1]}"
            gone.stop()
            with pytest.raises(ex.NodeDownError, match=name):
                await client.gears.dumpexecutions()
            with pytest.raises(ex.NodeDownError, match=name):
                await client.gears.triggeronkey("t", keys_of(fresh, fresh.ids)[fresh.ids[1]][0])
            for number in range(10):
                assert await client.gears.trigger("t", str(number))

        on_async(fresh, what)
