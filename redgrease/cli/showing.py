"""Shows things to people (tables) and to programs (JSON)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from redgrease.views import NUMBER, TEXT, WORD, Column, cells, jsonable, record_columns, short

WIDE = 200
"""The width for output that is no terminal's: nobody wants lines that are cut there."""

EXPENDABLE = ("mode", "state", "description", "avg ms")
"""Columns that are left out, from the first, when a terminal is too narrow."""
READABLE = 10
"""Letters of a text that are to be seen at least."""

LOOKS: Mapping[str, Mapping[str, Any]] = {
    NUMBER: {"justify": "right", "no_wrap": True},
    WORD: {"no_wrap": True},
    TEXT: {"overflow": "fold"},
}
"""How columns look in a terminal, by their kind."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def console(stderr: bool = False) -> Console:
    """What to print to."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made = Console(stderr=stderr, highlight=False, width=WIDE)
    return made


def show(what: RenderableType) -> None:
    """Print tables and the like; without blanks at the ends of lines, if not to a terminal."""
    out = console()
    if out.is_terminal:
        out.print(what)
        return
    with out.capture() as printed:
        out.print(what)
    click.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(jsonable(value), indent=2, ensure_ascii=False))


def whole(given: str, ids: Iterable[Any]) -> Any:
    """The id that somebody means.

    Args:
        given: An id, or a short one.
        ids: Those that there are.

    Raises:
        click.BadParameter: There are several such.
    """
    found = [id for id in ids if given in (str(id), short(id))]
    if len(set(map(str, found))) > 1:
        raise click.BadParameter(f"there are several ids like {given}")
    return found[0] if found else given


def table(
    rows: Iterable[Any],
    columns: Sequence[Column],
    title: str | None = None,
    one_line: bool = False,
    width: int | None = None,
) -> Table:
    """A table; columns in which nothing stands are left out.

    Args:
        rows: What it is of.
        columns: Its columns.
        title: What stands above it.
        one_line: Whether to cut long texts rather than to take more lines for them.
        width: How many letters there is room for; None, if no column is to be left out for it.
    """
    used, lines = cells(list(rows), columns)
    for name in EXPENDABLE:
        if width is None or _least_width(used, lines) <= width:
            break
        kept = [number for number, column in enumerate(used) if column[0] != name]
        used = [used[each] for each in kept]
        lines = [[line[each] for each in kept] for line in lines]
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    # It is the text that must not wrap: columns that must not are narrowed like all others.
    cut: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis"} if one_line else {}
    for name, _, kind in used:
        made.add_column(Text(name, **cut), **LOOKS[kind])
    for line in lines:
        made.add_row(*(Text(word, **cut) for word in line))
    return made


def _least_width(columns: Sequence[Column], lines: Sequence[Sequence[str]]) -> int:
    """How many letters a table must have room for to be readable."""
    needed = 2 * (len(columns) - 1)
    for number, (name, _, kind) in enumerate(columns):
        longest = max([len(name), *(len(line[number]) for line in lines)])
        needed += min(longest, READABLE) if kind == TEXT else longest
    return needed


def records_table(found: Sequence[Any]) -> Table:
    """A table of records: of dicts, with a column for each key."""
    return table(*record_columns(found))
