"""``redgrease executions``: the list of them, or the steps of one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.bar import Bar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from redgrease.cli.connecting import connected
from redgrease.cli.showing import as_json, console, print_json, show, table, whole
from redgrease.convert import text
from redgrease.data import ExecID, ExecutionStatus
from redgrease.exceptions import readable
from redgrease.views import EXECUTION_COLUMNS, short

FINAL = ("done", "aborted")
POLL = 0.1
"""Seconds between looks at executions that are waited for."""


def known_id(client: Any, given: str) -> Any:
    """The id of the execution that somebody means."""
    if len(given) > 40:
        try:
            return ExecID.parse(given)
        except ValueError:
            return given
    return whole(given, [each.executionId for each in client.gears.dumpexecutions()])


def wait_for(client: Any, ids: Sequence[Any], out: Console) -> Iterator[tuple[Any, str]]:
    """Wait for executions, with a progress bar.

    Args:
        client: The client.
        ids: The executions.
        out: Where the bar goes.

    Yields:
        Those that had errors or were aborted, with what happened.
    """
    left = {str(id): id for id in ids}
    if not left:
        return
    columns = (TextColumn("running"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=len(left))
        while left:
            states = {str(each.executionId): each for each in client.gears.dumpexecutions()}
            for word, id in list(left.items()):
                state = states.get(word)
                if state is None or str(state.status) in FINAL:
                    del left[word]
                    bar.advance(task)
                    if state is not None and str(state.status) == "aborted":
                        yield id, "aborted"
                    elif state is not None:
                        for error in client.gears.getresults(id).errors or ():
                            yield id, text(error)
            if left:
                time.sleep(POLL)


def steps_chart(plan: Any) -> Table:
    """A bar chart of how long the steps of an execution took."""
    rows = [("read", "", "", plan.read_duration)]
    rows += [(step.type, step.arg, step.name, step.duration) for step in reversed(plan.steps)]
    longest = max(duration for *_, duration in rows) or 1
    chart = Table(box=None, pad_edge=False, header_style="bold")
    chart.add_column("step", no_wrap=True)
    chart.add_column("function", overflow="ellipsis", max_width=40)
    chart.add_column("ms", justify="right", no_wrap=True)
    chart.add_column("", width=40)
    for kind, arg, name, duration in rows:
        bar = Bar(longest, 0, duration, color="cyan")
        chart.add_row(kind, Text(arg or name), str(duration), bar)
    return chart


def show_plans(client: Any, id: Any) -> None:
    """Print how an execution went, on each shard."""
    out = console()
    for shard, plan in client.gears.getexecution(id).items():
        where = f" on shard {shard}" if shard.strip("0") and shard != "1" else ""
        count = "" if plan.results < 0 else f", {plan.results} results"
        out.print(
            f"execution {short(id)}{where}: {plan.status}{count}, {plan.total_duration} ms",
            markup=False,
        )
        show(steps_chart(plan))
        for error in plan.errors:
            out.print(readable(error), style="red", markup=False)
        if plan.total_duration and not any(step.duration for step in plan.steps):
            profiles = client.gears.config.get("ProfileExecutions")["ProfileExecutions"]
            if profiles in (False, 0):
                out.print("(`redgrease config set ProfileExecutions=1` makes it time the steps)")


@click.command(short_help="List executions, or show the steps of one.")
@click.option(
    "--status",
    metavar="STATUS",
    type=click.Choice([each.value.decode() for each in ExecutionStatus], case_sensitive=False),
    help="Only those in that state, such as running.",
)
@as_json
@click.argument("id", required=False)
@connected
def executions(client: Any, id: str | None, status: str | None, as_json: bool) -> None:
    """List executions; or show the steps of the one with an ID, and how long they took.

    \b
    Examples:
      redgrease executions
      redgrease executions --status running --json
      redgrease executions 12
    """
    if id is not None:
        found = known_id(client, id)
        if as_json:
            print_json(client.gears.getexecution(found))
        else:
            show_plans(client, found)
        return
    rows = client.gears.dumpexecutions(status=status)
    if as_json:
        print_json(rows)
    elif rows:
        show(table(rows, EXECUTION_COLUMNS))
    else:
        console(stderr=True).print("no executions")
