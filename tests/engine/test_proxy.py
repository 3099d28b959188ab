"""The proxy: Redis as ever, with RG.* in its place among other commands."""

import os
import signal
import socket
import threading

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.waiting import eventually

from redgrease.engine import GearsServer
from redgrease.engine.resp import command

COUNT = "GB('KeysOnlyReader').count().run()"


@pytest.fixture
def plain(gears_server):
    """A client of redis-py's own; the server is empty."""
    client = redis.Redis.from_url(gears_server.url)
    client.flushall()
    yield client
    client.close()


def pack(*requests):
    """Requests, each of words, as they are sent."""
    return b"".join(
        command([w if isinstance(w, bytes) else w.encode() for w in words]) for words in requests
    )


class Wire:
    """A raw connection."""

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.port), timeout=20)
        self.file = self.socket.makefile("rb")

    def send(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece)

    def reply(self):
        """A reply, as bytes."""
        line = self.file.readline()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return line + self.file.read(int(line[1:]) + 2)
        if line[:1] in b"*>~" and line not in (b"*-1\r\n", b""):
            return line + b"".join(self.reply() for _ in range(int(line[1:])))
        if line[:1] == b"%":
            return line + b"".join(self.reply() for _ in range(2 * int(line[1:])))
        return line

    def ask(self, *words):
        self.send(pack(words))
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def wire(gears_server, plain):
    connection = Wire(gears_server)
    yield connection
    connection.close()


GEARS_REPLY = b"*2\r\n*1\r\n$1\r\n7\r\n*0\r\n"
GEARS = ["RG.PYEXECUTE", "GB('ShardsIDReader').map(lambda x: 7).run()"]
MIXED = [
    (["SET", "k", "v"], b"+OK\r\n"),
    (["GET", "k"], b"$1\r\nv\r\n"),
    (["ECHO", "x" * 300], b"$300\r\n" + b"x" * 300 + b"\r\n"),
    (["NOSUCHCOMMAND"], None),
    (["RG.CONFIGGET", "MaxExecutions"], b"*1\r\n:1000\r\n"),
    (["rg.refreshcluster"], b"+OK\r\n"),
    (GEARS, GEARS_REPLY),
]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(MIXED), min_size=1, max_size=12), st.integers(1, 60))
def test_replies_keep_the_order_of_requests(gears_server, mix, size):
    connection = Wire(gears_server)
    try:
        connection.ask("SET", "k", "v")
        data = b"".join(command([word.encode() for word in words]) for words, _ in mix)
        connection.send(*(data[at : at + size] for at in range(0, len(data), size)))
        for _words, expected in mix:
            reply = connection.reply()
            if expected is None:
                assert reply.startswith(b"-ERR unknown command 'NOSUCHCOMMAND'")
            else:
                assert reply == expected
    finally:
        connection.close()


@pytest.mark.parametrize("size", [1 << 20, 5000, 777])
def test_values_that_look_like_requests(wire, size):
    """Requests are looked at many at once; what is in them must not mislead."""
    values = [
        b"a\r\n*1\r\n$1\r\nX\r\n" * 3,
        b"*3\r\n",
        b"\r\n*2\r\n",
        b"plain",
        b"*1\r\n$1\r\nX\r\n",
    ]
    requests, expected = [], []
    for number in range(500):
        value = values[number % len(values)]
        requests += [command([b"SET", b"k", value]), command([b"GET", b"k"])]
        expected += [b"+OK\r\n", b"$%d\r\n%b\r\n" % (len(value), value)]
        if number % 100 == 99:
            requests.append(command([b"RG.CONFIGGET", b"MaxExecutions"]))
            expected.append(b"*1\r\n:1000\r\n")
    data = b"".join(requests)
    sending = threading.Thread(
        target=lambda: wire.send(*(data[at : at + size] for at in range(0, len(data), size)))
    )
    sending.start()
    assert [wire.reply() for _ in expected] == expected
    sending.join()


def test_module_list_names_gears(plain, wire):
    entry = plain.execute_command("MODULE", "LIST")[-1]
    if not isinstance(entry, dict):  # so it is since redis-py 4
        entry = dict(zip(entry[::2], entry[1::2]))
    assert {"name": b"rg", "ver": 10213}.items() <= {
        (key.decode() if isinstance(key, bytes) else key): value for key, value in entry.items()
    }.items()
    wire.ask("HELLO", "3")
    assert b"%4\r\n$4\r\nname\r\n$2\r\nrg\r\n$3\r\nver\r\n:10213\r\n" in wire.ask("MODULE", "LIST")


def test_a_name_that_nobody_knows_is_redis_to_answer(wire):
    assert wire.ask("RG.NOSUCH").startswith(b"-ERR unknown command 'RG.NOSUCH'")


def test_in_transactions_replies_take_their_places(wire):
    for request in (["MULTI"], ["INCR", "n"], ["RG.CONFIGGET", "MaxExecutions"], ["INCR", "n"]):
        wire.send(command([word.encode() for word in request]))
    assert [wire.reply() for _ in range(4)] == [b"+OK\r\n"] + 3 * [b"+QUEUED\r\n"]
    assert wire.ask("EXEC") == b"*3\r\n:1\r\n*1\r\n:1000\r\n:2\r\n"
    assert wire.ask("GET", "n") == b"$1\r\n2\r\n"


def test_a_discarded_transaction_runs_nothing(wire):
    wire.ask("MULTI")
    assert wire.ask(*GEARS) == b"+QUEUED\r\n"
    assert wire.ask("DISCARD") == b"+OK\r\n"
    assert wire.ask("RG.DUMPEXECUTIONS") == b"*0\r\n"


def test_functions_do_not_block_in_transactions(wire):
    wire.ask("MULTI")
    wire.ask(*GEARS)
    assert b"Can not run gears inside a multi exec" in wire.ask("EXEC")


def test_blocking_commands_hold_nobody_up(gears_server, plain, wire):
    wire.send(command([b"BLPOP", b"list", b"20"]))
    script = "GB('ShardsIDReader').map(lambda x: locked()).run()"
    script = "def locked():\n  with atomic():\n    return execute('PING')\n" + script
    assert plain.execute_command("RG.PYEXECUTE", script) == [[b"PONG"], []]
    plain.rpush("list", "x")
    assert wire.reply() == b"*2\r\n$4\r\nlist\r\n$1\r\nx\r\n"


SYNC = """
GB().foreach(lambda r: execute('INCR', 'seen')).register('k:*', mode='sync', eventTypes=['set'])
GB('CommandReader').map(lambda x: 7).register(trigger='seven', mode='sync')
"""
SEVEN = ["RG.TRIGGER", "seven"], b"*1\r\n$1\r\n7\r\n"
LARGE = b"x" * 3_000_000


def blocked(client, number):
    """Wait until so many clients are blocked."""
    eventually(lambda: client.info("clients")["blocked_clients"], number, timeout=20)


@pytest.mark.parametrize(
    "behind",
    [
        [(["SET", "other", "1"], b"+OK\r\n")],
        [(["SET", "k:1", "1"], b"+OK\r\n")],
        [(["SET", "other", LARGE], b"+OK\r\n")],
        [(["GET", "other"], b"$-1\r\n")],
        [SEVEN],
        [
            (["MULTI"], b"+OK\r\n"),
            (["SET", "k:1", "1"], b"+QUEUED\r\n"),
            (["SET", "k:2", "1"], b"+QUEUED\r\n"),
            (["EXEC"], b"*2\r\n+OK\r\n+OK\r\n"),
        ],
    ],
)
def test_what_stands_behind_a_blocking_command_holds_nobody_up(r, gears_server, wire, behind):
    r.gears.pyexecute(SYNC)
    assert wire.ask(*SEVEN[0]) == SEVEN[1]
    blocks = [["SET", "before", "1"], ["BLPOP", "list", "20"]]
    wire.send(pack(*blocks, *(words for words, _ in behind)))
    assert wire.reply() == b"+OK\r\n"
    blocked(r, 1)
    with redis.Redis.from_url(gears_server.url, socket_timeout=10) as other:
        other.set("k:9", 1)  # nobody comes between this and its function
        assert other.execute_command(*SEVEN[0]) == [b"7"]
        other.rpush("list", "x")
    assert wire.reply() == b"*2\r\n$4\r\nlist\r\n$1\r\nx\r\n"
    assert [wire.reply() for _ in behind] == [reply for _, reply in behind]


def test_a_blocked_client_that_has_gone_takes_nothing(gears_server, plain):
    wire = Wire(gears_server)
    wire.send(pack(["BLPOP", "list", "0"], ["SET", "other", "1"]))
    blocked(plain, 1)
    wire.close()
    blocked(plain, 0)
    assert plain.rpush("list", "x") == plain.llen("list") == 1


def test_atomic_keeps_other_clients_back(gears_server, plain):
    plain.set("n", 0)
    stop = threading.Event()

    def count():
        with redis.Redis.from_url(gears_server.url) as other:
            while not stop.is_set():
                other.incr("n")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    script = (
        "import time\n"
        "def watch(x):\n"
        "  with atomic():\n"
        "    seen = set()\n"
        "    for _ in range(20):\n"
        "      seen.add(execute('GET', 'n'))\n"
        "      time.sleep(0.001)\n"
        "    return len(seen)\n"
        "GB('ShardsIDReader').map(watch).run()"
    )
    try:
        for _ in range(5):
            assert plain.execute_command("RG.PYEXECUTE", script) == [[b"1"], []]
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_large_values_pass(plain):
    value = os.urandom(5_000_000)
    plain.set("large", value)
    assert plain.get("large") == value


def test_bytes_that_look_like_gears_are_data(plain):
    value = command([b"RG.PYEXECUTE", b"GB().run()"]) * 3
    plain.set("data", value)
    assert plain.get("data") == value


@pytest.mark.parametrize("data", [b"*1\r\n+PING\r\n", b"*x\r\n", b"*1\r\n$x\r\n"])
def test_broken_requests_get_redis_own_error_and_cost_one_connection(plain, wire, data):
    wire.send(data)
    assert wire.reply().startswith(b"-ERR Protocol error")
    assert wire.reply() == b""
    assert plain.ping()


def test_inline_requests(wire):
    wire.send(b"PING\r\nRG.REFRESHCLUSTER\r\nPING\r\n")
    assert [wire.reply() for _ in range(3)] == [b"+PONG\r\n", b"+OK\r\n", b"+PONG\r\n"]


def test_replies_in_the_place_of_requests_are_redis_own_business(wire):
    wire.send(b"%1\r\n$1\r\na\r\n$1\r\nb\r\n")
    assert wire.reply().startswith(b"-ERR unknown command '%1'")


def test_quotes_in_inline_requests(wire):
    wire.send(b'rg.configset "my key" "a\\x41"\r\nRG.CONFIGGET \'my key\'\r\n')
    assert wire.reply().startswith(b"*1\r\n+OK")
    assert wire.reply() == b"*1\r\n$2\r\naA\r\n"
    wire.send(b"RG.CONFIGGET 'my key\r\n")
    assert wire.reply() == b"-ERR Protocol error: unbalanced quotes in request\r\n"


def test_replies_are_still_delivered_after_the_client_has_said_all(wire):
    wire.send(command([b"PING"]), command([word.encode() for word in GEARS]))
    wire.socket.shutdown(socket.SHUT_WR)
    assert [wire.reply(), wire.reply()] == [b"+PONG\r\n", GEARS_REPLY]


def test_subscribers_get_their_messages_and_no_gears(plain, wire):
    wire.ask("SUBSCRIBE", "channel")
    plain.publish("channel", "hello")
    assert b"hello" in wire.reply()
    assert wire.ask("RG.PYSTATS").startswith(b"-ERR Can't execute 'rg.pystats'")


def test_resp3_subscribers_may_use_gears(plain, wire):
    wire.ask("HELLO", "3")
    wire.ask("SUBSCRIBE", "channel")
    assert wire.ask("RG.REFRESHCLUSTER") == b"+OK\r\n"
    plain.publish("channel", "hello")
    assert b"hello" in wire.reply()


@pytest.fixture(scope="module")
def guarded():
    """A server that asks for a password."""
    with GearsServer(password="secret word") as server:
        yield server


class TestRights:
    def test_a_password_is_needed_as_in_redis(self, guarded):
        wire = Wire(guarded)
        wire.send(command([b"PING"]), command([b"RG.PYSTATS"]), command([b"PING"]))
        assert all(wire.reply().startswith(b"-NOAUTH") for _ in range(3))
        assert wire.ask(*GEARS).startswith(b"-NOAUTH")
        assert wire.ask("RG.PYSTATS").startswith(b"-NOAUTH")
        assert wire.ask("PING").startswith(b"-NOAUTH")
        assert wire.ask("AUTH", "secret word") == b"+OK\r\n"
        assert wire.ask(*GEARS) == GEARS_REPLY
        wire.close()

    def test_who_may_not_run_scripts_may_not_run_functions(self, guarded):
        with guarded.client() as admin:
            admin.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+ping")
        wire = Wire(guarded)
        assert wire.ask("AUTH", "reader", "pw") == b"+OK\r\n"
        assert wire.ask(*GEARS).startswith(b"-NOPERM")
        assert wire.ask("PING") == b"+PONG\r\n"
        wire.close()

    def test_clients_find_the_password_in_the_address(self, guarded):
        with guarded.client() as client:
            assert client.gears.pyexecute(COUNT) == []


class TestWorkerDeath:
    @pytest.fixture
    def server(self):
        with GearsServer() as server:
            yield server

    def test_a_call_in_flight_fails_and_the_next_works(self, server):
        with redis.Redis.from_url(server.url) as client:
            wire = Wire(server)
            script = (
                "import os, time\n"
                "def die(x):\n"
                "  execute('SET', 'pid', os.getpid())\n"
                "  time.sleep(60)\n"
                "GB('ShardsIDReader').map(die).run()"
            )
            wire.send(command([b"RG.PYEXECUTE", script.encode()]))
            while not client.exists("pid"):
                pass
            os.kill(int(client.get("pid")), signal.SIGKILL)
            assert wire.reply() == b"-ERR the Gears worker died while running this call\r\n"
            assert client.ping()
            assert client.execute_command("RG.PYEXECUTE", COUNT) == [[b"1"], []]
            wire.close()
