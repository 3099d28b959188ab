"""Registrations, sessions, timers and requirements outlive the server's processes."""

import os
import signal
import sys
import time

import pytest
from support.tiny_wheel import make_wheel

redis = pytest.importorskip("redis")
pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="the server needs Python 3.10")

TIMEOUT = 20
SCRIPT = """
import json
calls = []
class Counter:
    def __init__(self, start): self.start = start
    def next(self): return self.start + len(calls)
counter = Counter(10)
def made(name):
    def note(x):
        calls.append(x[1])
        return [name, counter.next(), json.dumps(calls), __name__]
    return note
def announce(): execute('RPUSH', 'announced', 'x')
GB('CommandReader', desc='d').map(made('one')).register(trigger='one', onRegistered=announce)
GB('CommandReader').map(made('two')).register(trigger='two')
registerTE(0.05, lambda: execute('INCR', 'ticks'), 'timer')
"""


def until(condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def serve(tmp_path):
    """Starts servers, one after the other, on the same folder."""
    from redgrease.engine import GearsServer

    running = []

    def start():
        end()
        running.append(GearsServer(dir=tmp_path / "home"))
        running[0].start()
        return running[0], redis.Redis(port=running[0].port)

    def end():
        while running:
            running.pop().stop()

    yield start
    end()


def await_ticks(client):
    """Wait for two more calls of the timer's function."""
    before = int(client.get("ticks") or 0)
    until(lambda: int(client.get("ticks") or 0) > before + 1)


def dumped(client, *options):
    return client.execute_command("RG.PYDUMPSESSIONS", *options)


def trigger(client, *words):
    return client.execute_command("RG.TRIGGER", *words)


def test_restarts(serve):
    server, client = serve()
    options = ["ID", "s", "DESCRIPTION", "words"]
    assert client.execute_command("RG.PYEXECUTE", SCRIPT, *options) == b"OK"
    assert trigger(client, "one", "a") == [b"['one', 11, '[\"a\"]', 'not_main']"]
    assert trigger(client, "two", "b") == [b"['two', 12, '[\"a\", \"b\"]', 'not_main']"]
    registrations = client.execute_command("RG.DUMPREGISTRATIONS")
    sessions = dumped(client)
    server, client = serve()
    assert client.lrange("announced", 0, -1) == [b"x", b"x"]
    assert [one[1] for one in client.execute_command("RG.DUMPREGISTRATIONS")] == [
        one[1] for one in registrations
    ]
    assert dumped(client) == sessions
    # What a global name held when the script had ended: no calls, and one list for both.
    assert trigger(client, "one", "c") == [b"['one', 11, '[\"c\"]', 'not_main']"]
    assert trigger(client, "two", "d") == [b"['two', 12, '[\"c\", \"d\"]', 'not_main']"]
    await_ticks(client)
    # The worker alone, and without a chance to tidy up.
    os.kill(server.worker_pid, signal.SIGKILL)
    until(lambda: client.llen("announced") == 3)
    assert trigger(client, "two", "e") == [b"['two', 11, '[\"e\"]', 'not_main']"]
    await_ticks(client)
    # New IDs are new.
    client.execute_command("RG.PYEXECUTE", "GB('CommandReader').register(trigger='three')")
    idents = [one[1] for one in client.execute_command("RG.DUMPREGISTRATIONS")]
    assert len(set(idents)) == 3
    for ident in idents[:2]:
        client.execute_command("RG.UNREGISTER", ident)
    client.delete("timer")
    _, client = serve()
    assert [one[1] for one in client.execute_command("RG.DUMPREGISTRATIONS")] == idents[2:]
    assert dumped(client, "SESSIONS", "s") == [b"Session s does not exists"]
    assert client.llen("announced") == 3


def test_upgrade_then_restart(serve):
    _, client = serve()
    for version in ("old", "new"):
        script = f"v = '{version}'\nGB('CommandReader').map(lambda x: v).register(trigger='t')"
        client.execute_command("RG.PYEXECUTE", script, "ID", "s", "UPGRADE")
    client.execute_command("RG.PYEXECUTE", script.replace("'t'", "'u'"), "ID", "x")
    third = script.replace("'t'", "'u'").replace("new", "newest")
    client.execute_command("RG.PYEXECUTE", third, "ID", "y", "REPLACE_WITH", "x")
    assert [trigger(client, name) for name in "tu"] == [[b"new"], [b"newest"]]
    _, client = serve()
    assert [trigger(client, name) for name in "tu"] == [[b"new"], [b"newest"]]
    assert [entry[1] for entry in dumped(client)] == [b"s", b"y"]


def test_functions_of_the_package(serve):
    import redgrease

    server, _ = serve()
    factor = 3

    class Scaled:
        def __init__(self, value):
            self.value = value * factor

    def scale(words):
        return Scaled(len(words)).value

    fun = redgrease.CommandReader().map(scale).register(trigger="scale")
    fun.on(server.client())
    values = []
    for _ in range(2):
        with server.client() as client:
            values += [client.gears.trigger("scale", *words).value for words in ("a", "ab")]
        server, _ = serve()
    assert values[:2] == values[2:]
    assert values[0] != values[1]


def test_requirements(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    make_wheel(tmp_path, version="1.5")
    _, client = serve()
    script = (
        "import tinypack\n"
        "GB('CommandReader').map(lambda x: tinypack.version).register(trigger='version')"
    )
    options = ["ID", "s", "REQUIREMENTS", "tinypack"]
    assert client.execute_command("RG.PYEXECUTE", script, *options) == b"OK"
    requirements, sessions = client.execute_command("RG.PYDUMPREQS"), dumped(client, "VERBOSE")
    assert sessions[0][13] == requirements
    assert requirements[0][15] == 2  # the list of requirements, and the session
    _, client = serve()
    assert trigger(client, "version") == [b"1.5"]
    assert client.execute_command("RG.PYDUMPREQS") == requirements
    assert dumped(client, "VERBOSE")[0][:15] == sessions[0][:15]


def test_what_cannot_be_kept_is_refused(serve):
    _, client = serve()
    script = (
        "import threading\nlock = threading.Lock()\n"
        "def locked(x):\n    with lock: return x\n"
        "GB('CommandReader').map(locked).register(trigger='t')"
    )
    with pytest.raises(redis.ResponseError) as raised:
        client.execute_command("RG.PYEXECUTE", script)
    assert (
        "gears.error: Error occured when serialized a python callback, callback=locked"
        " error=cannot pickle '_thread.lock' object" in str(raised.value)
    )
    assert client.execute_command("RG.DUMPREGISTRATIONS") == []
