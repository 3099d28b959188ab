"""``redgrease unregister``, ``abort`` and ``config``."""

import pytest

from redgrease import CommandReader, KeysReader, PythonReader


@pytest.fixture
def registered(r):
    """Three registrations."""
    CommandReader().register(trigger="one", on=r)
    CommandReader().register(trigger="two", on=r)
    KeysReader().register("k*", on=r)


def readers(cli):
    return [row["reader"] for row in cli.json("registrations")]


def test_unregistering(cli, r, registered):
    ids = {
        row["RegistrationData"]["args"].get("trigger"): row["id"]
        for row in cli.json("registrations")
    }
    told = cli("unregister", "999", ids["one"].rpartition("-")[2], status=1).stderr
    assert "999: " in told and "unregistered " in told
    cli("unregister", "--trigger", "two")
    assert readers(cli) == ["KeysReader"]
    assert "nothing is registered" in cli("unregister", "--trigger", "two", status=1).stderr
    CommandReader().register(trigger="three", on=r)
    assert "unregistered" in cli("unregister", "three").stderr
    assert "three: " in cli("unregister", "three", status=1).stderr
    cli("unregister", "--all", "--abort")
    assert readers(cli) == []
    assert "say which" in cli("unregister", status=2).stderr


def test_unregistering_a_session(cli, registered):
    cli("run", "--id", "mine", "GB('StreamReader').register('s'); GB('StreamReader').register('t')")
    assert len(readers(cli)) == 5
    cli("unregister", "--session", "mine")
    assert len(readers(cli)) == 3


def forever():
    import time

    while True:
        time.sleep(0.01)
        yield 1


def test_aborting(cli, r):
    ids = [PythonReader().run(forever, on=r, unblocking=True).value for _ in range(2)]
    cli("abort", str(ids[0]))
    states = {row["executionId"]: row["status"] for row in cli.json("executions")}
    assert states[str(ids[0])] in ("done", "aborted")
    assert states[str(ids[1])] in ("running", "created")
    cli("abort", "--all", "--drop")
    assert cli.json("executions") == []
    cli("abort", "999", status=1)
    assert "say which" in cli("abort", status=2).stderr


def test_configuration(cli, r):
    before = cli.json("config", "get", "MaxExecutions")["MaxExecutions"]
    try:
        cli("config", "set", "MaxExecutions", before + 1)
        assert cli.json("config", "get", "MaxExecutions") == {"MaxExecutions": before + 1}
        cli("config", "set", f"MaxExecutions={before + 2}", "ProfileExecutions=0")
        assert cli.json("config", "get")["MaxExecutions"] == before + 2
    finally:
        r.gears.config.set({"MaxExecutions": before})
    assert "MaxExecutions" in cli("config", "get").stdout
    assert "(unknown)" in cli("config", "get", "Foo", status=1).stdout
    told = cli("config", "set", "MaxExecutions=many", "Mine=1", status=1).stderr
    assert "did not take MaxExecutions=many\n" in told
    assert cli.json("config", "get", "Mine") == {"Mine": "1"}
    assert "not NAME=VALUE" in cli("config", "set", "Foo", status=2).stderr
