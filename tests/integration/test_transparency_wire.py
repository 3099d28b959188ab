"""What goes over the wire is the same through the server as directly, byte by byte."""

import socket
import time

import pytest
import redis

pytest_plugins = ["transparency"]
TIMEOUT = 20
END = b"~the end~"


def words(*parts):
    """A request."""
    encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n%b" % (
        len(encoded),
        b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in encoded),
    )


def talk(way, data, cut=0, end=True):
    """Send bytes and return all that comes back until an echo, or until the other side hangs up.

    Args:
        way: The way to Redis.
        data: The bytes.
        cut: Send them in pieces of this size; 0 for all at once.
        end: Whether to ask for the echo behind them.
    """
    with way.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        if end:
            data += words("ECHO", END)
        try:
            for at in range(0, len(data), cut or len(data)):
                plain.sendall(data[at : at + (cut or len(data))])
        except OSError:
            pass  # it has hung up already
        found = b""
        while not found.endswith(END + b"\r\n"):
            try:
                chunk = plain.recv(1 << 16)
            except ConnectionError:
                break
            if not chunk:
                break
            found += chunk
        return found


CONVERSATIONS = {
    "inline": b"SET k v\r\nGET k\r\n  get   k  \r\n\r\nPING\nEXISTS k k\r\n",
    "inline with quotes": b"SET k \"a b\\r\\n\\x41\"\r\nGET k\r\nSET k 'it\\'s'\r\nGET k\r\n",
    "empty requests": b"*0\r\n*-1\r\nPING\r\n",
    "letter case": words("sEt", "k", "v") + words("GeT", "k"),
    "binary": words("SET", b"\0\xff\r\n", bytes(range(256))) + words("GET", b"\0\xff\r\n"),
    "errors": words("GET")
    + words("NOSUCH", "a", "b" * 300)
    + words("LPUSH", "k", 1) * 2
    + words("GET", "k")
    + words("OBJECT", "NOSUCH")
    + words("CLIENT", "NOSUCH"),
    "transaction": words("MULTI")
    + words("SET", "k", 1)
    + words("NOSUCH")
    + words("EXEC")
    + words("MULTI")
    + words("SET", "k", 2)
    + words("INCR", "k")
    + words("EXEC")
    + words("EXEC"),
    "nested transaction": words("MULTI") * 2 + words("SET", "k", 1) + words("DISCARD") * 2,
    "watch": words("WATCH", "k")
    + words("SET", "k", 1)
    + words("MULTI")
    + words("GET", "k")
    + words("EXEC")
    + words("UNWATCH"),
    "a script": words("EVAL", "return {1, 'two', {3}, redis.call('SET', 'k', 'v')}", 0),
    "subscribed": words("SUBSCRIBE", "a", "b")
    + words("PING")
    + words("PING", "x")
    + words("GET", "k")
    + words("UNSUBSCRIBE")
    + words("GET", "k"),
    "protocol 3": words("HELLO", 9)
    + words("HELLO", "x")
    + words("SET", "k", 1)
    + words("CONFIG", "GET", "maxmemory")
    + words("GET", "none"),
    "reply off": words("SET", "k", 1)
    + words("CLIENT", "REPLY", "OFF")
    + words("SET", "k", 2)
    + words("GET", "k")
    + words("CLIENT", "REPLY", "ON")
    + words("GET", "k"),
    "reply skip": words("CLIENT", "REPLY", "SKIP")
    + words("SET", "k", 1)
    + words("GET", "k")
    + words("SET", "k", 2)
    + words("GET", "k"),
    "reset": words("SELECT", 2)
    + words("MULTI")
    + words("SET", "k", 1)
    + words("RESET")
    + words("SET", "k", 1)
    + words("GET", "k"),
    "select": words("SELECT", 1)
    + words("SET", "k", 1)
    + words("SELECT", 0)
    + words("GET", "k")
    + words("SELECT", 99)
    + words("SELECT", "x"),
    "blocking in a transaction": words("MULTI") + words("BLPOP", "l", 0) + words("EXEC"),
    "many": b"".join(words("SET", f"k{n}", n) + words("INCR", f"k{n}") for n in range(2000)),
    "large in a transaction": words("MULTI")
    + words("SET", "k", b"x" * 100_000)
    + words("MSET", *range(20_000))
    + words("STRLEN", "k")
    + words("EXEC"),
    "large": words("SET", "k", b"x" * 3_000_000) + words("STRLEN", "k") + words("GET", "k"),
    "copies": words("SET", "k", 1)
    + words("COPY", "k", "l")
    + words("RENAME", "l", "m")
    + words("OBJECT", "ENCODING", "m")
    + words("TYPE", "m")
    + words("DEL", "k", "m"),
}
BROKEN = {
    "wrong multibulk length": b"*x\r\n",
    "too many words": b"*2147483648\r\nPING\r\n",
    "wrong bulk length": b"*1\r\n$x\r\n",
    "negative bulk length": b"*2\r\n$3\r\nGET\r\n$-5\r\n",
    "no bulk": b"*1\r\n:1\r\n",
    "too large bulk": b"*2\r\n$3\r\nGET\r\n$9999999999\r\n",
    "unbalanced quotes": b'SET k "abc\r\n',
    "endless line": b"x" * 70_000,
    "endless multibulk line": b"*" + b"1" * 70_000,
    "after good ones": words("SET", "k", 1) + words("GET", "k") + b"*1\r\nx\r\n",
}


@pytest.fixture
def direct(way, gears_server):
    """The same Redis, directly."""
    return type(way)(way.server, True)


@pytest.mark.parametrize("cut", [0, 1, 7], ids=["whole", "bytewise", "in pieces"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversations(way, direct, name, cut):
    data = CONVERSATIONS[name]
    if cut and len(data) > 5000:
        cut *= 997
    expected = talk(direct, data)
    with direct.connect() as client:
        client.flushall()
    assert expected.endswith(END + b"\r\n")
    assert talk(way, data, cut) == expected


@pytest.mark.parametrize("name", BROKEN)
def test_broken_requests_cost_their_connection_only(way, direct, name):
    with way.socket() as bystander:
        expected = talk(direct, BROKEN[name], end=False)
        assert expected.rpartition(b"-ERR")[2].startswith((b" Protocol error", b" unbalanced"))
        assert talk(way, BROKEN[name], end=False) == expected
        bystander.sendall(words("ECHO", "here"))
        assert bystander.recv(100) == b"$4\r\nhere\r\n"


def test_replies_still_come_after_the_client_has_closed_its_side(way):
    with way.socket() as plain:
        plain.sendall(words("SET", "k", "v") + words("GET", "k"))
        plain.shutdown(socket.SHUT_WR)
        found = b""
        while chunk := plain.recv(100):
            found += chunk
        assert found == b"+OK\r\n$1\r\nv\r\n"


def test_quit_hangs_up(way):
    with way.socket() as plain:
        plain.sendall(words("PING") + words("QUIT"))
        found = b""
        while chunk := plain.recv(100):
            found += chunk
        assert found == b"+PONG\r\n+OK\r\n"


def test_a_connection_that_is_reset_leaves_no_trace(way):
    import struct

    with way.connect() as client:
        before = client.info("clients")["connected_clients"]
        for _ in range(10):
            plain = way.socket()
            if plain.family != socket.AF_UNIX:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            plain.sendall(words("SET", "k", "v" * 100_000) + words("GET", "k") * 20)
            plain.close()
        deadline = time.monotonic() + TIMEOUT
        while client.info("clients")["connected_clients"] > before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert client.ping()


def test_half_a_gigabyte(way):
    """The value passes as it comes: the server never holds it."""
    size, block = 512 * 1024 * 1024, b"0123456789abcdef" * 65536
    with way.socket() as plain:
        plain.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % size)
        for _ in range(size // len(block)):
            plain.sendall(block)
        plain.sendall(b"\r\n")
        assert plain.recv(100) == b"+OK\r\n"
        plain.sendall(words("GETRANGE", "big", size - 16, -1))
        assert plain.recv(100) == b"$16\r\n0123456789abcdef\r\n"
        plain.sendall(words("GET", "big"))
        stream = plain.makefile("rb")
        assert stream.readline() == b"$%d\r\n" % size
        for _ in range(size // len(block)):
            assert stream.read(len(block)) == block
        assert stream.read(2) == b"\r\n"
    with way.connect() as client:
        client.delete("big")


@pytest.mark.skipif(
    int(redis.__version__.partition(".")[0]) < 4, reason="redis-py 3 logs in by URL alone"
)
class TestAccess:
    @pytest.fixture
    def user(self, way):
        with way.connect() as client:
            client.acl_setuser(
                "reader",
                enabled=True,
                passwords=["+secret"],
                keys=["open:*"],
                commands=["+get", "+ping", "+client", "+hello", "+auth", "+acl|whoami"],
            )
            yield "reader"
            client.acl_deluser("reader")

    def test_a_user_may_do_what_it_may(self, way, protocol, user):
        with way.connect(username=user, password="secret", protocol=protocol) as mine:
            assert mine.acl_whoami() == user
            assert mine.get("open:k") is None
            with pytest.raises(redis.exceptions.NoPermissionError, match="set"):
                mine.set("open:k", 1)
            with pytest.raises(redis.exceptions.NoPermissionError, match="keys|access"):
                mine.get("closed:k")

    def test_a_wrong_password(self, way, user):
        with (
            way.connect(username=user, password="wrong") as mine,
            # Before redis-py 5 it is the latter.
            pytest.raises(
                (redis.exceptions.AuthenticationError, redis.exceptions.ResponseError),
                match="WRONGPASS|invalid",
            ),
        ):
            mine.ping()

    def test_who_may_not_run_scripts_may_not_run_python(self, way, user):
        if way.direct:
            pytest.skip("Redis itself knows no RG.* commands")
        with way.connect(username=user, password="secret") as mine:
            with pytest.raises(redis.exceptions.NoPermissionError):
                mine.execute_command("RG.PYEXECUTE", "x = 1")
            assert mine.get("open:k") is None


def test_a_gears_command_whose_reply_is_skipped(way):
    if way.direct:
        pytest.skip("Redis itself knows no RG.* commands")
    data = words("CLIENT", "REPLY", "SKIP") + words("RG.CONFIGSET", "mine", "value")
    data += words("RG.CONFIGGET", "mine") + words("GET", "none")
    assert talk(way, data).startswith(b"*1\r\n$5\r\nvalue\r\n$-1\r\n")


def test_gears_commands_keep_their_place_in_pipelines(way):
    if way.direct:
        pytest.skip("Redis itself knows no RG.* commands")
    data = b"".join(
        words("SET", "k", n) + words("RG.CONFIGGET", "MaxExecutions") + words("GET", "k")
        for n in range(300)
    )
    expected = b"".join(
        b"+OK\r\n*1\r\n:1000\r\n$%d\r\n%d\r\n" % (len(str(n)), n) for n in range(300)
    )
    for cut in (0, 61):
        assert talk(way, data, cut).startswith(expected)
