"""The list of registrations, and its filters."""

import pytest
from support.scripted import Error, ScriptedServer, Status

from redgrease import data
from redgrease import exceptions as ex
from redgrease.client import RedisGears


def entry(number, reader, desc, mode, *args):
    return ["id", f"0-{number}", "reader", reader, "desc", desc,
            "RegistrationData", ["mode", mode, "args", list(args)]]  # fmt: skip


ENTRIES = [
    entry(0, "KeysReader", None, "async", "regex", "k*", "eventTypes", None),
    entry(1, "KeysReader", "my words", "sync", "regex", "k1", "eventTypes", ["set"]),
    entry(2, "StreamReader", "other", "async", "batchSize", 1, "stream", "s*"),
    entry(3, "CommandReader", None, "async", "trigger", "one", "inorder", 0),
    entry(4, "CommandReader", "my trigger", "async_local", "trigger", "two"),
]


@pytest.fixture
def server():
    with ScriptedServer({"RG.DUMPREGISTRATIONS": ENTRIES}) as scripted:
        yield scripted


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def gears(server, request):
    with RedisGears(port=server.port, decode_responses=request.param) as client:
        yield client.gears


@pytest.mark.parametrize(
    "filters, expected",
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"reader": "KeysReader"}, [0, 1]),
        ({"reader": b"StreamReader"}, [2]),
        ({"mode": "async"}, [0, 2, 3]),
        ({"mode": "nothing"}, []),
        ({"desc": "my*"}, [1, 4]),
        ({"desc": "my wor?s"}, [1]),
        ({"desc": b"*"}, [1, 2, 4]),
        ({"key": "k1"}, [0, 1]),
        ({"key": "k2"}, [0]),
        ({"key": b"x"}, []),
        ({"stream": "s1"}, [2]),
        ({"stream": "t1"}, []),
        ({"trigger": "one"}, [3]),
        ({"trigger": b"two"}, [4]),
        ({"trigger": "three"}, []),
        ({"trigger": "two", "desc": "my*", "reader": "CommandReader"}, [4]),
        ({"trigger": "two", "mode": "async"}, []),
    ],
)
def test_filters(gears, server, filters, expected):
    found = gears.dumpregistrations(**filters)
    assert [registration.id.sequence for registration in found] == expected
    assert server.sent("RG.DUMPREGISTRATIONS") == [(b"RG.DUMPREGISTRATIONS",)]


def test_unregister(gears, server):
    server.on("RG.UNREGISTER", Status("OK"))
    registration = gears.dumpregistrations(trigger="one")[0]
    assert gears.unregister(registration) is True
    assert gears.unregister("0-3", abortpending=True) is True
    assert [words[1:] for words in server.sent("RG.UNREGISTER")] == [
        (b"0-3",), (b"0-3", b"abortpending"),
    ]  # fmt: skip
    server.on("RG.UNREGISTER", Error("execution is not registered"))
    with pytest.raises(ex.RegistrationNotFoundError):
        gears.unregister(data.ExecID("0", 3))


def test_pausing_one_by_one(gears, server):
    server.on("RG.PAUSEREGISTRATIONS", Status("OK"))
    server.on("RG.UNPAUSEREGISTRATIONS", Status("OK"))
    ids = [registration.id for registration in gears.dumpregistrations(reader="KeysReader")]
    assert gears.pauseregistrations(*ids) is True
    assert gears.unpauseregistrations(*ids) is True
    assert server.sent("RG.PAUSEREGISTRATIONS") == [
        (b"RG.PAUSEREGISTRATIONS", b"0-0"), (b"RG.PAUSEREGISTRATIONS", b"0-1"),
    ]  # fmt: skip
    assert len(server.sent("RG.UNPAUSEREGISTRATIONS")) == 2


def test_clearing(gears, server):
    server.on("RG.CLEARREGISTRATIONSSTATS", Status("OK"))
    assert gears.clearregistrationsstats() is True
