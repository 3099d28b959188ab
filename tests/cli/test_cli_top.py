"""``redgrease top``."""

import sys

from support.terminal import Terminal

from redgrease import CommandReader, KeysReader, PythonReader


def busy():
    import time

    while True:
        time.sleep(0.01)
        yield 1


def test_once(cli, r):
    assert "0 registrations\nnone\n" in cli("top").stdout
    CommandReader().register(trigger="hello", on=r)
    KeysReader(desc="users").register("user:*", on=r)
    PythonReader().run(busy, on=r, unblocking=True)
    text = cli("top").stdout
    assert "2 registrations" in text and "hello" in text and "users" in text
    assert "1 executions: 1 running" in text


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
