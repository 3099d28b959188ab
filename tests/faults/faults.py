"""The faults: each is injected into a server of its own, and says what came of it."""

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from .scene import Outcome, Scene, Writer, kill, until


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        name: What.
        promised: What is to come of it.
        inject: Lets it happen.
        at_least_once: Whether things may be done more than once.
        options: For the server.
    """

    name: str
    promised: str
    inject: Callable[[Scene], Outcome]
    at_least_once: bool = False
    options: dict = field(default_factory=dict)

    def check(self, outcome: Outcome) -> None:
        """Compare what came of it with what was promised."""
        assert outcome.lost == 0, f"{outcome.lost} lost"
        assert self.at_least_once or outcome.doubled == 0, f"{outcome.doubled} doubled"


FAULTS: "list[Fault]" = []


def fault(name, promised, **options):
    def register(inject):
        FAULTS.append(Fault(name, promised, inject, **options))
        return inject

    return register


def died(call, at):
    """The error of a call whose worker has died; returns how long the caller has waited."""
    call.wait()
    assert isinstance(call.error, redis.ResponseError), call.reply
    assert "the Gears worker died while running this call" in str(call.error)
    return call.ended - at


def back(scene, before, at, ident="again"):
    """Seconds until functions run again, all that were registered among them."""
    recovered = until(lambda: scene.call(ident) == [ident]) - at
    assert scene.registrations == before
    return recovered


@fault("worker killed, idle", "calls wait for the next worker; registrations are kept")
def worker_idle(scene):
    before, pid = scene.registrations, scene.worker
    at = kill(pid)
    recovered = back(scene, before, at)
    return Outcome(recovered, lost=1 - scene.runs("again"))


@fault("worker killed in a batch", "the caller gets an error; nothing is run again")
def worker_in_a_batch(scene):
    before, pid = scene.registrations, scene.worker
    script = (
        "import time\ndef f(x):\n  execute('HINCRBY', 'runs', 'batch', 1)\n  time.sleep(600)\n"
        "GB('ShardsIDReader').map(f).run()"
    )
    call = scene.beside("RG.PYEXECUTE", script)
    scene.begun("batch")
    at = kill(pid)
    told = died(call, at)
    return Outcome(back(scene, before, at), 0, scene.runs("batch") - 1, told)


@fault("worker killed in a trigger call", "the caller gets an error; nothing is run again")
def worker_in_a_trigger(scene):
    before, pid = scene.registrations, scene.worker
    call = scene.beside("RG.TRIGGER", "call", "slow", "one")
    scene.begun("one")
    at = kill(pid)
    told = died(call, at)
    return Outcome(back(scene, before, at), 0, scene.runs("one") - 1, told)


@fault(
    "worker killed in a stream batch",
    "every entry is processed at least once",
    at_least_once=True,
)
def worker_in_a_stream(scene):
    pid, writer = scene.worker, Writer(scene.port)
    writer.advance()
    at = kill(pid)
    seen = len(scene.seen())
    recovered = until(lambda: len(scene.seen()) > seen + 20) - at
    writer.advance()
    outcome = writer.outcome(scene)
    return Outcome(recovered, outcome.lost, outcome.doubled)


@fault("worker killed in `atomic()`", "others go on; what was written stays, nothing is undone")
def worker_in_atomic(scene):
    before, pid = scene.registrations, scene.worker
    script = (
        "import time\ndef f(x):\n  with atomic():\n    execute('SET', 'first', 1)\n"
        "    execute('HINCRBY', 'runs', 'atomic', 1)\n    time.sleep(600)\n"
        "    execute('SET', 'second', 1)\nGB('ShardsIDReader').map(f).run()"
    )
    call = scene.beside("RG.PYEXECUTE", script)
    direct = redis.Redis.from_url(scene.server.redis_url)
    until(lambda: direct.hexists("runs", "atomic"))  # the others are kept back now
    other = scene.beside("PING")
    time.sleep(0.05)
    assert other.is_alive()
    at = kill(pid)
    told = died(call, at)
    assert other.wait().reply and other.ended - at < 10
    assert direct.exists("first") and not direct.exists("second")
    direct.close()
    return Outcome(back(scene, before, at), 0, scene.runs("atomic") - 1, told)


@fault(
    "Redis killed under load (AOF, `appendfsync always`)",
    "it is started again; nothing that was acknowledged is lost",
    at_least_once=True,
)
def redis_killed(scene):
    writer = Writer(scene.port)
    writer.advance()
    kill(scene.redis_pid)
    writer.advance()
    return writer.outcome(scene)


@fault(
    "everything but Redis killed, and the server started again",
    "registrations and what was acknowledged are there again",
    at_least_once=True,
)
def server_killed(scene):
    before, port, writer = scene.registrations, scene.port, Writer(scene.port)
    writer.advance()
    victims = [scene.server.pid, scene.worker]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    scene.server.stop()
    scene.start(port)
    writer.advance()
    outcome = writer.outcome(scene)
    assert scene.registrations == before
    return outcome


@fault("client gone in the middle of a reply", "nobody else notices; its call goes on")
def client_gone(scene):
    scene.client.set("large", "x" * (8 << 20))
    before = _files(scene)
    for words in (b"GET large\r\n" * 3, b"RG.TRIGGER call quick gone\r\nGET large\r\n"):
        with socket.create_connection(("127.0.0.1", scene.port)) as leaver:
            leaver.sendall(words)
            assert leaver.recv(10)
            leaver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    at = time.monotonic()
    assert scene.call("other") == ["other"]
    recovered = until(lambda: _files(scene) <= before) - at
    return Outcome(recovered, 1 - scene.runs("gone"), scene.runs("other") - 1)


def _files(scene):
    """How many connections the proxy has."""
    return len(os.listdir(f"/proc/{scene.server.pid}/fd"))


@fault("disk full for what the server keeps", "what cannot be kept is refused; the rest goes on")
def disk_full(scene):
    worker, before = scene.worker, scene.registrations
    size = (Path(scene.folder) / "redgrease.db").stat().st_size
    hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)[1]
    # Unlike a disk that is full, it concerns nobody else.
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, hard))
    script = "x = '{0}'\nGB('CommandReader').map(lambda r: x).register(trigger='{1}')"
    at = time.monotonic()
    reply = scene.run(script.format("x" * 10**6, "new"))  # the errors of shards come as a list
    told = time.monotonic() - at
    assert "Failed serializing session" in str(reply[0]) and "redgrease.db" in str(reply[0])
    assert scene.registrations == before and scene.call("meanwhile") == ["meanwhile"]
    at = time.monotonic()
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (hard, hard))
    scene.run(script.format("x", "new"))
    return Outcome(time.monotonic() - at, 0, scene.runs("meanwhile") - 1, told)


@fault("Redis at `maxmemory`", "functions that write get Redis's error; others go on")
def out_of_memory(scene):
    scene.client.set("large", "x" * (2 << 20))
    scene.client.config_set("maxmemory", "1mb")
    at = time.monotonic()
    try:
        scene.call("full")
    except redis.ResponseError as error:
        told = time.monotonic() - at
        assert "OOM command not allowed" in str(error)
    else:
        raise AssertionError("there was room")
    assert scene.run("GB('KeysReader').map(lambda r: len(r['value'])).run('large')")[0]
    at = time.monotonic()
    scene.client.config_set("maxmemory", 0)
    recovered = until(lambda: scene.call("again") == ["again"]) - at
    return Outcome(recovered, 0, scene.runs("again") - 1 + scene.runs("full"), told)


@fault("slow consumer of 200 MB", "it gets all of it; the proxy grows by 100 MB at most")
def slow_consumer(scene):
    size, times = 8 << 20, 25
    scene.client.set("large", "x" * size)
    before = _resident(scene.server.pid)
    with socket.create_connection(("127.0.0.1", scene.port)) as slow:
        slow.sendall(b"GET large\r\n" * times)
        time.sleep(0.3)
        at = time.monotonic()
        assert scene.call("other") == ["other"]
        recovered = time.monotonic() - at
        assert _resident(scene.server.pid) < before + (100 << 20)
        slow.settimeout(30)
        received, expected = 0, times * (size + len(f"${size}\r\n\r\n"))
        while received < expected:
            received += len(slow.recv(1 << 20))
    return Outcome(recovered, expected - received, scene.runs("other") - 1)


def _resident(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


CLOCK = """
import time
real = time.time
def jump(seconds): time.time = lambda: real() + seconds
def event(): execute('INCR', 'ticks')
def jumped(words):
    jump(int(words[1]))
    return 'ok'
GB('CommandReader').map(jumped).register(trigger='jump', mode='async')
"""
TICKS = (
    "def tick(words):\n"
    "    import threading\n"
    "    execute('INCR', 'ticks')\n"
    "GB('CommandReader').foreach(tick).register(trigger='tick', mode='async')"
)


@fault("clock jumps by a day, there and back", "limits, batches and intervals go on as before")
def clock_jumps(scene):
    scene.run(CLOCK)
    scene.client.execute_command("RG.CONFIGSET", "ExecutionMaxTime", 300)
    longest = 0.0
    for number, seconds in enumerate((86_400, -86_400, 0)):
        scene.client.execute_command("RG.TRIGGER", "jump", seconds)
        at = time.monotonic()
        # A batch that is not full waits for its duration; a call that is too slow for its limit.
        scene.client.xadd("s", {"n": number})
        until(lambda number=number: str(number) in scene.seen())
        call = scene.beside("RG.TRIGGER", "call", "slow", f"n{number}").wait()
        assert "300 ms (ExecutionMaxTime)" in str(call.error)
        assert 0.25 < call.ended - at < 20
        longest = max(longest, time.monotonic() - at)
    seen = scene.seen()
    return Outcome(longest, 3 - len(seen), sum(seen.values()) - 3)


if sys.platform != "linux":  # no prlimit, no /proc
    FAULTS = [each for each in FAULTS if each.inject not in (client_gone, disk_full, slow_consumer)]
