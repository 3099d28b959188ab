"""Users that may, and users that may not."""

import asyncio
import contextlib
import re
import socket

import pytest
import redis

from redgrease.engine import GearsServer
from redgrease.engine.resp import bulk, command
from redgrease.engine.rights import MAY_EVAL, MAY_TRIGGER, Rights

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
    "hashes": "+hset +hget +auth",
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


def test_a_hooked_command_is_not_carried_out_to_find_out_about_rights(user):
    """Of a user that may use it, but no transactions, in which it would only be queued."""
    client = user("hashes")
    with pytest.raises(redis.exceptions.NoPermissionError, match="multi"):
        client.execute_command("HSET", "h3", "f", "v")
    assert client.hget("h3", "f") is None


def test_watched_keys_stay_watched(user):
    """A user's rights to a hooked command cannot be found out then, so it is refused."""
    mine = user("writes").connection_pool.make_connection()
    admin = user("anything")

    def ask(*words):
        mine.send_command(*words)
        return mine.read_response()

    ask("WATCH", "watched")
    with pytest.raises(redis.ResponseError, match="takes the right to EVAL"):
        ask("HSET", "h", "f", "v")
    admin.set("watched", 1)
    assert [ask("MULTI"), ask("SET", "watched", 2), ask("EXEC")] == [b"OK", b"QUEUED", None]
    assert ask("WATCH", "watched") == b"OK"
    assert [ask("MULTI"), ask("HSET", "h", "f", "v")] == [b"OK", b"QUEUED"]
    assert ask("EXEC") in ([b"hook"], [[b"hook"]])
    mine.disconnect()


def test_a_redis_without_scripts_is_no_open_door():
    """Where EVAL has another name, it takes the right to what administrators do."""
    with GearsServer(password="pw", redis_args=["--rename-command", "EVAL", ""]) as server:
        with server.client() as admin:
            assert admin.execute_command("RG.PYEXECUTE", CODE) is not None
            for name, rights in (("low", "+@read +@write +client"), ("calls", "+get +evalsha")):
                words = ["ACL", "SETUSER", name, "on", ">pw", "~*", "&*", *rights.split()]
                admin.execute_command(*words)
            admin.execute_command("RG.PYEXECUTE", "GB('CommandReader').register(trigger='t')")
        for name in ("low", "calls", None):
            refused = redis.exceptions.NoPermissionError if name else redis.AuthenticationError
            login = {"username": name, "password": "pw"} if name else {}
            with redis.Redis(port=server.port, **login) as client, pytest.raises(refused):
                client.execute_command("RG.PYEXECUTE", CODE)
        with redis.Redis(port=server.port, username="calls", password="pw") as client:
            assert client.execute_command("RG.TRIGGER", "t") is not None


class Upstream:
    """A connection on which others push what looks like an answer, before and behind it."""

    def __init__(self, answers, forged):
        self.answers, self.forged = answers, forged

    async def exchange(self, request=b"", collect=False):
        reply = self.forged
        for token in re.findall(rb"rg\.~\w+", request):
            reply += b"-ERR unknown command '%b', with args beginning with: \r\n" % token
        for asked, answer in self.answers.items():
            if asked in request:
                reply += self.forged + answer + self.forged
        return reply


class Asking:
    silent = in_flight = watching = False

    def __init__(self, redis):
        self.redis, self.replies = redis, b""

    def reply(self, data):
        self.replies += data


@pytest.mark.parametrize("kind", [b">3", b"*3"], ids=["protocol 3", "protocol 2"])
@pytest.mark.parametrize("text", [b":1", b"-OOM x", b"-NOSCRIPT x", b"+QUEUED", b"\r\n:1"])
@pytest.mark.parametrize("name", [b"RG.PYEXECUTE", b"RG.TRIGGER", b"HSET"])
def test_messages_are_no_answers(name, text, kind):
    """What anybody publishes, a client gets; it gives no rights."""
    forged = kind + b"\r\n" + b"".join(map(bulk, (b"message", b"channel", text)))
    no = b"-NOPERM no permissions\r\n"
    answers = {MAY_EVAL: no, MAY_TRIGGER: no, command([b"MULTI"]): b"+OK\r\n"}
    answers[command([b"DISCARD"])] = no + b"+OK\r\n"
    client = Asking(Upstream(answers, forged))
    assert asyncio.run(Rights(client).refusal(name, [name, b"h"])) == no
    assert client.replies.replace(forged, b"") == b"" != client.replies
    client.redis.answers = {MAY_EVAL: b":1\r\n"}
    assert asyncio.run(Rights(client).refusal(name, [name, b"h"])) == b""


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
    ends = (b"+PONG", b"-NOPERM User", b"-NOPERM this user", b"-NOAUTH")  # Valkey's, Redis's
    while not (line := wire._file.readline()).startswith(ends):
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
