"""What helps to test, with or without pytest."""

import sys

import pytest

redis = pytest.importorskip("redis")
if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

import redgrease  # noqa: E402
from redgrease import CommandReader, KeysReader, StreamReader  # noqa: E402
from redgrease.testing import ServerLog, evaluate, eventually, wait_for_executions  # noqa: E402
from redgrease.testing.cleaning import LeakError, clean, contents  # noqa: E402

# -- evaluating


RECORDS = [{"key": f"k{n}", "value": str(n), "type": "string"} for n in range(5)]


def test_steps_are_those_of_the_engine():
    numbers = KeysReader().values(type="string").map(int)
    assert evaluate(numbers, RECORDS).value == [0, 1, 2, 3, 4]
    assert evaluate(numbers.filter(lambda x: x % 2).count(), RECORDS).value == [2]
    assert evaluate(numbers.sort().limit(2), RECORDS).value == [0, 1]
    groups = numbers.groupby(lambda x: x % 2, lambda k, a, r: (a or 0) + r)
    assert {str(each["key"]): each["value"] for each in evaluate(groups, RECORDS)} == {
        "0": 6,
        "1": 4,
    }


def test_like_a_server(r):
    for record in RECORDS:
        r.set(record["key"], record["value"])
    keys = KeysReader().keys().sort()
    numbers = KeysReader().values(type="string").map(int).sort()
    for function in (
        keys.map(lambda key: key * 2),
        keys.map(lambda key: (key, 1)),
        KeysReader().values(type="string").avg(float),
        KeysReader().countby(lambda record: record["type"]),
        numbers.flatmap(lambda x: [x] * x),
        numbers.flatmap(lambda x: (x, x)),
        numbers.map(lambda x: {"n": x}).foreach(lambda each: each.update(m=1)),
        numbers.filter(),
        numbers.accumulate(lambda a, x: (a or 0) + x),
        numbers.localgroupby(lambda x: x % 2, lambda k, a, x: (a or 0) + x),
        numbers.groupby(lambda x: x % 2, lambda k, a, x: (a or 0) + x),
        numbers.batchgroupby(lambda x: x % 2, lambda k, group: sum(group)),
        numbers.aggregate(0, lambda a, x: a + x, lambda a, x: a + x),
        numbers.aggregateby(lambda x: x % 2, 0, lambda k, a, x: a + x, lambda k, a, x: a + x),
        numbers.repartition(lambda x: x).collect().sort(),
        numbers.map(lambda x: x // 2).distinct().sort(reverse=False),
        numbers.limit(2, 1),
        numbers.count(),
        numbers.countby(),
        numbers.sum(),
        numbers.filter(lambda x: False).count(),
        numbers.filter(lambda x: False).avg(),
    ):
        closed = function if hasattr(function, "on") else function.run()
        result = closed.on(r).value  # of one result, the result itself
        assert evaluate(function, RECORDS).value == (result if type(result) is list else [result])


def test_events_and_streams_and_commands():
    keyed = KeysReader().map(lambda record: record["event"]).register("*", eventTypes=["set"])
    assert evaluate(keyed, [{"key": "a", "event": "set"}]).value == ["set"]
    stream = StreamReader().map(lambda record: record["value"]["a"]).register("s")
    assert evaluate(stream, [{"key": "s", "id": "1-0", "value": {"a": 1}}]).value == [1]
    command = CommandReader().map(lambda words: words[1:]).register(trigger="t")
    assert evaluate(command, [["t", "a", "b"]]).value == [["a", "b"]]


def test_builders_and_texts():
    builder = redgrease.GearsBuilder("PythonReader")
    builder.map(lambda x: x + 1)
    assert evaluate(builder, range(3)).value == [1, 2, 3]
    texts = redgrease.PythonReader().map(lambda x: x + 1).run(lambda: [], convertToStr=True)
    assert evaluate(texts, [1]).value == ["2"]


def test_exceptions_come_as_they_are():
    function = KeysReader().map(lambda x: 1 // x).map(str)
    with pytest.raises(ZeroDivisionError) as raised:
        evaluate(function, [1, 0, 2])
    assert raised.traceback[-1].name == "<lambda>"
    result = evaluate(function, [1, 0, 2], raise_errors=False)
    assert result.value == ["1"] and "ZeroDivisionError" in result.errors[0]


def test_coroutines_are_waited_for():
    async def later(x):
        import asyncio

        await asyncio.sleep(0)
        return x + 1

    assert sorted(evaluate(KeysReader().map(later), [1, 2]).value) == [2, 3]


def test_only_functions_can_be_evaluated():
    with pytest.raises(TypeError, match="expected a GearFunction"):
        evaluate(len, [])
    with pytest.raises(redgrease.exceptions.NotInServerError):
        evaluate(KeysReader().map(lambda x: redgrease.execute("PING")), [1])


# -- waiting


def test_eventually():
    values = iter([0, None, 3])
    assert eventually(lambda: next(values)) == 3

    def asserting():
        assert 1 == 2, "they differ"

    with pytest.raises(AssertionError, match="they differ"):
        eventually(asserting, timeout=0.02)
    with pytest.raises(AssertionError, match="the sun: not within 0.02 s; .* returned 0 at last"):
        eventually(lambda: 0, timeout=0.02, message="the sun")


def test_executions_are_waited_for(r):
    def slow(record):
        import time

        time.sleep(0.05)

    registered = KeysReader().foreach(slow).register("a*", on=r)
    KeysReader().foreach(lambda record: None).register("b*", on=r)
    for number in range(3):
        r.set(f"a{number}", 1)
    r.set("b", 1)
    assert len(wait_for_executions(r, 4)) == 2
    (only,) = wait_for_executions(r, 3, registered)
    assert only.RegistrationData.numSuccess == 3
    with pytest.raises(AssertionError, match="4 of 9 executions .* have ended\nKeysReader"):
        wait_for_executions(r, 9, timeout=0.05)


def test_what_failed_is_told(r, gears_server):
    KeysReader(desc="divides").foreach(lambda record: 1 // 0).register("a*", on=r)
    r.set("a", 1)
    wait_for_executions(r)
    with pytest.raises(AssertionError) as caught:
        wait_for_executions(r, 2, timeout=0.01)
    assert "(divides): triggered 1, done 0, failed 1\n  its last error:\n" in str(caught.value)
    assert "\n    ZeroDivisionError: " in str(caught.value) and "\\n" not in str(caught.value)


def test_what_was_logged_is_told(r, gears_server):
    with ServerLog(gears_server) as log:
        r.gears.pyexecute("log('the sun')\nlog('the moon')")
        log.wait_for("the moon")
        with pytest.raises(AssertionError) as caught:
            log.wait_for("the stars", timeout=0.01)
        log.clear()
        with pytest.raises(AssertionError, match="at last: nothing"):
            log.wait_for("the stars", timeout=0.01)
    assert "'the stars' was not logged within 0.01 s" in str(caught.value)
    assert "the sun" in str(caught.value) and "the moon" in str(caught.value)


@pytest.mark.parametrize("wait", ["eventually(bool, 0)", "wait_for_executions(r, 9, None, 0)"])
def test_what_pytest_shows_ends_in_the_test(r, wait):
    with pytest.raises(AssertionError) as caught:
        eval(wait)
    shown = caught.traceback.filter(caught)
    assert "waiting.py" not in {str(entry.path).rpartition("/")[2] for entry in shown}


# -- cleaning


def test_what_is_in_other_databases_is_found(gears_server, r):
    with gears_server.client(db=3) as other:
        other.set("somebody's", "data")
        assert contents(r) == ["1 keys in database 3"]
        clean(r)
        assert other.dbsize() == 0 and contents(r) == []


def test_a_leak_is_named(r, monkeypatch):
    monkeypatch.setattr("redgrease.testing.cleaning.PATIENCE", 0.05)
    KeysReader().register("user:*", on=r)
    monkeypatch.setattr(type(r.gears), "unregister", lambda *_: None)
    with pytest.raises(LeakError, match=r"the registration 0+-\d+ \(KeysReader, user:\*\)"):
        clean(r)
