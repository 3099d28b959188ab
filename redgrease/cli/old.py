"""The form of releases before 0.4: ``redgrease [options] PATH…``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from redgrease.cli.connecting import OPTIONS, connection_options, make_client
from redgrease.cli.loading import Job, load_job, watch_job
from redgrease.loading import Patterns

BARE_WATCH = "5.0"
BARE_SERVER = "redis"
_NUMBER = re.compile(r"\d*\.?\d+")
_SHORT = {
    "-c": "--config",
    "-i": "--ignore",
    "-l": "--log-config",
    "-p": "--port",
    "-r": "--recursive",
    "-s": "--server",
    "-w": "--watch",
}
_OPTIONAL = {"--watch": BARE_WATCH, "--server": BARE_SERVER}
"""Options that need no value, and what it is then."""
_OWN = {
    *("--recursive", "--ignore", "--watch", "--server", "--log-config", "--index-prefix"),
    *("--script-pattern", "--requirements-pattern", "--unblocking-pattern"),
}
"""Options that only the old form has, as the first ones of a line."""


class _Line(NamedTuple):
    """A line of the old form.

    Attributes:
        settings: The option that names a file of options; it is for all commands.
        words: The other words, each option with its value as one word.
        first: The first word that is no option.
        is_old: Whether an option before that is of the old form only.
    """

    settings: list[str]
    words: list[str]
    first: str | None
    is_old: bool


def _parsed(args: Sequence[str]) -> _Line:
    flags = {"--" + name.replace("_", "-") for name, row in OPTIONS.items() if row.get("is_flag")}
    valued = {"--" + name.replace("_", "-") for name in OPTIONS} - flags
    valued |= {"--config", *_OWN} - {"--recursive"}
    settings: list[str] = []
    words: list[str] = []
    first, is_old, waiting = None, False, list(reversed(args))
    while waiting:
        word = waiting.pop()
        if word == "--":
            first = first or (waiting[-1] if waiting else None)
            words += [word, *reversed(waiting)]
            break
        if word == "-" or not word.startswith("-"):
            first = first or word
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        if word[:2] in _SHORT:
            name, value = _SHORT[word[:2]], word[2:].removeprefix("=")
            equals = "=" if word[2:] else ""
            if name == "--recursive" and value:  # several in one word
                waiting.append(f"-{value}")
        if first is None:
            is_old = is_old or name in _OWN or word.startswith("-p")
        if name not in valued:
            words.append(name if name == "--recursive" else word)
            continue
        following = waiting[-1] if waiting else "-"
        if name in _OPTIONAL and not equals:
            numeric = name == "--watch"
            given = _NUMBER.fullmatch(following) if numeric else not following.startswith("-")
            value = waiting.pop() if given else _OPTIONAL[name]
        elif not equals:
            if not waiting:
                words.append(name)
                break
            value = waiting.pop()
        (settings if name == "--config" else words).append(f"{name}={value}")
    return _Line(settings, words, first, is_old)


def is_old_form(args: Sequence[str], commands: click.Group) -> bool:
    """Whether a command line is of the old form.

    Args:
        args: Its words.
        commands: The commands, one of which a line of the new form has.
    """
    line = _parsed(args)
    if line.first is None:
        return line.is_old
    if commands.get_command(click.Context(commands), line.first) is not None:
        return False
    return (
        line.is_old
        or os.path.exists(line.first)
        or os.sep in line.first
        or line.first.endswith(".py")
    )


def unambiguous(args: Sequence[str]) -> list[str]:
    """The words of the old form with a value for each option that may be without."""
    return _parsed(args).words


def rewritten(args: Sequence[str], name: str) -> list[str]:
    """A line of the old form as one of the new form.

    Args:
        args: Its words.
        name: The command that does what the old form did.
    """
    line = _parsed(args)
    return [*line.settings, name, *line.words]


class _OldForm(click.Command):
    """A command that nobody names: what is said of wrong usage is said of the whole program."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            error.ctx = parent
            raise


@click.command(cls=_OldForm, hidden=True)
@click.option("-r", "--recursive", is_flag=True, help="Look into directories within directories.")
@click.option("--index-prefix", default="/redgrease/scripts", help="Of notes on old servers.")
@click.option("--script-pattern", help="What scripts are called.  [*.py]")
@click.option(
    "--requirements-pattern", help="What files with requirements are called.  [*requirements*.txt]"
)
@click.option(
    "--unblocking-pattern",
    help="Scripts not to wait for: a regular expression, searched in the path.  [unblock]",
)
@click.option("-i", "--ignore", multiple=True, help="Files to pass over (repeatable).  [_*]")
@click.option(
    "-w",
    "--watch",
    type=float,
    default=0.0,
    help="Go on, and load files again that have not changed for so many seconds.  [5]",
)
@click.option("-s", "--server", help="The host of the server.  [localhost]")
@click.option(
    "-l",
    "--log-config",
    type=click.Path(exists=True, dir_okay=False),
    help="A file that says how to log.",
)
@connection_options()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True))
@click.pass_context
def old_form(ctx: click.Context, /, **given: Any) -> None:
    """Load scripts, as releases before 0.4 did."""
    if given["log_config"]:
        from redgrease.formatting import initialize_logger

        initialize_logger(config=given["log_config"])
    if given["server"] is not None:
        ctx.params["host"] = given["server"]
        source = ctx.get_parameter_source("server")
        assert source is not None
        ctx.set_parameter_source("host", source)
    pattern = given["unblocking_pattern"]
    try:
        unblocking = None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise click.BadParameter(f"{pattern!r}: {error}", ctx, param_hint="--unblocking-pattern")
    patterns = Patterns(
        given["script_pattern"],
        given["requirements_pattern"],
        unblocking,
        given["ignore"] or None,
    )
    job = Job(given["paths"], patterns, given["recursive"], index_prefix=given["index_prefix"])
    client = make_client(ctx)
    try:
        if given["watch"]:
            ctx.exit(watch_job(client, job, given["watch"]))
        ctx.exit(load_job(client, job))
    finally:
        client.close()
