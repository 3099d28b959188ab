"""MULTI and EXEC: functions run in their place among the commands of a transaction."""

import os
import random
import re
import signal
import socket
import threading

import pytest
import redis
from support.redis_versions import speaking
from support.waiting import eventually

from redgrease.engine import GearsServer
from redgrease.engine.resp import command, reply_end

TIMEOUT = 10
NOT_NOW = "can not run a non-sync execution inside a MULTI/LUA"


@pytest.fixture(params=[2, 3])
def protocol(request):
    return request.param


@pytest.fixture
def client(r, gears_server, protocol):
    """A plain redis-py client, as anybody may use."""
    options = speaking(protocol)
    with redis.Redis(port=gears_server.port, decode_responses=True, **options) as plain:
        yield plain


class Wire:
    """A raw connection."""

    def __init__(self, server, protocol=2):
        self.socket = socket.create_connection((server.host, server.port), timeout=TIMEOUT)
        self._data = b""
        if protocol == 3:
            self.ask("HELLO", "3")

    def send(self, *requests):
        packed = [command([str(word).encode() for word in words]) for words in requests]
        self.socket.sendall(b"".join(packed))

    def read(self):
        """A reply, as it came."""
        while True:
            try:
                end = reply_end(self._data, 0)
                break
            except ValueError:
                more = self._receive()
                if not more:
                    return b""
                self._data += more
        reply, self._data = self._data[:end], self._data[end:]
        return reply

    def _receive(self):
        try:
            return self.socket.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def ask(self, *words):
        self.send(words)
        return self.read()

    def transaction(self, *requests):
        """Send a transaction in one go; returns the reply of EXEC."""
        self.send(["MULTI"], *requests, ["EXEC"])
        queued = [self.read() for _ in range(len(requests) + 1)]
        assert queued == [b"+OK\r\n"] + len(requests) * [b"+QUEUED\r\n"]
        return self.read()


class Direct(Wire):
    """A raw connection to the Redis behind a server."""

    def __init__(self, server, protocol):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(server.redis_url.partition("unix://")[2])
        self._data = b""
        if protocol == 3:
            self.ask("HELLO", "3")


@pytest.fixture
def connect(r, gears_server, protocol):
    """Makes raw connections."""
    made = []

    def connect(server=gears_server):
        made.append(Wire(server, protocol))
        return made[-1]

    yield connect
    for wire in made:
        wire.socket.close()


@pytest.fixture
def wire(connect):
    return connect()


def run(client, script, *options):
    return client.execute_command("RG.PYEXECUTE", script, *options)


def in_transaction(client, *commands, **options):
    with client.pipeline(transaction=True) as pipeline:
        for words in commands:
            pipeline.execute_command(*words)
        return pipeline.execute(**options)


# The function adds to k, and its reply is what k was before.
ADD = (
    "def add(x):\n"
    "    before = execute('GET', 'k')\n"
    "    execute('INCRBY', 'k', x[1])\n"
    "    return before\n"
    "GB('CommandReader').map(add).register(trigger='add', mode='sync')"
)


class TestTriggers:
    def test_it_sees_what_is_before_it_and_is_seen_by_what_comes_after(self, client):
        run(client, ADD)
        found = in_transaction(
            client,
            ("SET", "k", 1),
            ("RG.TRIGGER", "add", 10),
            ("GET", "k"),
            ("SET", "k", 2),
            ("RG.TRIGGER", "add", 10),
            ("RG.TRIGGER", "add", 10),
            ("GET", "k"),
        )
        assert found == [True, ["1"], "11", True, ["2"], ["12"], "22"]

    def test_one_by_one(self, client, wire):
        """With each reply waited for, the same as in one go."""
        run(client, ADD)
        assert wire.ask("MULTI") == b"+OK\r\n"
        for words in (("SET", "k", 1), ("RG.TRIGGER", "add", 5), ("GET", "k")):
            assert wire.ask(*words) == b"+QUEUED\r\n"
        assert client.get("k") is None
        assert wire.ask("EXEC") == b"*3\r\n+OK\r\n*1\r\n$1\r\n1\r\n$1\r\n6\r\n"
        assert wire.ask("EXEC") == b"-ERR EXEC without MULTI\r\n"

    def test_only_triggers(self, client):
        run(client, ADD)
        client.set("k", 0)
        calls = 3 * [("RG.TRIGGER", "add", 1)]
        assert in_transaction(client, *calls) == [["0"], ["1"], ["2"]]

    def test_others_than_sync_are_refused_in_their_place(self, client):
        run(client, ADD)
        run(client, "GB('CommandReader').register(trigger='a')")
        words = ("SET", "k", 1), ("RG.TRIGGER", "a"), ("RG.TRIGGER", "add", 1), ("RG.TRIGGER", "z")
        done, refused, added, unknown = in_transaction(client, *words, raise_on_error=False)
        assert (done, added) == (True, ["1"])
        assert NOT_NOW in str(refused) and "subcommand not found" in str(unknown)
        assert client.get("k") == "2"

    def test_scripts_are_refused(self, client):
        words = ("SET", "k", 1), ("RG.PYEXECUTE", "GB().run()"), ("GET", "k")
        _, refused, value = in_transaction(client, *words, raise_on_error=False)
        assert "Can not run gears inside a multi exec" in str(refused) and value == "1"

    @pytest.mark.parametrize(
        "step, text",
        [
            ("lambda x: gearsFuture()", "Creating async record is not allowed"),
            ("wait", "not supported|not allow|Creating async record"),
        ],
    )
    def test_a_function_may_not_wait(self, client, step, text):
        script = "async def wait(x):\n    return 1\n"
        script += f"GB('CommandReader').map({step}).register(trigger='t', mode='sync')"
        run(client, script)
        (refused,) = in_transaction(client, ("RG.TRIGGER", "t"), raise_on_error=False)
        with pytest.raises(redis.ResponseError, match=text):
            raise refused

    def test_other_commands_of_gears_have_their_places(self, client):
        run(client, ADD)
        (entry,) = client.execute_command("RG.DUMPREGISTRATIONS")
        ident = entry["id"] if isinstance(entry, dict) else entry[1]
        words = (
            ("SET", "k", 1),
            ("RG.TRIGGER", "add", 1),
            ("RG.UNREGISTER", ident),
            ("RG.TRIGGER", "add", 1),
            ("RG.DUMPREGISTRATIONS",),
            ("GET", "k"),
        )
        *found, gone, none, value = in_transaction(client, *words, raise_on_error=False)
        assert found[:3] == [True, ["1"], "OK"] or found[:3] == [True, ["1"], True]
        assert "subcommand not found" in str(gone) and none == [] and value == "2"

    def test_a_registration_of_its_function_holds_within_the_transaction(self, client):
        script = (
            "def begin(x):\n"
            "    GB().foreach(lambda r: execute('INCR', 'n')).register('e*', mode='sync')\n"
            "GB('CommandReader').map(begin).register(trigger='begin', mode='sync')"
        )
        run(client, script)
        words = ("SET", "e1", 1), ("RG.TRIGGER", "begin"), ("SET", "e2", 1), ("GET", "n")
        found = in_transaction(client, *words, raise_on_error=False)
        assert (found[0], found[2], found[3]) == (True, True, "1"), found

    def test_nobody_comes_between(self, client, gears_server):
        run(client, ADD)
        stop = threading.Event()

        def disturb():
            with redis.Redis(port=gears_server.port) as mine:
                while not stop.is_set():
                    mine.incrby("k", 1000)

        threads = [threading.Thread(target=disturb) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(40):
                words = ("SET", "k", 1), ("RG.TRIGGER", "add", 1), ("GET", "k")
                assert in_transaction(client, *words) == [True, ["1"], "2"]
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_many_transactions_at_once(self, client, gears_server):
        run(client, ADD)
        client.set("k", 0)

        def count():
            with redis.Redis(port=gears_server.port) as mine:
                for _ in range(25):
                    words = ("GET", "k"), ("RG.TRIGGER", "add", 1), ("GET", "k")
                    before, seen, after = in_transaction(mine, *words)
                    assert [before] == seen and int(after) == int(before) + 1

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.get("k") == "100"


class TestHooks:
    def test_a_queued_command_is_hooked_in_its_place(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: str(call_next(*x[1:])) + '!')"
            ".register(hook='get', mode='sync')",
        )
        words = ("SET", "k", 1), ("GET", "k"), ("SET", "k", 2), ("GET", "k"), ("STRLEN", "k")
        assert in_transaction(client, *words) == [True, "1!", True, "2!", 1]

    def test_one_that_is_not_sync_fails(self, client):
        run(client, "GB('CommandReader').map(lambda x: 'hooked').register(hook='get')")
        set_, refused, length = in_transaction(
            client, ("SET", "k", "v"), ("GET", "k"), ("STRLEN", "k"), raise_on_error=False
        )
        assert (set_, length) == (True, 1) and NOT_NOW in str(refused)

    def test_only_keys_with_the_prefix(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: 'hooked')"
            ".register(hook='get', mode='sync', keyprefix='p')",
        )
        words = ("SET", "k", 1), ("GET", "k"), ("GET", "p"), ("GET", "k")
        assert in_transaction(client, *words) == [True, "1", "hooked", "1"]


class TestEvents:
    def test_values_are_those_of_the_moment(self, client):
        run(
            client,
            "GB().foreach(lambda r: execute('RPUSH', 'log', r['event'] + ' ' + str(r['value'])))"
            ".register('k*', mode='sync')",
        )
        words = ("SET", "k", 1), ("INCR", "k"), ("LLEN", "log"), ("DEL", "k"), ("LLEN", "log")
        assert in_transaction(client, *words) == [True, 2, 2, 1, 3]
        assert client.lrange("log", 0, -1) == ["set 1", "incrby 2", "del None"]

    def test_keys_that_are_missed(self, client):
        run(
            client,
            "GB().foreach(lambda r: execute('SET', r['key'], 'made'))"
            ".register('m*', eventTypes=['keymiss'], mode='sync', readValue=False)",
        )
        words = ("GET", "m"), ("GET", "m"), ("EXISTS", "other")
        assert in_transaction(client, *words) == [None, "made", 0]

    def test_async_ones_run_afterwards(self, client):
        run(
            client,
            "GB().foreach(lambda r: execute('RPUSH', 'log', r['key']))"
            ".register('k*', mode='async_local')",
        )
        assert in_transaction(client, ("SET", "k", 1), ("LLEN", "log")) == [True, 0]
        eventually(lambda: client.lrange("log", 0, -1), ["k"])

    def test_functions_for_certain_commands(self, client):
        """A sync one sees the command and answers it; an async one is not linked to it."""
        run(
            client,
            "GB().foreach(lambda r: override_reply('seen ' + ' '.join(get_command())))"
            ".register('s*', mode='sync', commands=['set'])",
        )
        run(
            client,
            "GB().foreach(lambda r: override_reply('never'))"
            ".register('a*', mode='async_local', commands=['set'])",
        )
        words = (
            ("SET", "s", 1),
            ("APPEND", "s", 2),
            ("SET", "a", 1),
            ("GET", "s"),
            ("SET", "s", 3),
        )
        # redis-py makes True of OK, and None of anything else.
        with client.pipeline(transaction=True) as pipeline:
            for one in words:
                pipeline.execute_command(*one)
            pipeline.response_callbacks = {}
            found = pipeline.execute()
        assert found == ["seen SET s 1", 2, "OK", "12", "seen SET s 3"]

    def test_streams(self, client):
        run(
            client,
            "GB('StreamReader').foreach(lambda r: execute('INCR', 'n')).register('s', mode='sync')",
        )
        words = (
            ("XADD", "s", "1-1", "a", 1),
            ("GET", "n"),
            ("XADD", "s", "2-1", "a", 1),
            ("GET", "n"),
        )
        assert in_transaction(client, *words) == ["1-1", "1", "2-1", "2"]

    def test_of_triggers_in_it(self, client):
        """A function's own writes raise events, before the next command."""
        run(client, ADD)
        run(client, "GB().foreach(lambda r: execute('INCR', 'n')).register('k', mode='sync')")
        words = ("SET", "k", 1), ("GET", "n"), ("RG.TRIGGER", "add", 1), ("GET", "n"), ("GET", "k")
        assert in_transaction(client, *words) == [True, "1", ["1"], "2", "2"]


class TestReplies:
    def test_errors_do_not_end_it(self, client):
        run(client, ADD)
        run(client, "GB('CommandReader').map(lambda x: x[7]).register(trigger='t', mode='sync')")
        words = (
            ("SET", "k", "text"),
            ("INCR", "k"),
            ("RG.TRIGGER", "t"),
            ("RG.TRIGGER", "add", 1),
            ("SET", "k", 5),
            ("LPUSH", "k", 1),
            ("RG.TRIGGER", "add", 1),
        )
        _, first, second, third, set_, fourth, last = in_transaction(
            client, *words, raise_on_error=False
        )
        assert "not an integer" in str(first) and "IndexError" in str(second)
        assert "not an integer" in str(third) and "WRONGTYPE" in str(fourth)
        assert (set_, last) == (True, ["5"])

    def test_what_was_refused_when_queued_aborts_it(self, client, wire):
        run(client, ADD)
        for bad in (("NOSUCH",), ("GET",), ("INCR",)):
            for position in range(4):
                words = [("SET", "k", 1), ("RG.TRIGGER", "add", 1), ("GET", "k")]
                words.insert(position, bad)
                wire.send(["MULTI"], *words, ["EXEC"])
                queued = [wire.read() for _ in range(5)]
                assert queued.pop(1 + position).startswith(b"-ERR")
                assert queued == [b"+OK\r\n"] + 3 * [b"+QUEUED\r\n"]
                assert wire.read().startswith(b"-EXECABORT")
        assert client.get("k") is None and wire.ask("PING") == b"+PONG\r\n"

    def test_nested_ones(self, client, wire, server_nests):
        """Whether MULTI within MULTI spoils it is up to Redis."""
        run(client, ADD)
        wire.send(["MULTI"], ["SET", "k", 1], ["MULTI"], ["RG.TRIGGER", "add", 1], ["MULTI"])
        wire.send(["GET", "k"], ["EXEC"])
        replies = [wire.read() for _ in range(7)]
        assert replies[2].startswith(b"-ERR") and replies[4] == replies[2]
        if server_nests:
            assert replies[-1] == b"*3\r\n+OK\r\n*1\r\n$1\r\n1\r\n$1\r\n2\r\n"
        else:
            assert replies[-1].startswith(b"-EXECABORT") and client.get("k") is None

    @pytest.fixture
    def server_nests(self, wire):
        wire.send(["MULTI"], ["MULTI"], ["EXEC"])
        return [wire.read() for _ in range(3)][-1].startswith(b"*")

    def test_nothing_is_left_after_discard(self, client, wire):
        run(client, ADD)
        wire.send(["MULTI"], ["SET", "k", 1], ["RG.TRIGGER", "add", 1], ["DISCARD"], ["GET", "k"])
        replies = [wire.read() for _ in range(5)]
        assert replies[:4] == [b"+OK\r\n", b"+QUEUED\r\n", b"+QUEUED\r\n", b"+OK\r\n"]
        assert replies[4] in (b"$-1\r\n", b"_\r\n")

    def test_requests_behind_it_and_before(self, client, wire):
        run(client, ADD)
        requests = []
        for number in range(20):
            requests += [["SET", "k", number], ["GET", "k"], ["MULTI"], ["INCR", "k"]]
            requests += [["RG.TRIGGER", "add", 1], ["EXEC"], ["GET", "k"], ["RG.CONFIGGET", "x"]]
        wire.send(*requests)
        for number in range(20):
            replies = [wire.read() for _ in range(8)]
            assert replies[:5] == [
                b"+OK\r\n",
                command([str(number).encode()])[4:],
                b"+OK\r\n",
                b"+QUEUED\r\n",
                b"+QUEUED\r\n",
            ]
            after = command([str(number + 1).encode()])
            assert replies[5] == b"*2\r\n:%d\r\n" % (number + 1) + after
            assert replies[6] == command([str(number + 2).encode()])[4:]
            assert replies[7].startswith(b"*1")

    def test_binary_data_that_looks_like_replies(self, client, wire):
        run(client, ADD)
        evil = "\r\n-ERR x\r\n+OK\r\n+QUEUED\r\n*2\r\n$2\r\nrg\r\n"
        client.set("evil", evil)
        client.set("k", 1)
        wire.send(["GET", "evil"], ["MULTI"], ["GET", "evil"], ["RG.TRIGGER", "add", 1])
        wire.send(["GET", "evil"], ["EXEC"], ["GET", "evil"])
        replies = [wire.read() for _ in range(7)]
        text = command([evil.encode()])[4:]
        assert replies == [
            text,
            b"+OK\r\n",
            *3 * [b"+QUEUED\r\n"],
            b"*3\r\n" + text + b"*1\r\n$1\r\n1\r\n" + text,
            text,
        ]

    def test_a_large_one(self, client, wire):
        run(client, ADD)
        big = "x" * 3_000_000
        requests = [["SET", f"k{n}", n] for n in range(5000)]
        requests[2500:2500] = [["SET", "k", 1], ["SET", "b", big], ["RG.TRIGGER", "add", 1]]
        requests += [["GET", "b"], ["GET", "k"]]
        thread = threading.Thread(target=lambda: wire.send(["MULTI"], *requests, ["EXEC"]))
        thread.start()
        replies = [wire.read() for _ in range(len(requests) + 2)]
        thread.join()
        assert set(replies[1:-1]) == {b"+QUEUED\r\n"}
        ok, value = b"+OK\r\n", command([big.encode()])[4:]
        expected = 2502 * ok + b"*1\r\n$1\r\n1\r\n" + 2500 * ok + value + b"$1\r\n2\r\n"
        assert replies[-1] == b"*%d\r\n" % len(requests) + expected

    def test_inline_requests(self, client, wire):
        run(client, ADD)
        wire.socket.sendall(b"MULTI\r\n\r\nset k 1\r\nrg.trigger add 2\r\nget k\r\nexec\r\n")
        replies = [wire.read() for _ in range(5)]
        assert replies[-1] == b"*3\r\n+OK\r\n*1\r\n$1\r\n1\r\n$1\r\n3\r\n"


POOL = [
    ["SET", "a", "text"],
    ["SET", "n", 1],
    ["INCR", "n"],
    ["INCR", "a"],
    ["GET", "a"],
    ["GET", "none"],
    ["RPUSH", "l", "x", "", "\r\n$3\r\n"],
    ["LRANGE", "l", 0, -1],
    ["LPOP", "l"],
    ["HSET", "h", "f", "v", "g", ""],
    ["HGETALL", "h"],
    ["SADD", "s", "m"],
    ["SMEMBERS", "s"],
    ["ZADD", "z", 1.5, "m"],
    ["ZRANGE", "z", 0, -1, "WITHSCORES"],
    ["XADD", "x", "*", "f", "v"],
    ["XLEN", "x"],
    ["BLPOP", "l", "none", 0],
    ["DEL", "a", "l"],
    ["EVAL", "redis.call('set', 'e', 1) return {1, {2, 'x'}, false}", 0],
    ["EVAL", "return redis.error_reply('MY error')", 0],
    ["SETRANGE", "b", 5000, "end"],
    ["GETRANGE", "b", 0, -1],
    ["WATCH", "n"],
    ["OBJECT", "ENCODING", "n"],
    ["LPUSH", "n", 1],
    ["COPY", "n", "m"],
    ["EXPIRE", "n", 100],
]
"""Commands that mean the same wherever they are carried out, apart from the stream's IDs."""


@pytest.mark.parametrize("seed", range(3))
def test_the_replies_are_those_of_redis(client, gears_server, wire, protocol, seed):
    """A function that does nothing, but makes the server carry transactions out in segments."""
    run(client, "GB().foreach(lambda r: None).register(mode='sync')")
    run(client, "GB('StreamReader').foreach(lambda r: None).register('x', mode='sync')")
    chosen = random.Random(seed)
    with redis.Redis(port=gears_server.port) as plain:
        for _ in range(25):
            commands = [chosen.choice(POOL) for _ in range(chosen.randint(1, 20))]
            if chosen.random() < 0.1:
                commands.insert(chosen.randrange(len(commands)), ["NOSUCH"])
            answers = []
            for place in (wire, Direct(gears_server, protocol)):
                place.ask("SELECT", 5)
                plain.execute_command("FLUSHALL")
                place.send(["GET", "none"], ["MULTI"], *commands, ["EXEC"], ["PING"])
                answers.append([place.read() for _ in range(len(commands) + 4)])
            found, expected = ([re.sub(rb"\d{13,}-\d", b"ID", a) for a in one] for one in answers)
            assert found == expected, commands


class TestConnections:
    def test_another_database(self, client, wire):
        run(client, ADD)
        found = wire.transaction(
            ["SELECT", 3], ["SET", "k", 7], ["RG.TRIGGER", "add", 1], ["GET", "k"]
        )
        assert found.endswith(b"$1\r\n7\r\n") and found.count(b"+OK") == 2
        assert wire.ask("GET", "k") == b"$1\r\n7\r\n"  # and functions run in database 0
        assert client.get("k") == "1"
        wire.ask("FLUSHDB")

    def test_blocking_commands_do_not_wait(self, client, wire):
        run(client, ADD)
        found = wire.transaction(["BLPOP", "none", 0], ["RG.TRIGGER", "add", 1], ["BLPOP", "l", 0])
        assert found[:4] == b"*3\r\n" and found.endswith((b"*-1\r\n", b"_\r\n"))

    @pytest.mark.parametrize("words", [["CLIENT", "REPLY", "OFF"], ["SUBSCRIBE", "c"]])
    def test_what_cannot_go_together(self, client, wire, words):
        run(client, ADD)
        wire.send(["MULTI"], ["SET", "k", 1], ["RG.TRIGGER", "add", 1], words, ["EXEC"])
        assert [wire.read() for _ in range(5)][-1].startswith(b"-EXECABORT")
        assert wire.ask("GET", "k") in (b"$-1\r\n", b"_\r\n")

    def test_what_redis_refuses_changes_nothing(self, client, wire):
        """CLIENT REPLY and HELLO, by newer versions."""
        run(client, ADD)
        wire.send(["MULTI"], ["CLIENT", "REPLY", "OFF"], ["EXEC"])
        assert [wire.read() for _ in range(3)][-1].startswith(b"-EXECABORT")
        assert wire.transaction(["SET", "k", 1], ["RG.TRIGGER", "add", 1]).startswith(b"*2")

    def test_messages_of_tracking_come_whole(self, client, connect, protocol):
        """In RESP3 they come between replies, here because of what a function writes."""
        if protocol == 2:
            pytest.skip("only RESP3 has them")
        run(client, ADD)
        wire = connect()
        wire.ask("CLIENT", "TRACKING", "ON", "BCAST")
        for _ in range(20):
            wire.send(["GET", "none"], ["MULTI"], ["SET", "k", 1], ["RG.TRIGGER", "add", 1])
            wire.send(["SET", "l", 1], ["RG.TRIGGER", "add", 1], ["GET", "k"], ["EXEC"], ["PING"])
            found, pushed = [], b""
            while found[-1:] != [b"+PONG\r\n"]:
                reply = wire.read()
                if reply.startswith(b">"):
                    pushed += reply
                else:
                    found.append(reply)
            assert found[:-2] == [b"_\r\n", b"+OK\r\n", *5 * [b"+QUEUED\r\n"]]
            one, two, three = (command([word])[4:] for word in (b"1", b"2", b"3"))
            expected = b"+OK\r\n*1\r\n" + one + b"+OK\r\n*1\r\n" + two + three
            assert found[-2] == b"*5\r\n" + expected
            assert pushed.count(b"invalidate") >= 2

    def test_who_sends_no_more_gets_the_replies(self, client, wire):
        run(client, ADD)
        wire.send(["MULTI"], ["SET", "k", 1], ["RG.TRIGGER", "add", 1], ["EXEC"], ["GET", "k"])
        wire.socket.shutdown(socket.SHUT_WR)
        replies = [wire.read() for _ in range(6)]
        assert replies[3:] == [b"*2\r\n+OK\r\n*1\r\n$1\r\n1\r\n", b"$1\r\n2\r\n", b""]

    def test_no_replies_wanted(self, client, wire):
        run(client, ADD)
        wire.send(["CLIENT", "REPLY", "OFF"], ["MULTI"], ["SET", "k", 1])
        wire.send(["RG.TRIGGER", "add", 1], ["SET", "l", "x"], ["RG.TRIGGER", "add", 1], ["EXEC"])
        wire.send(["MULTI"], ["RG.TRIGGER", "add", 100], ["NOSUCH"], ["EXEC"], ["GET", "k"])
        wire.send(["CLIENT", "REPLY", "ON"], ["GET", "k"])
        assert [wire.read(), wire.read()] == [b"+OK\r\n", b"$1\r\n3\r\n"]
        assert client.get("l") == "x"

    def test_the_first_reply_not_wanted(self, client, wire):
        run(client, ADD)
        wire.send(["CLIENT", "REPLY", "SKIP"], ["MULTI"], ["SET", "k", 1])
        wire.send(["RG.TRIGGER", "add", 1], ["EXEC"], ["GET", "k"])
        replies = [wire.read() for _ in range(4)]
        assert replies[2:] == [b"*2\r\n+OK\r\n*1\r\n$1\r\n1\r\n", b"$1\r\n2\r\n"]

    def test_a_client_that_goes_does_not_leave_half_of_it(self, client, connect, gears_server):
        """The function tells when the first half is done; then the client hangs up."""
        run(
            client,
            "import time\n"
            "def slow(x):\n"
            "    while not execute('GET', 'go'):\n"
            "        time.sleep(0.005)\n"
            "GB('CommandReader').foreach(slow).register(trigger='slow', mode='sync')",
        )
        wire = connect()
        direct = redis.Redis.from_url(gears_server.redis_url)
        wire.send(["MULTI"], ["SET", "k", 1], ["RG.TRIGGER", "slow"], ["SET", "k", 2], ["EXEC"])
        eventually(lambda: direct.get("k"), b"1")
        wire.socket.close()
        direct.set("go", 1)
        eventually(lambda: direct.get("k"), b"2")
        assert client.ping()
        direct.close()

    def test_others_go_on_when_redis_hangs_up(self, client, connect):
        run(
            client,
            "GB('CommandReader').foreach(lambda x: execute('CLIENT', 'KILL', 'TYPE', 'normal',"
            " 'ID', execute('GET', 'id'))).register(trigger='kill', mode='sync')",
        )
        wire = connect()
        client.set("id", int(wire.ask("CLIENT", "ID")[1:]))
        wire.send(["MULTI"], ["SET", "k", 1], ["RG.TRIGGER", "kill"], ["SET", "k", 2], ["EXEC"])
        while wire.read():
            pass
        assert client.get("k") == "1"


class TestWatch:
    def test_it_takes_place(self, client, wire):
        run(client, ADD)
        client.set("w", 1)
        wire.ask("WATCH", "w")
        words = ["SET", "k", 1], ["GET", "w"], ["RG.TRIGGER", "add", 1], ["GET", "k"]
        assert wire.transaction(*words) == (b"*4\r\n+OK\r\n$1\r\n1\r\n*1\r\n$1\r\n1\r\n$1\r\n2\r\n")
        assert wire.transaction(*words).startswith(b"*4")  # nothing is watched any more

    @pytest.mark.parametrize("first", [0, 1])
    @pytest.mark.parametrize("events", [False, True])
    def test_it_does_not(self, client, wire, first, events):
        run(client, ADD)
        if events:  # WATCH itself may find that a key has expired
            run(client, "GB().register('none', mode='sync')")
        client.set("w", 1)
        wire.ask("WATCH", "w")
        client.incr("w")
        words = [["SET", "k", 1], ["RG.TRIGGER", "add", 1], ["GET", "k"]][first:]
        assert wire.transaction(*words) in (b"*-1\r\n", b"_\r\n")
        assert client.get("k") is None
        assert wire.transaction(["SET", "k", 1], ["RG.TRIGGER", "add", 1]).startswith(b"*2")

    def test_it_begins_with_a_call(self, client, wire):
        run(client, ADD)
        client.set("k", 4)
        wire.ask("WATCH", "k")
        assert wire.transaction(["RG.TRIGGER", "add", 1], ["GET", "k"]) == (
            b"*2\r\n*1\r\n$1\r\n4\r\n$1\r\n5\r\n"
        )

    def test_with_redis_py(self, client):
        run(client, ADD)
        client.set("k", 5)

        def twice(pipeline):
            value = int(pipeline.get("k"))
            pipeline.multi()
            pipeline.set("k", 2 * value)
            pipeline.execute_command("RG.TRIGGER", "add", 1)
            pipeline.get("k")

        assert client.transaction(twice, "k") == [True, ["10"], "11"]

    def test_events(self, client, wire):
        run(client, "GB().foreach(lambda r: execute('INCR', 'n')).register('k*', mode='sync')")
        wire.ask("WATCH", "w")
        found = wire.transaction(["SET", "k", 1], ["SET", "k", 2], ["GET", "n"])
        assert found[:4] == b"*3\r\n"
        assert client.get("n") == "2"

    def test_what_is_behind_a_call_may_fail(self, client, wire):
        """Redis does not see it before, so it is an error in the reply of EXEC."""
        run(client, ADD)
        wire.ask("WATCH", "w")
        words = ["SET", "k", 1], ["RG.TRIGGER", "add", 1], ["NOSUCH"], ["GET", "k"]
        found = wire.transaction(*words)
        assert found.startswith(b"*4\r\n+OK\r\n*1\r\n$1\r\n1\r\n-ERR unknown command")
        assert found.endswith(b"$1\r\n2\r\n")

    def test_unwatched(self, client, wire):
        run(client, ADD)
        wire.send(["WATCH", "w"], ["UNWATCH"], ["MULTI"], ["RG.TRIGGER", "add", 1], ["NOSUCH"])
        wire.send(["EXEC"])
        replies = [wire.read() for _ in range(6)]
        assert replies[4].startswith(b"-ERR") and replies[5].startswith(b"-EXECABORT")


@pytest.fixture(scope="module")
def own_server():
    """A server on which tests may do anything."""
    with GearsServer() as server:
        yield server


class TestTrouble:
    def test_of_the_worker(self, own_server, connect, protocol):
        with own_server.client() as admin:
            admin.flushall()
            run(
                admin,
                "import os\n"
                "GB('CommandReader').foreach(lambda x: os._exit(3))"
                f".register(trigger='die{protocol}', mode='sync')",
            )
            wire = connect(own_server)
            found = wire.transaction(
                ["SET", "k", 1], ["RG.TRIGGER", f"die{protocol}"], ["INCR", "k"]
            )
            assert found.startswith(b"*3\r\n+OK\r\n-ERR the Gears worker died")
            assert found.endswith(b":2\r\n")
            assert admin.get("k") == b"2"

    def test_of_a_function_that_hangs(self, own_server, connect, protocol):
        """It is aborted by another client, and the transaction goes on."""
        direct = redis.Redis.from_url(own_server.redis_url)
        direct.delete("hanging")
        with direct, own_server.client() as admin:
            run(
                admin,
                "def hang(x):\n"
                "    execute('INCR', 'hanging')\n"
                "    while True: pass\n"
                f"GB('CommandReader').foreach(hang).register(trigger='hang{protocol}', mode='sync')",
            )
            wire = connect(own_server)
            wire.send(
                ["MULTI"],
                ["SET", "k", 1],
                ["RG.TRIGGER", f"hang{protocol}"],
                ["INCR", "k"],
                ["EXEC"],
            )

            eventually(lambda: direct.get("hanging"), b"1")
            admin.gears.abortexecution(admin.gears.dumpexecutions()[0])
            replies = [wire.read() for _ in range(5)]
            assert replies[-1].startswith(b"*3\r\n+OK\r\n-") and replies[-1].endswith(b":2\r\n")

    def test_of_redis(self, connect):
        with GearsServer() as server, server.client() as admin:
            run(admin, ADD)
            wire = connect(server)
            pid = admin.info()["process_id"]
            assert wire.ask("MULTI") == b"+OK\r\n"
            wire.ask("RG.TRIGGER", "add", 1)
            os.kill(pid, signal.SIGKILL)
            wire.send(["EXEC"])
            assert wire.read() == b""


class TestRights:
    @pytest.fixture
    def user(self, r, gears_server, connect):
        def user(rights):
            r.execute_command("ACL", "SETUSER", "u", "reset", "on", ">pw", "~*", *rights.split())
            wire = connect()
            assert wire.ask("AUTH", "u", "pw") == b"+OK\r\n"
            return wire

        yield user
        r.execute_command("ACL", "DELUSER", "u")

    def test_who_may_not_call(self, client, user):
        run(client, ADD)
        wire = user("+@all -@scripting")
        found = wire.transaction(["SET", "k", 1], ["RG.TRIGGER", "add", 1], ["GET", "k"])
        assert found.startswith(b"*3\r\n+OK\r\n-NOPERM") and found.endswith(b"$1\r\n1\r\n")

    def test_who_may_not_use_transactions(self, client, user):
        """MULTI is refused, and what follows is no transaction."""
        run(client, ADD)
        client.set("k", 1)
        wire = user("+@all -multi -exec")
        wire.send(["MULTI"], ["GET", "k"], ["RG.TRIGGER", "add", 1], ["GET", "k"], ["EXEC"])
        replies = [wire.read() for _ in range(5)]
        assert replies[0].startswith(b"-NOPERM") and replies[4].startswith(b"-EXECABORT")
        assert replies[1:4] == [b"$1\r\n1\r\n", b"*1\r\n$1\r\n1\r\n", b"$1\r\n2\r\n"]

    def test_what_changes_after_a_refused_one(self, client, user, protocol):
        """It is no transaction: another protocol holds at once."""
        run(client, ADD)
        wire, other = user("+@all -multi"), 5 - protocol
        wire.send(["MULTI"], ["HELLO", other], ["RG.DUMPREGISTRATIONS"])
        assert wire.read().startswith(b"-NOPERM")
        assert wire.read()[:1] == (b"%" if other == 3 else b"*")
        null = {2: b"$-1\r\n", 3: b"_\r\n"}
        found = wire.read()  # without a description
        assert null[other] in found and null[protocol] not in found

    @pytest.mark.parametrize("at_once", [False, True])
    def test_who_may_watch_but_not_use_transactions(self, client, user, at_once):
        """What Redis is not to see before EXEC is refused then."""
        run(client, ADD)
        client.set("k", 1)
        wire = user("+@all -multi")
        requests = [["WATCH", "w"], ["MULTI"], ["INCR", "k"], ["RG.TRIGGER", "add", 1]]
        requests += [["INCR", "k"], ["EXEC"], ["UNWATCH"], ["INCR", "k"]]
        if at_once:
            wire.ask("RG.TRIGGER", "add", 0)  # nothing is under way then, to be waited for
            wire.send(*requests)
            replies = [wire.read() for _ in requests]
        else:
            replies = [wire.ask(*words) for words in requests]
        assert replies[1].startswith(b"-NOPERM") and replies[2] == b":2\r\n"
        assert replies[3] == replies[4] == b"-ERR MULTI was refused, so this is not carried out\r\n"
        assert replies[5:] == [b"-ERR EXEC without MULTI\r\n", b"+OK\r\n", b":3\r\n"]

    def test_who_may_not_exec(self, client, user):
        run(client, ADD)
        client.set("k", 1)
        wire = user("+@all -exec")
        for words in (
            (["RG.TRIGGER", "add", 1], ["SET", "k", 5]),
            (["SET", "k", 5], ["RG.TRIGGER", "add", 1]),
        ):
            assert b"NOPERM" in wire.transaction(*words)
        assert client.get("k") == "1"

    def test_somebody_else_in_the_midst(self, client, user):
        run(client, ADD)
        wire = user("+@all -get")
        other = user("+@all")
        client.execute_command("ACL", "SETUSER", "v", "on", ">pw", "~*", "+@all", "-get")
        try:
            words = ["SET", "k", 1], ["AUTH", "v", "pw"], ["RG.TRIGGER", "add", 1], ["GET", "k"]
            found = other.transaction(*words, ["STRLEN", "k"])
            assert found.startswith(b"*5\r\n+OK\r\n+OK\r\n*1\r\n$1\r\n1\r\n-NOPERM")
            assert found.endswith(b":1\r\n")
        finally:
            client.execute_command("ACL", "DELUSER", "v")
        assert wire.ask("PING") == b"+PONG\r\n"
