"""Timers that wait for quiet."""

import threading
import time

from redgrease.hysteresis import HysteresisHandlerIndex, ResettableTimer, nop


class Calls:
    """Notes how it is called."""

    def __init__(self):
        self.calls = []
        self.called = threading.Event()

    def __call__(self, *args, **kwargs):
        self.calls.append((args, kwargs, time.monotonic()))
        self.called.set()


def test_a_timer_calls_once_with_the_last_arguments():
    calls, timer = Calls(), ResettableTimer()
    started = time.monotonic()
    timer.set(30, calls, "first")
    timer.set(0.05, calls, "second", word=1)
    assert calls.called.wait(10)
    ((args, kwargs, when),) = calls.calls
    assert (args, kwargs) == (("second",), {"word": 1})
    assert when - started >= 0.05


def test_a_timer_can_be_cancelled_and_triggered():
    calls, timer = Calls(), ResettableTimer()
    timer.set(30, calls)
    waiting = timer.timer
    timer.cancel()
    assert timer.timer is None
    waiting.join(10)
    assert not waiting.is_alive() and not calls.calls
    timer.set(30, calls, 7)
    timer.trigger()
    assert calls.calls[0][0] == (7,) and timer.timer is None


def test_without_a_time_it_is_a_second():
    timer = ResettableTimer()
    timer.set(None, nop)
    assert timer.timer.interval == 1.0 and timer.timer.daemon
    timer.cancel()


def test_a_burst_of_signals_is_one_call():
    calls, index = Calls(), HysteresisHandlerIndex(1)
    for number in range(5):
        index.signal("a", calls, number)
    assert calls.called.wait(10)
    assert [args for args, _, _ in calls.calls] == [(4,)]


def test_each_has_a_timer_of_its_own():
    calls, index = [Calls(), Calls()], HysteresisHandlerIndex(0.01)
    for number in (0, 1):
        index.signal(number, calls[number], number)
    for number in (0, 1):
        assert calls[number].called.wait(10)
        assert calls[number].calls[0][0] == (number,)


def test_all_can_be_forgotten():
    calls, index = Calls(), HysteresisHandlerIndex(30)
    index.signal("a", calls)
    waiting = index.index["a"].timer
    index.cancel()
    waiting.join(10)
    assert not waiting.is_alive() and not calls.calls
    assert nop(1, a=2) is None
