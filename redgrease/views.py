"""What results, registrations and executions look like: as texts in columns, and as HTML.

The command line lays the same columns out in a terminal.
"""

import ast
import json
from enum import Enum
from html import escape
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, TypeVar

from redgrease.data import ExecID
from redgrease.exceptions import readable
from redgrease.results import ExecutionResult

__all__ = [
    "EXECUTION_COLUMNS",
    "REGISTRATION_COLUMNS",
    "REGISTRATION_SPARE",
    "Column",
    "ExecutionRows",
    "RegistrationRows",
    "Rows",
    "cells",
    "html_table",
    "jsonable",
    "record_columns",
    "records",
    "result_html",
    "short",
    "shown",
]

T = TypeVar("T")

Column = Tuple[str, Callable[[Any], Any], str]
"""A column: its title, what is in it, and its kind, one of the following."""
NUMBER, WORD, TEXT = "number", "word", "text"

MOST_ROWS = 100
"""How many rows HTML has at most."""
MOST_LETTERS = 400
"""How many letters a cell of HTML has at most."""
WHOLE = 24
"""Texts of HTML up to so many letters are not broken, however wide the others are."""


# -- values


def jsonable(value: Any) -> Any:
    """A value as JSON can have it; what it does not know becomes a text.

    Args:
        value: The value.
    """
    if type(value) is ExecutionResult:
        return jsonable(value.value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, (ExecID, Enum, BaseException)):
        return str(value)
    if hasattr(type(value), "__attrs_attrs__"):
        names = [field.name for field in type(value).__attrs_attrs__]
        return {
            name: jsonable(getattr(value, name)) for name in names if name != "extra" or value.extra
        }
    if isinstance(value, Mapping):
        return {str(jsonable(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    return repr(value)


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
    """An id without what is the same in all of them."""
    if not isinstance(id, ExecID):
        return str(id)
    if not id.shard_id.strip("0"):
        return str(id.sequence)
    return f"{id.shard_id[:8]}-{id.sequence}"


# -- results


def _literal(record: Any) -> Any:
    """A record that is the text of a Python value, as that value."""
    if isinstance(record, (bytes, bytearray)):
        record = jsonable(record)
    if isinstance(record, str) and record[:1] in ("{", "["):
        try:
            return ast.literal_eval(record)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    return record


def records(value: Any) -> List[Any]:
    """The records of a result.

    Args:
        value: The result, or its value.
    """
    value = value.value if type(value) is ExecutionResult else value
    return [_literal(record) for record in (value if isinstance(value, list) else [value])]


def record_columns(found: Sequence[Any]) -> Tuple[List[Any], List[Column]]:
    """What a table of records has: of dicts, a column for each key.

    Args:
        found: The records.

    Returns:
        The rows, and the columns.
    """
    if found and all(isinstance(record, dict) for record in found):
        names = list(dict.fromkeys(name for record in found for name in record))
        return list(found), [(shown(name), _item(name), TEXT) for name in names]
    return list(enumerate(found)), [("#", lambda row: row[0], NUMBER), ("record", _second, TEXT)]


def _item(name: Any) -> Callable[[Any], Any]:
    return lambda record: record.get(name)


def _second(row: Any) -> Any:
    return row[1] if row[1] is not None else "None"


# -- registrations and executions


def _about(registration: Any) -> str:
    """What a registration is for, in a few words."""
    args = registration.RegistrationData.args
    if "trigger" in args:
        return str(args["trigger"])
    if "hook" in args:
        prefix = args.get("keyprefix")
        return f"{args['hook']}" + (f" of {prefix}" if prefix and prefix != "*" else "")
    words = [str(args.get("regex", args.get("stream", "")))]
    for name in ("eventTypes", "keyTypes", "commands"):
        values = args.get(name)
        if isinstance(values, (list, tuple)) and values:
            words.append(f"{name} {', '.join(map(str, values))}")
    return "; ".join(words)


def _last_error(registration: Any) -> Optional[str]:
    """The line of its last error that says what happened."""
    error = registration.RegistrationData.lastError
    return readable(error).strip().splitlines()[-1] if error and error.strip() else None


def _average(registration: Any) -> Optional[float]:
    """How long it took in the mean, in milliseconds that people can read."""
    average = registration.RegistrationData.avgRunDurationMS
    return None if average is None else round(float(average), 1)


def _data(name: str) -> Callable[[Any], Any]:
    return lambda registration: getattr(registration.RegistrationData, name)


REGISTRATION_COLUMNS: Tuple[Column, ...] = (
    ("ID", lambda row: short(row.id), WORD),
    ("reader", lambda row: row.reader, WORD),
    ("for", _about, TEXT),
    ("mode", _data("mode"), WORD),
    ("description", lambda row: row.desc, TEXT),
    ("triggered", _data("numTriggered"), NUMBER),
    ("done", _data("numSuccess"), NUMBER),
    ("failed", _data("numFailures"), NUMBER),
    ("aborted", lambda row: row.RegistrationData.numAborted or None, NUMBER),
    ("avg ms", _average, NUMBER),
    ("state", _data("state"), WORD),
    ("last error", _last_error, TEXT),
)
"""Of a list of registrations."""
REGISTRATION_SPARE = ("avg ms", "mode", "state", "description")
"""Those of them that are left out where there is no room, the first ones first."""

EXECUTION_COLUMNS: Tuple[Column, ...] = (
    ("ID", lambda row: short(row.executionId), WORD),
    ("status", lambda row: str(row.status), WORD),
    ("started by", lambda row: "an event" if row.registered else "a script", WORD),
)
"""Of a list of executions."""


# -- tables


def cells(rows: Sequence[Any], columns: Sequence[Column]) -> Tuple[List[Column], List[List[str]]]:
    """What stands in a table; columns in which nothing stands are left out.

    Args:
        rows: What it is of.
        columns: Its columns.

    Returns:
        The columns that are left, and the texts of each row.
    """
    texts = [[shown(get(row)) for row in rows] for _, get, _ in columns]
    used = [number for number, column in enumerate(texts) if any(column) or not rows]
    lines = [[texts[number][row] for number in used] for row in range(len(rows))]
    return [columns[number] for number in used], lines


# Only what is half transparent is readable on white and on black alike.
_BORDER = "border:1px solid rgba(128,128,128,.35);"
_CELL = _BORDER + "padding:.25em .6em;vertical-align:top;background:transparent;color:inherit;"
_STYLES: Dict[str, str] = {
    NUMBER: _CELL + "text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;",
    WORD: _CELL + "text-align:left;white-space:nowrap;",
    TEXT: _CELL + "text-align:left;white-space:pre-wrap;overflow-wrap:anywhere;min-width:10em;",
}
_TABLE = "border-collapse:collapse;color:inherit;font-size:.92em;margin:.4em 0;"
_HEAD = "background:rgba(128,128,128,.18);font-weight:600;white-space:nowrap;"
_NOTE = "color:inherit;opacity:.75;font-size:.92em;"
_ERROR = (
    "color:inherit;background:rgba(220,60,50,.14);border-left:4px solid rgb(220,60,50);"
    "padding:.4em .8em;margin:.4em 0;white-space:pre-wrap;"
)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def _cell_style(text: str, kind: str) -> str:
    return _STYLES[WORD if kind == TEXT and len(text) <= WHOLE and "\n" not in text else kind]


def html_table(rows: Iterable[Any], columns: Sequence[Column], nothing: str = "nothing") -> str:
    """A table as HTML, readable on light and on dark ground.

    Args:
        rows: What it is of; only the first hundred are shown.
        columns: Its columns.
        nothing: What to say if there are no rows.
    """
    rows = list(rows)
    if not rows:
        return f'<div style="{_NOTE}">{escape(nothing)}</div>'
    used, lines = cells(rows[:MOST_ROWS], columns)
    head = "".join(
        f'<th style="{_cell_style(title, kind)}{_HEAD}">{escape(title)}</th>'
        for title, _, kind in used
    )
    body = "".join(
        "<tr>{}</tr>".format(
            "".join(
                f'<td style="{_cell_style(text, kind)}">{escape(_cut(text))}</td>'
                for text, (_, _, kind) in zip(line, used)
            )
        )
        for line in lines
    )
    table = f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    left = len(rows) - MOST_ROWS
    return table + (f'<div style="{_NOTE}">… and {left} more</div>' if left > 0 else "")


def result_html(result: Any) -> str:
    """A result as HTML: a table of its records, and its errors.

    Args:
        result: An ``ExecutionResult``.
    """
    own = getattr(result.value, "_repr_html_", None)
    table = own() if callable(own) and not isinstance(result.value, type) else None
    if table is None:
        rows, columns = record_columns(records(result))
        table = html_table(rows, columns, "no results")
    errors = "".join(
        f'<pre style="{_ERROR}">{escape(readable(str(jsonable(error))).strip())}</pre>'
        for error in result.errors or ()
    )
    return str(table) + errors


class Rows(List[T]):
    """A list that notebooks show as a table."""

    columns: Sequence[Column] = ()
    nothing = "nothing"

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return type(self)(found) if isinstance(index, slice) else found

    def _repr_html_(self) -> str:
        return html_table(self, self.columns, self.nothing)


class RegistrationRows(Rows[T]):
    """A list of registrations."""

    columns = REGISTRATION_COLUMNS
    nothing = "no registrations"


class ExecutionRows(Rows[T]):
    """A list of executions."""

    columns = EXECUTION_COLUMNS
    nothing = "no executions"
