"""Events of keys, on a real Redis: nothing is missed, whoever reads them."""

import queue
import threading
from types import SimpleNamespace

import pytest

pytest_plugins = ["worker_fixtures", "stream_host"]
pytest.register_assert_rewrite(*pytest_plugins)

from stream_host import TIMEOUT, eventually, log  # noqa: E402

from redgrease.engine import notifications as module  # noqa: E402
from redgrease.engine.connection import Address  # noqa: E402
from redgrease.engine.notifications import Notifications  # noqa: E402


@pytest.fixture
def notifications(redis, redis_url):
    one = Notifications(Address.parse(redis_url), lambda: None, lambda: None)
    one.wanted = lambda name, key: True
    one.start()
    one._eager._seconds = -1.0  # sleeps at once where it has to wait
    yield one
    one.close()


@pytest.fixture
def looking(monkeypatch):
    """Says what this thread sees when it looks whether there is something to read."""
    real, me, told = module._readable, threading.current_thread(), []

    def readable(connection, seconds):
        if threading.current_thread() is not me or not told:
            return real(connection, seconds)
        return told.pop(0)

    monkeypatch.setattr(module, "_readable", readable)
    return told


def test_a_standstill_is_no_silence(notifications, redis, looking):
    """When the machine goes on, the time may be up, though Redis had none to say something."""
    redis("SET", "k", 1)
    looking.append(False)
    notifications.settle(TIMEOUT)
    assert ("set", b"k") in notifications.queue


def test_silence_is_waited_for_in_vain(notifications, looking):
    looking += [False] * 1000
    notifications.settle(TIMEOUT)
    assert looking


def test_a_marker_may_have_been_read_by_somebody_else(notifications, redis, looking):
    marker = notifications.marker()
    redis(*marker)
    notifications.settle(TIMEOUT)
    looking += [False] * 1000
    notifications.settle_by(marker, TIMEOUT)
    assert len(looking) == 1000  # there is nothing to wait for


@pytest.fixture
def asleep(monkeypatch):
    """Has the thread that listens not notice what somebody else has read."""
    real, awake = module._readable, threading.Event()

    def readable(connection, seconds):
        if threading.current_thread().name == "redgrease-events":
            awake.wait()
        return real(connection, seconds)

    monkeypatch.setattr(module, "_readable", readable)
    yield
    awake.set()


SYNC = """GB().foreach(lambda r: execute('RPUSH', 'log', r['key'])).register(
    'k*', mode='sync', eventTypes=['set'])"""


def test_events_that_a_command_has_read_are_handled(host, redis, asleep):
    assert host.call("RG.PYEXECUTE", SYNC) == "OK"
    redis("SET", "k1", 1)
    host.call("RG.DUMPREGISTRATIONS")
    eventually(lambda: log(redis), ["k1"])


def test_a_turn_is_asked_for_if_a_marker_does_not_come(host, redis, asleep):
    """The client's connection to Redis may have broken before its command's marker was sent."""
    told = queue.Queue()
    host.engine.link = SimpleNamespace(
        watch=lambda watch: None,
        done=lambda ident, how: told.put(how),
        ask_turn=lambda: told.put("turn"),
    )
    assert host.call("RG.PYEXECUTE", SYNC) == "OK"
    redis("SET", "k1", 1)
    host.engine.sync("1", "", 10**9, [b"SET", b"k1", b"1"])
    assert [told.get(timeout=TIMEOUT) for _ in range(2)] == ["!", "turn"]
