"""What a server knows about the cluster that its Redis is a node of."""

from collections import deque

import pytest

from redgrease.engine.connection import ErrorReply
from redgrease.engine.errors import GearsError
from redgrease.engine.script import ScriptRun, Session
from redgrease.engine.settings import Settings
from redgrease.engine.shard import ALONE, Node, Shard, slot_of, text_in
from redgrease.engine.steps import Step

ONE, OTHER = "a" * 40, "b" * 40


class Keyspace:
    """Answers as a node does; real ones are in ``tests/integration/test_cluster.py``."""

    node_id = None

    def __init__(self, **replies):
        self.replies = {
            "INFO": "# Cluster\r\ncluster_enabled:1\r\n",
            "MYID": ONE,
            "SLOTS": [
                [8000, 16383, ["127.0.0.1", 2, OTHER], ["127.0.0.1", 3, "c" * 40]],
                [0, 10, [None, 1, ONE]],
                [11, 7999, ["127.0.0.1", 1, ONE]],
            ],
            "NODES": "",
            "EVAL": 1,
            **replies,
        }

    def call(self, words):
        name = words[0] if words[0] != b"CLUSTER" else words[1]
        return self.replies[name.decode()]


def shard(**replies):
    found = Shard(Keyspace(**replies), Settings())
    found.look()
    return found


@pytest.mark.parametrize(
    ("key", "slot"),
    [(b"foo", 12182), (b"{foo}x", 12182), (b"", 0), (b"bar", 5061), (b"06S", 0)],
)
def test_slots(key, slot):
    assert slot_of(key) == slot


@pytest.mark.parametrize("slot", [0, 1, 5461, 10922, 16383])
def test_texts_in_slots(slot):
    assert slot_of(text_in(slot).encode()) == slot


@pytest.mark.parametrize(
    "replies",
    [
        {"INFO": "# Cluster\r\ncluster_enabled:0\r\n"},
        {"INFO": ErrorReply("NOPERM no")},
        {"MYID": ErrorReply("NOPERM no")},
    ],
)
def test_outside_clusters(replies):
    alone = shard(**replies)
    assert not alone.clustered
    assert alone.id == ALONE
    assert alone.describe() == "no cluster mode"
    assert alone.hashtag() == "06S"
    assert alone.nodes() == []
    assert alone.misses(b"k") is None
    words = ["REGISTRATION_IDS", "x", "ID", "s"]
    assert alone.take_given(words) == (words, {})
    assert alone.registration_id(None, 3) == f"{ALONE}-3"
    alone.check_run([Step("count")], None)


def test_in_a_cluster():
    found = shard()
    assert found.clustered
    assert found._keyspace.node_id == found.id == ONE
    assert found._settings.extra == {"redgrease-shard-alone": "yes"}
    assert found.nodes() == [Node(ONE, "", 1, 0, 10), Node(OTHER, "127.0.0.1", 2, 8000, 16383)]
    assert found.hashtag() == "06S"
    assert found.misses(b"k") is None
    assert found.registration_id(None, 3) == f"{ONE}-3"
    _, ident, _, run_id, nodes = found.describe()
    assert ident == ONE
    assert nodes[0][8:10] == ["runid", run_id]
    assert nodes[1][8:10] == ["runid", None]


def test_a_cluster_that_is_yet_to_be():
    found = shard(SLOTS=[])
    assert found.hashtag() == "06S"
    found._keyspace.replies["SLOTS"] = [[8000, 16383, ["", 1, ONE]]]
    assert slot_of(found.hashtag().encode()) == 8000
    found._keyspace.replies["SLOTS"] = [[9000, 16383, ["", 1, ONE]]]
    assert slot_of(found.hashtag().encode()) == 8000
    found.look()
    assert slot_of(found.hashtag().encode()) == 9000
    found._keyspace.replies["SLOTS"] = ErrorReply("NOPERM no")
    assert found.nodes() == []


def test_keys_of_other_nodes():
    assert shard(EVAL=ErrorReply("MOVED 1 host:1")).misses(b"k") == "MOVED 1 host:1"


def test_slots_that_are_being_moved_here():
    slot = slot_of(b"k")
    moved = ErrorReply(f"MOVED {slot} host:1")
    nodes = "{} :1@2 myself,master - 0 0 1 connected 0-10 [{}-<-{}]\n"
    here = shard(EVAL=moved, NODES=nodes.format(ONE, slot, OTHER))
    assert here.misses(b"k").startswith("TRYAGAIN the slot of the key is being moved to this")
    for other in (nodes.format(ONE, slot + 1, OTHER), ErrorReply("NOPERM no")):
        assert shard(EVAL=moved, NODES=other).misses(b"k") == moved


def test_numbers_go_on_after_everything_was_lost():
    first, second = shard().first_number(), shard().first_number()
    assert 60e12 < first <= second
    assert shard(INFO="cluster_enabled:0").first_number() == 0


def test_ids_that_a_client_gives():
    found = shard()
    words = ["ID", "s", "UPGRADE"]
    rest, given = found.take_given(["registration_ids", "x-1,x-2", *words])
    assert rest == words
    assert given == {"ids": ("x-1", "x-2")}
    script = ScriptRun(Session("s"), ids=deque(given["ids"]))
    ids = [found.registration_id(script, 3) for _ in range(3)]
    assert ids == ["x-1", "x-2", f"{ONE}-3"]
    assert found.take_given(words) == (words, {})
    assert found.take_given(["REGISTRATION_IDS"]) == (["REGISTRATION_IDS"], {})


def test_what_else_clients_say_in_clusters():
    words = ["ID", "s", "INSTEAD_OF", "x"]
    given = ["REGISTRATION_IDS", "?", "instead_of", "x-1,x-2"]
    assert shard().take_given(given + words) == (
        words,
        {"tells_ids": True, "instead_of": ("x-1", "x-2")},
    )


def test_what_is_refused():
    found = shard()
    for steps in (["count", "str", "collect"], ["collect", "map"], ["groupby"]):
        with pytest.raises(GearsError, match="needs the records of all 2 shards"):
            found.check_run([Step(kind) for kind in steps], None)
        found.check_run([Step(kind) for kind in steps], "async_local")
    found.check_run([Step("map"), Step("collect"), Step("str"), Step("collect")], "async")
    found.check_register([Step("count")], "async")
    with pytest.raises(GearsError, match="repartition"):
        found.check_register([Step("repartition")], "async")
    for mode in ("sync", "async_local"):
        found.check_register([Step("repartition")], mode)
    # A cluster of one shard is as good as none.
    found._keyspace.replies["SLOTS"] = [[0, 16383, ["", 1, ONE]]]
    found.check_run([Step("count")], None)
