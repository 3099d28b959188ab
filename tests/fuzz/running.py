"""Runs the fuzzers against servers that live as long as nothing breaks them."""

import os
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from redgrease.engine import GearsServer
from redgrease.engine.redis_server import RedisServer

from . import wire
from .commands import FUNCTIONS, Commands
from .scripts import Scripts, attempt

# Functions that have to do with keys of half the connections, and change nothing.
WATCHERS = (
    "GB().foreach(lambda r: r).register('t1*', mode='sync')",
    "GB('CommandReader').map(lambda x: call_next(*x[1:])).register(hook='append', mode='sync')",
)


def resident(pid):
    """Bytes of memory that a process uses."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Report(Counter):
    """How many inputs there were, and how they ended."""

    def __str__(self):
        return ", ".join(f"{count} {name}" for name, count in sorted(self.items()))


class Servers:
    """A Gears server, and a Redis to compare with."""

    def __init__(self, watched=True):
        self.watched = watched

    def __enter__(self):
        self._stack = ExitStack()
        folder = self._stack.enter_context(TemporaryDirectory())
        own = RedisServer(str(Path(folder) / "socket"))
        own.start()
        self._stack.callback(own.stop)
        self.redis = own.socket_path
        limits = {"ExecutionMaxTime": 2000}
        server = GearsServer(config=limits, requirements="off")
        self.server = self._stack.enter_context(server)
        self.client = self._stack.enter_context(self.server.client())
        if self.watched:
            self.client.execute_command("RG.PYEXECUTE", WATCHERS[0])
        return self

    def __exit__(self, *exception):
        self._stack.close()

    @property
    def proxy(self):
        return ("127.0.0.1", self.server.port)

    def check(self):
        """It still works, as the same process."""
        assert self.client.ping()
        os.kill(self.server.pid, 0)


def fuzz_wire(servers, seconds, seed=0, threads=12):
    """Compare streams until the time is over; returns a :class:`Report`."""
    report, errors = Report(), []
    end, lock = time.monotonic() + seconds, threading.Lock()

    def run(number):
        count = 0
        while time.monotonic() < end and not errors:
            tag = b"t%d-%d-%d:" % (number, seed, count)
            try:
                size = wire.compare(servers.proxy, servers.redis, hash((seed, number, count)), tag)
            except BaseException as error:
                errors.append(error)
                return
            count += 1
            with lock:
                report["streams"] += 1
                report["bytes"] += size

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    servers.check()
    return report


def fuzz_scripts(servers, seconds, seed=0):
    """Send damaged scripts until the time is over; returns a :class:`Report`."""
    report, scripts = Report(), Scripts(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        words = scripts.words()
        try:
            report[attempt(servers.client, words)] += 1
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {error!r} for {words!r}") from error
        report["scripts"] += 1
    servers.check()
    return report


def fuzz_commands(servers, seconds, seed=0):
    """Send commands of Gears until the time is over; returns a :class:`Report`."""
    client, report = redis.Redis(port=servers.server.port, socket_timeout=60), Report()
    for function in FUNCTIONS:
        client.execute_command("RG.PYEXECUTE", function)
    known = [each[1] for each in client.execute_command("RG.DUMPREGISTRATIONS")]
    known.append(client.execute_command("RG.PYEXECUTE", "GB('ShardsIDReader').run()", "UNBLOCKING"))
    commands, end = Commands(seed, known), time.monotonic() + seconds
    while time.monotonic() < end:
        words = commands.next()
        report["commands"] += 1
        try:
            client.execute_command(*words)
            report["ok"] += 1
        except redis.ResponseError as error:
            assert "worker" not in str(error), f"seed {seed}: {error} for {words!r}"
            report["error"] += 1
    client.close()
    assert "Traceback" not in servers.server.log
    servers.check()
    return report
