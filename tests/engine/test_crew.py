import queue
import threading

import pytest

from redgrease.engine import crew as module
from redgrease.engine.crew import QUICK_SECONDS, Crew, Pace

TIMEOUT = 10


@pytest.fixture
def unwatched(monkeypatch):
    """Has no thread relieved that does not get on for a moment."""
    monkeypatch.setattr(module, "TICK_SECONDS", TIMEOUT)


class Reading:
    """A crew that reads calls from a queue; each is called with it."""

    def __init__(self):
        self.calls, self.over = queue.Queue(), threading.Event()
        self.ends = 0
        self.crew = Crew(self._read, self._ended, "test")
        self.crew.start()

    def _read(self, on):
        while on():
            call = self.calls.get()
            if call is None:
                return False
            call(self.crew)
        return True

    def _ended(self):
        self.ends += 1
        self.over.set()

    def close(self):
        self.calls.put(None)
        assert self.over.wait(TIMEOUT)


def test_the_thread_that_reads_runs_what_it_takes(unwatched):
    reading, threads, done = Reading(), [], threading.Event()

    def note(crew):
        threads.append(threading.get_ident())

    for _ in range(50):
        reading.calls.put(lambda crew: (note(crew), crew.take(lambda: note(crew))))
    reading.calls.put(lambda crew: crew.take(done.set))
    assert done.wait(TIMEOUT)
    assert len(threads) == 100 and len(set(threads)) == 1
    reading.close()


def test_only_one_job_is_taken_and_only_by_the_reader(unwatched):
    reading, answers, done = Reading(), [], threading.Event()

    def twice(crew):
        answers.append(crew.take(lambda: answers.append(crew.take(done.set))))
        answers.append(crew.take(done.set))

    reading.calls.put(twice)
    reading.calls.put(lambda crew: done.set())
    assert done.wait(TIMEOUT)
    assert answers == [True, False, False]
    assert not reading.crew.take(done.set)
    reading.close()


def test_somebody_else_reads_on_while_a_job_takes_its_time():
    reading, go_on, order = Reading(), threading.Event(), []
    done = threading.Event()

    def slow():
        order.append("begins")
        assert go_on.wait(TIMEOUT)
        order.append("ends")
        done.set()

    def read(crew):
        order.append("read")
        go_on.set()

    for _ in range(3):  # whether the watcher is awake or asleep
        reading.calls.put(lambda crew: crew.take(slow))
        reading.calls.put(read)
        assert done.wait(TIMEOUT)
        assert order == ["begins", "read", "ends"]
        order.clear(), go_on.clear(), done.clear()
        threading.Event().wait(0.2)
    reading.close()


def test_a_job_that_fails_is_told_and_the_next_one_runs(caplog):
    reading, done = Reading(), threading.Event()
    reading.calls.put(lambda crew: crew.take(lambda: 1 / 0))
    reading.calls.put(lambda crew: crew.take(done.set))
    assert done.wait(TIMEOUT)
    assert "ZeroDivisionError" in caplog.text
    reading.close()


def test_the_end_is_told_once():
    reading = Reading()
    reading.close()
    assert reading.ends == 1


def test_what_is_done_has_to_prove_quick():
    pace = Pace()
    assert not pace.quick
    for _ in range(20):
        pace.note(QUICK_SECONDS / 10)
    assert pace.quick
    pace.note(1)
    assert not pace.quick
    pace.note(0)
    assert not pace.quick


def test_a_reader_that_fails_ends(caplog):
    reading = Reading()
    reading.calls.put(lambda crew: 1 / 0)
    assert reading.over.wait(TIMEOUT)
    assert "ZeroDivisionError" in caplog.text
