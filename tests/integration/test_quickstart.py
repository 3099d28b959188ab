"""What the quickstart promises, from the client through the embedded server to Redis."""

import operator
import os
import subprocess
import sys
from pathlib import Path

import pytest

import redgrease

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "basics.py"

RECORDS = [
    {"event": None, "key": "Bar-fighter", "type": "string", "value": "63"},
    {"event": None, "key": "Baz-fighter", "type": "string", "value": "-747"},
    {"event": None, "key": "Foo-fighter", "type": "string", "value": "2021"},
    {"event": None, "key": "noodle", "type": "hash", "value": {"meaning": "42", "spam": "eggs"}},
    {"event": None, "key": "transactions:0", "type": "unknown", "value": None},
]


@pytest.fixture
def data(r):
    r.set("Foo-fighter", 2021)
    r.set("Bar-fighter", 63)
    r.set("Baz-fighter", -747)
    r.hset("noodle", "spam", "eggs")
    r.hset("noodle", "meaning", 8)
    r.hincrby("noodle", "meaning", 34)
    r.xadd("transactions:0", {"amount": 27})
    return r


def test_the_example_prints_what_the_quickstart_says(gears_server, r):
    out = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        env=dict(os.environ, REDGREASE_URL=gears_server.url),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()
    assert out[0].startswith("Memory of the Python interpreter: PyStats(TotalAllocated=")
    assert out[1] == "Registered functions: []"
    assert out[2] == "Result of nothing: True"
    assert [eval(line) for line in out[4:9]] == RECORDS
    assert out[9] == "Number of keys, counted by a text: 5"
    assert out[10] == "Number of keys, counted by KeysReader().count().run() is 5"
    assert out[11:] == ["Sum of '-fighter'-keys values: 1337"]


def test_text_gives_the_text_of_each_record(data):
    result = data.gears.pyexecute("GearsBuilder('KeysReader').run()")
    assert all(type(record) is bytes for record in result)
    assert sorted(map(eval, result), key=lambda record: record["key"]) == RECORDS


def test_count_as_text_and_as_function(data):
    assert int(data.gears.pyexecute("GearsBuilder('KeysReader').count().run()")) == 5
    assert data.gears.pyexecute(redgrease.KeysReader().count().run()) == 5


def test_sum_of_values(data):
    fighters = redgrease.KeysReader("*-fighter").values()
    assert fighters.map(int).aggregate(0, operator.add).run(on=data) == 1337
    assert fighters.map(int).sum().run(on=data) == 1337
    assert (
        redgrease.KeysReader("*-fighter")
        .map(lambda x: int(x["value"]))
        .aggregate(0, operator.add)
        .run(on=data)
        == 1337
    )


def test_nothing_to_run(r):
    assert r.gears.pyexecute() == True  # noqa: E712 (a result equals its value, it is not it)
    assert r.gears.dumpregistrations() == []


def test_python_values_come_back_as_they_are(data):
    records = redgrease.KeysReader().run(on=data)
    assert sorted(records, key=lambda record: record["key"]) == RECORDS


def test_a_failing_function_reports_where_and_why(data):
    def strict(record):
        return 1 // (len(record["key"]) - 6)

    result = redgrease.KeysReader("noodle").map(strict).run(on=data)
    assert result == []
    assert "ZeroDivisionError" in result.errors[0]
    with pytest.raises(redgrease.exceptions.ExecutionFailedError, match="ZeroDivisionError"):
        result.raise_for_errors()


def test_unblocking_runs_are_decoded_when_they_are_fetched(data):
    execution = redgrease.KeysReader().count().run().on(data, unblocking=True)
    assert data.gears.getresultsblocking(execution) == 5
    assert data.gears.getresults(execution) == 5
    assert data.gears.dropexecution(execution)
