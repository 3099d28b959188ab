"""An engine in the test's process, and streams to work on; the fixture is ``host``."""

import threading
import time

import pytest
from support.waiting import eventually
from worker_fixtures import parse

from redgrease.engine.core import Engine

TIMEOUT = 10
GROUP, CONSUMER = "__gears_consumer_group__", "__gears_client__"
LOG = "GB('StreamReader').foreach(lambda r: execute('RPUSH', 'log', r['id']))"
COUNT = "GB('StreamReader').count().foreach(lambda n: execute('RPUSH', 'log', n))"
GATED = """
import time
def f(r):
    execute('RPUSH', 'log', r['id'])
    while not execute('EXISTS', 'go'):
        time.sleep(0.001)
GB('StreamReader').foreach(f)"""


class Host:
    """An engine in this process, and how to talk to it."""

    def __init__(self, url, directory):
        self.engine = Engine(url, str(directory))
        self.engine.install()
        self.thread = threading.Thread(target=self.engine.scripts.serve)
        self.thread.start()
        self.engine.start()

    def call(self, *words):
        came, answers = threading.Event(), []

        def answer(data):
            answers.append(parse(data)[0])
            came.set()

        self.engine.dispatcher.call([word.encode() for word in words], answer)
        assert came.wait(TIMEOUT)
        return answers[0]

    def register(self, function, **options):
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        answer = self.call("RG.PYEXECUTE", f"{function}.register('s*', {given})")
        assert answer == "OK", answer
        return self.call("RG.DUMPREGISTRATIONS")[-1][1].decode()

    def statistics(self, position=0):
        entry = self.call("RG.DUMPREGISTRATIONS")[position]
        data = entry[7]
        return {name.decode(): value for name, value in zip(data[::2], data[1::2])}

    def counts(self, position=0):
        found = self.statistics(position)
        names = ("numTriggered", "numSuccess", "numFailures", "numAborted")
        return [found[name] for name in names]

    def close(self):
        self.engine.scripts.close()
        self.thread.join(TIMEOUT)
        self.engine.uninstall()


@pytest.fixture
def host(redis, redis_url, tmp_path):
    one = Host(redis_url, tmp_path)
    yield one
    one.close()


def add(redis, *numbers, key="s1"):
    for number in numbers:
        assert redis("XADD", key, f"{number}-1", "n", number) == f"{number}-1"


def log(redis):
    return redis("LRANGE", "log", 0, -1)


def ids(*numbers):
    return [f"{number}-1" for number in numbers]


def leave_pending(redis, number, key="s1"):
    """Have entries delivered, as to somebody who died before he acknowledged them."""
    redis("XGROUP", "CREATE", key, GROUP, "0")
    redis("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", number, "STREAMS", key, ">")
