"""``redgrease run``, ``trigger`` and ``results``."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from redgrease.cli.connecting import connected
from redgrease.cli.executions import known_id, wait_for
from redgrease.cli.showing import as_json, console, print_json, records_table, show
from redgrease.data import ExecID
from redgrease.exceptions import ScriptError, ServerError, TriggerNotFoundError
from redgrease.loading import decoded, explain, read_script
from redgrease.views import jsonable, records


def script_of(word: str) -> tuple[str, str]:
    """The script that somebody means, and what its file is called."""
    try:
        if word == "-":
            return decoded(sys.stdin.buffer.read(), "<stdin>"), "<stdin>"
        if os.path.isfile(word):
            return read_script(word), word
    except ValueError as error:
        raise click.ClickException(str(error))
    if os.path.isdir(word):
        raise click.BadParameter(f"{word} is a directory; `redgrease load` takes these")
    if word.endswith(".py") and not set(word) & set("\n( "):
        raise click.BadParameter(f"there is no file {word}")
    return word, "<code>"


def show_failure(error: ServerError, as_json: bool, name: str, source: str) -> int:
    """Print why there is no result; returns the exit status."""
    shown = explain(error, name, source)
    if as_json:
        print_json({"results": [], "errors": [shown]})
    else:
        click.echo(shown, err=True)
    return 1


def show_result(
    result: Any, as_json: bool, name: str = "<string>", source: str = "", many: bool = True
) -> int:
    """Print a result; returns the exit status.

    Args:
        result: The result.
        as_json: Whether as JSON.
        name: What the script's file is called.
        source: The script.
        many: Whether a lone value is a record of several possible ones.
    """
    value, errors = result.value, [jsonable(error) for error in result.errors or ()]
    shown = [explain(error, name, source) for error in errors]
    if as_json:
        print_json({"results": records(value) if many else value, "errors": shown})
    elif value is True:
        console(stderr=True).print("done")
    elif isinstance(value, ExecID):
        click.echo(str(value))
    else:
        found = records(value)
        if found:
            show(records_table(found))
        else:
            console(stderr=True).print("no results")
    if not as_json:
        for text in shown:
            click.echo(text, err=True)
    return int(bool(errors))


@click.command(short_help="Run a script (FILE, - or CODE), and print its results.")
@click.option("--unblocking", is_flag=True, help="Do not wait, but print the execution's ID.")
@click.option("--wait", is_flag=True, help="Run unblocking, and wait with a progress bar.")
@click.option(
    "--requirement", "-r", "requirements", multiple=True, help="A package it needs (repeatable)."
)
@click.option("--id", help="The name of its session.")
@click.option("--description", help="A description of its session.")
@click.option("--upgrade", is_flag=True, help="Replace the session of that name.")
@as_json
@click.argument("script", metavar="FILE|-|CODE")
@connected
def run(
    client: Any,
    script: str,
    unblocking: bool,
    wait: bool,
    requirements: tuple[str, ...],
    as_json: bool,
    **session: Any,
) -> None:
    """Run a script: a file, standard input, or code; print its results.

    \b
    Examples:
      redgrease run "GB().count().run()"
      redgrease run script.py --json
      echo "GB('StreamReader').run('orders')" | redgrease run -
    """
    source, name = script_of(script)
    try:
        result = client.gears.pyexecute(
            source.encode("utf-8"),
            unblocking=unblocking or wait,
            requirements=list(requirements),
            **session,
        )
    except ServerError as error:
        sys.exit(show_failure(error, as_json, name, source))
    if wait and isinstance(result.value, ExecID):
        id = result.value
        list(wait_for(client, [id], console(stderr=True)))
        result = client.gears.getresults(id)
        client.gears.dropexecution(id)
    sys.exit(show_result(result, as_json, name, source))


@click.command(short_help="Run the function of a trigger, and print its results.")
@click.option("--key", help="Run it on the server that has the key; the key is its first argument.")
@click.option("--unpickle", is_flag=True, help="Unpickle the results; only if you trust them.")
@as_json
@click.argument("name")
@click.argument("args", nargs=-1)
@connected
def trigger(
    client: Any, name: str, args: tuple[str, ...], key: str | None, unpickle: bool, as_json: bool
) -> None:
    """Run the function that is registered for a trigger; print its results.

    \b
    Examples:
      redgrease trigger add_user alice 42
      redgrease trigger --json report
      redgrease trigger add -- 1 -2
    """
    gears = client.gears
    words = [os.fsencode(arg) for arg in args]  # as they were typed, be they texts or not
    try:
        if key is not None:
            result = gears.triggeronkey(name, os.fsencode(key), *words, unpickle=unpickle)
        else:
            result = gears.trigger(name, *words, unpickle=unpickle)
    except TriggerNotFoundError:
        raise click.ClickException(f"nothing is registered for the trigger {name!r}")
    except ScriptError as error:
        sys.exit(show_failure(error, as_json, "<string>", ""))
    sys.exit(show_result(result, as_json))


@click.command()
@click.option("--wait", is_flag=True, help="Wait until it has finished.")
@click.option("--unpickle", is_flag=True, help="Unpickle the results; only if you trust them.")
@as_json
@click.argument("id")
@connected
def results(client: Any, id: str, wait: bool, unpickle: bool, as_json: bool) -> None:
    """Print the results of an execution.

    \b
    Examples:
      redgrease results 12
      redgrease results 0000000000000000000000000000000000000000-12 --wait --json
    """
    found = known_id(client, id)
    if wait:
        list(wait_for(client, [found], console(stderr=True)))
    sys.exit(show_result(client.gears.getresults(found, unpickle), as_json))
