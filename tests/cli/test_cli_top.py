"""``redgrease top``."""

import io
import sys

import pytest
from rich.console import Console
from support.terminal import Terminal
from support.waiting import eventually

from redgrease import CommandReader, KeysReader, PythonReader
from redgrease.cli.top import View


def busy():
    import time

    while True:
        time.sleep(0.01)
        yield 1


def fail(record):
    raise ValueError("no such user")


def test_once(cli, r):
    assert "0 registrations\nnone\n" in cli("top").stdout
    CommandReader().register(trigger="hello", on=r)
    KeysReader(desc="users").register("user:*", on=r)
    PythonReader().run(busy, on=r, unblocking=True)
    text = cli("top").stdout
    assert "2 registrations" in text and "hello" in text and "users" in text
    assert "1 executions: 1 running" in text


def test_there_is_room_for_both(r):
    for number in range(30):
        CommandReader().register(trigger=f"t{number}", on=r)
    running = PythonReader().run(busy, on=r, unblocking=True).value
    for number in range(10):
        PythonReader().count().run(lambda: (yield 1), on=r)
        r.gears.pyexecute("GB('ShardsIDReader').run()", unblocking=True)
    out = Console(width=100, height=24, file=io.StringIO())
    out.print(View(r, 24).render())
    lines = out.file.getvalue().splitlines()
    assert len(lines) <= 24
    (at,) = [number for number, line in enumerate(lines) if line.split()[:2] == ["ID", "status"]]
    assert lines[at + 1].split()[:2] == [str(running.sequence), "running"]
    assert [line for line in lines if line.startswith("… and")] == ["… and 22 more", "… and 3 more"]
    out = Console(width=100, height=200, file=io.StringIO())
    out.print(View(r).render())
    assert "more" not in out.file.getvalue()


def test_what_runs_is_above_what_waits(r):
    ids = [PythonReader().run(busy, on=r, unblocking=True).value for _ in range(5)]

    def states():
        return [str(each.status) for each in r.gears.dumpexecutions()]

    eventually(lambda: sorted(states())[:2] + sorted(states())[-1:], ["created"] * 2 + ["running"])
    out = Console(width=100, height=200, file=io.StringIO())
    out.print(View(r).render())
    lines = [line.split()[:2] for line in out.file.getvalue().splitlines()]
    rows = [words for words in lines if words and words[0] in {str(id.sequence) for id in ids}]
    states = [state for _, state in rows]
    assert len(rows) == 5 and states == sorted(states, reverse=True)


@pytest.mark.parametrize(
    "width, gone", [(80, {"mode", "description"}), (97, {"mode"}), (120, set())]
)
def test_narrow_windows(r, width, gone):
    KeysReader(desc="what it is good for, at length").foreach(fail).register(
        "user:*", eventTypes=["set", "hset"], mode="sync", on=r
    )
    r.set("user:1", 1)
    out = Console(width=width, height=30, file=io.StringIO())
    view = View(r, 30, width)
    view.render()  # there is no rate yet
    out.print(view.render())
    title, row, rest = out.file.getvalue().splitlines()[3:6]
    for word in ("for", "per s", "triggered", "last error"):
        assert word in title
    assert gone == {"mode", "description"} - set(title.split())
    assert "user:*" in row and "1     0       1" in row and "ValueError" in row and not rest.strip()
    assert ("sync" in row) is ("mode" not in gone)


def test_in_a_terminal(gears_server, r):
    KeysReader().foreach(lambda record: 1 // int(record["value"])).register(
        "k*", mode="sync", eventTypes=["set"], on=r
    )
    words = ("-m", "redgrease", "--port", gears_server.port, "top", "--interval", "0.1")
    with Terminal((sys.executable, *words)) as terminal:
        terminal.wait_for("1 registrations", "per s", "0.0")
        r.set("k1", 0)
        terminal.wait_for("ZeroDivisionError")
        terminal.type("q")
        assert terminal.end() == 0
        assert "\x1b[?1049l" in terminal.raw  # the screen is as it was before


@pytest.mark.parametrize("width", [60, 120])
def test_long_texts_leave_room_for_the_figures(r, width):
    CommandReader(desc="a description that takes more than a line " * 4).register(
        trigger="hello", on=r
    )
    r.gears.trigger("hello")
    out = Console(width=width, height=24, file=io.StringIO())
    out.print(View(r, 24, width).render())
    (head,) = [line for line in out.file.getvalue().splitlines() if "triggered" in line.split()]
    assert {"ID", "reader", "for", "done", "failed"} <= set(head.split())
    assert ("description" in head) == (width == 120)


def test_what_runs_stands_before_what_waits(r):
    KeysReader().foreach(lambda record: list(busy())).register("k*", on=r)
    for number in range(3):
        r.set(f"k{number}", 1)

    def states():
        out = Console(width=100, file=io.StringIO())
        out.print(View(r).render())
        rows = [line.split() for line in out.file.getvalue().splitlines()]
        return [row[1] for row in rows if row[1:2] in (["running"], ["created"])]

    eventually(states, ["running", "created", "created"])
