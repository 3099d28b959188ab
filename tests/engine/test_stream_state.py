"""What stream registrations remember of streams."""

import time

from redgrease.engine.stream_state import MAX_DELAY, MIN_DELAY, Stream, StreamStatistics, longer


def test_entries_are_as_old_as_their_events():
    stream = Stream(b"s")
    stream.came()
    between = time.monotonic()
    stream.came()
    assert stream.read(1) <= between <= stream.read(1) <= time.monotonic()
    assert not stream.arrivals and stream.arrived == 2


def test_an_entry_may_be_read_before_its_event_comes():
    stream, before = Stream(b"s"), time.monotonic()
    assert before <= stream.read(1) <= time.monotonic()


def test_what_came_while_it_was_read_is_not_forgotten():
    stream = Stream(b"s")
    stream.came()
    arrived, stream.old = stream.arrived, True
    stream.came()
    stream.exhausted(arrived)
    assert len(stream.arrivals) == 1 and not stream.old
    stream.exhausted(stream.arrived)
    assert not stream.arrivals


def test_lags():
    statistics = StreamStatistics()
    assert statistics.lags() == ["lastEstimatedLagMS", 0, "avgEstimatedLagMS", 0.0]
    statistics.lagged(time.monotonic() - 60)
    statistics.succeeded = 2
    _, last, _, average = statistics.lags()
    assert last >= 60_000 and average == last / 2
    statistics.clear()
    assert statistics.lags()[1::2] == [0, 0.0]


def test_delays_double():
    delays = [MIN_DELAY]
    while delays[-1] < MAX_DELAY:
        delays.append(longer(delays[-1]))
    assert delays[1] == 2 * MIN_DELAY
    assert longer(delays[-1]) == delays[-1] == MAX_DELAY
