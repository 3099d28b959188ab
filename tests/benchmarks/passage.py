"""What the proxy costs commands that have nothing to do with Gears."""

from __future__ import annotations

import statistics

from .load import rates
from .measure import LEAST, Figure, in_blocks
from .servers import Servers

CLIENTS = 50


def throughput(servers: Servers, requests: int, rounds: int = 3) -> list[Figure]:
    """GET and SET from fifty clients, through the proxy and past it."""
    figures = []
    for pipeline, target in ((1, 0.55), (16, 0.5)):
        total = requests * (1 if pipeline == 1 else 8)
        pairs = [
            tuple(
                rates(port, CLIENTS, pipeline, total)
                for port in (servers.gears_port, servers.redis_port)
            )
            for _ in range(rounds)
        ]
        for command in ("SET", "GET"):
            mine, floor = (statistics.median(pair[i][command] for pair in pairs) for i in (0, 1))
            ratio = statistics.median(a[command] / b[command] for a, b in pairs)
            figures.append(
                Figure(
                    f"proxy: {CLIENTS} clients / Redis itself",
                    f"{command}, pipeline {pipeline}",
                    mine,
                    floor,
                    "1/s",
                    ratio,
                    LEAST,
                    target,
                )
            )
    return figures


def latency(servers: Servers, calls: int) -> list[Figure]:
    """PING of one client, through the proxy and past it."""
    through, past = servers.gears(), servers.direct()
    mine, floor, ratio = in_blocks(through.ping, past.ping, calls)
    return [
        Figure("proxy: PING / of Redis itself", "one client", mine * 1e6, floor * 1e6, ratio=ratio)
    ]
