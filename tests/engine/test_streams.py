"""Functions for entries of streams, in an engine on a real Redis, without a proxy."""

import threading
import time

import pytest

pytest_plugins = ["worker_fixtures", "stream_host"]
pytest.register_assert_rewrite(*pytest_plugins)

from stream_host import (  # noqa: E402
    COUNT,
    GATED,
    GROUP,
    LOG,
    TIMEOUT,
    Host,
    add,
    eventually,
    ids,
    leave_pending,
    log,
)
from worker_fixtures import Error  # noqa: E402

from redgrease.engine import streams  # noqa: E402


def scanned():
    """Wait until all streams are found."""
    for thread in threading.enumerate():
        if thread.name == "redgrease-streams":
            thread.join(TIMEOUT)
            assert not thread.is_alive()


def scan(host, lost):
    """Look for streams once more, until all are found."""
    (registration,) = host.engine.registrations.all()
    registration.rescan(lost)
    scanned()


@pytest.fixture
def sure(monkeypatch):
    """No entry passes for one without an event because its event is slow."""
    monkeypatch.setattr(streams, "LOOK_AGAIN", 3600)


class TestEntries:
    @pytest.mark.parametrize("mode", ["async", "async_local", "sync"])
    def test_each_is_processed_once_in_order(self, host, redis, mode):
        host.register(LOG, mode=mode)
        add(redis, *range(1, 101))
        eventually(lambda: log(redis), ids(*range(1, 101)))
        eventually(lambda: redis("XLEN", "s1"), 0)
        eventually(host.counts, [101, 101, 0, 0])  # one for what was pending: nothing
        assert redis("XPENDING", "s1", GROUP)[0] == 0

    def test_records(self, host, redis):
        function = "GB('StreamReader').foreach(lambda r: execute('RPUSH', 'log', str(r)))"
        host.register(function)
        redis("XADD", b"s\xff", "1-1", "a", "1", "b", b"\xfe", "a", "2")
        record = "{'key': bytearray(b's\\xff'), 'id': '1-1', 'value': {'b': bytearray(b'\\xfe'), "
        eventually(lambda: log(redis), [record + "'a': '2'}}"])

    def test_events_of_other_kinds_and_keys_do_not_matter(self, host, redis):
        host.register(LOG)
        redis("SET", "s2", "text")
        add(redis, 1, key="other")
        add(redis, 2)
        eventually(lambda: log(redis), ids(2))
        eventually(lambda: [redis("XLEN", key) for key in ("other", "s1")], [1, 0])

    def test_without_trimming_they_stay(self, host, redis):
        host.register(LOG, trimStream=False)
        add(redis, *range(1, 21))
        eventually(lambda: host.counts()[1], 21)
        assert log(redis) == ids(*range(1, 21))
        assert redis("XLEN", "s1") == 20
        eventually(lambda: redis("XPENDING", "s1", GROUP)[0], 0)

    def test_what_others_have_not_read_is_not_trimmed_away(self, host, redis):
        """The original trims to a length, and counts on nobody else changing the stream."""
        host.register(LOG, batch=3)
        add(redis, 1, 2, 3, 4)
        redis("XDEL", "s1", "1-1")
        add(redis, 5)
        eventually(lambda: len(log(redis)) >= 3, True)
        add(redis, 6, 7, 8)
        eventually(lambda: set(log(redis)) | {"1-1"} >= set(ids(1, 2, 3, 4, 5, 6)), True)
        # What was handled is trimmed when the batch has ended, a moment after it is logged.
        eventually(
            lambda: {entry[0] for entry in redis("XRANGE", "s1", "-", "+")} & set(log(redis)), set()
        )

    def test_the_lag_is_measured(self, host, redis):
        def delayed(seconds, *numbers):
            """Add an entry that is not done with for some time, and wait for its lag."""
            redis("DEL", "go")
            add(redis, numbers[-1])
            eventually(lambda: log(redis), ids(*numbers))
            started = time.monotonic()
            while time.monotonic() < started + seconds:
                pass
            redis("SET", "go", 1)
            eventually(lambda: host.statistics()["lastEstimatedLagMS"] >= seconds * 1000, True)

        host.register(GATED)
        scanned()
        delayed(0.01, 1)
        host.call("RG.CLEARREGISTRATIONSSTATS")
        delayed(0.05, 1, 2)
        found = host.statistics()
        assert float(found["avgEstimatedLagMS"]) == found["lastEstimatedLagMS"]
        host.call("RG.CLEARREGISTRATIONSSTATS")
        found = host.statistics()
        assert (found["lastEstimatedLagMS"], found["avgEstimatedLagMS"]) == (0, b"0")

    def test_streams_of_one_registration_take_turns(self, host, redis):
        for number in range(1, 201):
            add(redis, number, key="s1")
        add(redis, 1, key="s2")
        host.register(GATED.replace("r['id']", "r['key']"))
        scanned()
        redis("SET", "go", 1)
        eventually(lambda: len(log(redis)), 201)
        assert log(redis).index("s2") < 199


class TestBatches:
    @pytest.mark.parametrize("mode", ["async", "sync"])
    def test_only_full_ones_without_a_duration(self, host, redis, mode, sure):
        host.register(COUNT, batch=3, mode=mode)
        add(redis, *range(1, 9))
        eventually(lambda: log(redis), ["3", "3"])
        eventually(lambda: redis("XLEN", "s1"), 2)
        add(redis, 9)
        eventually(lambda: log(redis), ["3", "3", "3"])

    @pytest.mark.parametrize("mode", ["async", "sync"])
    def test_partial_ones_after_the_duration(self, host, redis, mode, sure):
        host.register(COUNT, batch=100, duration=300, mode=mode)
        started = time.monotonic()
        redis.connection.call_all([(b"XADD", b"s1", b"%d-1" % n, b"n", b"1") for n in (1, 2)])
        eventually(lambda: log(redis), ["2"])
        assert time.monotonic() - started >= 0.3
        add(redis, 3)
        eventually(lambda: log(redis), ["2", "1"])
        eventually(host.counts, [3, 3, 0, 0])

    def test_entries_from_before_are_not_waited_for(self, host, redis):
        add(redis, 1, 2, 3, 4, 5)
        host.register(COUNT, batch=3)
        eventually(lambda: log(redis), ["3", "2"])
        add(redis, 6)
        add(redis, 7)
        assert log(redis) == ["3", "2"]
        add(redis, 8)
        eventually(lambda: log(redis), ["3", "2", "3"])
        eventually(host.counts, [4, 4, 0, 0])

    def test_many_small_batches(self, host, redis, sure):
        commands = [(b"XADD", b"s1", b"*", b"n", b"%d" % number) for number in range(5000)]
        host.register("GB('StreamReader').count().foreach(lambda n: execute('INCRBY', 'sum', n))",
                      batch=10)  # fmt: skip
        redis.connection.call_all(commands)
        eventually(lambda: redis("GET", "sum"), "5000")
        eventually(lambda: redis("XLEN", "s1"), 0)


class TestPending:
    def test_it_is_read_first(self, host, redis):
        add(redis, 1, 2, 3)
        leave_pending(redis, 2)
        host.register(LOG)
        eventually(lambda: log(redis), ids(1, 2, 3))
        eventually(host.counts, [2, 2, 0, 0])
        eventually(lambda: redis("XLEN", "s1"), 0)

    def test_it_is_one_batch_however_much_it_is(self, host, redis):
        add(redis, 1, 2, 3, 4)
        leave_pending(redis, 3)
        host.register(COUNT)
        eventually(lambda: log(redis), ["3", "1"])

    def test_deleted_entries_have_no_fields(self, host, redis):
        add(redis, 1)
        leave_pending(redis, 1)
        redis("XDEL", "s1", "1-1")
        function = "GB('StreamReader').foreach(lambda r: execute('RPUSH', 'log', str(r)))"
        host.register(function)
        eventually(lambda: log(redis), ["{'key': 's1', 'id': '1-1', 'value': {}}"])

    def test_another_engine_goes_on(self, redis, redis_url, tmp_path):
        first = Host(redis_url, tmp_path)
        first.register(GATED, onFailedPolicy="retry")
        add(redis, 1, 2)
        eventually(lambda: log(redis), ids(1))
        first.engine.registrations.close()  # dies
        second = Host(redis_url, tmp_path)
        eventually(lambda: log(redis), ids(1, 1))
        redis("SET", "go", 1)
        eventually(lambda: log(redis), ids(1, 1, 2))
        second.close()
        first.close()


class TestFailures:
    FAILING = """
def f(r):
    execute('RPUSH', 'log', r['id'])
    if not execute('EXISTS', 'fine'):
        raise ValueError('nope')
GB('StreamReader').foreach(f)"""

    def test_continue(self, host, redis):
        host.register(self.FAILING)
        add(redis, 1, 2)
        eventually(host.counts, [3, 1, 2, 0])
        eventually(lambda: redis("XLEN", "s1"), 0)
        assert log(redis) == ids(1, 2)

    def test_abort(self, host, redis):
        host.register(self.FAILING, onFailedPolicy="abort")
        add(redis, 1, 2)
        eventually(lambda: host.statistics()["status"], b"ABORTED")
        add(redis, 3)
        assert host.counts() == [2, 1, 1, 0]
        assert log(redis) == ids(1)
        assert redis("XPENDING", "s1", GROUP)[0] == 1
        assert redis("XLEN", "s1") == 3

    def test_retry(self, host, redis):
        host.register(self.FAILING, onFailedPolicy="retry", onFailedRetryInterval=0)
        add(redis, 1, 2)
        eventually(lambda: len(log(redis)) > 3, True)
        redis("SET", "fine", 1)
        eventually(lambda: redis("XLEN", "s1"), 0)
        found = log(redis)
        assert found == ids(1) * (len(found) - 1) + ids(2)
        eventually(lambda: host.statistics()["status"], b"OK")

    def test_the_status_between_retries(self, host, redis):
        host.register(self.FAILING, onFailedPolicy="retry", onFailedRetryInterval=3600)
        add(redis, 1)
        eventually(lambda: host.statistics()["status"], b"WAITING_FOR_RETRY_ON_FAILURE")
        assert b"ValueError: nope" in host.statistics()["lastError"]
        add(redis, 2, key="s2")
        assert log(redis) == ids(1)

    @pytest.mark.parametrize("policy", ["continue", "abort", "retry"])
    def test_a_function_can_pause_its_registration(self, host, redis, policy):
        function = """
def f(r):
    execute('RPUSH', 'log', r['id'])
    if not execute('EXISTS', 'fine'):
        flat_error('PAUSE for a while')
GB('StreamReader').foreach(f)"""
        ident = host.register(function, onFailedPolicy=policy)
        add(redis, 1, 2)
        eventually(lambda: host.statistics()["status"], b"PAUSED")
        assert host.statistics()["lastError"] == b"PAUSE for a while"
        add(redis, 3)
        redis("SET", "fine", 1)
        host.call("RG.UNPAUSEREGISTRATIONS", ident)
        eventually(lambda: log(redis), ids(1, 1, 2, 3))
        eventually(lambda: redis("XLEN", "s1"), 0)

    def test_an_aborted_execution_is_not_acknowledged(self, host, redis):
        host.register(GATED)
        add(redis, 1)
        eventually(lambda: log(redis), ids(1))
        (execution,) = [entry for entry in host.call("RG.DUMPEXECUTIONS") if entry[3] == b"running"]
        assert host.call("RG.ABORTEXECUTION", execution[1].decode()) == "OK"
        redis("SET", "go", 1)
        add(redis, 2)
        eventually(lambda: log(redis), ids(1, 2))
        eventually(lambda: redis("XPENDING", "s1", GROUP)[0], 1)

    @pytest.mark.parametrize("lost, again", [(False, []), (True, [1])])
    def test_a_scan_repeats_an_aborted_execution_only_after_a_loss(self, host, redis, lost, again):
        host.register(GATED)
        add(redis, 1)
        eventually(lambda: log(redis), ids(1))
        scan(host, lost)
        (execution,) = [entry for entry in host.call("RG.DUMPEXECUTIONS") if entry[3] == b"running"]
        assert host.call("RG.ABORTEXECUTION", execution[1].decode()) == "OK"
        redis("SET", "go", 1)
        add(redis, 2)
        eventually(lambda: log(redis), ids(1, *again, 2))


class TestPause:
    def test_nothing_is_read_meanwhile(self, host, redis):
        ident = host.register(LOG)
        assert host.call("RG.PAUSEREGISTRATIONS", ident) == "OK"
        assert host.call("RG.PAUSEREGISTRATIONS", ident) == "OK"
        add(redis, 1, 2)
        assert host.statistics()["status"] == b"PAUSED"
        assert host.counts() == [0, 0, 0, 0]
        assert host.call("RG.UNPAUSEREGISTRATIONS", ident) == "OK"
        eventually(lambda: log(redis), ids(1, 2))

    def test_batches_that_wait_for_their_turn_are_dropped(self, host, redis):
        ident = host.register(GATED)
        add(redis, 1, key="s1")
        eventually(lambda: log(redis), ids(1))
        add(redis, 2, key="s2")
        add(redis, 3, key="s3")
        assert host.counts()[3] == 0
        host.call("RG.PAUSEREGISTRATIONS", ident)
        assert host.counts() == [4, 1, 0, 2]
        redis("SET", "go", 1)
        eventually(lambda: host.counts()[1], 2)
        assert log(redis) == ids(1)
        host.call("RG.UNPAUSEREGISTRATIONS", ident)
        eventually(lambda: sorted(log(redis)), ids(1, 2, 3))


class TestOthers:
    def test_two_registrations_share_the_entries(self, host, redis):
        host.register(LOG)
        host.register(LOG)
        add(redis, *range(1, 201))
        eventually(lambda: len(log(redis)) >= 200, True)
        assert sorted(log(redis)) == sorted(ids(*range(1, 201)))

    def test_a_new_version_leaves_alone_what_the_old_one_is_doing(self, host, redis):
        script = GATED + ".register('s*')"
        assert host.call("RG.PYEXECUTE", script, "ID", "one") == "OK"
        add(redis, 1)
        eventually(lambda: log(redis), ids(1))
        assert host.call("RG.PYEXECUTE", script, "ID", "one", "UPGRADE") == "OK"
        add(redis, 2)
        eventually(lambda: log(redis), ids(1, 2))
        redis("SET", "go", 1)
        eventually(lambda: redis("XLEN", "s1"), 0)
        assert log(redis) == ids(1, 2)

    @pytest.mark.parametrize("word", ["", "abortpending"])
    def test_after_its_end_a_registration_does_nothing(self, host, redis, word):
        ident = host.register(GATED)
        add(redis, 1, 2)
        eventually(lambda: log(redis), ids(1))
        assert host.call("RG.UNREGISTER", ident, *filter(None, [word])) == "OK"
        redis("SET", "go", 1)
        eventually(lambda: redis("XPENDING", "s1", GROUP)[0], 0)
        add(redis, 3)
        host.register(COUNT, batch=2)  # sees what the first one has left
        eventually(lambda: redis("XLEN", "s1"), 0)
        assert log(redis) == [*ids(1), "2"]


def test_a_wrong_argument_registers_nothing(host):
    answer = host.call("RG.PYEXECUTE", "GB('StreamReader').register('s*', batch='x')")
    assert isinstance(answer, Error)
    assert "batch argument must be a number" in answer
    assert host.call("RG.DUMPREGISTRATIONS") == []
