"""Everything at once: events, triggers, hooks, transactions, coroutines and ``atomic()``."""

import random
import socket
import threading
from collections import Counter

import pytest
import redis
from support.waiting import eventually

from redgrease.engine.resp import command

THREADS, ROUNDS, TIMEOUT = 6, 40, 60
BATCH, LARGE = 50, 10_000

FUNCTIONS = """
GB().foreach(lambda r: execute('INCR', 'sync')).register(
    'k*', mode='sync', eventTypes=['set'])
GB().foreach(lambda r: execute('INCR', 'async')).register(
    'k*', eventTypes=['set'], readValue=False)
GB().foreach(lambda r: override_reply('made')).register(
    'm*', mode='async_local', eventTypes=['keymiss'], commands=['get'])
GB('StreamReader').foreach(lambda r: execute('INCR', 'stream')).register('s*', mode='sync')
GB('CommandReader').map(lambda x: 'hooked').register(hook='getrange', mode='sync')

def add(x):
    with atomic():
        total = int(execute('GET', 'total') or 0)
        execute('SET', 'total', total + 1)
        execute('SET', 'k' + x[1], total)

async def wait(x):
    await asyncio.sleep(0.001)
    execute('SET', 'k0', 1)

GB('CommandReader').foreach(add).register(trigger='async', mode='async_local')
GB('CommandReader').foreach(add).register(trigger='sync', mode='sync')
GB('CommandReader').foreach(wait).register(trigger='wait', mode='sync')
"""


def patient(server):
    """A client that sends nothing twice because it has waited for some seconds."""
    return redis.Redis(port=server.port, decode_responses=True, socket_timeout=TIMEOUT)


class Client(threading.Thread):
    """Does things at random and counts what must come of them."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self._redis = patient(server)
        self._random = random.Random(seed)
        self.expected = Counter()
        self.error = None

    def run(self):
        try:
            for _ in range(ROUNDS):
                action = self._random.choice(
                    [self.set, self.miss, self.trigger, self.hook, self.multi, self.mix, self.add]
                )
                action()
        except Exception as error:
            self.error = error
        finally:
            self._redis.close()

    def set(self):
        self._redis.set(f"k{self._random.randrange(5)}", 1)
        self.expected["sync"] += 1

    def miss(self):
        assert self._redis.get("m") == "made"

    def trigger(self):
        name = self._random.choice(["async", "sync", "wait"])
        self._redis.execute_command("RG.TRIGGER", name, "1")
        self.expected["sync"] += 1
        self.expected["total"] += name != "wait"

    def hook(self):
        assert self._redis.getrange("k1", 0, -1) == "hooked"

    def multi(self):
        with self._redis.pipeline(transaction=True) as transaction:
            transaction.set("k1", 1).incr("mine").execute_command("RG.TRIGGER", "sync", "1")
            answers = transaction.execute()
        assert answers[0] is True
        self.expected.update(sync=2, total=1)

    def mix(self):
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set("k1", 1).get("m").execute_command("RG.TRIGGER", "async", "1")
        answers = pipeline.xadd("s", {"a": 1}).getrange("k", 0, -1).execute()
        assert (answers[0], answers[1], answers[4]) == (True, "made", "hooked")
        self.expected.update(sync=2, total=1, stream=1)

    def add(self):
        self._redis.xadd("s", {"a": 1})
        self.expected["stream"] += 1


def test_nothing_is_lost_and_nobody_waits_for_ever(r, gears_server):
    with patient(gears_server) as client:
        client.execute_command("RG.PYEXECUTE", FUNCTIONS)
        clients = [Client(gears_server, seed) for seed in range(THREADS)]
        for one in clients:
            one.start()
        expected = Counter()
        for one in clients:
            one.join(2 * TIMEOUT)
            assert not one.is_alive()
            assert one.error is None, repr(one.error)
            expected += one.expected
        for name in ("sync", "total", "stream"):
            assert int(client.get(name) or 0) == expected[name]
        for entry in client.execute_command("RG.DUMPREGISTRATIONS"):
            data = dict(zip(entry[7][::2], entry[7][1::2]))
            assert data["numFailures"] == 0, data["lastError"]


LOOKING = """
def look(record):
    before = execute('GET', 'count')
    for _ in range(60):
        execute('PING')
    if execute('GET', 'count') != before:
        execute('INCR', 'torn')
    execute('INCR', 'seen')

GB().foreach(look).register('looked:*', mode='sync', eventTypes=['set'])
"""


def test_nothing_changes_under_a_sync_function(r, gears_server):
    """Commands that concern no function are not kept back for long, but they are for its time."""
    with patient(gears_server) as client:
        client.execute_command("RG.PYEXECUTE", LOOKING)
        over = threading.Event()
        counted = Counter()

        def count(number):
            with patient(gears_server) as other:
                while not over.is_set():
                    pipeline = other.pipeline(transaction=False)
                    for _ in range(BATCH):  # more than Redis takes at a time
                        pipeline.append("large", b"x" * LARGE).incr("count").delete("large")
                    assert len(pipeline.execute()) == 3 * BATCH
                    counted[number] += BATCH

        threads = [threading.Thread(target=count, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: len(counted), len(threads))
            for number in range(200):
                client.set(f"looked:{number}", number)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert (client.get("torn"), client.get("seen")) == (None, "200")
        assert int(client.get("count")) == sum(counted.values()) > 0


COUNT = command([b"INCR", b"count"])
TIMES, PAIRS, CONNECTIONS = 30_000, 15_000, 12


@pytest.mark.parametrize(
    ("requests", "times", "ends"),
    [
        (COUNT * TIMES + command([b"MULTI"]) + COUNT, TIMES, False),
        (COUNT * TIMES + command([b"BLPOP", b"nothing", b"0"]), TIMES, False),
        (
            COUNT * TIMES + b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$5000000\r\n" + b"x" * LARGE,
            TIMES,
            False,
        ),
        ((COUNT + command([b"GET", b"large"])) * PAIRS, PAIRS, False),  # more than is unread
        (COUNT * TIMES, TIMES, True),
    ],
    ids=["transaction", "blocking", "large", "unread", "end"],
)
def test_nothing_of_clients_that_read_nothing_changes_either(
    r, gears_server, requests, times, ends
):
    with patient(gears_server) as client:
        client.execute_command("RG.PYEXECUTE", LOOKING)
        client.set("large", "x" * 3000)
        seen = 0
        for done in range(1, CONNECTIONS + 1):
            with socket.create_connection((gears_server.host, gears_server.port)) as other:
                sending = threading.Thread(target=_send, args=(other, requests, ends))
                sending.start()
                while sending.is_alive() or int(client.get("count") or 0) < done * times:
                    for number in range(BATCH):
                        seen += bool(client.set(f"looked:{number}", 1))
                sending.join(TIMEOUT)
        assert (client.get("torn"), client.get("seen")) == (None, str(seen))


def _send(connection, requests, ends):
    connection.sendall(requests)
    if ends:
        connection.shutdown(socket.SHUT_WR)
