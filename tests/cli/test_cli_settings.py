"""Options in files."""

import pytest

from redgrease.cli.settings import read_settings

COMMANDS = ("serve", "load", "config")


def test_lines_are_for_all_or_for_one_command(tmp_path):
    file = tmp_path / "a.conf"
    file.write_text(
        "# a comment\nport = 7000\npassword: 'a b'\n[load]\nignore = [_*, 'x y']\n--wait\n"
        "[config.get]\njson\n".replace("--wait", "no-wait")
    )
    found = read_settings([str(file)], COMMANDS)
    assert found["port"] == "7000" and found["password"] == "a b"
    assert found["load"]["ignore"] == ["_*", "x y"] and found["load"]["port"] == "7000"
    assert found["config"]["get"]["json"] == "true" and found["config"]["set"]["port"] == "7000"
    assert "port" not in found["serve"]  # its port is another one


def test_later_files_win_and_may_be_missing(tmp_path):
    (tmp_path / "a.conf").write_text("port = 1\nhost = x\n")
    (tmp_path / "b.conf").write_text("port = 2\n")
    paths = [str(tmp_path / name) for name in ("a.conf", "nosuch.conf", "b.conf")]
    found = read_settings(paths, COMMANDS)
    assert (found["port"], found["host"]) == ("2", "x")


@pytest.mark.parametrize(
    "text, message", [("[nosuch]\n", "nosuch"), ("port=1\nport=2\n", "a.conf")]
)
def test_what_is_wrong_is_named(bare_cli, tmp_path, text, message):
    (tmp_path / "a.conf").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_settings([str(tmp_path / "a.conf")], COMMANDS)
    assert message in bare_cli("--config", "a.conf", "stats", status=2).stderr


def test_commands_take_their_options_from_there(cli, r, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(f"GB('CommandReader').register(trigger='{name}')")
    (tmp_path / "redgrease.conf").write_text("[load]\nignore = [b*]\n")
    cli("load", ".")
    assert len(r.gears.dumpregistrations()) == 1
    cli("load", "--ignore", "a*", ".")  # the line counts more
    assert len(r.gears.dumpregistrations()) == 2
    assert cli("load", ".", REDGREASE_LOAD_IGNORE="*.py").stderr == "nothing to load\n"


@pytest.mark.parametrize("way", ["for all", "for one", "variable"])
def test_options_have_the_names_of_the_command_line(cli, r, tmp_path, way):
    (tmp_path / "redgrease.conf").write_text(
        {"for all": "json\n", "for one": "[stats]\njson\n"}.get(way, "")
    )
    variables = {"REDGREASE_STATS_JSON": "1"} if way == "variable" else {}
    assert cli("stats", **variables).stdout.startswith("[")


def test_commands_of_commands_have_options_too(cli, r, tmp_path):
    (tmp_path / "redgrease.conf").write_text("[config.get]\njson\n")
    assert cli("config", "get", "MaxExecutions").stdout.startswith("{")
    (tmp_path / "redgrease.conf").write_text("")
    found = cli("config", "get", "MaxExecutions", REDGREASE_CONFIG_GET_JSON="1")
    assert found.stdout.startswith("{")


def test_what_may_be_negated(cli, r, tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "a.py").write_text("GB('CommandReader').register(trigger='a')")
    (tmp_path / "redgrease.conf").write_text("no-recursive\n")
    assert cli("load", ".").stderr == "nothing to load\n"
    (tmp_path / "redgrease.conf").write_text("no-recursive = false\n")
    cli("load", ".")
    assert len(r.gears.dumpregistrations()) == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("[stats]\nrecursve\n", "sets the option recursve, but `stats` has none"),
        ("recursve\n", "sets the option recursve, but no command has it"),
        ("[stats]\nrecursive\n", "sets the option recursive, but `stats` has none"),
    ],
)
def test_an_option_that_there_is_not(bare_cli, tmp_path, text, message):
    (tmp_path / "redgrease.conf").write_text(text)
    assert message in bare_cli("stats", status=2).stderr


def test_an_option_of_another_command(cli, r, tmp_path):
    (tmp_path / "redgrease.conf").write_text("recursive\n[load]\nignore = x\n")
    cli("stats")
