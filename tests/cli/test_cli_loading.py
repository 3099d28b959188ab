"""``redgrease load``."""

import json
import os
import re
import sys
import time

import pytest
from support.terminal import Terminal

TRIGGER = 'GB("CommandReader").map(lambda words: words[1:]).register(trigger="{0}")\n'
BROKEN = {
    "script_13.py": ("def f():\n    return 1 / 0\n\nf()\n", 2, "return 1 / 0", "ZeroDivisionError"),
    "script_50.py": ("x = 1\n\ndef (:\n", 3, "def (:", "SyntaxError"),
    "script_77.py": ("GB().nothing()\n", 1, "GB().nothing()", "AttributeError"),
}


def triggers(r):
    return {each.RegistrationData.args["trigger"] for each in r.gears.dumpregistrations()}


def test_many_scripts_of_which_some_are_broken(cli, r, tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    for number in range(100):
        name = f"script_{number:02}.py"
        source = BROKEN[name][0] if name in BROKEN else TRIGGER.format(f"t{number}")
        (folder / name).write_text(source)
    result = cli("load", "scripts", status=1)
    assert result.stderr.splitlines()[-1] == "97 loaded, 3 failed"
    assert triggers(r) == {f"t{n}" for n in range(100)} - {"t13", "t50", "t77"}
    for name, (_, line, code, kind) in BROKEN.items():
        told = result.stderr.split(f"failed {os.path.join('scripts', name)}\n")[1]
        told = told.split("\nloaded ")[0]
        assert f'File "{os.path.join("scripts", name)}", line {line}' in told
        assert code in told and kind in told
    assert result.stderr.count("failed scripts") == 3


def test_the_server_is_asked_where_a_script_fails_within_its_records(cli, tmp_path):
    source = "def bad(record):\n    raise KeyError('x')\n\nGB('ShardsIDReader').map(bad).run()\n"
    (tmp_path / "one.py").write_text(source)
    told = cli("load", "one.py", status=1).stderr
    assert 'File "one.py", line 2, in bad\n      raise KeyError' in told and "1 failed" in told


@pytest.fixture
def tree(tmp_path):
    """Scripts in directories."""
    for path in ("a.py", "b.gears", "_hidden.py", "sub/c.py", "sub/test_d.py", "_sub/e.py"):
        file = tmp_path / "tree" / path
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(TRIGGER.format(path))
    return tmp_path / "tree"


@pytest.mark.parametrize(
    "words, expected",
    [
        ([], ["a.py", "sub/c.py", "sub/test_d.py"]),
        (["-R"], ["a.py"]),
        (["--ignore", "test_*"], ["a.py", "_hidden.py", "sub/c.py", "_sub/e.py"]),
        (["-i", "test_*", "-i", "_*"], ["a.py", "sub/c.py"]),
        (["--script-pattern", "*.gears"], ["b.gears"]),
        (["--script-pattern", "sub/*.py"], ["sub/c.py", "sub/test_d.py"]),
    ],
)
def test_which_files_are_meant(cli, r, tree, words, expected):
    cli("load", *words, "tree")
    assert triggers(r) == set(expected)


def test_unblocking_scripts_are_waited_for_if_wanted(cli, tmp_path):
    source = (
        "import time\ndef f(x):\n    time.sleep(0.05)\n    {}\nGB('ShardsIDReader').map(f).run()\n"
    )
    (tmp_path / "unblock_good.py").write_text(source.format("return x"))
    (tmp_path / "late_bad.py").write_text(source.format("raise KeyError('late')"))
    (tmp_path / "plain.py").write_text("execute('SET', 'k', 'v')")
    words = ("load", "--unblocking-pattern", "*_*.py", ".")
    assert "(execution" in cli(*words).stderr
    told = cli(*words, "--wait", status=1).stderr
    assert 'File "./late_bad.py", line 4, in f' in told and "1 failed, 2 loaded" in told
    late, plain, good = json.loads(cli(*words, "--wait", "--json", status=1).stdout)
    assert late["action"] == "failed" and "KeyError: 'late'" in late["error"]
    assert plain["error"] is good["error"] is None


def test_what_is_waited_for_fails(cli, tmp_path):
    (tmp_path / "unblock.py").write_text("GB('ShardsIDReader').map(lambda x: 1 // 0).run()")
    told = cli("load", "--wait", "unblock.py", status=1).stderr
    assert 'File "unblock.py", line 1' in told
    result = cli("load", "--wait", "--json", "unblock.py", status=1)
    (row,) = json.loads(result.stdout)
    assert row["action"] == "failed" and "ZeroDivisionError" in row["error"] and not result.stderr


def test_requirements_come_first(cli, tmp_path):
    (tmp_path / "a.py").write_text(TRIGGER.format("t"))
    (tmp_path / "my_requirements.txt").write_text("# nothing\n")
    first, second, summary = cli("load", ".").stderr.splitlines()
    assert first.startswith("installed ./my_requirements.txt")
    assert second == "loaded ./a.py (1 registration)"
    assert summary == "1 installed, 1 loaded"


def test_json(cli, tmp_path):
    (tmp_path / "a.py").write_text(TRIGGER.format("t"))
    (tmp_path / "b.py").write_text("1 / 0")
    result = cli("load", ".", "--json", status=1)
    good, bad = json.loads(result.stdout)
    assert result.stderr == ""
    assert (good["path"], good["action"], good["error"]) == ("./a.py", "loaded", None)
    assert len(good["registrations"]) == 1
    assert bad["action"] == "failed" and 'File "./b.py", line 1' in bad["error"]


def test_a_script_replaces_itself_also_from_another_copy(cli, r, tmp_path):
    for folder, name in (("one", "first"), ("two", "second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.py").write_text(TRIGGER.format(name))
        cli("load", "--root", folder, folder)
    assert triggers(r) == {"second"}


def test_what_is_not_there(cli, bare_cli, tmp_path):
    assert "'nosuch' does not exist" in cli("load", "nosuch", status=2).stderr
    assert "Missing argument" in cli("load", status=2).stderr
    (tmp_path / "a.py").write_text(TRIGGER.format("t"))
    told = bare_cli("load", "--port", "1", "a.py", status=1).stderr
    assert "failed a.py" in told and "localhost:1" in told
    (tmp_path / "b.py").write_text(TRIGGER.format("u"))
    told = bare_cli("load", "--port", "1", ".", status=1).stderr
    assert "`redgrease serve` starts a server" in told and "failed ./b.py" not in told


def test_a_server_without_gears(bare_cli, gears_server, tmp_path):
    (tmp_path / "a.py").write_text(TRIGGER.format("t"))
    where = ("--url", gears_server.redis_url)
    for words in (("load", "a.py"), ("run", "a.py")):
        assert "this server has no RedisGears" in bare_cli(*where, *words, status=1).stderr


def test_progress_in_a_terminal(gears_server, r, tmp_path):
    for number in range(12):
        (tmp_path / f"s{number}.py").write_text("x = 1")
    (tmp_path / "unblock.py").write_text(
        "def f(x):\n    __import__('time').sleep(0.5)\nGB('ShardsIDReader').map(f).run()"
    )
    words = (sys.executable, "-m", "redgrease", "--port", gears_server.port, "load", "--wait", ".")
    with Terminal(words, folder=tmp_path) as terminal:
        terminal.wait_for("loading", "/13", "13 loaded", "running", "0/1")
        assert terminal.end() == 0
    # Nothing stands between a line and the last wiping of the bar.
    assert re.search(r"\x1b\[2K(\x1b\[32m)?loaded(\x1b\[0m)? \./s7\.py", terminal.raw)


def test_hidden_directories_are_passed_over_whatever_is_ignored(cli, r, tmp_path):
    for name in (".venv", "_old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.py").write_text(TRIGGER.format(name.strip("._")))
    cli("load", "--ignore", "test_*", ".")
    assert triggers(r) == {"old", "new"}
    cli("load", ".venv")
    assert triggers(r) == {"old", "new", "venv"}


def test_a_server_without_gears(cli, gears_server, tmp_path):
    (tmp_path / "a.py").write_text(TRIGGER.format("t"))
    for words in (("load", "a.py"), ("run", "a.py")):
        told = cli(*words, "--url", gears_server.redis_url, status=1).stderr
        assert "this server has no RedisGears" in told


def test_a_server_that_is_not_there_is_told_once(bare_cli, tmp_path):
    for number in range(20):
        (tmp_path / f"s{number:02}.py").write_text(TRIGGER.format(number))
    start = time.monotonic()
    lines = bare_cli("load", "--port", "1", ".", status=1).stderr.splitlines()
    assert time.monotonic() - start < 40  # some seconds for each look, as redis-py tries again
    assert lines[0] == "failed ./s00.py" and "localhost:1" in lines[1]
    assert len(lines) == 3 and "`redgrease serve` starts a server" in lines[2]
