"""``redgrease unregister``, ``abort`` and ``config``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from redgrease.cli.connecting import connected
from redgrease.cli.executions import FINAL, known_id
from redgrease.cli.showing import as_json, print_json, show, table, whole
from redgrease.exceptions import ServerError
from redgrease.views import TEXT, WORD, short


def _each(ids: Iterable[Any], act: Callable[[Any], Any], done: str) -> None:
    """Do something with each id; ends with status 1 if it failed for any."""
    failed = False
    for id in ids:
        try:
            act(id)
        except ServerError as error:
            failed = True
            click.echo(f"{short(id)}: {error}", err=True)
        else:
            click.echo(f"{done} {short(id)}", err=True)
    click.get_current_context().exit(int(failed))


@click.command()
@click.option("--trigger", multiple=True, help="That with this trigger (repeatable).")
@click.option("--session", multiple=True, help="Those of this session (repeatable).")
@click.option("--all", "everything", is_flag=True, help="All that there are.")
@click.option("--abort", is_flag=True, help="Abort its executions that have not started yet.")
@click.argument("ids", metavar="[ID|TRIGGER]...", nargs=-1)
@connected
def unregister(
    client: Any,
    ids: tuple[str, ...],
    trigger: tuple[str, ...],
    session: tuple[str, ...],
    everything: bool,
    abort: bool,
) -> None:
    """Remove registrations.

    \b
    Examples:
      redgrease unregister 3 5
      redgrease unregister add_user
      redgrease unregister --all
    """
    gears = client.gears
    known = gears.dumpregistrations()
    triggers: dict[str, list[Any]] = {}
    for each in known:
        triggers.setdefault(each.RegistrationData.args.get("trigger", ""), []).append(each.id)
    found: list[Any] = []
    for given in ids:  # no trigger looks like an id
        found += triggers.get(given) or [whole(given, [each.id for each in known])]
    for name in trigger:
        this_one = triggers.get(name)
        if not this_one:
            raise click.ClickException(f"nothing is registered for the trigger {name!r}")
        found += this_one
    for name in session:
        found += [id for each in gears.pydumpsessions([name]) for id in each.registrations]
    if everything:
        found = [each.id for each in known]
    elif not (ids or trigger or session):
        raise click.UsageError("say which: by an ID, a trigger, --session or --all")
    _each(found, lambda id: gears.unregister(id, abort), "unregistered")


@click.command()
@click.option("--all", "everything", is_flag=True, help="All that have not finished.")
@click.option("--drop", is_flag=True, help="Let the server forget them as well.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@connected
def abort(client: Any, ids: tuple[str, ...], everything: bool, drop: bool) -> None:
    """Stop executions.

    \b
    Examples:
      redgrease abort 12
      redgrease abort --all --drop
    """
    gears = client.gears
    found = [known_id(client, id) for id in ids]
    if everything:
        known = gears.dumpexecutions()
        found = [each.executionId for each in known if drop or str(each.status) not in FINAL]
    elif not ids:
        raise click.UsageError("say which: by an ID, or --all")

    def act(id: Any) -> None:
        gears.abortexecution(id)
        if drop:
            gears.dropexecution(id)

    _each(found, act, "aborted")


@click.group()
def config() -> None:
    """Read and write the configuration of Gears on the server."""


@config.command("get")
@as_json
@click.argument("names", metavar="[NAME]...", nargs=-1)
@connected
def get(client: Any, names: tuple[str, ...], as_json: bool) -> None:
    """Print settings; by default all that are known.

    \b
    Examples:
      redgrease config get
      redgrease config get MaxExecutions --json
    """
    values = client.gears.config.get(*names)
    unknown = {name for name, value in values.items() if isinstance(value, Exception)}
    if not names:  # older servers do not know all of them
        values = {name: value for name, value in values.items() if name not in unknown}
    if as_json:
        print_json({name: None if name in unknown else value for name, value in values.items()})
    else:
        columns = (
            ("setting", lambda row: row[0], WORD),
            ("value", lambda row: row[1] if row[0] not in unknown else "(unknown)", TEXT),
        )
        show(table(values.items(), columns))
    click.get_current_context().exit(int(bool(names and unknown)))


@config.command("set")
@click.argument("settings", metavar="NAME=VALUE...", nargs=-1, required=True)
@connected
def set_(client: Any, settings: tuple[str, ...]) -> None:
    """Write settings.

    \b
    Examples:
      redgrease config set MaxExecutions=100
      redgrease config set ProfileExecutions 1
    """
    if len(settings) == 2 and "=" not in settings[0]:
        values = {settings[0]: settings[1]}
    else:
        wrong = [each for each in settings if "=" not in each]
        if wrong:
            raise click.UsageError(f"{wrong[0]!r} is not NAME=VALUE")
        values = dict(each.split("=", 1) for each in settings)
    refused = [name for name in values if not client.gears.config.set({name: values[name]})]
    if refused:
        shown = ", ".join(f"{name}={values[name]}" for name in refused)
        raise click.ClickException(f"the server did not take {shown}")
