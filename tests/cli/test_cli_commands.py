"""The help, the completion, and what all commands have in common."""

import os
import subprocess
import sys

import click
import pytest

import redgrease.cli
from redgrease.cli.commands import COMMANDS
from redgrease.cli.commands import redgrease as group

JSON = "registrations executions sessions reqs stats results run trigger load".split()


@pytest.mark.parametrize("name", [*COMMANDS, "config get", "config set"])
def test_help_has_examples(bare_cli, name):
    text = bare_cli(*name.split(), "--help", COLUMNS="80").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert name == "config" or "Example" in text
    if name in JSON:
        assert "--json" in text


def test_the_main_help_and_version(bare_cli):
    text = bare_cli("--help", COLUMNS="80").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert all(name in text for name in COMMANDS)
    assert "--tls-ca" in text and "Exit codes" in text
    narrow = bare_cli("--help", COLUMNS="80").stdout.splitlines()
    assert max(map(len, narrow)) <= 80 and not any(line.endswith("...") for line in narrow[1:])
    assert "redgrease, version" in bare_cli("--version").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(bare_cli, shell):
    assert "_REDGREASE_COMPLETE" in bare_cli("completion", shell).stdout


@pytest.mark.parametrize(
    "words, expected",
    [
        ("redgrease re", {"results", "registrations", "reqs"}),
        ("redgrease config ", {"get", "set"}),
        ("redgrease load --unb", {"--unblocking-pattern"}),
        ("redgrease completion f", {"fish"}),
    ],
)
def test_what_is_completed(words, expected):
    given = words.split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "redgrease"],
        env=dict(
            os.environ,
            _REDGREASE_COMPLETE="bash_complete",
            COMP_WORDS=words,
            COMP_CWORD=str(len(given) - 1),
        ),
        stdout=subprocess.PIPE,
        timeout=60,
        text=True,
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected


def test_all_commands_but_some_know_the_server():
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        names = {parameter.name for parameter in command.params}
        assert ({"url", "tls_ca", "cluster"} <= names) is (
            name not in ("serve", "config", "completion")
        )


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_missing_packages_are_named(monkeypatch, capsys, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    assert redgrease.cli.main() == 2
    assert "pip install redgrease[cli]" in capsys.readouterr().err
