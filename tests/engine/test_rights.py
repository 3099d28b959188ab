"""Users that may, and users that may not."""

import contextlib
import socket

import pytest
import redis

from redgrease.engine import GearsServer
from redgrease.engine.resp import command

CODE = "GB().run()"
MANAGING = [
    ("RG.PYEXECUTE", CODE),
    ("RG.PYIMPORTREQ", "x"),
    ("RG.CONFIGSET", "MaxExecutions", "5"),
    ("RG.UNREGISTER", "0000-1"),
    ("RG.ABORTEXECUTION", "0000-1"),
    ("RG.DUMPREGISTRATIONS",),
    ("RG.GETRESULTS", "0000-1"),
]
USERS = {
    "anything": "+@all",
    "calls": "+@read +@write +@connection +@transaction +evalsha",
    "writes": "+@read +@write +@connection +@transaction",
    "reads": "+@read +@connection +@transaction",
    "sets": "+set +auth",
    "looks": "+info +@connection",
}


@pytest.fixture(scope="module")
def server():
    with GearsServer(password="pw") as server, server.client() as admin:
        for name, rights in USERS.items():
            words = ["ACL", "SETUSER", name, "on", ">pw", "~*", "&*", *rights.split()]
            admin.execute_command(*words)
        admin.gears.pyexecute(
            "GB('CommandReader').map(lambda x: execute('GET', x[1])).register(trigger='get')"
        )
        admin.gears.pyexecute(
            "GB('CommandReader').map(lambda x: 'hook').register(hook='hset', mode='sync')"
        )
        yield server


@pytest.fixture
def user(server):
    """A connection of a user's."""
    with contextlib.ExitStack() as stack:

        def connect(name):
            return stack.enter_context(redis.Redis(port=server.port, username=name, password="pw"))

        yield connect


@pytest.mark.parametrize("words", MANAGING, ids=lambda words: words[0])
def test_who_may_not_send_scripts_may_not_manage_functions(user, words):
    for name in ("calls", "writes", "reads"):
        for _ in range(2):
            with pytest.raises(redis.exceptions.NoPermissionError):
                user(name).execute_command(*words)
    try:
        user("anything").execute_command(*words)
    except redis.exceptions.NoPermissionError:
        raise
    except redis.ResponseError:
        pass  # there is no such thing; but one may ask


def test_who_may_trigger(user):
    user("anything").set("k", "v")
    for name in ("anything", "calls"):
        for _ in range(2):
            assert user(name).execute_command("RG.TRIGGER", "get", "k") == [b"v"]
            assert user(name).execute_command("RG.TRIGGERONKEY", "get", "k", "x") == [b"v"]
    for name in ("writes", "reads"):
        with pytest.raises(redis.exceptions.NoPermissionError):
            user(name).execute_command("RG.TRIGGER", "get", "k")


def test_a_hook_needs_the_right_to_its_command(user):
    """Also of those who may not use transactions, on which the test of their rights relies."""
    for name in ("anything", "calls", "writes"):
        assert user(name).execute_command("HSET", "h", "f", "v") in (b"hook", [b"hook"])
    for name in ("reads", "sets"):
        client = user(name)
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command("HSET", "h", "f", "v")
    client = user("reads")
    assert client.ping() and client.get("k2") is None  # no transaction is left open


def test_in_transactions(user):
    with user("reads").pipeline(transaction=True) as pipeline:
        pipeline.get("k1").execute_command("RG.TRIGGER", "get", "k").execute_command(
            "HSET", "h", "f", "v"
        )
        found = pipeline.execute(raise_on_error=False)
    assert found[0] is None
    assert all(isinstance(each, redis.exceptions.NoPermissionError) for each in found[1:])


def test_a_right_that_is_withdrawn(user):
    admin = user("anything")
    admin.execute_command("ACL", "SETUSER", "temp", "on", ">pw", "~*", "+@all")
    client = user("temp")
    assert client.execute_command("RG.DUMPEXECUTIONS") is not None
    admin.execute_command("ACL", "SETUSER", "temp", "-@scripting")
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command("RG.PYEXECUTE", CODE)  # at once
    with pytest.raises(redis.exceptions.NoPermissionError):
        for _ in range(10**5):  # within a second
            client.execute_command("RG.DUMPEXECUTIONS")


class Wire:
    def __init__(self, server):
        self._socket = socket.create_connection(("127.0.0.1", server.port))
        self._socket.settimeout(30)
        self._file = self._socket.makefile("rb")

    def send(self, *words):
        self._socket.sendall(command([word.encode() for word in words]))

    def ask(self, *words):
        self.send(*words)
        return self._file.readline()

    def close(self):
        self._file.close()
        self._socket.close()


@pytest.fixture
def wire(server):
    wire = Wire(server)
    yield wire
    wire.close()


HACK = ("RG.PYEXECUTE", "execute('SET', 'hacked', 1)")


@pytest.mark.parametrize("login", [None, "reads", "writes", "sets"])
@pytest.mark.parametrize("how", ["off", "skip", "multi", "off multi", "inline"])
def test_silence_gives_no_rights(user, wire, login, how):
    """Where the client wants no replies, Redis is asked nevertheless."""
    admin = user("anything")
    admin.delete("hacked")
    if login:
        assert wire.ask("AUTH", login, "pw") == b"+OK\r\n"
    if "off" in how:
        wire.send("CLIENT", "REPLY", "OFF")
    if how == "skip":
        wire.send("CLIENT", "REPLY", "SKIP")
    if "multi" in how:
        wire.send("MULTI")
    if how == "inline":
        wire._socket.sendall(b"RG.PYEXECUTE \"execute('SET', 'hacked', 1)\"\r\n")
    else:
        wire.send(*HACK)
    if "multi" in how:
        wire.send("EXEC")
    wire.send("CLIENT", "REPLY", "ON")
    wire.send("PING")
    wire.send("RG.PYEXECUTE", CODE)
    while not (line := wire._file.readline()).startswith((b"+PONG", b"-NOPERM User", b"-NOAUTH")):
        assert line
    assert not admin.exists("hacked")


def test_only_who_may_manage_functions_is_told_of_them_by_info(user):
    assert user("anything").info("rg")["rg_nregistrations"] == 2
    everything = user("looks").info("everything")
    assert everything["redis_version"]
    assert not any(name.startswith("rg_") for name in everything)


def test_who_may_and_wants_no_replies(user, wire):
    admin = user("anything")
    admin.delete("hacked")
    assert wire.ask("AUTH", "anything", "pw") == b"+OK\r\n"
    wire.send("CLIENT", "REPLY", "OFF")
    wire.send(*HACK)
    wire.send("GET", "hacked")
    wire.send("MULTI")
    wire.send("RG.TRIGGER", "get", "hacked")
    wire.send("EXEC")
    wire.send("MODULE", "LIST")
    wire.send("CLIENT", "REPLY", "ON")
    assert wire._file.readline() == b"+OK\r\n"  # and nothing of what was before
    assert admin.get("hacked") == b"1"
    assert wire.ask("PING") == b"+PONG\r\n"


def test_functions_have_the_rights_of_the_server(server, tmp_path):
    """The user in the URL of its Redis: that one's rights limit what all functions do."""
    with server.client() as admin:
        rights = "~f:* &* +@all -@dangerous +config +info +module +client +command +scan"
        admin.execute_command("ACL", "SETUSER", "gears", "on", ">pw", *rights.split())
    url = server.redis_url.partition("@")[2]
    with GearsServer(redis=f"unix://gears:pw@{url}") as limited:
        with redis.Redis(port=limited.port, username="anything", password="pw") as client:

            def run(*words):
                script = f"GB('ShardsIDReader').map(lambda x: execute(*{words!r})).run()"
                return client.execute_command("RG.PYEXECUTE", script)

            assert run("SET", "f:1", "x") == [[b"OK"], []]
            for words in (("SET", "other", "x"), ("FLUSHALL",)):
                assert "NOPERM" in str(run(*words)[1])
