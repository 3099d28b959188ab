"""Functions that wait for something: triggers and events."""

from __future__ import annotations

import statistics
import threading
import time

import redis

from .measure import LEAST, Figure, in_blocks, seconds
from .servers import Servers

TRIGGER = "GB('CommandReader').map(lambda x: 'hi').register(trigger='{mode}', mode='{mode}')"
EVENT = (
    "GB('KeysReader').foreach(lambda x: execute('INCR', 'n:{mode}')).register("
    "prefix='{mode}:*', mode='{mode}', eventTypes=['set'], readValue=False)"
)
HANDLED = {"async": 8000, "async_local": 8000, "sync": 5000}


def triggers(servers: Servers, calls: int) -> list[Figure]:
    """The latency of RG.TRIGGER, and how many calls twenty clients get answered."""
    gears, direct = servers.gears(), servers.direct()
    figures = []
    for mode in ("async", "sync"):
        gears.execute_command("RG.PYEXECUTE", TRIGGER.format(mode=mode))

        def trigger(client: redis.Redis = gears, mode: str = mode) -> None:
            client.execute_command("RG.TRIGGER", mode, "x")

        mine, floor, ratio = in_blocks(trigger, direct.ping, calls)
        figures.append(
            Figure(
                "trigger: latency / PING of Redis",
                f"{mode}, one client",
                mine * 1e6,
                floor * 1e6,
                ratio=ratio,
                target=4,
            )
        )

        def client(mode: str = mode) -> None:
            own = servers.gears()
            for _ in range(calls // 20):
                own.execute_command("RG.TRIGGER", mode, "x")
            own.close()

        threads = [threading.Thread(target=client) for _ in range(20)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = calls // 20 * 20 / (time.perf_counter() - start)
        figures.append(Figure("trigger: calls", f"{mode}, 20 threads", rate, unit="1/s"))
    return figures


def events(servers: Servers, count: int, rounds: int = 3) -> list[Figure]:
    """How many events are handled per second; each is one SET, in pipelines of fifty."""
    gears, direct = servers.gears(), servers.direct()

    def sets(prefix: str) -> None:
        pipe = gears.pipeline(transaction=False)
        for number in range(count):
            pipe.set(f"{prefix}:{number}", "v")
            if number % 50 == 49:
                pipe.execute()
        pipe.execute()

    def handled(mode: str) -> None:
        direct.delete(f"n:{mode}")
        sets(mode)
        deadline = time.monotonic() + 60
        while int(direct.get(f"n:{mode}") or 0) < count:
            assert time.monotonic() < deadline, "events were lost"
            time.sleep(0.001)

    figures = []
    for mode, target in HANDLED.items():
        gears.execute_command("RG.PYEXECUTE", EVENT.format(mode=mode))
        rate = count / statistics.median(seconds(lambda m=mode: handled(m)) for _ in range(rounds))
        figures.append(
            Figure("events: handled, none lost", mode, rate, None, "1/s", None, LEAST, target)
        )
        for registration in gears.execute_command("RG.DUMPREGISTRATIONS"):
            gears.execute_command("RG.UNREGISTER", registration[1])
    direct.flushall()
    return figures
