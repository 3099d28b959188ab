"""``redgrease top``: a live view of registrations and executions."""

from __future__ import annotations

import contextlib
import select
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from redgrease.cli.connecting import connected
from redgrease.cli.executions import FINAL
from redgrease.cli.showing import console, fitting, show, table
from redgrease.views import EXECUTION_COLUMNS, NUMBER, REGISTRATION_COLUMNS, REGISTRATION_SPARE

AROUND = 8
"""How many lines there are besides those of the tables' rows."""
NONE = Text("none", style="dim")
COLOURS = {"running": "green", "done": "dim", "aborted": "red"}


class View:
    """What is shown, made of what the server says each time.

    Args:
        client: The client.
        lines: How many lines there are room for; None, as many as it takes.
        width: How many letters a line has room for; None, as many as it takes.
    """

    def __init__(self, client: Any, lines: int | None = None, width: int | None = None) -> None:
        self._client, self.lines, self.width = client, lines, width
        self._counts: dict[str, int] = {}
        self._when = 0.0

    def render(self) -> RenderableType:
        """Ask the server, and lay it out."""
        gears = self._client.gears
        registrations = gears.dumpregistrations()
        executions = gears.dumpexecutions()
        rates = self._rates(registrations)
        columns = list(REGISTRATION_COLUMNS)
        at = [title for title, _, _ in columns].index("triggered")
        columns.insert(at, ("per s", lambda row: rates.get(str(row.id)), NUMBER))
        if self.width is not None:
            columns, _ = fitting(registrations, columns, self.width, REGISTRATION_SPARE)
        states = Counter(str(each.status) for each in executions)
        words = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        registrations.sort(key=lambda each: -float(rates.get(str(each.id), 0)))
        executions.sort(key=lambda each: (_rank(str(each.status)), _age(each.executionId)))
        first, last = self._room(len(registrations), len(executions))
        made = table(executions[:last], EXECUTION_COLUMNS, one_line=True)
        for row, each in zip(made.rows, executions):
            row.style = COLOURS.get(str(each.status), "")
        return Group(
            Text(f"redgrease top - {time.strftime('%H:%M:%S')}; q ends it", style="bold"),
            Text(),
            Text(f"{len(registrations)} registrations", style="bold cyan"),
            table(registrations[:first], columns, one_line=True) if registrations else NONE,
            _more(len(registrations) - first),
            Text(f"{len(executions)} executions" + (f": {words}" if words else ""), "bold cyan"),
            made if executions else NONE,
            _more(len(executions) - last),
        )

    def _room(self, registrations: int, executions: int) -> tuple[int, int]:
        """How many of each are shown, so that both are seen."""
        if self.lines is None:
            return registrations, executions
        lines = max(self.lines - AROUND, 2)
        half = lines // 2
        first = min(registrations, max(half, lines - executions))
        return first, min(executions, lines - first)

    def _rates(self, registrations: Any) -> dict[str, str]:
        """How often each was triggered per second, since the last time."""
        now = time.monotonic()
        counts = {str(each.id): each.RegistrationData.numTriggered for each in registrations}
        passed = now - self._when
        rates = {
            id: f"{(count - self._counts[id]) / passed:.1f}"
            for id, count in counts.items()
            if id in self._counts
        }
        self._counts, self._when = counts, now
        return rates


def _more(count: int) -> Text:
    return Text(f"… and {count} more" if count > 0 else "", style="dim")


def _rank(status: str) -> int:
    """Where executions of a state stand: what runs above what waits, and what has ended below."""
    return 2 if status in FINAL else int(status != "running")


def _age(id: Any) -> int:
    return -int(getattr(id, "sequence", 0))


@contextlib.contextmanager
def _keys() -> Iterator[bool]:
    """Let keys be read one by one; whether there is a keyboard."""
    try:
        import termios
        import tty

        before = termios.tcgetattr(sys.stdin)
    except Exception:  # no terminal, or a system that has none of these
        yield False
        return
    try:
        tty.setcbreak(sys.stdin)
        yield True
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _pause(seconds: float, keyboard: bool) -> bool:
    """Wait; returns whether somebody wants to end."""
    if not keyboard:
        time.sleep(seconds)
        return False
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([sys.stdin], [], [], left)[0]:
            return False
        if sys.stdin.read(1) in ("q", "Q", "\x1b", ""):
            return True


@click.command()
@click.option(
    "--interval",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.05),
    help="Seconds between looks.",
)
@click.option("--times", "-n", type=click.IntRange(1), help="How often to look; by default, on.")
@connected
def top(client: Any, interval: float, times: int | None) -> None:
    """Show registrations and executions, as they change.

    \b
    Examples:
      redgrease top
      redgrease top --interval 0.2
    """
    out = console()
    view = View(client, *((out.height, out.width) if out.is_terminal else ()))
    if not out.is_terminal:
        for number in range(times or 1):
            if number:
                time.sleep(interval)
            show(view.render())
        return
    with _keys() as keyboard, contextlib.suppress(KeyboardInterrupt):
        with Live(view.render(), console=out, screen=times is None, auto_refresh=False) as live:
            live.refresh()
            while times is None or times > 1:
                if _pause(interval, keyboard):
                    break
                view.lines, view.width = out.height, out.width  # another size now, maybe
                live.update(view.render(), refresh=True)
                times = None if times is None else times - 1
