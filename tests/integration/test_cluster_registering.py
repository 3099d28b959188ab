"""Functions that a client registers on several servers, each of which runs them for itself alone."""

import threading

import pytest
import redis
from support.alone import (
    NODES,
    Watched,
    cluster,
    constant,
    counts,
    forget,
    order,
    patient,
    sessions,
    values,
)
from support.gears_cluster import GearsCluster

from redgrease import CommandReader, KeysReader, ShardsIDReader, StreamReader
from redgrease import exceptions as ex
from redgrease.client import _ClusterBase

pytestmark = pytest.mark.skipif(_ClusterBase is None, reason="there is no client for clusters")


@pytest.fixture
def r(cluster, order):
    client = cluster.client()
    yield client
    client.close() if hasattr(client, "close") else None


def on_keys(**options):
    return KeysReader("k*").foreach(lambda _: None).register(**options)


def on_stream(**options):
    return StreamReader("s").foreach(lambda _: None).register(**options)


@pytest.fixture
def watched(r, cluster):
    r.gears.python_version()
    found = Watched(r, cluster)
    found.sent.clear()
    return found


def failing(kind):
    def fail():
        raise kind("broken")

    return fail


def test_servers_get_it_in_the_order_of_their_ids(watched, order, r, cluster):
    constant(1, on=r)
    r.gears.pyexecute("GB().register('x*')")
    assert watched.sent == order + order
    assert len({str(each) for each in sessions(cluster)}) == 1


def test_what_only_runs_is_for_any_server(watched, r):
    assert len({ShardsIDReader().run(on=r).value for _ in range(60)}) == 3
    assert len({r.gears.pyexecute("GB('ShardsIDReader').run()").value for _ in range(60)}) == 3


def test_a_script_that_does_not_look_as_if_it_registered(cluster, r, watched):
    script = "getattr(GB('CommandReader'), 'regi' + 'ster')(trigger='t')"
    for _ in range(6):
        r.gears.pyexecute(script)
        assert counts(cluster) == [1, 1, 1]
        assert len({str(each) for each in sessions(cluster)}) == 1
        r.gears.unregister(r.gears.registration(trigger="t"))
    assert len(watched.sent) == 18


# -- at the same time


def at_once(cluster, jobs):
    """What comes of calls with a client each, in threads that start together."""
    barrier, outcomes = threading.Barrier(len(jobs)), [None] * len(jobs)

    def run(number, client):
        try:
            client.gears.python_version()
            barrier.wait(30)
            outcomes[number] = jobs[number](client)
        except Exception as error:
            outcomes[number] = error

    clients = [cluster.client() for _ in jobs]
    threads = [threading.Thread(target=run, args=each) for each in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("replace", [True, False, None])
def test_the_same_by_several_clients(cluster, order, replace, attempt):
    outcomes = at_once(cluster, [lambda r: constant(1, on=r, replace=replace)] * 4)
    failed = [each for each in outcomes if isinstance(each, Exception)]
    if replace is None:
        assert {type(each) for each in failed} == {ex.DuplicateTriggerError}
        assert len(failed) == 3
    else:
        assert failed == []
    assert counts(cluster) == [1, 1, 1]
    assert len({str(each) for each in sessions(cluster)}) == 1
    done = next(each for each in outcomes if each not in failed)
    assert done.unregister()
    assert counts(cluster) == [0, 0, 0]


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("by", ["function", "script"])
def test_several_versions(cluster, order, by, attempt):
    def register(value):
        if by == "function":
            return lambda r: constant(value, on=r, replace=True)
        script = f"GB('CommandReader').map(lambda _: {value}).register(trigger='t')"
        return lambda r: r.gears.pyexecute(script, id="mine", replace=True)

    outcomes = at_once(cluster, [register(value) for value in range(4)])
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert len({str(each) for each in sessions(cluster)}) == 1
    if by == "function":
        assert len(set(values(cluster))) == 1


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("last", [1, 2])
def test_an_old_version_never_comes_after_a_new_one(cluster, order, r, watched, last, exists):
    """The old one is held up right before it goes to a server."""
    if exists:
        constant("first", on=r, replace=True)
        watched.sent.clear()
    other = cluster.client()
    watched.before[order[last]] = lambda: constant("new", on=other, replace=True)
    constant("old", on=r, replace=True)
    assert values(cluster) == ["new"] * 3
    assert len({str(each) for each in sessions(cluster)}) == 1
    # It was refused there, and has gone no further.
    assert watched.sent == order[: last + 1]


def test_what_others_have_accepted_stays_when_the_first_one_fails(cluster, order, r, watched):
    other = cluster.client()

    def overtaken():
        constant(1, on=other, replace=False)
        raise ex.GearsConnectionError("broken")

    watched.before[order[1]] = overtaken
    with pytest.raises(ex.GearsConnectionError):
        constant(1, on=r, replace=False)
    assert values(cluster) == [1, 1, 1]
    assert len({str(each) for each in sessions(cluster)}) == 1


def test_unregistered_while_it_is_registered(cluster, order, r, watched):
    def unregister():
        with cluster.node(order[0]) as node:
            node.gears.unregister(node.gears.dumpregistrations()[0])

    watched.after[order[2]] = unregister
    assert constant(1, on=r)
    assert counts(cluster) == [0, 0, 0]


# -- again


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("first", [None, True, False])
@pytest.mark.parametrize("make", [lambda **o: constant(1, **o), on_keys, on_stream])
@pytest.mark.parametrize("lost", [[0], [1], [2], [0, 1]])
def test_registering_again_heals(cluster, order, r, make, first, again, lost):
    make(on=r, replace=first)
    for place in lost:
        forget(cluster, order[place])
    done = make(on=r, replace=again)
    assert counts(cluster) == [1, 1, 1]
    assert len({str(each) for each in sessions(cluster)}) == 1
    assert done.is_registered
    assert done.unregister()
    assert counts(cluster) == [0, 0, 0]


def test_false_sends_nothing_if_all_servers_have_it(cluster, order, r, watched):
    for first in (None, False, True):
        constant(1, on=r, replace=first)
        before = sessions(cluster)
        watched.sent.clear()
        done = constant(1, on=r, replace=False)
        assert watched.sent == []
        assert sessions(cluster) == before
        assert done.is_registered and done() == 1
        done.unregister()


def test_false_makes_ids_the_same(cluster, order, r):
    for number in NODES:
        with cluster.node(number) as node:
            on_keys(on=node)
    assert len({str(each) for each in sessions(cluster)}) == 3
    on_keys(on=r, replace=False)
    assert len({str(each) for each in sessions(cluster)}) == 1
    assert counts(cluster) == [1, 1, 1]


@pytest.mark.parametrize("place", NODES)
def test_false_does_not_accept_another_one_anywhere(cluster, order, r, watched, place):
    with cluster.node(order[place]) as node:
        constant("other", on=node)
    before = sessions(cluster)
    with pytest.raises(ex.DuplicateTriggerError, match="another function is registered"):
        constant(1, on=r, replace=False)
    assert sessions(cluster) == before
    assert watched.sent == []


@pytest.mark.parametrize("place", NODES)
def test_a_trigger_in_a_session_with_more_is_taken_where_it_is(cluster, order, r, place):
    script = "GB('CommandReader').register(trigger='{}')"
    with cluster.node(order[place]) as node:
        node.gears.pyexecute("\n".join(map(script.format, ["t", "other"])), id="both")
    for value in range(2):
        constant(value, on=r, replace=True)
        assert values(cluster) == [value] * 3
    assert sum(counts(cluster)) == 4
    with cluster.node(order[place]) as node:
        assert node.gears.trigger("other")


def test_several_without_a_name_become_one(cluster, order, r):
    for _ in range(3):
        on_keys(on=r)
    assert counts(cluster) == [3, 3, 3]
    on_keys(on=r, replace=True)
    assert counts(cluster) == [1, 1, 1]


SCRIPT = "GB('CommandReader').register(trigger='t')"


@pytest.mark.parametrize("lost", NODES)
@pytest.mark.parametrize("options", [{"upgrade": True}, {"replace": True}])
def test_scripts_of_a_name(cluster, order, r, lost, options):
    r.gears.pyexecute(SCRIPT, id="s")
    forget(cluster, order[lost])
    r.gears.pyexecute(SCRIPT, id="s", **options)
    assert counts(cluster) == [1, 1, 1]
    assert len({str(each) for each in sessions(cluster)}) == 1


@pytest.mark.parametrize("lost", NODES)
def test_scripts_in_the_place_of_another(cluster, order, r, lost):
    r.gears.pyexecute(SCRIPT, id="one")
    forget(cluster, order[lost])
    r.gears.pyexecute(SCRIPT, id="two", replace_with="one")
    assert [each[0][0] for each in sessions(cluster)] == ["two"] * 3
    assert len({str(each) for each in sessions(cluster)}) == 1
    with pytest.raises(ex.SessionError, match="gone, session does not exist"):
        r.gears.pyexecute(SCRIPT, id="three", replace_with="gone")


# -- failures


@pytest.mark.parametrize("last", NODES)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [ex.GearsConnectionError, KeyboardInterrupt])
def test_a_failure_takes_back(cluster, order, r, watched, error, when, last):
    """Also on the server of which nobody knows whether it has got the script."""
    getattr(watched, when)[order[last]] = failing(error)
    with pytest.raises(error):
        constant(1, on=r)
    assert counts(cluster) == [0, 0, 0]
    assert r.gears._memory.leftovers == []
    assert constant(1, on=r)
    assert counts(cluster) == [1, 1, 1]


@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("replace", [None, True, False])
def test_a_server_that_goes_away_meanwhile(cluster, order, r, watched, replace, last):
    watched.before[order[last]] = failing(redis.ConnectionError)
    with pytest.raises(ex.NodeDownError, match=str(cluster.ports[order[last]])) as caught:
        constant(1, on=r, replace=replace)
    assert caught.value.nodes == (f"127.0.0.1:{cluster.ports[order[last]]}",)
    assert counts(cluster) == [0, 0, 0]
    assert constant(1, on=r)


@pytest.mark.parametrize("last", NODES)
def test_a_server_that_does_not_answer(cluster, order, r, watched, last):
    """Nobody waits for it a second time; the next registration tidies up."""
    watched.after[order[last]] = failing(ex.GearsTimeoutError)
    with pytest.raises(ex.GearsTimeoutError, match="may or may not be registered on") as caught:
        constant(1, on=r)
    assert str(cluster.ports[order[last]]) in str(caught.value)
    assert sum(counts(cluster)) == 1
    assert constant(1, on=r)
    assert counts(cluster) == [1, 1, 1]
    assert r.gears._memory.leftovers == []


def test_what_cannot_be_taken_back_is_told(cluster, order, r, watched, monkeypatch):
    first = f"127.0.0.1:{cluster.ports[order[0]]}"
    exchange = watched.topology.exchange

    def refuse(link, words, *args, **options):
        if words[0] == "RG.UNREGISTER" and link.name == first:
            raise redis.ConnectionError("refused")
        return exchange(link, words, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(watched.topology, "exchange", refuse)
        watched.before[order[1]] = failing(redis.ResponseError)
        with pytest.raises(redis.ResponseError, match=f"may still be registered on {first}"):
            constant(1, on=r)
    assert counts(cluster)[order[0]] == 1
    assert constant(1, on=r)
    assert counts(cluster) == [1, 1, 1]


def test_what_has_replaced_something_stays(cluster, order, r, watched):
    constant("old", on=r, replace=True)
    watched.before[order[2]] = failing(ex.GearsConnectionError)
    with pytest.raises(ex.GearsConnectionError, match="register again"):
        constant("new", on=r, replace=True)
    found = values(cluster)
    assert [found[number] for number in order] == ["new", "new", "old"]
    assert constant("new", on=r, replace=True)
    assert values(cluster) == ["new"] * 3


def test_errors_of_the_first_server_are_left_as_they_are(cluster, order, r):
    constant(1, on=r)
    with pytest.raises(ex.DuplicateTriggerError) as caught:
        constant(1, on=r)
    assert "127.0.0.1" not in str(caught.value)
    forget(cluster, order[0])
    with pytest.raises(ex.DuplicateTriggerError) as caught:
        constant(1, on=r)
    assert f"(on 127.0.0.1:{cluster.ports[order[1]]})" in str(caught.value)
    assert counts(cluster)[order[0]] == 0


# -- servers that are away


@pytest.mark.parametrize("trouble", [redis.ConnectionError, redis.ResponseError])
def test_nothing_is_sent_unless_all_can_get_it(cluster, order, r, watched, monkeypatch, trouble):
    """If that is so only for a moment, while another server takes over, nobody notices."""
    exchange, name = watched.topology.exchange, f"127.0.0.1:{cluster.ports[order[2]]}"
    times = []

    def refuse(link, words, *args, **options):
        if link.name == name and words[0] == "RG.INFOCLUSTER" and len(times) < limit:
            times.append(words)
            raise trouble("away")
        return exchange(link, words, *args, **options)

    monkeypatch.setattr(watched.topology, "exchange", refuse)
    limit = 2
    kind = ex.NodeDownError if trouble is redis.ConnectionError else ex.ServerError
    with pytest.raises(kind, match=name):
        constant(1, on=r)
    assert watched.sent == []
    limit = 3
    assert constant(1, on=r)
    assert len(times) == 3
    assert counts(cluster) == [1, 1, 1]


@pytest.mark.parametrize("lost", NODES)
def test_a_server_that_has_been_started_anew(lost):
    with GearsCluster() as cluster:
        number = sorted(NODES, key=cluster.ids.__getitem__)[lost]
        r = cluster.client()
        constant("old", on=r, replace=True)
        cluster.restart(number)
        assert sum(counts(cluster)) == 2
        done = constant("new", on=r, replace=True)
        assert values(cluster) == ["new"] * 3
        assert len({str(each) for each in sessions(cluster)}) == 1
        assert done.unregister()
        assert counts(cluster) == [0, 0, 0]


@pytest.mark.parametrize("place", [1, 2])
def test_the_first_server_goes_away_while_the_others_are_asked(
    cluster, order, r, watched, monkeypatch, place
):
    exchange, name = watched.topology.exchange, f"127.0.0.1:{cluster.ports[order[0]]}"

    def refuse(link, words, *args, **options):
        if link.name == name and watched.sent == order[:place]:
            raise redis.ConnectionError("away")
        return exchange(link, words, *args, **options)

    constant("old", on=r, replace=True)
    watched.sent.clear()
    with monkeypatch.context() as patch:
        patch.setattr(watched.topology, "exchange", refuse)
        with pytest.raises(ex.NodeDownError, match="register again") as caught:
            constant("new", on=r, replace=True)
    assert caught.value.nodes == (name,)
    constant("new", on=r, replace=True)
    assert values(cluster) == ["new"] * 3
