"""``redgrease load`` and ``redgrease watch``."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from redgrease.cli.connecting import connected
from redgrease.cli.executions import wait_for
from redgrease.cli.showing import as_json, console, print_json
from redgrease.data import ExecID
from redgrease.loading import Deployer, Outcome, Patterns, explain, read_script, unfinished
from redgrease.views import jsonable, short
from redgrease.watching import Watcher

MANY = 10
"""From how many files on there is a progress bar."""
ENDING = (signal.SIGINT, signal.SIGTERM)
"""What tells the program to end."""

_COLOURS = {"failed": "red", "unregistered": "yellow", "loaded": "green", "installed": "green"}
_PATTERNS = {
    "script-pattern": "What scripts are called, such as *.py (repeatable).",
    "requirements-pattern": "What files with requirements are called (repeatable).",
    "ignore": "Files and directories to pass over, such as _* (repeatable).",
}


@dataclass
class Job:
    """What is to be loaded, and how.

    Attributes:
        paths: Files and directories.
        patterns: What the files are.
        recursive: Whether directories within directories are meant too.
        root: What sessions' names are relative to.
        index_prefix: Of notes on old servers.
    """

    paths: Sequence[str]
    patterns: Patterns
    recursive: bool = True
    root: str | None = None
    index_prefix: str = "/redgrease/scripts"

    def deployer(self, client: Any) -> Deployer:
        """What does it."""
        return Deployer(client, self.patterns, self.root, self.index_prefix)


def file_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that gives a command the options of a :class:`Job`."""

    def command(
        client: Any,
        paths: Sequence[str],
        recursive: bool,
        script_pattern: Sequence[str],
        requirements_pattern: Sequence[str],
        unblocking_pattern: str | None,
        ignore: Sequence[str],
        root: str | None,
        index_prefix: str,
        **options: Any,
    ) -> Any:
        patterns = Patterns(
            script_pattern or None,
            requirements_pattern or None,
            unblocking_pattern,
            ignore or None,
        )
        return function(client, Job(paths, patterns, recursive, root, index_prefix), **options)

    command.__doc__ = function.__doc__
    decorated: Any = click.option(
        "--index-prefix",
        default="/redgrease/scripts",
        metavar="PREFIX",
        help="Of the keys in which servers before 1.2.2 note what scripts have registered.",
    )(command)
    decorated = click.option(
        "--root",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="Name scripts by their paths relative to DIR, so that another copy of it means the "
        "same scripts.",
    )(decorated)
    decorated = click.option(
        "--unblocking-pattern",
        metavar="PATTERN",
        help="Scripts not to wait for: a pattern, or a part of the path.  [unblock]",
    )(decorated)
    for name, text in reversed(_PATTERNS.items()):
        short_names = ("-i",) if name == "ignore" else ()
        decorated = click.option(
            f"--{name}", *short_names, metavar="PATTERN", multiple=True, help=text
        )(decorated)
    decorated = click.option(
        "-r/-R",
        "--recursive/--no-recursive",
        default=True,
        help="Look into directories within directories, or not.  [recursive]",
    )(decorated)
    decorated = click.argument(
        "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True)
    )(decorated)
    return connected(decorated)


# -- showing what came of files


def print_outcome(out: Console, outcome: Outcome, timed: bool = False) -> None:
    """Tell what came of a file."""
    line = f"{time.strftime('%H:%M:%S')} " if timed else ""
    colour = _COLOURS[outcome.action]
    details = []
    if outcome.registrations and not outcome.failed:
        count = len(outcome.registrations)
        details.append(f"{count} registration{'s' if count > 1 else ''}")
    execution = unfinished(outcome)
    if execution is not None:
        details.append(f"execution {short(execution)}")
    note = f" ({', '.join(details)})" if details else ""
    told = Text.assemble(line, (outcome.action, colour), f" {outcome.path}{note}")
    out.print(told, soft_wrap=True)  # as one: a progress bar wipes out lines that have not ended
    if outcome.error is not None:
        text = "\n".join(f"  {each}" for each in outcome.error.splitlines())
        out.print(text, markup=False, soft_wrap=True)


def load_files(
    deployer: Deployer, files: Iterable[str], report: Callable[[Outcome], None], out: Console
) -> list[Outcome]:
    """Load some files, with a progress bar if there are many of them."""
    files, outcomes = list(files), []
    with ExitStack() as stack:
        advance: Callable[[], None] = lambda: None  # noqa: E731
        if len(files) >= MANY and out.is_terminal:
            columns = (TextColumn("loading"), BarColumn(), MofNCompleteColumn())
            progress = stack.enter_context(Progress(*columns, console=out, transient=True))
            task = progress.add_task("", total=len(files))
            advance = lambda: progress.advance(task)  # noqa: E731
        for path in files:
            outcome = deployer.load(path)
            outcomes.append(outcome)
            report(outcome)
            advance()
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many files went how."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.action] = counts.get(outcome.action, 0) + 1
    return ", ".join(f"{count} {action}" for action, count in counts.items()) or "nothing to load"


def load_job(client: Any, job: Job, wait: bool = False, as_json: bool = False) -> int:
    """Load files; returns the exit status."""
    out = console(stderr=True)
    files = job.patterns.find(job.paths, job.recursive)

    def report(outcome: Outcome) -> None:
        if not as_json:
            print_outcome(out, outcome)
        if outcome.offline:
            client.ping()  # raises an error, and leaves out the other files, if it still is

    outcomes = load_files(job.deployer(client), files, report, out)
    counts = summary(outcomes)
    if wait:
        started = {
            str(unfinished(each)): at for at, each in enumerate(outcomes) if unfinished(each)
        }
        for id, error in wait_for(client, list(map(ExecID.parse, started)), out):
            at = started[str(id)]
            path, before = outcomes[at].path, outcomes[at].error
            shown = explain(error, path, read_script(path))
            if not as_json:
                told = f"execution {short(id)} of {path}:\n{shown}"
                out.print(told, markup=False, soft_wrap=True)
            error = f"{before}\n{shown}" if before else shown
            outcomes[at] = outcomes[at]._replace(action="failed", error=error)
    if as_json:
        print_json([_as_dict(outcome) for outcome in outcomes])
    else:
        out.print(counts)
    failed = any(outcome.failed for outcome in outcomes)
    return int(failed)


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    return {
        "path": outcome.path,
        "action": outcome.action,
        "registrations": list(outcome.registrations),
        "result": jsonable(getattr(outcome.result, "value", None)),
        "error": outcome.error,
    }


def watch_job(client: Any, job: Job, quiet: float, poll: bool = False) -> int:
    """Load files, and again when they change, until the program is told to end."""
    ended = threading.Event()

    def end(*_: Any) -> None:
        ended.set()
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)

    watcher = started_watcher(client, job, quiet, poll)
    for number in ENDING:
        signal.signal(number, end)
    click.echo(f"watching {', '.join(job.paths)}; Ctrl-C ends it", err=True)
    try:
        ended.wait()
        if watcher.busy:
            click.echo("waiting for what is being loaded; Ctrl-C again does not wait", err=True)
    finally:
        watcher.stop()
    return 0


def started_watcher(client: Any, job: Job, quiet: float = 0.5, poll: bool = False) -> Watcher:
    """Load files, and begin to watch them."""
    out, deployer = console(stderr=True), job.deployer(client)

    def report(outcome: Outcome) -> None:
        print_outcome(out, outcome, timed=True)

    watcher = Watcher(deployer, job.paths, job.recursive, quiet, report, poll)
    files = job.patterns.find(job.paths, job.recursive)
    for outcome in load_files(deployer, files, report, out):
        watcher.note(outcome.path, outcome)
    watcher.start()
    return watcher


# -- commands


@click.command()
@click.option("--wait", is_flag=True, help="Wait for what unblocking scripts run.")
@as_json
@file_options
def load(client: Any, job: Job, wait: bool, as_json: bool) -> None:
    """Load scripts and requirements from files and directories.

    A script replaces what it has registered before.

    \b
    Examples:
      redgrease load scripts
      redgrease load --ignore 'test_*' --ignore '_*' scripts more/special.py
    """
    click.get_current_context().exit(load_job(client, job, wait, as_json))


@click.command()
@click.option(
    "--quiet",
    "-q",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="For how many seconds a file must not have changed.",
)
@click.option("--poll", is_flag=True, help="For file systems that do not tell of changes.")
@file_options
def watch(client: Any, job: Job, quiet: float, poll: bool) -> None:
    """Load scripts, and again whenever their files change.

    A changed script replaces what it has registered before, a removed one is unregistered.  A
    script that fails leaves what it has registered before, and the others alone.

    \b
    Examples:
      redgrease watch scripts
      redgrease watch --quiet 2 scripts
    """
    click.get_current_context().exit(watch_job(client, job, quiet, poll))
