"""Commands that list what a server has: one row for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from redgrease.cli.connecting import connected
from redgrease.cli.showing import as_json, console, fitting, print_json, show, table
from redgrease.views import (
    NUMBER,
    REGISTRATION_COLUMNS,
    REGISTRATION_SPARE,
    TEXT,
    WORD,
    Column,
    short,
)


@dataclass(frozen=True)
class Listing:
    """A command that lists something.

    Attributes:
        name: The command.
        help: What it does, with examples.
        fetch: Asks the server; gets its ``gears`` and the options.
        columns: The columns of the table.
        filters: Names of options that narrow it down, with their help.
        spare: Titles of columns that are left out where there is no room.
    """

    name: str
    help: str
    fetch: Callable[..., Sequence[Any]]
    columns: Sequence[Column]
    filters: tuple[tuple[str, str], ...] = ()
    spare: tuple[str, ...] = ()

    def command(self) -> click.Command:
        """The command for it."""

        @as_json
        @connected
        def run(client: Any, as_json: bool, **filters: Any) -> None:
            rows = self.fetch(client.gears, **filters)
            if as_json:
                print_json(rows)
            elif rows:
                columns, left_out = fitting(rows, self.columns, console().width, self.spare)
                show(table(rows, columns))
                if left_out:
                    note = f"(no room for {', '.join(left_out)}; --json has all)"
                    console(stderr=True).print(note, style="dim")
            else:
                console(stderr=True).print(f"no {self.name}")

        for name, what in reversed(self.filters):
            run = click.option(f"--{name}", help=what)(run)
        return click.command(self.name, help=self.help)(run)


def _stats(gears: Any) -> list[dict[str, Any]]:
    stats = gears.pystats()
    several = stats if isinstance(stats, dict) else {"server": stats}
    return [{"server": name, "figures": figures} for name, figures in several.items()]


def _bytes(name: str) -> Callable[[Any], str]:
    def get(row: Any) -> str:
        size = float(getattr(row["figures"], name))
        for unit in ("B", "KiB", "MiB"):
            if size < 1024:
                return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
            size /= 1024
        return f"{size:.1f} GiB"

    return get


LISTINGS = (
    Listing(
        "registrations",
        """List what functions are registered.

        \b
        Examples:
          redgrease registrations
          redgrease registrations --reader StreamReader --json
        """,
        lambda gears, **filters: gears.dumpregistrations(**filters),
        REGISTRATION_COLUMNS,
        (
            ("reader", "Only those of that reader."),
            ("desc", "Only those with such a description; * and ? stand for anything."),
            ("mode", "Only those of that mode."),
            ("key", "Only those that events of that key trigger."),
            ("stream", "Only those that read that stream."),
            ("trigger", "Only that with that trigger."),
        ),
        REGISTRATION_SPARE,
    ),
    Listing(
        "sessions",
        """List the sessions: what each script has left on the server.

        \b
        Examples:
          redgrease sessions
          redgrease sessions --json
        """,
        lambda gears: gears.pydumpsessions(),
        (
            ("ID", lambda row: row.ID, TEXT),
            ("description", lambda row: row.sessionDescription, TEXT),
            ("registrations", lambda row: " ".join(map(short, row.registrations)), TEXT),
            ("requirements", lambda row: " ".join(map(str, row.requirements)), TEXT),
        ),
    ),
    Listing(
        "reqs",
        """List the packages that functions have asked for.

        \b
        Examples:
          redgrease reqs
          redgrease reqs --name numpy --json
        """,
        lambda gears, **filters: gears.pydumpreqs(**filters),
        (
            ("name", lambda row: row.Name, WORD),
            ("downloaded", lambda row: row.IsDownloaded, WORD),
            ("installed", lambda row: row.IsInstalled, WORD),
            ("for", lambda row: row.CompiledOs, WORD),
            (
                "wheels",
                lambda row: row.Wheels if isinstance(row.Wheels, str) else "\n".join(row.Wheels),
                TEXT,
            ),
        ),
        (("name", "Only that package."),),
    ),
    Listing(
        "stats",
        """Show how much memory the server's Python uses.

        \b
        Examples:
          redgrease stats
          redgrease stats --cluster --json
        """,
        _stats,
        (
            ("server", lambda row: row["server"], TEXT),
            ("now", _bytes("CurrAllocated"), NUMBER),
            ("peak", _bytes("PeakAllocated"), NUMBER),
            ("in all", _bytes("TotalAllocated"), NUMBER),
        ),
    ),
)
"""All commands of this kind."""

registrations, sessions, reqs, stats = (listing.command() for listing in LISTINGS)
