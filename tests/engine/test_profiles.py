"""Profiles of sessions."""

import gc
import re
import sys
import threading
import time

import pytest
from bare_engine import BareEngine

from redgrease.engine.profiles import Profile, Profiles, Recorder
from redgrease.engine.sessions import Session

pytest_plugins = ["worker_fixtures"]


@pytest.fixture(autouse=True)
def no_collection():
    """What other tests left behind is not finalized, and so measured, in the midst of a function."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def fact(n):
    return 1 if n < 2 else n * fact(n - 1)


def work(n):
    return sorted(range(n), key=lambda x: -x)[0], fact(n)


def key_of(function):
    code = function.__code__
    return (__file__, code.co_firstlineno, function.__qualname__)


def recorded(function, *args):
    recorder = Recorder()
    recorder.start()
    try:
        function(*args)
    finally:
        recorder.stop()
    profile = Profile()
    profile.add(recorder)
    profile.create_stats()
    return {key[2].rpartition(".")[2]: (key, value) for key, value in profile.stats.items()}


def test_counts_and_times():
    found = recorded(work, 4)
    assert {"work", "fact", "<lambda>"} < set(found)
    key, (primitive, calls, inner, total, callers) = found["fact"]
    assert key[:2] == (__file__, fact.__code__.co_firstlineno)
    assert (primitive, calls) == (1, 4)
    assert 0 < inner <= total <= found["work"][1][3]
    by_name = {caller[2]: figures for caller, figures in callers.items()}
    assert by_name["work"][:2] == (1, 1)
    assert by_name["fact"][:2] == (3, 0)
    assert found["<lambda>"][1][:2] == (4, 4)
    (builtin,) = (key for key in found if "sorted" in key)
    assert found[builtin][0] == ("~", 0, "<built-in method builtins.sorted>")
    inner_times = sum(value[2] for _, value in found.values())
    assert inner_times == pytest.approx(found["work"][1][3])


def test_methods_written_in_c_and_exceptions():
    def fail():
        try:
            [].index(1)
        except ValueError:
            return {}.get(1)

    found = recorded(fail)
    assert "<method 'index' of 'list' objects>" in found
    assert found["fail"][1][0] == 1


def test_what_was_left_in_the_midst():
    recorder = Recorder()

    def leave():
        recorder.stop()

    def outer():
        leave()

    recorder.start()
    outer()
    assert sys.getprofile() is None
    assert {key[2].rpartition(".")[2] for key in recorder.figures} >= {"outer", "leave"}


def test_an_exception_out_of_nowhere_ends_it():
    recorder = Recorder()
    real, recorder._leave = recorder._leave, lambda: 1 / 0

    def aborted():
        recorder.start()
        fact(1)

    with pytest.raises(ZeroDivisionError):
        aborted()
    assert sys.getprofile() is None
    recorder._leave = real
    recorder.stop()
    assert [key[2] for key in recorder.figures] == ["fact"]


def test_one_within_another():
    outer, inner = Recorder(), Recorder()

    def nested():
        inner.start()
        fact(3)
        inner.stop()

    def whole():
        nested()
        work(2)

    outer.start()
    whole()
    outer.stop()
    assert sys.getprofile() is None
    names = [{key[2].rpartition(".")[2] for key in one.figures} for one in (outer, inner)]
    assert {"whole", "nested", "work"} <= names[0]
    assert "whole" not in names[1]
    assert outer.figures[key_of(fact)].all == 2
    assert inner.figures[key_of(fact)].all == 3


def test_threads_do_not_mix():
    engine = BareEngine()
    profiles = Profiles(engine.sessions)
    sessions = [Session(name) for name in "ab"]
    barrier = threading.Barrier(2, timeout=20)

    def one(session, function):
        with profiles.recorded(session):
            barrier.wait()
            function(6)
            barrier.wait()

    def second(n):
        return n

    threads = [threading.Thread(target=one, args=pair) for pair in zip(sessions, (fact, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session in sessions:
        engine.sessions.link(session)
    first, other = (profiles.command(["STATS", name]) for name in "ab")
    assert "6/1" in first
    assert "fact" in first
    assert "fact" not in other
    assert "second" in other


def test_errors():
    engine = BareEngine()
    profiles = Profiles(engine.sessions)
    session = Session("s")
    engine.sessions.link(session)
    assert profiles.command(["NOSUCH", "x"]) == "Wrong subcommand given to RG.PYPROFILE"
    for action in ("stats", "reset"):
        assert profiles.command([action, "nosuch"]) == "session does not exists"
    assert profiles.command(["RESET", "s"]) == "OK"
    empty = "session s has no profile; it needs ProfileExecutions 1"
    assert profiles.command(["STATS", "s"]) == empty
    with profiles.recorded(session):
        pass
    assert profiles.command(["STATS", "s"]) == empty
    with profiles.recorded(session):
        fact(2)
    assert "Ordered by: internal time" in profiles.command(["STATS", "s", "nosuch"])
    assert profiles.command(["RESET", "s"]) == "OK"
    assert profiles.command(["STATS", "s"]) == empty


SCRIPT = """
import json
def slow(x): return sum(range(3000))
def helper(x): return json.dumps(execute('PING'))
def f(x): return [slow(x) for _ in range(5)] + [helper(x)]
GB('CommandReader').map(f).sort().register(trigger='profiled')
"""


def test_commands(worker):
    assert worker.call("RG.PYEXECUTE", SCRIPT, "ID", "s") == "OK"
    worker.call("RG.TRIGGER", "profiled")
    assert worker.call("RG.PYPROFILE", "STATS", "s").startswith("session s has no profile")
    worker.call("RG.CONFIGSET", "ProfileExecutions", "1")
    try:
        for _ in range(3):
            worker.call("RG.TRIGGER", "profiled")
    finally:
        worker.call("RG.CONFIGSET", "ProfileExecutions", "0")
    text = worker.call("RG.PYPROFILE", "STATS", "s").decode()
    assert "Ordered by: internal time" in text
    assert re.search(r"^\s+15\s+[0-9.]+\s.*<string>:3\(slow\)", text, re.MULTILINE)
    assert "was called by..." in text
    assert "called..." in text
    assert re.search(r"native\.py:\d+\(.*execute\)", text)
    assert "pipeline" not in text
    assert "connection" not in text
    text = worker.call("RG.PYPROFILE", "stats", "s", "ncalls").decode()
    assert "Ordered by: call count" in text
    assert worker.call("RG.PYPROFILE", "RESET", "s") == "OK"
    assert worker.call("RG.PYPROFILE", "STATS", "s").startswith("session s has no profile")


@pytest.mark.parametrize("body", ["pass", "x = len([])", "x = [y for y in map(str, range(9))]"])
def test_abort_of_what_is_profiled(worker, redis, body):
    worker.call("RG.CONFIGSET", "ProfileExecutions", "1")
    try:
        script = (
            f"def busy(x):\n    execute('INCR', 'began')\n    while True: {body}\n"
            "GB('ShardsIDReader').map(busy).run()"
        )
        for _ in range(5):
            redis("DEL", "began")
            ident = worker.call("RG.PYEXECUTE", script, "UNBLOCKING")
            deadline = time.monotonic() + 20
            while redis("GET", "began") is None:
                assert time.monotonic() < deadline
            assert worker.call("RG.ABORTEXECUTION", ident) == "OK"
            results, errors = worker.call("RG.GETRESULTS", ident)
            assert results == []
            assert "forcestopped" in errors[0].decode()
    finally:
        worker.call("RG.CONFIGSET", "ProfileExecutions", "0")
    script = "import sys\nGB('ShardsIDReader').map(lambda x: sys.getprofile()).run()"
    assert worker.run(script) == ([b"None"], [])
