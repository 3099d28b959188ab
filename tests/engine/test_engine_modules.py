"""Gears in MODULE LIST, COMMAND and INFO."""

import pytest
import redis

from redgrease.engine.command_names import GEARS
from redgrease.engine.modules import amendment, with_sections

REGISTER = "GB(desc='a, b=c').register('k*', commands=['set'], eventTypes=['set', 'del'])"


@pytest.fixture
def client(gears_server):
    client = redis.Redis(port=gears_server.port, decode_responses=True)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def direct(gears_server):
    """A client of the Redis behind the server."""
    client = redis.Redis.from_url(gears_server.redis_url, decode_responses=True)
    yield client
    client.close()


def entries(reply):
    """Descriptions of commands, by name, as redis-py has it or as it came."""
    if isinstance(reply, dict):
        return reply
    return {entry[0]: entry for entry in reply if entry}


def test_commands_are_described(client, direct):
    own = direct.execute_command("COMMAND COUNT")
    assert client.execute_command("COMMAND COUNT") == own + len(GEARS)
    names = {name.decode().lower() for name in GEARS}
    assert names < set(entries(client.execute_command("COMMAND")))
    listed = client.execute_command("COMMAND LIST", "FILTERBY", "MODULE", "rg")
    assert set(listed) == names
    assert len(client.execute_command("COMMAND LIST")) > own
    some = client.execute_command("COMMAND LIST", "FILTERBY", "PATTERN", "RG.TRIGGER*")
    assert set(some) == {"rg.trigger", "rg.triggeronkey"}


def test_information_about_some(gears_server):
    with redis.Redis(port=gears_server.port) as client:
        client.response_callbacks.clear()  # the reply as it came
        words = ("get", "RG.TRIGGER", "nosuch", "rg.triggeronkey", "rg.pyexecute")
        get, trigger, unknown, on_key, other = client.execute_command("COMMAND INFO", *words)
    assert get[0] == b"get" and unknown is None
    assert trigger[:6] == [b"rg.trigger", -1, [b"readonly", b"module", b"getkeys-api"], 0, 0, 0]
    assert on_key[:6] == [b"rg.triggeronkey", -1, [b"readonly", b"module"], 2, 2, 1]
    assert other[:6] == [b"rg.pyexecute", -1, [b"readonly", b"module"], 0, 0, 0]
    assert [len(one) for one in (trigger, on_key, other)] == 3 * [10]


def test_keys_of_commands(client):
    assert client.execute_command("COMMAND GETKEYS", "RG.TRIGGERONKEY", "t", "k", "x") == ["k"]
    for words, text in (
        (["RG.TRIGGER", "t", "k"], "The command has no key arguments"),
        (["RG.TRIGGERONKEY", "t"], "Invalid arguments specified for command"),
        (["NOSUCH", "t"], "Invalid command specified"),
    ):
        with pytest.raises(redis.ResponseError, match=text):
            client.execute_command("COMMAND GETKEYS", *words)


def test_sections_of_info(client):
    client.execute_command("RG.PYEXECUTE", REGISTER, "ID", "mine", "DESCRIPTION", "d")
    ((_, ident, *_),) = client.execute_command("RG.DUMPREGISTRATIONS")
    try:
        told = client.info("rg")
        assert told["rg_nexecutions"] == 0
        assert told["rg_nregistrations"] == 1
        registration = told[f"rg_{ident}"]
        assert registration["reader"] == "KeysReader"
        assert registration["mode"] == "async"
        assert registration["regex"] == "k*"
        assert told["rg_mine"]["sessionDescription"] == "d"
        assert "10213" in str(told["rg_GearsPythonPlugin"])
        assert told["rg_CurrAllocated"] > 0
        assert set(client.info("rg_regisrations")) == {f"rg_{ident}"}
        everything = client.info("everything")
        assert everything["rg_nregistrations"] == 1 and everything["redis_version"]
        assert not any(name.startswith("rg_") for name in client.info())
        assert client.execute_command("INFO", "nosuch") in ("", {})
    finally:
        client.execute_command("RG.UNREGISTER", ident)


def test_sections_are_encoded_as_redis_does():
    more = b"$6\r\n# rg\r\n\r\n"
    assert with_sections(b"$0\r\n\r\n", more) == more
    assert with_sections(b"=4\r\ntxt:\r\n", more) == b"=10\r\ntxt:# rg\r\n\r\n"
    assert with_sections(b"$3\r\na\r\n\r\n", more) == b"$11\r\na\r\n\r\n# rg\r\n\r\n"
    assert with_sections(b"-ERR a\r\n", more) == b"-ERR a\r\n"
    listed = with_sections(b"$23\r\n# Modules\r\nmodule:...\r\n\r\n", b"$0\r\n\r\n")
    assert b"\r\n# Modules\r\nmodule:name=rg,ver=10213,api=1," in listed
    assert with_sections(b"$0\r\n\r\n", b"-ERR b\r\n") == b"$0\r\n\r\n"


@pytest.mark.parametrize(
    "words", ["INFO", "INFO server", "COMMAND DOCS get", "COMMAND INFO get", "MODULE LOAD x"]
)
def test_what_concerns_redis_alone_passes(words):
    name, *rest = words.encode().split()
    assert amendment(name, [name, *rest]) is None
