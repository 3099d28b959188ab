"""Measures redgrease: ``python -m tests.benchmarks``, in the root of the repository.

Every figure is taken in turn with what it is compared with, in the same run, and is a median.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from . import batch, functions, library, passage, report
from .measure import Figure
from .servers import Servers, started

GROUPS: dict[str, Callable[[Servers, int], list[Figure]]] = {
    "library": lambda servers, size: [*library.building(), *library.imports()],
    "client": lambda servers, size: library.calls(servers, max(size // 50, 90)),
    "batch": batch.measure,
    "growth": lambda servers, size: batch.growth(max(size // 10, 100), 10 * size),
    "trigger": lambda servers, size: functions.triggers(servers, max(size // 40, 180)),
    "events": lambda servers, size: functions.events(servers, max(size // 20, 100)),
    "proxy": lambda servers, size: [
        *passage.latency(servers, max(size // 50, 90)),
        *passage.throughput(servers, max(size // 2, 1000)),
    ],
}


def machine() -> str:
    """Where it was measured."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} processors, {platform.system()}, {python}, load {load:.1f}"


def main() -> int:
    """Measure, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, separated by commas")
    parser.add_argument("--records", type=int, default=100_000, help="the size of everything")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    parser.add_argument("--markdown", type=Path, help="where to write the table")
    parser.add_argument("--svg", type=Path, help="where to write the plot")
    given = parser.parse_args()
    unknown = set(given.only.split(",")) - set(GROUPS)
    if unknown:
        parser.error(f"unknown groups: {', '.join(sorted(unknown))}; known: {', '.join(GROUPS)}")
    figures: list[Figure] = []
    print(machine(), file=sys.stderr)
    for name in given.only.split(","):
        with started() as servers:
            found = GROUPS[name](servers, given.records)
        for one in found:
            print(report.markdown([one]).splitlines()[-1], file=sys.stderr)
        figures += found
    table = report.markdown(figures)
    print(table)
    if given.json:
        rows = [{**asdict(one), "met": one.met} for one in figures]
        given.json.write_text(json.dumps({"machine": machine(), "figures": rows}, indent=1))
    if given.markdown:
        given.markdown.write_text(table)
    if given.svg:
        given.svg.write_text(report.svg(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
