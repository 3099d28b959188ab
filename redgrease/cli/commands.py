"""The commands of the command line, each of which is loaded when it is used."""

from __future__ import annotations

import importlib
import os
from typing import Any

import click
from click.shell_completion import get_completion_class

from redgrease._version import __version__
from redgrease.cli.connecting import connection_options
from redgrease.cli.settings import DEFAULT_FILES, bind, option_names, read_settings

COMMANDS = {
    "serve": "serve:serve",
    "load": "loading:load",
    "watch": "loading:watch",
    "run": "running:run",
    "trigger": "running:trigger",
    "results": "running:results",
    "registrations": "listings:registrations",
    "executions": "executions:executions",
    "sessions": "listings:sessions",
    "reqs": "listings:reqs",
    "stats": "listings:stats",
    "unregister": "managing:unregister",
    "abort": "managing:abort",
    "config": "managing:config",
    "shell": "shell:shell",
    "top": "top:top",
    "completion": "commands:completion",
}
"""Where each command is, in the order of the help text."""
OLD_FORM = "old-form"


class Failure(click.ClickException):
    """Ends the command line with status 1 and a message."""

    def show(self, file: Any = None) -> None:
        click.echo(f"redgrease: {self.format_message()}", file=file, err=True)


_LOGIN = "(--user and --password, or REDGREASE_PASSWORD)"
_SERVE = "(`redgrease serve` starts a server)"
_TRUST = "(--tls-ca says whom to trust)"


class Commands(click.Group):
    """The commands; a line that has none of them is understood as releases before 0.4 did."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        place = "old:old_form" if name == OLD_FORM else COMMANDS.get(name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(f"redgrease.cli.{module}"), attribute)
        assert isinstance(found, click.Command)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not ctx.resilient_parsing:
            from redgrease.cli.old import is_old_form, rewritten

            if is_old_form(args, self):
                args = rewritten(args, OLD_FORM)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None and ctx.default_map is not None:
            self._check(ctx, command, ctx.default_map[name])
            variable = ctx.auto_envvar_prefix or ""
            if name != OLD_FORM:  # those of 0.3.30 have no command in their names
                variable += f"_{name.replace('-', '_').upper()}"
            ctx.default_map[name] = bind(command, ctx.default_map[name], variable)
        return name, command, rest

    def _check(self, ctx: click.Context, command: click.Command, settings: dict[str, Any]) -> None:
        """Raise an error if the files set options that there are not."""
        inner = command.commands if isinstance(command, click.Group) else {}
        said = {*settings, *(key for name in inner for key in settings.get(name, ()))} - {*inner}
        unknown = said - option_names(command) - option_names(self)
        for name in sorted(unknown):
            where = f"`{command.name}` has none of that name"
            if name in (ctx.default_map or {}):  # for all commands: another one may have it
                others = (self.get_command(ctx, each) for each in (*COMMANDS, OLD_FORM))
                if any(name in option_names(other) for other in others if other is not None):
                    continue
                where = "no command has it"
            option = name.replace("_", "-")
            raise click.UsageError(f"a file sets the option {option}, but {where}", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        from redis.exceptions import AuthenticationError, RedisError
        from redis.exceptions import ConnectionError as NoConnection

        from redgrease.exceptions import RedGreaseError

        try:
            return super().invoke(ctx)
        except AuthenticationError as error:
            raise Failure(f"{error} {_LOGIN}") from error
        except NoConnection as error:
            hint = _TRUST if "CERTIFICATE_VERIFY_FAILED" in str(error) else _SERVE
            raise Failure(f"{error} {hint}") from error
        except (RedGreaseError, RedisError, ModuleNotFoundError) as error:
            if str(error).startswith("WRONGPASS"):  # of no class of its own before redis-py 5
                raise Failure(f"{error} {_LOGIN}") from error
            raise Failure(str(error) or type(error).__name__) from error
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            raise Failure(name + (error.strerror or str(error))) from error


def _settings(ctx: click.Context, option: click.Parameter, path: str | None) -> str | None:
    try:
        ctx.default_map = read_settings([path] if path else DEFAULT_FILES(), COMMANDS)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option)
    return path


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "REDGREASE"},
    epilog="""\b
Examples:
  redgrease serve --dir data --watch scripts
  redgrease watch scripts
  redgrease run "GB().count().run()"
  redgrease --url redis://localhost:7000 registrations --json
\b
Exit codes: 0, all is well; 1, something failed; 2, wrong usage.

Options can be given in a file (./redgrease.conf, or --config), or in the environment, such as
REDGREASE_URL or REDGREASE_LOAD_RECURSIVE.  Options of the connection can also stand behind a
command.  The form of older releases, redgrease [options] PATH…, still loads scripts.""",
)
@click.option(
    "-c",
    "--config",
    "settings",
    metavar="FILE",
    envvar="REDGREASE_CONFIG",
    type=click.Path(exists=True, dir_okay=False),
    is_eager=True,
    callback=_settings,
    expose_value=False,
    help="A file with options: name=value, in sections for single commands.",
)
@click.version_option(__version__, prog_name="redgrease")
@connection_options(of_group=True)
@click.pass_context
def redgrease(ctx: click.Context, /, **connection: Any) -> None:
    """Python functions that run inside Redis."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(2)


@click.command(short_help="Make a shell complete commands and options.")
@click.argument("kind", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def completion(kind: str) -> None:
    """Print what makes a shell complete redgrease's commands and options.

    \b
    Examples:
      eval "$(redgrease completion bash)"        (in ~/.bashrc)
      redgrease completion fish > ~/.config/fish/completions/redgrease.fish
    """
    shell = get_completion_class(kind)
    assert shell is not None
    variable = "_REDGREASE_COMPLETE"
    os.environ.pop(variable, None)
    click.echo(shell(redgrease, {}, "redgrease", variable).source())
