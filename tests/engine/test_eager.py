import socket
import threading

import pytest
from support.waiting import eventually

from redgrease.engine.eager import EagerSocket


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield EagerSocket(ours), theirs
    ours.close()
    theirs.close()


def test_what_is_there_is_received(pair):
    eager, other = pair
    for number in range(100):
        other.sendall(b"%d" % number)
        assert eager.receive(100) == b"%d" % number


def test_what_comes_late_is_waited_for(pair):
    eager, other = pair
    for _ in range(10):  # also when it has given up looking
        timer = threading.Timer(0.01, other.sendall, [b"late"])
        timer.start()
        assert eager.receive(100) == b"late"
        timer.join()


def test_soon_gives_up(pair):
    eager, other = pair
    assert [eager.soon(100) for _ in range(20)] == [None] * 20
    other.sendall(b"x")
    assert eager.receive(100) == b"x"


def test_after_waiting_in_vain_it_looks_again_once_replies_come_at_once(pair):
    eager, other = pair
    for _ in range(20):
        assert eager.soon(100) is None

    def at_once():
        """Whether it looks again; "at once" may turn out to be too late."""
        other.sendall(b"x")
        assert eager.receive(100) == b"x"
        other.sendall(b"y")
        found = eager.soon(100)
        return found or (eager.receive(100), "in vain")

    eventually(at_once, b"y")


def test_the_end_is_no_bytes(pair):
    eager, other = pair
    other.close()
    assert eager.receive(100) == b""


def test_several_threads_at_once():
    """Only one of them looks; all get what is theirs."""
    pairs = [socket.socketpair() for _ in range(4)]
    failures = []

    def ask(ours, theirs):
        eager = EagerSocket(ours)
        echo = threading.Thread(target=lambda: [theirs.sendall(theirs.recv(9)) for _ in range(300)])
        echo.start()
        for number in range(300):
            ours.sendall(b"%d" % number)
            if eager.receive(9) != b"%d" % number:
                failures.append(number)
        echo.join()

    threads = [threading.Thread(target=ask, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for pair in pairs:
        for one in pair:
            one.close()
