"""The form of releases before 0.4: ``redgrease [options] PATH…``."""

import pytest

from redgrease.cli.commands import redgrease
from redgrease.cli.old import is_old_form, rewritten, unambiguous

TRIGGER = 'GB("CommandReader").register(trigger="{0}")\n'


@pytest.fixture
def tree(cli, tmp_path):
    """Scripts in directories; the working directory is above."""
    for path in ("a.py", "b.py", "sub/c.py", "sub/d.gears"):
        file = tmp_path / "tree" / path
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(TRIGGER.format(path))


@pytest.mark.parametrize(
    "words, expected",
    [
        (["tree"], ["a.py", "b.py"]),
        (["tree/a.py"], ["a.py"]),
        (["-r", "tree"], ["a.py", "b.py", "sub/c.py"]),
        (["tree", "--recursive", "--ignore", "a*"], ["b.py", "sub/c.py"]),
        (["--script-pattern", "*.gears", "-r", "tree"], ["sub/d.gears"]),
        (["--unblocking-pattern", "a|b", "--index-prefix", "/x", "tree"], ["a.py", "b.py"]),
        (["-ri", "a*", "tree"], ["b.py", "sub/c.py"]),
    ],
)
def test_it_loads(cli, r, tree, words, expected):
    cli(*words)
    found = [each.RegistrationData.args["trigger"] for each in r.gears.dumpregistrations()]
    assert sorted(found) == expected


def test_the_server_and_the_log(cli, bare_cli, gears_server, r, tree, tmp_path):
    (tmp_path / "log.ini").write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n"
    )
    port = gears_server.port
    for where in (("-s", "localhost", "-p", port), ("--server=localhost", "--port", port)):
        bare_cli(*where, "-l", "log.ini", "tree/a.py")
    assert len(r.gears.dumpregistrations()) == 1
    assert "redis:1" in bare_cli("-s", "-p", 1, "tree/a.py", status=1).stderr
    cli("tree/a.py", "tree/nosuch.py", status=2)


@pytest.mark.parametrize("words", [("-c", "my.conf", "tree"), ("tree", "--config=my.conf")])
def test_a_file_of_options(bare_cli, gears_server, r, tree, tmp_path, words):
    lines = ("recursive=true", "ignore=[a*, _*]", f"port={gears_server.port}", "server=localhost")
    (tmp_path / "my.conf").write_text("\n".join(lines))
    bare_cli(*words)
    found = [each.RegistrationData.args["trigger"] for each in r.gears.dumpregistrations()]
    assert sorted(found) == ["b.py", "sub/c.py"]


def test_variables(bare_cli, gears_server, r, tree):
    where = {"REDGREASE_SERVER": "127.0.0.1", "REDGREASE_PORT": str(gears_server.port)}
    bare_cli("tree", REDGREASE_RECURSIVE="true", REDGREASE_SCRIPT_PATTERN="[bc]*", **where)
    found = [each.RegistrationData.args["trigger"] for each in r.gears.dumpregistrations()]
    assert sorted(found) == ["b.py", "sub/c.py"]


def test_wrong_patterns(cli, tree):
    told = cli("--unblocking-pattern", "*", "tree", status=2).stderr
    assert "--unblocking-pattern" in told and "nothing to repeat" in told


@pytest.mark.parametrize(
    "words, old",
    [
        ("run x.py", False),
        ("--url redis://x load .", False),
        ("--port 7000 registrations", False),
        ("serve --watch .", False),
        ("nosuch", False),
        ("nosuch.py", True),
        (".", True),
        ("--watch 2 .", True),
        ("-w . -r", True),
        ("-r load", False),
        ("-ri x .", True),
        ("-c x .", True),
        ("--config=x load .", False),
        ("-- .", True),
    ],
)
def test_which_form_it_is(words, old):
    assert is_old_form(words.split(), redgrease) is old


def test_options_whose_values_may_be_missing():
    assert unambiguous(["-w", "2", "x"]) == ["--watch=2", "x"]
    assert unambiguous(["-w", "x"]) == ["--watch=5.0", "x"]
    assert unambiguous(["-s", "-w", "--", "x"])[:2] == ["--server=redis", "--watch=5.0"]
    assert unambiguous(["x", "-w"]) == ["x", "--watch=5.0"]
    assert unambiguous(["x", "-w=2", "-s"]) == ["x", "--watch=2", "--server=redis"]
    assert unambiguous(["-rp7", "x"]) == ["--recursive", "--port=7", "x"]
    assert rewritten(["x", "-c", "y", "-r"], "old") == ["--config=y", "old", "x", "--recursive"]


def test_wrong_usage_is_told_as_that_of_the_whole_program(bare_cli):
    told = bare_cli("nope.py", status=2).stderr
    assert "Try 'redgrease --help'" in told and "Path 'nope.py' does not exist" in told
