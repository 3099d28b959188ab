"""RG.ABORTEXECUTION: whatever the function does."""

import queue
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from redgrease.engine import executions
from redgrease.engine.pool import Pool
from redgrease.engine.registrations import Registration, Request
from redgrease.engine.sessions import Session

pytest_plugins = ["worker_fixtures"]

ONE = "GB('ShardsIDReader').map(f).run()"
QUICK = "GB('ShardsIDReader').map(lambda x: execute('PING')).run()"
STOPPED = b"gears.forcestopped"


def running(worker, redis, body, run=ONE):
    """Start a function; returns its ID when it is under way."""
    before = int(redis("GET", "started") or 0)
    ident = worker.call("RG.PYEXECUTE", f"{body}\n{run}", "UNBLOCKING")
    while int(redis("GET", "started") or 0) <= before:
        time.sleep(0.001)
    return ident


def function(text, kind="def"):
    """A function that reports its start, and goes on with some lines."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    names = "import asyncio, socket, threading, time\n"
    return f"{names}{kind} f(x):\n    execute('INCR', 'started')\n{lines}"


def aborted(worker, ident):
    """Abort an execution; returns its errors."""
    assert worker.call("RG.ABORTEXECUTION", ident) == "OK"
    results, errors = worker.call("RG.GETRESULTS", ident)
    assert results == []
    return errors


SNIPPETS = [
    "while True: pass",
    "while True: execute('PING')",
    "while True: time.sleep(0.001)",
    "while True:\n    with atomic(): pass",
    "while True:\n    with atomic(): execute('PING')",
    "while True: log('x', 'debug')",
    "while True: threading.Event().wait(0.01)",
    "while True: threading.Lock().acquire() and threading.Condition().acquire()",
    "one, other = socket.socketpair()\none.settimeout(0.01)\n"
    "while True:\n    try: one.recv(1)\n    except TimeoutError: pass",
    "sum(1 for _ in iter(int, 1))",
    "time.sleep(0.3)\ntime.sleep(0.3)\nwhile True: str(x)",
    "for _ in range(3):\n    try:\n        while True: pass\n    except Exception: pass\n"
    "raise ValueError('gears.forcestopped')",
    "try:\n    while True: pass\nexcept BaseException: raise ValueError('gears.forcestopped')",
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_running_code_is_stopped(worker, redis, snippet):
    ident = running(worker, redis, function(snippet))
    (error,) = aborted(worker, ident)
    assert STOPPED in error
    assert worker.run(QUICK) == ([b"PONG"], [])


@pytest.mark.parametrize(
    "run",
    [
        "GB('PythonReader').count().run(lambda: 1)",
        "GB('PythonReader').map(lambda x: x).sort().run(lambda: 1)",
        "GB('PythonReader').distinct().run(lambda: 1)",
        "GB('PythonReader').flatmap(lambda x: [x] * 9).groupby(lambda x: x, lambda k, a, r: r)"
        ".run(lambda: 1)",
        "GB('PythonReader').map(c).filter(lambda x: x).count().run(lambda: 1)",
    ],
)
def test_endless_reading_is_stopped(worker, run):
    script = "async def c(x):\n    return x\n" + run
    ident = worker.call("RG.PYEXECUTE", script, "UNBLOCKING")
    assert worker.call("RG.ABORTEXECUTION", ident) == "OK"
    _, errors = worker.call("RG.GETRESULTS", ident)
    assert len(errors) <= 1
    assert worker.run(QUICK) == ([b"PONG"], [])


@pytest.mark.parametrize("snippet", SNIPPETS[:4])
def test_a_pool_full_of_busy_functions(worker, redis, snippet):
    busy = [running(worker, redis, function(snippet)) for _ in range(3)]
    waiting = [worker.call("RG.PYEXECUTE", QUICK, "UNBLOCKING") for _ in range(2)]
    assert worker.call("RG.ABORTEXECUTION", waiting[0]) == "OK"
    assert worker.call("RG.GETRESULTS", waiting[0]) == [[], []]
    statuses = {entry[1]: entry[3] for entry in worker.call("RG.DUMPEXECUTIONS")}
    assert [statuses[ident] for ident in (busy[0], *waiting)] == [
        b"running",
        b"aborted",
        b"created",
    ]
    ends = [worker.start("RG.ABORTEXECUTION", ident) for ident in busy]
    assert [end.get() for end in ends] == ["OK"] * 3
    for ident in busy:
        assert STOPPED in worker.call("RG.GETRESULTS", ident)[1][0]
    assert worker.call("RG.GETRESULTSBLOCKING", waiting[1]) == [[b"PONG"], []]


@pytest.mark.parametrize(
    "snippet",
    [
        "await asyncio.sleep(1000)",
        "await createFuture()",
        "while True: await asyncio.sleep(0)",
        "while True: pass",
        "while True: execute('PING')",
    ],
)
def test_coroutines_are_stopped(worker, redis, snippet):
    ident = running(worker, redis, function(snippet, "async def"))
    errors = aborted(worker, ident)
    assert len(errors) == 1
    script = "async def f(x):\n    return execute('PING')\n" + ONE
    assert worker.run(script) == ([b"PONG"], [])


def test_what_waits_for_a_future_is_stopped(worker, redis):
    script = function("global kept\nkept = gearsFuture()\nreturn kept")
    (error,) = aborted(worker, running(worker, redis, script))
    assert STOPPED in error


def test_many_that_wait_are_stopped(worker, redis):
    script = function("await createFuture()", "async def")
    idents = [running(worker, redis, script) for _ in range(20)]
    assert worker.run(QUICK) == ([b"PONG"], [])
    ends = [worker.start("RG.ABORTEXECUTION", ident) for ident in idents]
    assert [end.get() for end in ends] == ["OK"] * 20


def test_an_execution_within_another_is_stopped_with_it(worker, redis):
    inner = function("while True: pass")
    inner += "GB('CommandReader').map(f).register(trigger='inner', mode='sync')"
    assert worker.call("RG.PYEXECUTE", inner) == "OK"
    outer = "def g(x):\n    while True:\n        execute('RG.TRIGGER', 'inner')\n"
    ident = running(worker, redis, outer, "GB('ShardsIDReader').map(g).run()")
    (error,) = aborted(worker, ident)
    assert STOPPED in error
    assert worker.run(QUICK) == ([b"PONG"], [])


def test_an_inner_execution_alone_is_stopped(worker, redis):
    inner = function("while True: pass")
    inner += "GB('CommandReader').map(f).register(trigger='inner', mode='sync')"
    assert worker.call("RG.PYEXECUTE", inner) == "OK"
    outer = "def g(x):\n    with atomic():\n"
    outer += "        try: execute('RG.TRIGGER', 'inner')\n"
    outer += "        except Exception as error: return [isInAtomicBlock(), execute('PING')]\n"
    ident = running(worker, redis, outer, "GB('ShardsIDReader').map(g).run()")
    idents = [entry[1] for entry in worker.call("RG.DUMPEXECUTIONS")]
    (other,) = [one for one in idents if one != ident]
    assert worker.call("RG.ABORTEXECUTION", other) == "OK"
    assert worker.call("RG.GETRESULTSBLOCKING", ident) == [[b"[True, 'PONG']"], []]


BLOCKED = """import sys
open({path!r}, 'w').close()
for _ in range(10):
    try: sys.gate.get()
    except BaseException: pass  # it came before the call, which cannot be stopped
raise SystemExit"""
LOCKED = "lock = threading.Lock()\nlock.acquire()\nopen({path!r}, 'w').close()\nlock.acquire()"
STUBBORN = """def resist():
    open({path!r}, 'w').close()
    while True:
        try:
            while True: pass
        except BaseException: pass
def stubborn(depth):
    try: stubborn(depth - 1) if depth else resist()
    except BaseException: stubborn(depth)
stubborn(20)"""


def resisting(worker, redis, path, snippet):
    """Start a function that will not be stopped; returns its ID when it is at that point."""
    ident = running(worker, redis, function(snippet.format(path=str(path))))
    while not path.exists():
        time.sleep(0.001)
    return ident


def test_a_function_that_resists_is_left_alone(worker, redis, monkeypatch, tmp_path):
    monkeypatch.setattr(executions, "ABORT_PATIENCE", 0.2)
    monkeypatch.setattr(executions, "ABORT_ROUNDS", 3)
    gate = queue.SimpleQueue()
    monkeypatch.setattr(sys, "gate", gate, raising=False)
    try:
        (error,) = aborted(worker, resisting(worker, redis, tmp_path / "there", BLOCKED))
        assert b"resisted" in error
        idents = [worker.call("RG.PYEXECUTE", QUICK, "UNBLOCKING") for _ in range(4)]
        for ident in idents:
            assert worker.call("RG.GETRESULTSBLOCKING", ident) == [[b"PONG"], []]
    finally:
        for _ in range(20):
            gate.put(None)


@pytest.mark.parametrize("snippet", [STUBBORN, LOCKED])
def test_a_function_that_resists_costs_the_worker(process_worker, redis, snippet, tmp_path):
    ident = resisting(process_worker, redis, tmp_path / "there", snippet)
    blocked = process_worker.start("RG.GETRESULTSBLOCKING", ident)
    started = time.monotonic()
    assert process_worker.call("RG.ABORTEXECUTION", ident) == "OK"
    assert time.monotonic() - started > 4
    assert b"resisted" in blocked.get()[1][0]
    assert process_worker.process.wait(20) == 70


@pytest.mark.parametrize(
    "snippet",
    [
        "time.sleep(1000)",
        "while True:\n    try: time.sleep(1000)\n    except ValueError: pass",
        "from time import sleep\nsleep(1000)",
    ],
)
def test_a_long_sleep_is_ended(process_worker, redis, snippet):
    ident = running(process_worker, redis, function(snippet))
    (error,) = aborted(process_worker, ident)
    assert STOPPED in error and b"resisted" not in error
    assert process_worker.process.poll() is None


def test_aborts_at_any_moment(worker, redis):
    """Many short functions, each stopped at some other point of its life."""
    script = """
def f(x):
    with atomic():
        execute('INCR', 'n')
    execute('PING')
    return x
GB('PythonReader').map(f).flatmap(lambda x: [x, x]).filter(lambda x: True).count().run(
    lambda: (i for i in range(20)))
"""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    try:
        for number in range(100):
            ident = worker.call("RG.PYEXECUTE", script, "UNBLOCKING")
            threading.Event().wait(number * 0.00005)
            assert worker.call("RG.ABORTEXECUTION", ident) == "OK"
    finally:
        sys.setswitchinterval(interval)
    assert worker.run(QUICK) == ([b"PONG"], [])
    assert worker.run("GB('ShardsIDReader').map(lambda x: isInAtomicBlock()).run()") == (
        [b"False"],
        [],
    )


@pytest.fixture
def registration():
    """A registration by itself."""
    engine = SimpleNamespace(
        settings={"MaxExecutions": 0, "MaxExecutionsPerRegistration": 100, "ProfileExecutions": 0},
        shard=SimpleNamespace(id="0" * 40),
        futures=SimpleNamespace(interrupt=lambda execution: None),
        pool=Pool(1),
    )
    engine.executions = executions.Executions(engine)
    made = Registration(engine, Session("s"), Request("r", "KeysReader", None, (), "async"))
    made.active = True
    yield made
    engine.pool.close()


def test_who_has_aborted_finds_it_counted(registration):
    counting, go, ended = threading.Event(), threading.Event(), []

    def count(execution):
        counting.set()
        go.wait(10)

    execution = registration.create(lambda: (), count)
    ending = threading.Thread(target=execution.cancel)
    aborting = threading.Thread(target=lambda: ended.append(execution.abort()))
    ending.start()
    assert counting.wait(10)
    aborting.start()
    aborting.join(0.1)
    assert ended == []
    go.set()
    aborting.join(10)
    assert ended == [True]
    ending.join(10)


def test_none_begins_that_is_made_while_its_registration_ends(registration):
    """The event was faster than the end, but not the execution."""
    before = registration.create(lambda: ())
    registration.deactivate(abort_pending=True)
    after = registration.create(lambda: ())
    assert before.status == after.status == "aborted"
    assert registration.engine.executions.all() == []
