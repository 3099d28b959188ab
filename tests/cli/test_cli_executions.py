"""``redgrease executions``."""

import pytest

from redgrease import KeysReader


def slow(record):
    import time

    time.sleep(0.03)
    return record


def keep(record):
    return True


@pytest.fixture
def done(cli, r):
    """The id of an execution with a slow step."""
    before = r.gears.config.get("ProfileExecutions")["ProfileExecutions"]
    r.gears.config.set({"ProfileExecutions": 1})
    r.set("k1", 1)
    r.set("k2", 2)
    id = KeysReader().filter(keep).map(slow).count().run(on=r, unblocking=True).value
    cli("results", id, "--wait")
    yield str(id)
    r.gears.config.set({"ProfileExecutions": int(before)})


def test_the_list(cli, done):
    (row,) = cli.json("executions")
    assert (row["executionId"], row["status"]) == (done, "done")
    assert cli.json("executions", "--status", "running") == []
    assert "'runing' is not one of" in cli("executions", "--status", "runing", status=2).stderr
    assert cli("executions").stdout.splitlines()[1].split()[:2] == [done.rpartition("-")[2], "done"]


def test_the_bars_are_as_long_as_the_steps_took(cli, done):
    lines = cli("executions", done.rpartition("-")[2]).stdout.splitlines()
    assert lines[0].startswith(f"execution {done.rpartition('-')[2]}: done, 1 results, ")
    bars = {line.split()[1]: (int(line.split()[2]), line.count("█")) for line in lines[3:]}
    assert bars["slow"][0] >= 60 and bars["slow"][1] == 40
    assert bars["keep"][0] < 30 and bars["keep"][1] < 20
    plan = next(iter(cli.json("executions", done).values()))
    assert {"map", "filter"} <= {step["type"] for step in plan["steps"]}


def test_unknown_ones(cli):
    assert "does not exist" in cli("executions", "999", status=1).stderr
