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

LEAST = 14
"""How many letters a column of texts has, at least, before others are left out for it."""

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
    rows: Iterable[Any], columns: Sequence[Column], title: str | None = None, one_line: bool = False
) -> Table:
    """A table; columns in which nothing stands are left out.

    Args:
        rows: What it is of.
        columns: Its columns.
        title: What stands above it.
        one_line: Whether to cut long texts rather than to take more lines for them.
    """
    used, lines = cells(list(rows), columns)
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    # Said of the cells, so that the columns of texts still are the first to become narrower.
    cut: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis"} if one_line else {}
    for name, _, kind in used:
        made.add_column(Text(name, **cut), **LOOKS[kind])
    for line in lines:
        made.add_row(*(Text(text, **cut) for text in line))
    return made


def fitting(
    rows: Sequence[Any], columns: Sequence[Column], width: int, spare: Sequence[str]
) -> tuple[list[Column], list[str]]:
    """The columns for which there is room.

    Args:
        rows: What the table is of.
        columns: Its columns.
        width: How many letters a line has room for.
        spare: The titles of the columns that may be left out, the first ones first.

    Returns:
        The columns that stay, and the titles of those that do not.
    """
    used, lines = cells(rows, columns)
    wanted = {}
    for number, (name, _, kind) in enumerate(used):
        longest = max(len(name), *(len(line[number]) for line in lines)) if lines else len(name)
        wanted[name] = min(longest, LEAST) if kind == TEXT else longest
    left_out: list[str] = []
    for name in spare:
        if sum(wanted.values()) + 2 * (len(wanted) - 1) <= width:
            break
        if wanted.pop(name, None) is not None:
            left_out.append(name)
    return [column for column in columns if column[0] not in left_out], left_out


def records_table(found: Sequence[Any]) -> Table:
    """A table of records: of dicts, with a column for each key."""
    return table(*record_columns(found))
