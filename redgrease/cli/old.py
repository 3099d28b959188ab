"""The form of releases before 0.4: ``redgrease [options] PATH…``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import click

from redgrease.cli.connecting import OPTIONS, connection_options, make_client
from redgrease.cli.loading import Job, load_job, watch_job
from redgrease.loading import Patterns

BARE_WATCH = "5.0"
BARE_SERVER = "redis"
_NUMBER = re.compile(r"\d*\.?\d+")
_FLAGS = ("-r", "--recursive")
_VALUED = ("-p", "-i", "--ignore", "-l", "--log-config", "-c", "--config")
_PATTERNS = ("script-pattern", "requirements-pattern", "unblocking-pattern", "index-prefix")
_OPTIONAL = {"-w": BARE_WATCH, "--watch": BARE_WATCH, "-s": BARE_SERVER, "--server": BARE_SERVER}


def _words(args: Sequence[str]) -> tuple[list[str], str | None, bool]:
    """The words with optional values made plain, the first that is no option, and whether any
    option is one of the old form only."""
    flags = {"--" + name.replace("_", "-") for name, row in OPTIONS.items() if row.get("is_flag")}
    valued = {"--" + name.replace("_", "-") for name in OPTIONS} - flags
    old = {f"--{name}" for name in _PATTERNS} | {"-p", "-i", "--ignore", "-l", "--log-config"}
    valued |= old | set(_VALUED)
    result: list[str] = []
    first, is_old, position = None, False, 0
    while position < len(args):
        word, position = args[position], position + 1
        following = args[position] if position < len(args) else "-"
        if word in _OPTIONAL:
            is_old = True
            numeric = _OPTIONAL[word] is BARE_WATCH
            given = _NUMBER.fullmatch(following) if numeric else not following.startswith("-")
            long = "--watch" if numeric else "--server"
            result.append(f"{long}={following if given else _OPTIONAL[word]}")
            position += bool(given)
            continue
        result.append(word)
        is_old = is_old or word in old or word in _FLAGS
        if word.startswith("-") and word != "-":
            if word in valued and position < len(args):
                result.append(following)
                position += 1
        elif first is None:
            first = word
            if not is_old:
                result += args[position:]
                break
    return result, first, is_old


def is_old_form(args: Sequence[str], commands: click.Group) -> bool:
    """Whether a command line is of the old form.

    Args:
        args: Its words.
        commands: The commands, one of which a line of the new form has.
    """
    _, first, is_old = _words(args)
    if first is None:
        return is_old
    if commands.get_command(click.Context(commands), first) is not None:
        return False
    return is_old or os.path.exists(first) or os.sep in first or first.endswith(".py")


def unambiguous(args: Sequence[str]) -> list[str]:
    """The words of the old form with a value for each option that may be without."""
    return _words(args)[0]


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
@click.option("-r", "--recursive", is_flag=True)
@click.option("--index-prefix", default="/redgrease/scripts")
@click.option("--script-pattern")
@click.option("--requirements-pattern")
@click.option("--unblocking-pattern")
@click.option("-i", "--ignore", multiple=True)
@click.option("-w", "--watch", type=float, default=0.0)
@click.option("-s", "--server")
@click.option("-p", "old_port", type=int)
@click.option("-l", "--log-config", type=click.Path(exists=True, dir_okay=False))
@connection_options()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True))
@click.pass_context
def old_form(ctx: click.Context, /, **given: Any) -> None:
    """Load scripts, as releases before 0.4 did."""
    if given["log_config"]:
        from redgrease.formatting import initialize_logger

        initialize_logger(config=given["log_config"])
    for old, new in (("server", "host"), ("old_port", "port")):
        if given[old] is not None:
            ctx.params[new] = given[old]
            ctx.set_parameter_source(new, click.core.ParameterSource.COMMANDLINE)
    pattern = given["unblocking_pattern"]
    patterns = Patterns(
        given["script_pattern"],
        given["requirements_pattern"],
        None if pattern is None else re.compile(pattern),
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
