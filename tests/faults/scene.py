"""A server of its own for a fault, and what one needs to see what came of it."""

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from redgrease.engine import GearsServer

PATIENCE = 60.0
TRIGGERS = """
import time
def call(words):
    kind, ident = words[1], words[2]
    execute('HINCRBY', 'runs', ident, 1)
    if kind == 'slow': time.sleep(600)
    return ident
GB('CommandReader').map(call).register(trigger='call', mode='async')
"""
STREAM = (
    "GB('StreamReader').foreach(lambda r: execute('HINCRBY', 'seen', r['value']['n'], 1))"
    ".register('s', mode='async_local', batch=20, duration=10)"
)


@dataclass
class Outcome:
    """What came of a fault.

    Attributes:
        recovered: Seconds until all was as before.
        lost: How many of the things that were acknowledged are not there.
        doubled: How many have been done more than once.
        told: Seconds until the caller was told; None where nobody is to be told anything.
    """

    recovered: float
    lost: int = 0
    doubled: int = 0
    told: "float | None" = None


class Call(threading.Thread):
    """A command that is sent beside."""

    def __init__(self, port, *words):
        super().__init__(daemon=True)
        self._port, self._words = port, words
        self.reply = self.error = None
        self.ended = 0.0
        self.start()

    def run(self):
        retry = Retry(NoBackoff(), 0)
        with redis.Redis(port=self._port, decode_responses=True, retry=retry) as client:
            try:
                self.reply = client.execute_command(*self._words)
            except redis.RedisError as error:
                self.error = error
        self.ended = time.monotonic()

    def wait(self):
        self.join(PATIENCE)
        assert not self.is_alive(), "the caller waits for ever"
        return self


@dataclass
class Scene:
    """A server.

    Args:
        folder: Where it keeps its data.
        options: For ``GearsServer``.
    """

    folder: Path
    options: dict = field(default_factory=dict)

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self.start()
        self.run(TRIGGERS)
        self.run(STREAM)
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def start(self, port=0):
        options = {"dir": self.folder, "redis_args": ["--appendfsync", "always"], **self.options}
        self.server = GearsServer(port=port, **options).start()
        self._stack.callback(self.server.stop)
        retry = Retry(NoBackoff(), 0)
        self.client = redis.Redis(port=self.port, decode_responses=True, retry=retry)
        self._stack.callback(self.client.close)

    @property
    def port(self):
        return self.server.port

    def run(self, script):
        return self.client.execute_command("RG.PYEXECUTE", script)

    def call(self, ident, kind="quick"):
        return self.client.execute_command("RG.TRIGGER", "call", kind, ident)

    def beside(self, *words):
        return Call(self.port, *words)

    def runs(self, ident):
        return int(self.client.hget("runs", ident) or 0)

    def begun(self, ident):
        until(lambda: self.runs(ident))

    @property
    def worker(self):
        script = "import os\nGB('ShardsIDReader').map(lambda x: os.getpid()).run()"
        return int(self.run(script)[0][0])

    @property
    def redis_pid(self):
        return int(self.client.info("server")["process_id"])

    @property
    def registrations(self):
        return [each[1] for each in self.client.execute_command("RG.DUMPREGISTRATIONS")]

    def seen(self):
        """How often each entry of the stream was processed."""
        return {name: int(count) for name, count in self.client.hgetall("seen").items()}


def kill(pid):
    """End a process at once; returns when that was."""
    os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def until(condition):
    """Wait until a condition holds, whatever is away meanwhile; returns when that was."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            if condition():
                return time.monotonic()
        assert time.monotonic() < deadline, "it does not recover"
        time.sleep(0.002)


class Writer(threading.Thread):
    """Adds to the stream as long as the fault lasts, and remembers what was acknowledged."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._port, self._over = port, threading.Event()
        self.acknowledged = []
        self.sent = 0
        self.longest = 0.0
        self.start()

    def run(self):
        client = redis.Redis(port=self._port, socket_timeout=10, retry=Retry(NoBackoff(), 0))
        last = time.monotonic()
        while not self._over.is_set():
            self.sent += 1
            try:
                client.xadd("s", {"n": self.sent})
            except redis.RedisError:
                time.sleep(0.002)
                continue  # whether it is there, nobody knows
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now
            self.acknowledged.append(str(self.sent))
        client.close()

    def advance(self, number=100):
        before = len(self.acknowledged)
        until(lambda: len(self.acknowledged) >= before + number)

    def stop(self):
        self._over.set()
        self.join()

    def outcome(self, scene):
        """What has become of the entries: each has to be processed, at least once."""
        self.stop()
        wanted = set(self.acknowledged)
        with contextlib.suppress(AssertionError):
            until(lambda: wanted <= scene.seen().keys() and not scene.client.xlen("s"))
        seen = scene.seen()
        lost = len(wanted - seen.keys())
        doubled = sum(count > 1 for count in seen.values())
        return Outcome(self.longest, lost, doubled)
