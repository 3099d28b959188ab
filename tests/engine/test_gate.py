import threading

import pytest

from redgrease.engine.gate import Gate

TIMEOUT = 10


class Thread(threading.Thread):
    """Runs something and keeps what came of it."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self._function = function
        self.error = None
        self.start()

    def run(self):
        try:
            self._function()
        except BaseException as error:
            self.error = error

    def ended(self):
        self.join(TIMEOUT)
        return not self.is_alive() and self.error is None


def test_many_come_in_together():
    gate = Gate()
    barrier = threading.Barrier(3)

    def visit():
        gate.enter()
        barrier.wait(TIMEOUT)
        gate.leave()

    threads = [Thread(visit) for _ in range(3)]
    assert all(thread.ended() for thread in threads)


def test_who_takes_it_waits_for_those_inside_and_keeps_others_out():
    gate = Gate()
    order = []
    leave, taken, release = threading.Event(), threading.Event(), threading.Event()

    def visit():
        gate.enter()
        order.append("in")
        leave.wait(TIMEOUT)
        order.append("out")
        gate.leave()

    def hold():
        gate.claim()
        gate.take()
        order.append("alone")
        taken.set()
        release.wait(TIMEOUT)
        order.append("released")
        gate.release()

    first = Thread(visit)
    while not order:
        pass
    holder = Thread(hold)
    leave.set()
    assert taken.wait(TIMEOUT)
    late = Thread(lambda: (gate.enter(), order.append("late"), gate.leave()))
    assert gate.owner == holder.ident
    release.set()
    assert first.ended() and holder.ended() and late.ended()
    assert order == ["in", "out", "alone", "released", "late"]


def test_the_owner_may_come_in():
    gate = Gate()
    gate.claim()
    gate.take()
    gate.enter()
    gate.leave()
    gate.release()
    assert gate.owner is None


def test_a_section_does_not_wait_for_a_claim():
    gate = Gate()
    claimed, section_done = threading.Event(), threading.Event()
    order = []

    def hold():
        gate.claim()
        claimed.set()
        section_done.wait(TIMEOUT)  # the proxy answers a hold after the section
        gate.take()
        order.append("holder")
        gate.release()

    def section():
        gate.take()
        gate.enter()
        gate.leave()
        order.append("section")
        gate.release()
        section_done.set()

    holder = Thread(hold)
    assert claimed.wait(TIMEOUT)
    assert Thread(section).ended() and holder.ended()
    assert order == ["section", "holder"]


def test_a_claim_keeps_others_out_before_it_is_taken():
    gate = Gate()
    gate.claim()
    inside = threading.Event()
    thread = Thread(lambda: (gate.enter(), inside.set(), gate.leave()))
    assert not inside.wait(0.05)
    gate.release()
    assert inside.wait(TIMEOUT) and thread.ended()


def test_it_can_be_passed_on():
    gate = Gate()
    gate.take()
    release = threading.Event()
    thread = Thread(lambda: (release.wait(TIMEOUT), gate.release()))
    gate.pass_on(thread.ident)
    assert gate.owner == thread.ident
    release.set()
    assert thread.ended()
    assert gate.owner is None


@pytest.mark.parametrize("claimed", [True, False])
def test_what_is_released_is_free(claimed):
    gate = Gate()
    if claimed:
        gate.claim()
    gate.take()
    gate.release()
    assert Thread(lambda: (gate.claim(), gate.take(), gate.release())).ended()
