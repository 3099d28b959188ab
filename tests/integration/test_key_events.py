"""Functions that are registered for events of keys, on the embedded server."""

import contextlib
import socket
import threading

import pytest
import redis
from support.waiting import eventually

from redgrease.engine import GearsServer

TIMEOUT = 10

LOG = (
    "GB().filter(lambda r: r['key'] != 'log')"
    ".foreach(lambda r: execute('RPUSH', 'log', '%s %s %s' % (r['event'], r['key'], r['value'])))"
)


@pytest.fixture
def client(r, gears_server):
    """A plain redis-py client, as anybody may use."""
    with redis.Redis(port=gears_server.port, decode_responses=True) as plain:
        yield plain


def run(client, script, *options):
    return client.execute_command("RG.PYEXECUTE", script, *options)


def log(client):
    return client.lrange("log", 0, -1)


def statistics(client, position=0):
    entry = client.execute_command("RG.DUMPREGISTRATIONS")[position]
    data = entry[7]
    return dict(zip(data[::2], data[1::2]))


class TestSync:
    def test_the_function_has_run_before_the_reply(self, client):
        run(client, LOG + ".register('k*', mode='sync')")
        for number in range(200):
            client.set("k", number)
            assert client.lindex("log", -1) == f"set k {number}"

    def test_each_command_of_a_pipeline_has_its_function_run_before_the_next(self, client):
        run(client, "GB().foreach(lambda r: execute('INCR', 'n')).register('k*', mode='sync')")
        pipeline = client.pipeline(transaction=False)
        for number in range(50):
            pipeline.set("k", number)
            pipeline.get("n")
        assert pipeline.execute() == [
            answer for number in range(50) for answer in (True, str(number + 1))
        ]

    def test_who_may_not_publish_gets_the_same(self, client, gears_server):
        """The proxy publishes markers on the client's own connection, where that is allowed."""
        run(client, LOG + ".register('k*', mode='sync')")
        client.execute_command("ACL", "SETUSER", "shy", "on", ">pw", "~*", "+@all", "resetchannels")
        try:
            with redis.Redis(port=gears_server.port, username="shy", password="pw") as shy:
                for number in range(20):
                    assert shy.set("k", number) is True
                    assert client.lindex("log", -1) == f"set k {number}"
                    assert shy.get("k") == b"%d" % number
        finally:
            client.execute_command("ACL", "DELUSER", "shy")

    def test_a_right_to_publish_that_is_withdrawn_changes_nothing(self, client, gears_server):
        run(client, LOG + ".register('k*', mode='sync')")
        rights = ["ACL", "SETUSER", "shy", "on", ">pw", "~*", "+@all"]
        client.execute_command(*rights, "allchannels")
        try:
            with redis.Redis(port=gears_server.port, username="shy", password="pw") as shy:
                for number in range(6):
                    if number == 3:
                        client.execute_command(*rights, "resetchannels")
                    assert shy.set("k", number) is True
                    assert client.lindex("log", -1) == f"set k {number}"
                    assert shy.get("k") == b"%d" % number
        finally:
            client.execute_command("ACL", "DELUSER", "shy")

    @pytest.mark.parametrize("protocol", [2, 3])
    def test_markers_are_not_seen(self, client, gears_server, protocol):
        """Neither among replies, beside push messages, nor by those who subscribe to all."""
        options = {"protocol": protocol}
        if int(redis.__version__.partition(".")[0]) < 5:
            if protocol == 3:
                pytest.skip("redis-py knows only RESP2")
            options = {}
        run(client, "GB().foreach(lambda r: r).register('k*', mode='sync', readValue=False)")
        listener = client.pubsub(ignore_subscribe_messages=True)
        listener.psubscribe("*")
        listener.get_message(timeout=TIMEOUT)
        connection = redis.Connection(port=gears_server.port, **options)
        connection.connect()
        if protocol == 3:
            connection.send_command("CLIENT", "TRACKING", "ON", "BCAST")
            assert connection.read_response() == b"OK"
        for number in range(100):
            connection.send_command("SET", "k", number)
            connection.send_command("INCR", "k")
            connection.send_command("GET", "k")
            got = []
            while len(got) < 3:
                reply = connection.read_response()
                if not isinstance(reply, list):  # redis-py 5 gives push messages too
                    got.append(reply)
            assert got == [b"OK", number + 1, b"%d" % (number + 1)]
        connection.disconnect()
        client.publish("end", "of it")
        channels = set()
        while "end" not in channels:
            message = listener.get_message(timeout=TIMEOUT)
            if message is not None:
                channels.add(message["channel"])
        listener.close()
        assert not {name for name in channels if not name.startswith("__key") and name != "end"}

    def test_no_other_client_comes_between(self, client, gears_server):
        """Functions read and write what many clients cause: nothing may be lost."""
        run(
            client,
            "def add(r):\n"
            "    total = int(execute('GET', 'total') or 0)\n"
            "    execute('SET', 'total', total + 1)\n"
            "GB().foreach(add).register('k*', mode='sync')",
        )

        def write():
            with redis.Redis(port=gears_server.port) as mine:
                for number in range(100):
                    mine.set(f"k{number}", 1)

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.get("total") == "400"

    def test_within_a_transaction_it_has_run_before_the_next_command(self, client):
        run(client, LOG + ".register('k*', mode='sync')")
        with client.pipeline(transaction=True) as transaction:
            transaction.set("k1", 1).set("k1", 2).llen("log").delete("k1")
            assert transaction.execute() == [True, True, 2, 1]
        assert log(client) == ["set k1 1", "set k1 2", "del k1 None"]

    def test_a_script_is_one_command(self, client):
        run(client, LOG + ".register('k*', mode='sync')")
        client.eval("redis.call('set', 'k1', 1) redis.call('set', 'k2', 2)", 0)
        assert log(client) == ["set k1 1", "set k2 2"]

    def test_a_blocked_command_that_goes_on_raises_events_too(self, client, gears_server):
        run(client, LOG + ".register('l', mode='sync')")
        popped = []

        def pop():
            with redis.Redis(port=gears_server.port) as mine:
                popped.append(mine.blpop("l", TIMEOUT))

        thread = threading.Thread(target=pop)
        thread.start()
        eventually(lambda: client.info("clients")["blocked_clients"], 1)
        client.rpush("l", "a")
        thread.join(TIMEOUT)
        assert popped == [(b"l", b"a")]
        eventually(lambda: log(client)[-2:], ["lpop l None", "del l None"])

    def test_clients_that_talk_to_redis_itself_raise_events(self, client, gears_server):
        run(client, LOG + ".register('k*', mode='sync')")
        with redis.Redis.from_url(gears_server.redis_url) as direct:
            direct.set("k", "v")
        eventually(lambda: log(client), ["set k v"])

    def test_keys_that_expire_by_themselves_raise_events(self, client):
        run(client, LOG + ".register('k*', mode='sync', eventTypes=['expired'])")
        client.set("k", "v", px=1)
        eventually(lambda: log(client), ["expired k None"])

    def test_what_the_function_writes_raises_no_events(self, client):
        run(client, "GB().foreach(lambda r: execute('INCR', 'k')).register('k*', mode='sync')")
        client.set("k", 1)
        assert client.get("k") == "2"

    def test_what_another_function_writes_does(self, client):
        run(client, LOG + ".register('k*', mode='sync')")
        run(client, "GB('ShardsIDReader').foreach(lambda x: execute('SET', 'k', 'v')).run()")
        assert log(client) == ["set k v"]

    def test_a_script_that_writes_does(self, client):
        run(client, LOG + ".register('k*', mode='sync')")
        run(client, "execute('SET', 'k', 'v')")
        assert log(client) == ["set k v"]

    def test_a_function_that_fails_leaves_the_reply_alone(self, client):
        run(client, "GB().foreach(lambda r: 1 / 0).register('k*', mode='sync')")
        assert client.set("k", 1) is True
        found = statistics(client)
        assert (found["numTriggered"], found["numFailures"]) == (1, 1)
        assert "ZeroDivisionError" in found["lastError"]

    def test_a_coroutine_lets_others_go_on(self, client, gears_server):
        """The client waits for the function, the others do not."""
        run(
            client,
            "async def slowly(r):\n"
            "    while not execute('EXISTS', 'go'):\n"
            "        await asyncio.sleep(0.001)\n"
            "    execute('SET', 'done', r['key'])\n"
            "GB().foreach(slowly).register('k*', mode='sync')",
        )
        ended = []

        def write():
            with redis.Redis(port=gears_server.port) as mine:
                mine.set("k", 1)
                ended.append(True)

        thread = threading.Thread(target=write)
        thread.start()
        eventually(lambda: client.get("k"), "1")
        assert client.set("other", "1")
        client.set("go", 1)
        thread.join(TIMEOUT)
        assert ended
        eventually(lambda: client.get("done"), "k")


class LateEvents:
    """A way to Redis on which events come late: only when the gate is open.

    Args:
        path: The socket of Redis.
    """

    def __init__(self, path):
        self._path, self._listening = path, socket.create_server(("127.0.0.1", 0))
        self.url = "redis://127.0.0.1:{}".format(self._listening.getsockname()[1])
        self.gate = threading.Event()
        self.gate.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._listening.accept()
                onward = socket.socket(socket.AF_UNIX)
                onward.connect(self._path)
                listens = threading.Event()
                for ends in ((taken, onward, None), (onward, taken, listens)):
                    threading.Thread(target=self._pump, args=(*ends, listens), daemon=True).start()

    def _pump(self, source, target, late, listens):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if b"PSUBSCRIBE" in data:
                    listens.set()
                if late is not None and late.is_set():
                    self.gate.wait(TIMEOUT)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listening.close()


def test_a_command_waits_for_events_that_come_late(gears_server, r):
    """As they do where the machine has other things to do for a while."""
    way = LateEvents(gears_server.redis_url.partition("unix://")[2])
    with (
        contextlib.closing(way),
        GearsServer(redis=way.url) as server,
        redis.Redis(port=server.port, decode_responses=True) as client,
    ):
        run(client, LOG + ".register('k*', mode='sync')")
        for number in range(2):
            way.gate.clear()
            threading.Timer(1.5, way.gate.set).start()
            client.set("k", number)
            assert client.lindex("log", -1) == f"set k {number}"


class TestAsync:
    @pytest.mark.parametrize("mode", ["async", "async_local"])
    def test_the_function_runs_beside(self, client, mode):
        run(client, LOG + f".register('k*', mode='{mode}')")
        client.set("k", "v")
        eventually(lambda: log(client), ["set k v"])

    def test_events_are_handled_in_order(self, client):
        run(
            client,
            "GB().foreach(lambda r: execute('RPUSH', 'log', r['key']))"
            ".register('k*', readValue=False)",
        )
        expected = [f"k{number}" for number in range(300)]
        pipeline = client.pipeline(transaction=False)
        for key in expected:
            pipeline.set(key, 1)
        pipeline.execute()
        eventually(lambda: log(client), expected)

    def test_reading_a_missing_key_raises_no_further_event(self, client):
        run(client, LOG + ".register('k*')")
        client.get("k")
        eventually(lambda: log(client), ["keymiss k None"])
        client.set("k2", 1)
        eventually(lambda: log(client), ["keymiss k None", "set k2 1"])

    def test_functions_that_write_raise_events(self, client):
        run(
            client,
            "def f(r):\n"
            "    if int(r['value']) < 5:\n"
            "        execute('INCR', r['key'])\n"
            "GB().foreach(f).register('k', eventTypes=['set', 'incrby'])",
        )
        client.set("k", 1)
        eventually(lambda: client.get("k"), "5")


@pytest.mark.parametrize("ask", ["isAsyncAllow()", "get_command()"])
def test_what_a_plain_sync_function_may_do(client, ask):
    run(
        client,
        "def note(r):\n"
        "    try:\n"
        f"        found = {ask}\n"
        "    except redisgears.GearsError as error:\n"
        "        found = error\n"
        "    execute('RPUSH', 'log', found)\n"
        "GB().foreach(note).register('k*', mode='sync')",
    )
    client.set("k", 1)
    with client.pipeline(transaction=True) as transaction:
        transaction.set("k", 1)
        transaction.execute()
    client.eval("return redis.call('SET', 'k', 1)", 0)
    if ask == "isAsyncAllow()":
        assert log(client) == ["True", "False", "False"]
    else:
        assert log(client) == 3 * ["Can not get command ctx"]


def test_a_coroutine_cannot_be_waited_for_in_a_transaction(client):
    run(client, "async def f(r):\n    pass\nGB().foreach(f).register('k*', mode='sync')")
    with client.pipeline(transaction=True) as transaction:
        transaction.set("k", 1)
        assert transaction.execute() == [True]
    assert "Creating async record is not allowed" in statistics(client)["lastError"]
    client.set("k", 1)
    eventually(lambda: statistics(client)["numSuccess"], 1)


class TestLinkedCommands:
    @pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
    def test_the_reply_can_be_overridden(self, client, mode):
        run(
            client,
            "def fill(r):\n"
            "    execute('SET', r['key'], 'made for ' + r['key'])\n"
            "    override_reply(execute('GET', r['key']))\n"
            "GB().foreach(fill)"
            f".register('k*', eventTypes=['keymiss'], commands=['get'], mode='{mode}')",
        )
        assert client.get("k1") == "made for k1"
        assert client.get("k1") == "made for k1"
        assert client.get("other") is None

    @pytest.mark.parametrize("mode", ["sync", "async_local"])
    def test_the_function_knows_the_command(self, client, mode):
        run(
            client,
            "GB().foreach(lambda r: override_reply(get_command()))"
            f".register('k*', commands=['append'], mode='{mode}')",
        )
        assert client.append("k", "v") == ["APPEND", "k", "v"]

    def test_other_clients_do_not_wait_for_an_async_function(self, client, gears_server):
        run(
            client,
            "import time\n"
            "def slowly(r):\n"
            "    while not execute('EXISTS', 'go'):\n"
            "        time.sleep(0.001)\n"
            "    override_reply('slow')\n"
            "GB().foreach(slowly)"
            ".register('k', eventTypes=['keymiss'], commands=['get'], mode='async_local')",
        )
        answers = []

        def ask():
            with redis.Redis(port=gears_server.port, decode_responses=True) as mine:
                answers.append(mine.get("k"))

        thread = threading.Thread(target=ask)
        thread.start()
        eventually(lambda: statistics(client)["numTriggered"], 1)
        assert client.get("other") is None
        assert not answers
        client.set("go", 1)
        thread.join(TIMEOUT)
        assert answers == ["slow"]

    def test_the_same_event_of_another_command_is_not_linked(self, client):
        run(
            client,
            "GB().foreach(lambda r: override_reply('no')).register('k', commands=['getset'])",
        )
        assert client.set("k", 1) is True
        assert statistics(client)["numTriggered"] == 0

    @pytest.mark.parametrize("mode", ["sync", "async_local"])
    def test_events_of_the_command_before_do_not_pass_for_its_own(self, client, mode):
        run(
            client,
            "GB().foreach(lambda r: override_reply(r['key']))"
            f".register('k*', eventTypes=['keymiss'], commands=['get'], mode='{mode}')",
        )
        client.set("k", "there")
        for _ in range(20):
            assert client.mget("k1", "k2") == [None, None]
            assert client.get("k") == "there"
        assert statistics(client)["numTriggered"] == 0

    def test_in_a_transaction_the_reply_stays(self, client):
        run(
            client,
            "GB().foreach(lambda r: override_reply('no')).register('k', commands=['set'])",
        )
        with client.pipeline(transaction=True) as transaction:
            transaction.set("k", 1)
            assert transaction.execute() == [True]
        eventually(lambda: statistics(client)["numFailures"], 1)
        assert "Can not get command ctx" in statistics(client)["lastError"]


def test_registrations_end_at_once(client):
    run(client, LOG + ".register('k*', mode='sync')")
    client.set("k", 1)
    (entry,) = client.execute_command("RG.DUMPREGISTRATIONS")
    client.execute_command("RG.UNREGISTER", entry[1])
    client.set("k", 2)
    assert log(client) == ["set k 1"]


def test_pending_executions_can_be_aborted_with_the_registration(client):
    run(
        client,
        "import time\n"
        "def f(r):\n"
        "    execute('RPUSH', 'log', r['key'])\n"
        "    while not execute('EXISTS', 'go'):\n"
        "        time.sleep(0.001)\n"
        "GB().foreach(f).register('k*')",
    )
    client.mset({"k1": 1, "k2": 1, "k3": 1})
    eventually(lambda: log(client), ["k1"])
    (entry,) = client.execute_command("RG.DUMPREGISTRATIONS")
    client.execute_command("RG.UNREGISTER", entry[1], "abortpending")
    client.set("go", 1)
    eventually(lambda: client.execute_command("RG.DUMPEXECUTIONS"), [])
    assert log(client) == ["k1"]


def test_last_executions_are_kept(client):
    client.execute_command("RG.CONFIGSET", "MaxExecutionsPerRegistration", 3)
    try:
        run(client, LOG + ".register('k*', mode='sync')")
        for number in range(5):
            client.set("k", number)
        found = client.execute_command("RG.DUMPEXECUTIONS")
        assert [entry[3:] for entry in found] == [["done", "registered", 1]] * 3
    finally:
        client.execute_command("RG.CONFIGSET", "MaxExecutionsPerRegistration", 100)
