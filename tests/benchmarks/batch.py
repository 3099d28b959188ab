"""Runs over many records, against a hand-written loop that does the same with redis-py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import redis

from .measure import LEAST, Figure, in_turn, seconds
from .servers import Servers, started

PAGE = 1000
TEXT = "some words of a line of text, among them the number %d"
COUNT = "GB().count().run()"


def fill(client: redis.Redis, records: int) -> None:
    """Put texts into an empty Redis."""
    client.flushall()
    for start in range(0, records, 10000):
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + 10000, records)):
            pipe.set(f"text:{number}", TEXT % (number % 97))
        pipe.execute()


def rows(client: redis.Redis) -> Iterator[tuple[str, str]]:
    """Keys and values of all texts, as somebody would read them who cares for speed a little."""
    cursor = None
    while cursor != 0:
        cursor, keys = client.scan(cursor or 0, count=PAGE)
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.type(key)
            pipe.get(key)
        replies = pipe.execute()
        for key, kind, value in zip(keys, replies[::2], replies[1::2]):
            if kind == b"string":
                yield key.decode(), value.decode()


def _execute(client: redis.Redis) -> int:
    return sum(client.get(key) is not None for key in client.scan_iter(count=PAGE))


def _words(client: redis.Redis) -> int:
    counts: Counter[str] = Counter()
    for _, value in rows(client):
        counts.update(value.split())
    return len(counts)


@dataclass(frozen=True)
class Job:
    """One kind of run: the script, how to read its reply, the loop, and the aim."""

    name: str
    script: str
    read: Callable[[list[Any]], int]
    loop: Callable[[redis.Redis], int]
    target: float


def _one(results: list[Any]) -> int:
    return int(results[0])


JOBS = (
    Job("count", COUNT, _one, lambda r: sum(1 for _ in rows(r)), 10),
    Job(
        "count of keys only",
        "GB('KeysOnlyReader').count().run()",
        _one,
        lambda r: sum(1 for _ in r.scan_iter(count=PAGE)),
        0.9,
    ),
    Job(
        "sum of lengths",
        "GB().map(lambda x: len(x['value']))"
        ".aggregate(0, lambda a, x: a + x, lambda a, x: a + x).run()",
        _one,
        lambda r: sum(len(value) for _, value in rows(r)),
        5,
    ),
    Job(
        "word count",
        "GB().flatmap(lambda x: x['value'].split()).countby().run()",
        len,
        _words,
        3,
    ),
    Job(
        "collect keys",
        "GB().map(lambda x: x['key']).run()",
        len,
        lambda r: len([key for key, _ in rows(r)]),
        4,
    ),
    Job(
        "execute per record",
        "GB('KeysOnlyReader').foreach(lambda key: execute('GET', key)).count().run()",
        _one,
        _execute,
        3,
    ),
)


def measure(servers: Servers, records: int) -> list[Figure]:
    """Measure all of them."""
    gears, direct = servers.gears(), servers.direct()
    fill(direct, records)
    figures = []
    for job in JOBS:

        def ours(job: Job = job) -> None:
            results, errors = gears.execute_command("RG.PYEXECUTE", job.script)
            assert not errors and job.read(results) == expected, (job.name, errors)

        expected = job.loop(direct)
        mine, floor = in_turn(ours, lambda job=job: job.loop(direct), 3)
        figures.append(
            Figure(
                "engine: records per second / a redis-py loop's",
                job.name,
                records / mine,
                records / floor,
                "1/s",
                floor / mine,
                LEAST,
                job.target,
            )
        )
    direct.flushall()
    return figures


def growth(least: int, most: int) -> list[Figure]:
    """What a hundred times as many records cost the worker, each number on a server of its own."""
    peaks, times = {}, {}
    for records in (least, most // 10, most):
        with started() as servers:
            fill(servers.direct(), records)
            gears = servers.gears(socket_timeout=600)
            gears.execute_command("RG.PYEXECUTE", COUNT)
            times[records] = min(
                seconds(lambda: gears.execute_command("RG.PYEXECUTE", COUNT)) for _ in range(3)
            )
            stats = gears.execute_command("RG.PYSTATS")
            peaks[records] = dict(zip(stats[::2], stats[1::2]))[b"PeakAllocated"] / 2**20
    group = f"engine: {most} keys / fewer, count"
    small, large = peaks[least], peaks[most]
    first, last = times[most // 10] * 1e3, times[most] * 1e3
    return [
        Figure(
            group, f"peak memory / {least} keys", large, small, "MiB", large / small, target=1.2
        ),
        Figure(group, f"time / {most // 10} keys", last, first, "ms", last / first, target=11),
    ]
