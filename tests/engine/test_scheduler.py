"""The thread that calls functions after a while."""

import queue
import threading
from types import SimpleNamespace

import pytest

from redgrease.engine import scheduler as module
from redgrease.engine.scheduler import Scheduler

TIMEOUT = 10


@pytest.fixture
def scheduler():
    one = Scheduler()
    yield one
    one.close()


@pytest.fixture
def clock(monkeypatch):
    """The time that the scheduler sees; it goes on only where a test says so."""
    one = SimpleNamespace(now=0.0, monotonic=lambda: one.now)
    monkeypatch.setattr(module, "time", one)
    return one


def test_jobs_are_called_when_they_are_due(clock, scheduler):
    called = queue.Queue()
    scheduler.later(0.03, lambda: called.put("last"))
    scheduler.later(0.02, lambda: called.put("second"))
    scheduler.later(0, lambda: called.put("first"))
    assert called.get(timeout=TIMEOUT) == "first"
    for now, name in ((0.02, "second"), (0.03, "last")):
        assert called.empty()
        clock.now = now
        assert called.get(timeout=TIMEOUT) == name


def test_cancelled_jobs_are_not(clock, scheduler):
    called = queue.Queue()
    ticket = scheduler.later(0.02, lambda: called.put("cancelled"))
    scheduler.later(0.03, lambda: called.put("other"))
    ticket.cancel()
    clock.now = 0.03
    assert called.get(timeout=TIMEOUT) == "other"
    assert called.empty()


def test_a_job_that_fails_does_not_stop_the_others(scheduler, caplog):
    called = queue.Queue()
    scheduler.later(0, lambda: 1 / 0)
    scheduler.later(0, lambda: called.put("other"))
    assert called.get(timeout=TIMEOUT) == "other"
    assert "ZeroDivisionError" in caplog.text


def test_the_thread_starts_late_and_ends(scheduler):
    def alive():
        return [one for one in threading.enumerate() if one.name == "redgrease-scheduler"]

    before = alive()
    other = Scheduler()
    assert set(alive()) <= set(before)
    other.later(1000, lambda: None)
    (thread,) = set(alive()) - set(before)
    other.close()
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    other.later(0, lambda: pytest.fail("called after its end"))
    assert set(alive()) <= set(before)
