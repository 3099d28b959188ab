"""Many connections, which do everything at once and check every reply."""

import asyncio
import os
import random
import time
from collections import Counter
from pathlib import Path

import hiredis
import redis

from redgrease.engine import GearsServer

SCRIPTS = (
    "GB('CommandReader').map(lambda x: x[1]).register(trigger='echo')",
    "GB('CommandReader').map(lambda x: execute('INCRBY', x[1], 1)).register(trigger='add')",
    "GB().foreach(lambda r: execute('INCR', 'async-events')).register('a:*', mode='async')",
    "GB().foreach(lambda r: execute('INCR', 'sync-events')).register('s:*', mode='sync')",
    "GB('StreamReader').foreach(lambda r: execute('INCR', 'stream-events'))"
    ".register('stream:*', batch=50, duration=5)",
)
SETTLES = 10.0
"""Seconds after which memory is not to grow any more."""


class Connection:
    """One client; replies are checked one by one."""

    def __init__(self, number, counts):
        self.number, self.counts = number, counts
        self.random = random.Random(number)
        self.added = 0
        self._parser = hiredis.Reader()

    async def open(self, port):
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(self, *commands):
        self._writer.write(b"".join(hiredis.pack_command(words) for words in commands))
        replies = []
        while len(replies) < len(commands):
            reply = self._parser.gets()
            if reply is False:
                data = await self._reader.read(1 << 16)
                if not data:
                    raise ConnectionResetError("hung up")
                self._parser.feed(data)
                continue
            replies.append(reply)
        self.counts["replies"] += len(replies)
        return replies

    def check(self, found, expected):
        if found != expected:
            self.counts["wrong"] += 1
            self.counts[f"{found!r:.80} in place of {expected!r:.80}"] += 1

    async def run(self, end):
        key, count = f"k:{self.number}", 0
        while time.monotonic() < end:
            count += 1
            kind = self.random.randrange(8)
            value = f"{self.number}-{count}".encode()
            if kind == 0:
                found = await self.ask(("SET", key, value), ("GET", key), ("STRLEN", key))
                self.check(found, [b"OK", value, len(value)])
            elif kind == 1:
                large = value * self.random.choice((10, 1000))
                found = await self.ask(("SET", key, large), ("GET", key))
                self.check(found, [b"OK", large])
            elif kind == 2:
                found = await self.ask(*(("ECHO", value + b"%d" % n) for n in range(20)))
                self.check(found, [value + b"%d" % n for n in range(20)])
            elif kind == 3:
                found = await self.ask(("MULTI",), ("SET", key, value), ("GET", key), ("EXEC",))
                self.check(found[-1], [b"OK", value])
            elif kind == 4:
                self.check(await self.ask(("RG.TRIGGER", "echo", value)), [[value]])
                self.added += 1
                found = await self.ask(("RG.TRIGGER", "add", f"n:{self.number}"))
                self.check(found, [[b"%d" % self.added]])
            elif kind == 5:
                self.check(await self.ask(("SET", f"a:{self.number}", value)), [b"OK"])
                self.counts["async-events"] += 1
            elif kind == 6:
                self.check(await self.ask(("SET", f"s:{self.number}", value)), [b"OK"])
                self.counts["sync-events"] += 1
            else:
                found = await self.ask(("XADD", f"stream:{self.number % 5}", "*", "f", value))
                self.check(b"-" in found[0], True)
                self.counts["stream-events"] += 1

    def close(self):
        self._writer.close()


def resident(pid):
    """Megabytes of memory that a process uses."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


async def crowd(server, connections, seconds, settles=SETTLES):
    """Let many clients work; returns counts, and memory when it has settled and at the end."""
    counts = Counter()
    clients = [Connection(number, counts) for number in range(connections)]
    for client in clients:
        await client.open(server.port)
    processes = {"proxy": server.pid, "worker": server.worker_pid}
    memory = {}

    async def look():
        await asyncio.sleep(min(settles, seconds / 2))
        memory.update({name: [resident(pid)] for name, pid in processes.items()})

    end = time.monotonic() + seconds
    results = await asyncio.gather(
        look(), *(client.run(end) for client in clients), return_exceptions=True
    )
    counts["errors"] = sum(isinstance(result, BaseException) for result in results)
    for name, pid in processes.items():
        memory[name].append(resident(pid))
    for client in clients:
        client.close()
    return counts, memory


def run_crowd(connections, seconds, settles=SETTLES):
    """Start a server, and let many clients work; returns counts and memory.

    Raises:
        AssertionError: Something was lost, wrong, or an error.
    """
    with GearsServer() as server, redis.Redis(port=server.port) as client:
        for script in SCRIPTS:
            client.execute_command("RG.PYEXECUTE", script)
        counts, memory = asyncio.run(crowd(server, connections, seconds, settles))
        assert not counts["errors"] and not counts["wrong"], counts
        for name in ("async-events", "sync-events", "stream-events"):
            deadline = time.monotonic() + 60
            while int(client.get(name) or 0) < counts[name] and time.monotonic() < deadline:
                time.sleep(0.05)
            assert int(client.get(name) or 0) == counts[name], (name, client.get(name), counts)
        return counts, memory


def run_stream(entries, registration="mode='async_local', batch=100, duration=10"):
    """Have a stream registration process many entries; returns seconds, and how often each was.

    Returns:
        The seconds from the first entry to the last, and how many were processed how often.
    """
    script = "GB('StreamReader').foreach(lambda r: execute('HINCRBY', 'seen', r['value']['n'], 1))"
    with GearsServer() as server, redis.Redis(port=server.port) as client:
        client.execute_command("RG.PYEXECUTE", f"{script}.register('s', {registration})")
        started = time.monotonic()
        for first in range(0, entries, 1000):
            with client.pipeline(transaction=False) as pipeline:
                for number in range(first, min(first + 1000, entries)):
                    pipeline.xadd("s", {"n": number})
                pipeline.execute()
        deadline = time.monotonic() + 60 + entries / 500
        while client.hlen("seen") < entries or client.xlen("s"):
            assert time.monotonic() < deadline, (client.hlen("seen"), client.xlen("s"))
            time.sleep(0.02)
        seconds = time.monotonic() - started
        return seconds, Counter(map(int, client.hvals("seen")))
