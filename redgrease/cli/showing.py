"""Shows things to people (tables) and to programs (JSON)."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import attr
import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from redgrease.data import ExecID
from redgrease.results import ExecutionResult

WIDE = 200
"""The width for output that is no terminal's: nobody wants lines that are cut there."""

Column = tuple[str, Callable[[Any], Any], Mapping[str, Any]]
"""A column: its title, what is in it, and how it looks."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def console(stderr: bool = False) -> Console:
    """What to print to."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made = Console(stderr=stderr, highlight=False, width=WIDE)
    return made


def jsonable(value: Any) -> Any:
    """A value as JSON can have it."""
    if type(value) is ExecutionResult:
        return jsonable(value.value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, (ExecID, Enum, BaseException)):
        return str(value)
    if attr.has(type(value)):
        return {
            field.name: jsonable(getattr(value, field.name))
            for field in attr.fields(type(value))
            if field.name != "extra" or value.extra
        }
    if isinstance(value, Mapping):
        return {str(jsonable(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    return repr(value)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(jsonable(value), indent=2, ensure_ascii=False))


def shown(value: Any) -> str:
    """A value as a table has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, ExecID):
        return short(value)
    value = jsonable(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def short(id: Any) -> str:
    """An id without what is the same in all of them; commands understand it too."""
    if not isinstance(id, ExecID):
        return str(id)
    if not id.shard_id.strip("0"):
        return str(id.sequence)
    return f"{id.shard_id[:8]}-{id.sequence}"


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


def table(rows: Iterable[Any], columns: Sequence[Column], title: str | None = None) -> Table:
    """A table; columns in which nothing stands are left out.

    Args:
        rows: What it is of.
        columns: Its columns.
        title: What stands above it.
    """
    rows = list(rows)
    cells = [[shown(get(row)) for row in rows] for _, get, _ in columns]
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    used = [number for number, column in enumerate(cells) if any(column) or not rows]
    for number in used:
        name, _, look = columns[number]
        made.add_column(name, **look)
    for row in range(len(rows)):
        made.add_row(*(Text(cells[number][row]) for number in used))
    return made


def _literal(record: Any) -> Any:
    """A record that is the text of a Python value, as that value."""
    if isinstance(record, (bytes, bytearray)):
        record = jsonable(record)
    if isinstance(record, str) and record[:1] in "{[":
        try:
            return ast.literal_eval(record)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    return record


def records(value: Any) -> list[Any]:
    """The records of a result."""
    value = value.value if type(value) is ExecutionResult else value
    return [_literal(record) for record in (value if isinstance(value, list) else [value])]


def records_table(found: Sequence[Any]) -> Table:
    """A table of records: of dicts, with a column for each key."""
    if found and all(isinstance(record, dict) for record in found):
        names = list(dict.fromkeys(name for record in found for name in record))
        return table(found, [(shown(name), _item(name), {}) for name in names])
    return table(enumerate(found), [("#", lambda row: row[0], NUMBER), ("record", _second, {})])


def _item(name: Any) -> Callable[[Any], Any]:
    return lambda record: record.get(name)


def _second(row: Any) -> Any:
    return row[1] if row[1] is not None else "None"


NUMBER: Mapping[str, Any] = {"justify": "right", "no_wrap": True}
WORD: Mapping[str, Any] = {"no_wrap": True}
TEXT: Mapping[str, Any] = {"overflow": "fold"}
