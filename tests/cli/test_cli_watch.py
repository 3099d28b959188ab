"""``redgrease watch`` in a terminal: the server follows the files."""

import sys

import pytest
from support.terminal import Terminal
from support.waiting import eventually

TRIGGER = 'GB("CommandReader").map(lambda words: "{0}").register(trigger="{0}")\n'


@pytest.fixture
def scripts(tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "one.py").write_text(TRIGGER.format("one"))
    (folder / "other.py").write_text(TRIGGER.format("other"))
    return folder


@pytest.fixture
def watch(r, gears_server, scripts):
    """Starts it in a terminal."""

    def start(*words):
        program = (sys.executable, "-m", "redgrease", "watch", "--quiet", "0.2", *words)
        environment = {"REDGREASE_URL": f"redis://127.0.0.1:{gears_server.port}"}
        return Terminal(program, environment, scripts.parent)

    return start


def triggers(r):
    return sorted(each.RegistrationData.args["trigger"] for each in r.gears.dumpregistrations())


def ids(r):
    return {each.RegistrationData.args["trigger"]: each.id for each in r.gears.dumpregistrations()}


def test_edit_break_mend_delete(watch, r, scripts):
    one = scripts / "one.py"
    with watch("scripts") as terminal:
        terminal.wait_for("loaded scripts/one.py (1 registration)", "watching scripts; Ctrl-C")
        assert triggers(r) == ["one", "other"]
        other = ids(r)["other"]

        one.write_text(TRIGGER.format("two"))  # edit
        terminal.wait_for("loaded scripts/one.py (1 registration)")
        assert triggers(r) == ["other", "two"]
        two = ids(r)["two"]

        one.write_text("def f():\n    raise KeyError('x')\n\nf()\n")  # break
        told = terminal.wait_for("failed scripts/one.py", "KeyError: 'x'")
        assert 'File "scripts/one.py", line 2, in f' in told
        assert triggers(r) == ["other", "two"] and ids(r)["two"] == two

        (scripts / "new.py").write_text(TRIGGER.format("new"))  # the others go on
        terminal.wait_for("loaded scripts/new.py (1 registration)")
        assert triggers(r) == ["new", "other", "two"]

        one.write_text(TRIGGER.format("three"))  # mend
        terminal.wait_for("loaded scripts/one.py (1 registration)")
        assert triggers(r) == ["new", "other", "three"]

        one.unlink()  # delete
        terminal.wait_for("unregistered scripts/one.py")
        assert triggers(r) == ["new", "other"]
        assert ids(r)["other"] == other  # never touched

        terminal.type("\x03")
        assert terminal.end() == 0


def test_a_burst_of_changes_is_one(watch, r, scripts):
    with watch("scripts/one.py", "--quiet", "0.4") as terminal:
        terminal.wait_for("watching")
        assert triggers(r) == ["one"]
        for number in range(20):
            (scripts / "one.py").write_text(TRIGGER.format(f"n{number}"))
        eventually(lambda: triggers(r), ["n19"])
        terminal.wait_for("loaded scripts/one.py")
        terminal.process.terminate()
        assert terminal.end() == 0
        assert terminal.text.count("loaded scripts/one.py") == 2


@pytest.mark.parametrize("when", ["at first", "later"])
def test_it_ends_while_a_script_runs(watch, r, scripts, when):
    slow = (
        "import time\nexecute('SET', 'state', 'began')\n"
        "while execute('GET', 'state') != 'let go':\n    time.sleep(0.01)\n"
        "execute('SET', 'state', 'ended')\n"
    )
    one = scripts / "one.py"
    if when == "at first":
        one.write_text(slow)
    try:
        with watch("scripts") as terminal:
            if when == "later":
                terminal.wait_for("watching")
                one.write_text(slow)
            eventually(lambda: r.get("state"), b"began")
            terminal.type("\x03")
            if when == "later":
                terminal.wait_for("Ctrl-C again does not wait")
                terminal.type("\x03")
            assert terminal.end(10) != 0
    finally:
        r.set("state", "let go")
    eventually(lambda: r.get("state"), b"ended")
