"""The commands that list what a server has."""

import sys

import pytest
from support.terminal import Terminal

from redgrease import CommandReader, KeysReader, StreamReader


@pytest.fixture
def registered(r):
    """Three registrations."""
    KeysReader(desc="counts users").foreach(lambda record: 1 / 0).register(
        "user:*", eventTypes=["set"], mode="sync", on=r
    )
    StreamReader().register("orders", on=r)
    CommandReader().register(trigger="hello", on=r)


def test_registrations(cli, r, registered):
    r.set("user:1", "x")
    lines = cli("registrations").stdout.splitlines()
    (row,) = [line for line in lines if "user:*" in line]
    for word in ("KeysReader", "eventTypes set", "sync", "counts users", "ZeroDivisionError"):
        assert word in row
    assert len(lines) == 4 and len(cli.json("registrations")) == 3


@pytest.mark.parametrize(
    "words, reader",
    [
        (("--reader", "StreamReader"), "StreamReader"),
        (("--desc", "counts*"), "KeysReader"),
        (("--mode", "sync"), "KeysReader"),
        (("--stream", "orders"), "StreamReader"),
        (("--trigger", "hello"), "CommandReader"),
    ],
)
def test_narrowing_down(cli, registered, words, reader):
    assert [row["reader"] for row in cli.json("registrations", *words)] == [reader]


def test_columns_for_which_there_is_no_room(cli, registered):
    told = cli("registrations", COLUMNS="60")
    assert "avg ms" not in told.stdout and "(no room for avg ms, mode" in told.stderr
    assert "avg ms" in cli("registrations").stdout and not cli("registrations").stderr


def test_nothing(cli):
    for name in ("registrations", "executions", "sessions"):
        result = cli(name)
        assert (result.stdout, result.stderr) == ("", f"no {name}\n")
        assert cli.json(name) == []


def test_sessions(cli):
    cli("run", "--id", "mine", "GB('CommandReader').register(trigger='t')")
    (line,) = cli("sessions").stdout.splitlines()[1:]
    assert line.split()[0] == "mine"
    (id,) = cli.json("sessions")[0]["registrations"]
    assert line.split()[-1] == id.rpartition("-")[2]


def test_stats(cli):
    (row,) = cli.json("stats")
    assert row["figures"]["CurrAllocated"] > 1000
    assert "B" in cli("stats").stdout.splitlines()[1]


def test_narrow_terminals_have_fewer_columns(gears_server, r):
    CommandReader(desc="a description that takes more than a line " * 4).register(
        trigger="hello", on=r
    )
    words = (sys.executable, "-m", "redgrease", "--port", gears_server.port, "registrations")
    with Terminal(words, columns=60) as terminal:
        assert terminal.end() == 0
        head, row, *notes = terminal.text.splitlines()
    assert {"triggered", "done", "failed"} <= set(head.split()) and "hello" in row
    assert "description" not in head and "no room for" in notes[0]
    with Terminal(words, columns=200) as terminal:
        assert terminal.end() == 0
        assert "a description that takes more than" in terminal.text
