"""``redgrease shell``."""

import sys

from support.terminal import Terminal

from redgrease.cli import shell


def test_code_in_the_place_of_a_prompt(cli, r):
    r.set("k", 1)
    assert cli("shell", "-C", "print(KeysReader().count().run(on=r), gears is r.gears)").stdout == (
        "1 True\n"
    )


def test_all_names_are_there(r):
    assert set(shell.NAMES) < set(shell.namespace(r))


def test_the_prompt(gears_server, r):
    words = ("-c", "import sys; sys.modules['IPython'] = None; import redgrease.cli as c; c.main()")
    where = ("shell", "--port", gears_server.port)
    with Terminal((sys.executable, *words, *where)) as terminal:
        terminal.wait_for("r is a client of localhost", ">>> ")
        terminal.type("r.set('typed', 6 * 7)\n")
        terminal.wait_for("True", ">>> ")
        terminal.type("\x04")
        assert terminal.end() == 0
    assert r.get("typed") == b"42"


def test_tracebacks_are_those_of_what_was_typed(cli, gears_server):
    assert cli("shell", "-C", "def f(): 1 / 0\nf()", status=1).stderr == (
        "Traceback (most recent call last):\n"
        '  File "<command>", line 2, in <module>\n'
        '  File "<command>", line 1, in f\n'
        "ZeroDivisionError: division by zero\n"
    )
    words = ("-c", "import sys; sys.modules['IPython'] = None; import redgrease.cli as c; c.main()")
    with Terminal((sys.executable, *words, "shell", "--port", gears_server.port)) as terminal:
        terminal.wait_for(">>> ")
        terminal.type("1 / 0\n")
        assert "IPython" not in terminal.wait_for("ZeroDivisionError: division by zero", ">>> ")
        terminal.type("\x04")
        assert terminal.end() == 0
