"""What the faults have in common: a server with data, and clients that watch what happens."""

import os
import signal
import socket
import threading
import time
from dataclasses import dataclass

import redis
from support.ports import free_port

from redgrease.engine import GearsServer

PATIENCE = 30


@dataclass
class Outcome:
    """What came of a fault.

    Attributes:
        seen: What the caller has seen.
        lost: How many things that had been acknowledged were lost.
        doubled: How many were handled more than once.
        recovered: How many seconds it took until everything worked again.
    """

    seen: str = ""
    lost: int = 0
    doubled: int = 0
    recovered: float = 0.0


def until(condition, patience=PATIENCE):
    """Wait until a condition holds, though the server may be away; returns for how long."""
    start = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - start
        except (redis.RedisError, OSError):
            pass
        assert time.monotonic() - start < patience, "it did not recover"
        time.sleep(0.002)


def works(client):
    """Whether functions run."""
    return client.execute_command("RG.PYEXECUTE", "GB('ShardsIDReader').count().run()") == [
        [b"1"],
        [],
    ]


class Call(threading.Thread):
    """A command that a client of its own sends, and waits for."""

    def __init__(self, port, *words):
        super().__init__(daemon=True)
        self.words = words
        self.client = redis.Redis(port=port)
        self.answer = None
        self.ended = None
        self.start()

    def run(self):
        try:
            self.answer = self.client.execute_command(*self.words)
        except (redis.RedisError, OSError) as error:
            self.answer = error
        self.ended = time.monotonic()
        self.client.close()

    def wait(self):
        """Wait for the answer."""
        self.join(PATIENCE)
        assert not self.is_alive(), f"nobody has answered {self.words[0]}"
        return self.answer


class Scene:
    """A server, and what is told of it.

    Args:
        folder: Where it keeps its data.
        options: More for ``GearsServer``.
    """

    def __init__(self, folder, **options):
        self.folder = folder
        self.options = options
        self.server = GearsServer(dir=str(folder), port=free_port(), **options)

    def __enter__(self):
        self.server.start()
        self.client = self.connect()
        return self

    def __exit__(self, *exception):
        self.client.close()
        self.server.stop()

    def connect(self, **kwargs):
        return redis.Redis(port=self.server.port, **kwargs)

    def run(self, script, *options):
        return self.client.execute_command("RG.PYEXECUTE", script, *options)

    def call(self, *words):
        return Call(self.server.port, *words)

    @property
    def worker(self):
        """The process id of the worker, as functions see it."""
        script = "import os\nGB('ShardsIDReader').map(lambda x: os.getpid()).run()"
        (pid,) = self.run(script)[0]
        return int(pid)

    @property
    def redis_pid(self):
        return self.client.info("server")["process_id"]

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)

    def again(self):
        """Start a server on the same folder and port, after this one was killed."""
        port = self.server.port
        self.client.close()
        self.server.stop()
        self.server = GearsServer(dir=str(self.folder), port=port, **self.options)
        self.server.start()
        self.client = self.connect()


def memory(pid):
    """The resident memory of a process, in bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def raw(port):
    """A plain connection."""
    return socket.create_connection(("127.0.0.1", port))
