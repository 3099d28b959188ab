"""Time events."""

import threading
import time

import pytest

from redgrease.engine.connection import Address
from redgrease.engine.core import Engine

pytest_plugins = ["worker_fixtures"]

TIMEOUT = 20
WITH_KEY = """
def tick(): execute('RPUSH', 'ticks', word)
word = 'x'
GB('CommandReader').map(lambda x: word).register(trigger='t')
made = registerTE(0.05, tick, 'timer')
GB('ShardsIDReader').map(lambda x: made).run()
"""


@pytest.fixture
def engines(redis, redis_url, tmp_path):
    """Starts engines in this process, one after the other, on the same folder."""
    running = []

    def start():
        end()
        engine = Engine(redis_url, str(tmp_path))
        engine.install()
        engine.start()
        engine.thread = threading.Thread(target=engine.scripts.serve)
        engine.thread.start()
        running.append(engine)
        return engine

    def end():
        while running:
            engine = running.pop()
            engine.scripts.close()
            engine.thread.join(TIMEOUT)
            engine.uninstall()
            working = "redgrease-execution"
            until(lambda: not [one for one in threading.enumerate() if working in one.name])

    start.end = end
    yield start
    end()


def call(engine, *words):
    """The reply to a command, encoded."""
    came, replies = threading.Event(), []

    def answer(reply):
        replies.append(reply)
        came.set()

    engine.dispatcher.call([word.encode() for word in words], answer)
    assert came.wait(TIMEOUT)
    return replies[0].decode()


def until(condition):
    """Wait until a condition holds."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ticks(redis, more=1):
    """Wait for more calls of a function."""
    target = redis("LLEN", "ticks") + more
    until(lambda: redis("LLEN", "ticks") >= target)


def test_without_a_key(engines, redis):
    engine = engines()
    script = "def tick(): execute('RPUSH', 'ticks', 'x')\nassert registerTE(0.02, tick) is True"
    assert call(engine, "RG.PYEXECUTE", script) == "+OK\r\n"
    ticks(redis, 3)
    assert redis("KEYS", "*") == ["ticks"]
    engines()
    redis("DEL", "ticks")
    time.sleep(0.1)
    assert redis("EXISTS", "ticks") == 0


def test_with_a_key(engines, redis):
    engine = engines()
    assert call(engine, "RG.PYEXECUTE", WITH_KEY, "ID", "s") == "+OK\r\n"
    ticks(redis, 2)
    assert sorted(redis("KEYS", "*")) == ["ticks", "timer"]
    value = redis("GET", "timer")
    assert value.startswith("time event ")
    assert value.endswith(": tick() every 0.05 s")
    session = engine.sessions.get("s")
    assert (session.ref_count, engine.timers.count(session)) == (3, 1)
    again = "assert registerTE(1, lambda: 1, 'timer') is False"
    assert call(engine, "RG.PYEXECUTE", again) == "+OK\r\n"
    assert redis("GET", "timer") == value
    redis("DEL", "timer")
    until(lambda: engine.timers.count(session) == 0)
    until(lambda: engine.store.load_timers(engine, []) == [])


def test_a_key_that_is_taken(engines, redis):
    redis("SET", "timer", "x")
    engine = engines()
    script = "assert registerTE(1, lambda: 1, 'timer') is False"
    assert call(engine, "RG.PYEXECUTE", script) == "+OK\r\n"
    assert redis("GET", "timer") == "x"


@pytest.mark.parametrize("change", [("SET", "timer", "x"), ("RENAME", "timer", "y"), ("FLUSHALL",)])
def test_a_key_that_changes(engines, redis, change):
    engine = engines()
    call(engine, "RG.PYEXECUTE", WITH_KEY, "ID", "s")
    redis(*change)
    until(lambda: engine.timers.count(engine.sessions.get("s")) == 0)


def test_a_new_timer_for_a_deleted_key(engines, redis):
    engine = engines()
    call(engine, "RG.PYEXECUTE", "registerTE(0.1, lambda: execute('INCR', 'a'), 'timer')")
    redis("DEL", "timer")
    call(engine, "RG.PYEXECUTE", "registerTE(0.01, lambda: execute('INCR', 'b'), 'timer')")
    until(lambda: len(engine.timers._all) == 1)
    redis("DEL", "a")  # it may have been called before its key was deleted
    until(lambda: int(redis("GET", "b") or 0) > 3)
    assert redis("GET", "a") is None
    (saved,) = engine.store.load_timers(engine, [])
    assert saved.seconds == 0.01


def test_restart(engines, redis):
    engine = engines()
    call(engine, "RG.PYEXECUTE", WITH_KEY, "ID", "s")
    call(engine, "RG.PYEXECUTE", "registerTE(0.05, lambda: execute('INCR', 'n'), 'other')")
    engines.end()
    redis("DEL", "other")
    engine = engines()
    redis("DEL", "ticks")
    ticks(redis, 2)
    session = engine.sessions.get("s")
    assert (session.ref_count, engine.timers.count(session)) == (3, 1)
    session.globals["word"] = "after"
    until(lambda: redis("LRANGE", "ticks", "-1", "-1") == ["after"])
    assert [timer.key for timer in engine.store.load_timers(engine, [])] == [b"timer"]


def test_an_error_ends_it(engines, redis, caplog):
    engine = engines()
    call(engine, "RG.PYEXECUTE", "def tick(): execute('INCR', 'n'); nosuch\n"
         "registerTE(0.01, tick)\nregisterTE(0.01, tick, 'timer')")  # fmt: skip
    until(lambda: not engine.timers._all)
    until(lambda: redis("GET", "timer").endswith(" s, ended by an error"))
    assert redis("GET", "n") == "2"
    assert "time event tick ends: ['Traceback" in caplog.text
    assert "name 'nosuch' is not defined" in caplog.text
    assert engine.store.load_timers(engine, []) == []


def test_a_lost_connection_does_not_end_it(engines, redis, caplog):
    engine = engines()
    script = "def tick():\n    execute('INCR', 'n')\nregisterTE(0.02, tick)"
    call(engine, "RG.PYEXECUTE", script)
    until(lambda: redis("GET", "n"))
    address, engine.keyspace.address = engine.keyspace.address, Address.parse("unix:///nowhere")
    redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    until(lambda: "; it goes on" in caplog.text)
    engine.keyspace.address = address
    before = int(redis("GET", "n"))
    until(lambda: int(redis("GET", "n")) > before + 2)


def test_no_catching_up(engines, redis):
    engine = engines()
    script = "import time\ndef tick():\n    execute('RPUSH', 'ticks', time.monotonic())\n    time.sleep(0.1)"
    call(engine, "RG.PYEXECUTE", script + "\nregisterTE(0.05, tick)")
    ticks(redis, 3)
    times = [float(text) for text in redis("LRANGE", "ticks", "0", "-1")]
    assert all(later - earlier >= 0.149 for earlier, later in zip(times, times[1:]))


def test_a_lock_that_was_left_is_released(engines, redis):
    engine = engines()
    script = (
        "def tick():\n    atomic().__enter__()\n    execute('INCR', 'n')\nregisterTE(0.01, tick)"
    )
    call(engine, "RG.PYEXECUTE", script)
    until(lambda: int(redis("GET", "n") or 0) > 2)
    assert call(engine, "RG.PYEXECUTE", "execute('PING')") == "+OK\r\n"


@pytest.mark.parametrize(
    "arguments, text",
    [
        ("1", "not enough arguments for time event"),
        ("1, f, 'k', 2", "not enough arguments for time event"),
        ("'x', f", "time event interval must be a positive number of seconds"),
        ("0, f", "time event interval must be a positive number of seconds"),
        ("True, f", "time event interval must be a positive number of seconds"),
        ("1, len", "time event callback must be a function"),
        ("1, c", "time event callback must be a function"),
        ("1, f, 7", "time event key must be a string"),
        ("1, locked, 'k'", "Error occured when serialized a python callback, callback=locked"),
    ],
)
def test_wrong_arguments(engines, redis, arguments, text):
    engine = engines()
    script = "import threading\nlock = threading.Lock()\nasync def c(): pass\ndef f(): pass\n"
    script += f"def locked(): lock\nregisterTE({arguments})"
    assert f"gears.error: {text}" in call(engine, "RG.PYEXECUTE", script)
    assert redis("KEYS", "*") == []


def test_in_a_thread_of_no_session(engines):
    engine = engines()
    script = (
        "def f():\n    try: registerTE(1, f)\n    except Exception as e: failed.append(str(e))\n"
        "failed = []\nthread = Thread(target=f)\nthread.start()\nthread.join()\n"
        "assert failed == ['Can not register a time event outside of a session']"
    )
    assert call(engine, "RG.PYEXECUTE", script) == "+OK\r\n"


def test_a_file_that_cannot_be_written(engines, redis, tmp_path):
    engine = engines()
    engine.store.close()
    engine.store.path = str(tmp_path / "no" / "file")
    reply = call(engine, "RG.PYEXECUTE", "registerTE(1, lambda: 1, 'timer')")
    assert "Failed serializing time event" in reply
    assert redis("KEYS", "*") == []
