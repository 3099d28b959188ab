"""How stream registrations look for streams in the background."""

import queue
import threading

import pytest
from support.waiting import TIMEOUT, eventually

from redgrease.engine.connection import Disconnected
from redgrease.engine.scheduler import Scheduler
from redgrease.engine.stream_group import Unavailable
from redgrease.engine.stream_scan import StreamScan


class Finder:
    """Scans for two streams, which waits in between until it may go on."""

    def __init__(self, scheduler):
        self.wanted, self.error, self.begun = True, None, 0
        self.told, self.go = queue.Queue(), threading.Semaphore(0)
        self.scan = StreamScan("x", scheduler, lambda: self.wanted, self.streams, self.tell)

    def tell(self, key, lost):
        self.told.put((key, lost))

    def streams(self):
        self.begun += 1
        yield b"a"
        assert self.go.acquire(timeout=TIMEOUT)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        yield b"b"

    def take(self, number):
        return [self.told.get(timeout=TIMEOUT) for _ in range(number)]


@pytest.fixture
def finder():
    scheduler = Scheduler()
    yield Finder(scheduler)
    scheduler.close()


def over():
    return not [one for one in threading.enumerate() if one.name == "redgrease-streams"]


def test_each_stream_is_told(finder):
    finder.scan.begin()
    finder.go.release()
    assert finder.take(2) == [(b"a", False), (b"b", False)]


def test_asked_for_during_a_scan_one_other_follows(finder):
    finder.scan.begin()
    assert finder.take(1) == [(b"a", False)]
    finder.scan.begin(lost=True)
    finder.scan.begin()
    finder.go.release(2)
    assert finder.take(3) == [(b"b", False), (b"a", True), (b"b", True)]
    eventually(over, True)
    assert finder.begun == 2


@pytest.mark.parametrize("error", [Disconnected("away"), Unavailable("loading")])
def test_if_redis_cannot_be_asked_it_is_asked_again_as_after_a_loss(finder, error):
    finder.error = error
    finder.scan.begin()
    finder.go.release(2)
    assert finder.take(3) == [(b"a", False), (b"a", True), (b"b", True)]


def test_it_ends_when_it_is_not_wanted_any_more(finder):
    finder.scan.begin()
    finder.take(1)
    finder.wanted = False
    finder.scan.begin()
    finder.go.release()
    eventually(over, True)
    assert finder.told.empty()
    finder.wanted = True
    finder.scan.begin()
    finder.go.release()
    assert finder.take(2) == [(b"a", False), (b"b", False)]
