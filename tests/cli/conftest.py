"""The command line against the embedded server, in this process."""

import json

import pytest

click = pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("hiredis")

from click.testing import CliRunner  # noqa: E402

from redgrease.cli.commands import redgrease  # noqa: E402


class CommandLine:
    """Runs commands.

    Args:
        environment: The variables that they see, with those of this process.
    """

    def __init__(self, environment):
        self._environment = environment

    def __call__(self, *words, status=0, text=None, **environment):
        """Run a command; returns click's result, with the status that was expected."""
        given = {**self._environment, **environment}
        result = CliRunner().invoke(redgrease, list(map(str, words)), text, given)
        ended_well = result.exception is None or isinstance(result.exception, SystemExit)
        assert ended_well, result.exc_info
        assert result.exit_code == status, result.output
        return result

    def json(self, *words, **options):
        """Run a command with ``--json``; returns what it prints."""
        return json.loads(self(*words, "--json", **options).stdout)


@pytest.fixture
def cli(r, gears_server, tmp_path, monkeypatch):
    """The command line, for the embedded server, with no files of anybody's home."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(
        {
            "REDGREASE_URL": f"redis://127.0.0.1:{gears_server.port}",
            "XDG_CONFIG_HOME": str(tmp_path / "home"),
            "COLUMNS": "200",
        }
    )


@pytest.fixture
def bare_cli(tmp_path, monkeypatch):
    """The command line without a server."""
    monkeypatch.chdir(tmp_path)
    return CommandLine({"XDG_CONFIG_HOME": str(tmp_path / "home"), "COLUMNS": "200"})
