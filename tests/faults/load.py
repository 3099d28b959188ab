"""Many clients at once, for some time: ``python -m tests.faults.load --seconds 60``.

Each of the connections does what clients do: plain commands, pipelines, transactions, blocking
commands, triggers, runs, and writes that functions are registered for.  Every reply is compared
with what it must be; whatever functions should have seen is counted.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

from redis import asyncio as redis

from .scene import Scene, memory, until

FUNCTIONS = """
GB('CommandReader').map(lambda words: words[1]).register(trigger='echo', convertToStr=False)
GB('CommandReader').map(lambda words: words[1]).register(
    trigger='sync', mode='sync', convertToStr=False)
GB('KeysReader').foreach(lambda record: execute('INCR', 'seen')).register(
    'event:*', eventTypes=['set'])
"""
WARM = 1 / 6
"""The part of the time after which memory is not to grow."""


class Connection:
    """One client.

    Args:
        port: The server's port.
        number: Its own number.
        done: Counts what was done.
    """

    def __init__(self, port, number, done):
        self.client = redis.Redis(port=port, single_connection_client=True)
        self.number = number
        self.done = done

    async def work(self, end):
        """Do one thing after another until the time is over."""
        things = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        turn = self.number
        while time.monotonic() < end:
            turn += 1
            thing = things[turn % len(things)]
            await thing(f"{self.number}-{turn}".encode())
            self.done[thing.__name__[3:]] += 1
        # The method got its name with redis-py 5.0.1.
        await getattr(self.client, "aclose", self.client.close)()

    async def do_plain(self, text):
        await self.client.set(f"plain:{self.number}", text)
        assert await self.client.get(f"plain:{self.number}") == text

    async def do_pipeline(self, text):
        pipeline = self.client.pipeline(transaction=False)
        for number in range(10):
            pipeline.echo(b"%s %d" % (text, number))
        assert await pipeline.execute() == [b"%s %d" % (text, number) for number in range(10)]

    async def do_transaction(self, text):
        pipeline = self.client.pipeline()
        pipeline.set(f"multi:{self.number}", text).get(f"multi:{self.number}").incr("multi")
        replies = await pipeline.execute()
        assert replies[:2] == [True, text] and replies[2] > 0

    async def do_block(self, text):
        await self.client.lpush(f"list:{self.number}", text)
        assert await self.client.brpop([f"list:{self.number}"], 5) == (
            f"list:{self.number}".encode(),
            text,
        )

    async def do_trigger(self, text):
        assert await self.client.execute_command("RG.TRIGGER", "echo", text) == [text]

    async def do_sync(self, text):
        assert await self.client.execute_command("RG.TRIGGER", "sync", text) == [text]

    async def do_mixed(self, text):
        pipeline = self.client.pipeline(transaction=False)
        pipeline.echo(text).execute_command("RG.TRIGGER", "echo", text).echo(b"end")
        assert await pipeline.execute() == [text, [text], b"end"]

    async def do_event(self, text):
        await self.client.set(f"event:{self.number}", text)

    async def do_run(self, text):
        if self.number % 20:
            return
        script = "GB('ShardsIDReader').map(lambda x: '%s').run()" % text.decode()
        assert await self.client.execute_command("RG.PYEXECUTE", script) == [[text], []]


async def worked(port, connections, seconds, sample):
    """Let all of them work; returns what was done, and the errors."""
    done = Counter()
    end = time.monotonic() + seconds
    tasks = [
        asyncio.ensure_future(Connection(port, number, done).work(end))
        for number in range(connections)
    ]
    while time.monotonic() < end:
        await asyncio.sleep(0.25)
        sample()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    return done, [each for each in ended if each is not None]


def load(folder, connections, seconds):
    """Put load on a server.

    Returns:
        What was done, the errors, how many events were handled, and how many bytes the server and
        its worker have grown after they were warm.
    """
    with Scene(folder) as scene:
        scene.run(FUNCTIONS)
        pids = [scene.server.pid, scene.worker]
        start, sizes = time.monotonic(), []

        def sample():
            sizes.append((time.monotonic() - start, [memory(pid) for pid in pids]))

        done, errors = asyncio.run(worked(scene.server.port, connections, seconds, sample))
        until(lambda: int(scene.client.get("seen") or 0) >= done["event"])
        seen = int(scene.client.get("seen"))
        assert [scene.server.pid, scene.worker] == pids, "a process has died"
        warm = [each for at, each in sizes if at >= seconds * WARM]
        grown = [max(each[n] for each in warm) - warm[0][n] for n in range(len(pids))]
        return done, errors, seen, grown


def stream(folder, count):
    """Fill a stream, and count what a function has seen of it.

    Returns:
        How many entries were seen, how many more than once, and in how many seconds.
    """
    with Scene(folder) as scene:
        scene.run(
            "GB('StreamReader').foreach(lambda r: execute('RPUSH', 'seen', r['value']['n']))"
            ".register('s', batch=100)"
        )
        start = time.monotonic()
        pipeline = scene.client.pipeline(transaction=False)
        for number in range(count):
            pipeline.xadd("s", {"n": number})
            if number % 1000 == 999:
                pipeline.execute()
        pipeline.execute()
        until(lambda: scene.client.llen("seen") >= count, 600)
        taken = time.monotonic() - start
        seen = scene.client.lrange("seen", 0, -1)
        return len(set(seen)), len(seen) - len(set(seen)), taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--entries", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="redgrease-load-") as folder:
        done, errors, seen, grown = load(Path(folder), options.connections, options.seconds)
    print(f"{options.connections} connections, {options.seconds:.0f} s: {dict(done)}")
    print(f"errors: {len(errors)} {errors[:3]}; events sent {done['event']}, handled {seen}")
    server, worker = (each / (1 << 20) for each in grown)
    print(
        f"grown after {options.seconds * WARM:.0f} s: server {server:.1f} MB, worker {worker:.1f} MB"
    )
    with tempfile.TemporaryDirectory(prefix="redgrease-load-") as folder:
        found, doubled, taken = stream(Path(folder), options.entries)
    print(
        f"stream: {options.entries} entries, {found} seen, {doubled} more than once, {taken:.1f} s"
    )


if __name__ == "__main__":
    main()
