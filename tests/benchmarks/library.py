"""The library on the client's side: building, shipping, calls, and how long it takes to import."""

from __future__ import annotations

import statistics
import subprocess
import sys

import redgrease
from redgrease import gearialization

from .measure import Figure, in_blocks, per_call
from .servers import Servers

SCRIPT = "GB('ShardsIDReader').count().run()"
PLAIN = "GB('CommandReader').map(lambda x: 'hi').register(trigger='plain')"


def build() -> redgrease.ClosedGearFunction:
    """A function of five steps."""
    return (
        redgrease.KeysReader("text:*")
        .map(lambda record: record["value"])
        .flatmap(str.split)
        .filter(lambda word: len(word) > 3)
        .countby()
        .run()
    )


def building() -> list[Figure]:
    """Making a GearFunction, and making a script of it: for the first time, and again."""
    version = sys.version_info[:2]
    kept = build()
    gearialization.serialize(kept, version)
    group = "library: a function of five steps"
    return [
        Figure(group, "built", per_call(build) * 1e6),
        Figure(
            group,
            "built and serialized",
            per_call(lambda: gearialization.serialize(build(), version)) * 1e6,
        ),
        Figure(
            group,
            "serialized again (cached)",
            per_call(lambda: gearialization.serialize(kept, version)) * 1e6,
        ),
    ]


def calls(servers: Servers, number: int) -> list[Figure]:
    """What the library's own calls cost, over the same command by hand."""
    client, raw = redgrease.RedisGears(port=servers.gears_port), servers.gears()

    @redgrease.command(on=client)
    def decorated(word: str) -> str:
        return "hi"

    raw.execute_command("RG.PYEXECUTE", PLAIN)

    def by_hand() -> None:
        raw.execute_command("RG.TRIGGER", "plain", "x")

    pairs = {
        "pyexecute(str) / execute_command": (
            lambda: client.gears.pyexecute(SCRIPT),
            lambda: raw.execute_command("RG.PYEXECUTE", SCRIPT),
            1.05,
        ),
        "gears.trigger() / execute_command": (
            lambda: client.gears.trigger("plain", "x"),
            by_hand,
            None,
        ),
        "decorated function / execute_command": (lambda: decorated("x"), by_hand, 1.15),
    }
    figures = []
    for name, (ours, floor, target) in pairs.items():
        mine, theirs, ratio = in_blocks(ours, floor, number)
        figures.append(
            Figure("client: calls", name, mine * 1e6, theirs * 1e6, ratio=ratio, target=target)
        )
    client.close()
    return figures


def imports(rounds: int = 7) -> list[Figure]:
    """How long ``import`` takes in a new Python, over that of redis-py."""

    def taken(name: str) -> float:
        code = (
            f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return float(out.stdout)

    pairs = [(taken("redgrease"), taken("redis")) for _ in range(rounds)]
    mine, floor = (statistics.median(pair[i] for pair in pairs) * 1e3 for i in (0, 1))
    return [Figure("library: import", "redgrease / redis", mine, floor, "ms", mine / floor)]
