"""Executions: states, results, limits, abort."""

import pytest

pytest_plugins = ["worker_fixtures"]

WAIT = """
import threading
gate = threading.Event()
def f(x):
    while not gate.wait(0.01): pass
    return x
"""
UNTIL_KEY = """
import time
def f(x):
    execute('INCR', 'started')
    while not execute('EXISTS', 'go'):
        time.sleep(0.005)
    return x
GB('ShardsIDReader').map(f).run()
"""


def started(redis, number=1):
    while int(redis("GET", "started") or 0) < number:
        pass


def test_the_life_of_an_execution(worker, redis):
    ident = worker.call("RG.PYEXECUTE", UNTIL_KEY, "UNBLOCKING")
    started(redis)
    assert worker.call("RG.DUMPEXECUTIONS") == [
        [b"executionId", ident, b"status", b"running", b"registered", 0]
    ]
    assert worker.call("RG.GETRESULTS", ident) == "execution is still running"
    assert worker.call("RG.DROPEXECUTION", ident).startswith("can not drop")
    waiting = worker.start("RG.GETRESULTSBLOCKING", ident)
    redis("SET", "go", 1)
    assert waiting.get() == [[b"1"], []]
    assert worker.call("RG.GETRESULTSBLOCKING", ident) == [[b"1"], []]
    assert worker.call("RG.DROPEXECUTION", ident) == "OK"
    assert worker.call("RG.GETRESULTS", ident) == "execution plan does not exist"


@pytest.mark.parametrize(
    "body",
    ["while True: pass", "while True: execute('PING')", "while True: time.sleep(0.001)"],
)
def test_a_running_function_is_stopped(worker, redis, body):
    script = f"import time\ndef f(x):\n    execute('INCR', 'started')\n    {body}\n"
    script += "GB('ShardsIDReader').map(f).run()"
    blocked = worker.start("RG.PYEXECUTE", script)
    started(redis)
    ((_, ident, *_),) = worker.call("RG.DUMPEXECUTIONS")
    assert worker.call("RG.ABORTEXECUTION", ident) == "OK"
    results, (error,) = blocked.get()
    assert results == []
    assert b"gears.forcestopped" in error
    assert worker.run("GB('ShardsIDReader').map(lambda x: execute('PING')).run()") == (
        [b"PONG"],
        [],
    )


def test_endless_reading_is_stopped(worker):
    ident = worker.call("RG.PYEXECUTE", "GB('PythonReader').count().run(lambda: 1)", "UNBLOCKING")
    assert worker.call("RG.ABORTEXECUTION", ident) == "OK"
    results, errors = worker.call("RG.GETRESULTS", ident)
    assert len(errors) <= 1


def test_a_long_sleep_is_ended(process_worker, redis):
    script = "import time\ndef f(x):\n    execute('INCR', 'started')\n    time.sleep(1000)\n"
    ident = process_worker.call(
        "RG.PYEXECUTE", script + "GB('ShardsIDReader').map(f).run()", "UNBLOCKING"
    )
    started(redis)
    assert process_worker.call("RG.ABORTEXECUTION", ident) == "OK"
    results, (error,) = process_worker.call("RG.GETRESULTS", ident)
    assert b"gears.forcestopped" in error
    assert process_worker.process.poll() is None


STUBBORN = """
import threading
def f(x):
    execute('INCR', 'started')
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
GB('ShardsIDReader').map(f).run()
"""


def test_the_list_is_limited(worker):
    worker.call("RG.CONFIGSET", "MaxExecutions", "2")
    run = ("RG.PYEXECUTE", "GB('ShardsIDReader').run()", "UNBLOCKING")
    idents = []
    for _ in range(4):
        idents.append(worker.call(*run))
        worker.call("RG.GETRESULTSBLOCKING", idents[-1])
    assert [entry[1] for entry in worker.call("RG.DUMPEXECUTIONS")] == idents[2:]
    assert worker.call("RG.GETRESULTS", idents[0]) == "execution plan does not exist"


def test_an_unfinished_execution_leaves_the_list_when_it_is_done(worker, redis):
    worker.call("RG.CONFIGSET", "MaxExecutions", "1")
    old = worker.call("RG.PYEXECUTE", UNTIL_KEY, "UNBLOCKING")
    started(redis)
    new = worker.call("RG.PYEXECUTE", "GB('ShardsIDReader').run()", "UNBLOCKING")
    waiting = worker.start("RG.GETRESULTSBLOCKING", old)
    redis("SET", "go", 1)
    assert waiting.get() == [[b"1"], []]
    assert [entry[1] for entry in worker.call("RG.DUMPEXECUTIONS")] == [new]


def test_the_plan_is_shown(worker):
    worker.call("RG.CONFIGSET", "ProfileExecutions", "1")
    script = """
import time
def slow(x):
    time.sleep(0.02)
    return x
GB('ShardsIDReader').map(slow).flatmap(lambda x: [x, 1 // 0]).run()
"""
    ident = worker.call("RG.PYEXECUTE", script, "UNBLOCKING")
    worker.call("RG.GETRESULTSBLOCKING", ident)
    ((_, shard, _, plan),) = worker.call("RG.GETEXECUTION", ident, "SHARD")
    assert shard == b"0" * 40
    fields = dict(zip(plan[::2], plan[1::2]))
    assert fields[b"status"] == b"done"
    assert fields[b"results"] == 0
    assert len(fields[b"errors"]) == 1
    assert fields[b"total_duration"] >= 20
    steps = fields[b"steps"]
    assert [step[1] for step in steps] == [b"collect", b"map", b"flatmap", b"map", b"map", b"map"]
    assert steps[4][3] >= 20
    assert steps[4][7] == b"slow"
    assert worker.call("RG.GETEXECUTION", ident, "SHARDS") == "unknown subcommand"


def test_results_for_both_protocols(worker):
    script = "GB('ShardsIDReader').map(lambda x: [2 ** 70, '\\ud800']).run(convertToStr=False)"
    assert worker.call("RG.PYEXECUTE", script) == [[[b"%d" % 2**70, b"\\ud800"]], []]
    assert worker.call("RG.PYEXECUTE", script, flags="3") == [[[2**70, b"\\ud800"]], []]


def test_coroutines_and_futures(worker):
    script = """
import asyncio, threading
async def f(x):
    await asyncio.sleep(0.01)
    return x + 1
def g(x):
    future = gearsFuture()
    threading.Thread(target=future.continueRun, args=([x, x * 10],)).start()
    return future
GB('PythonReader').map(f).flatmap(g).run(lambda: (i for i in range(3)))
"""
    assert worker.run(script) == ([b"10", b"1", b"20", b"2", b"30", b"3"], [])


def test_errors_of_coroutines_are_their_messages(worker):
    script = "async def f(x):\n    raise ValueError('late')\nGB('ShardsIDReader').map(f).run()"
    assert worker.run(script) == ([], ["late"])


def test_functions_that_wait_do_not_fill_the_pool(worker, redis):
    script = """
async def f(x):
    import asyncio
    execute('INCR', 'started')
    while not execute('EXISTS', 'go'):
        await asyncio.sleep(0.005)
GB('ShardsIDReader').map(f).run()
"""
    idents = [worker.call("RG.PYEXECUTE", script, "UNBLOCKING") for _ in range(6)]
    started(redis, 6)
    assert worker.run("GB('ShardsIDReader').run()") == ([b"1"], [])
    assert worker.call("RG.ABORTEXECUTION", idents[0]) == "OK"
    redis("SET", "go", 1)
    for ident in idents[1:]:
        assert worker.call("RG.GETRESULTSBLOCKING", ident) == [[b"None"], []]
