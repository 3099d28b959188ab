"""Steps whose results come later: coroutines, gearsFutures, runs within functions."""

import time

import pytest

pytest_plugins = ["worker_fixtures"]

ONE = "GB('ShardsIDReader')"
NUMBERS = "lambda: (i for i in range({}))"


def results(worker, script):
    """The results of a script, which has no errors."""
    values, errors = worker.run(script)
    assert errors == []
    return [value.decode() for value in values]


def failure(worker, script):
    """The one error of a script, which has no results."""
    values, (error,) = worker.run(script)
    assert values == []
    return error


ASYNC = """
import asyncio, threading
async def coroutine(value):
    await asyncio.sleep(0.001)
    return value
def future(value):
    made = gearsFuture()
    threading.Timer(0.001, made.continueRun, (value,)).start()
    return made
"""


@pytest.mark.parametrize("kind", ["coroutine", "future"])
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("map(lambda x: later(x * 2))", ["0", "2", "4"]),
        ("filter(lambda x: later(x % 2))", ["1"]),
        ("foreach(lambda x: later(None))", ["0", "1", "2"]),
        ("flatmap(lambda x: later([x, x + 5]))", ["5", "0", "6", "1", "7", "2"]),
        ("flatmap(lambda x: later((x,)))", ["(0,)", "(1,)", "(2,)"]),
        ("accumulate(lambda a, r: later((a or 0) + r))", ["3"]),
        ("aggregate(1, lambda a, r: later(a + r), lambda a, r: later(a + r))", ["5"]),
        (
            "groupby(lambda x: x % 2, lambda k, a, r: later((a or 0) + r))",
            ["{'key': '0', 'value': 2}", "{'key': '1', 'value': 1}"],
        ),
        (
            "localgroupby(lambda x: 'k', lambda k, a, r: later((a or 0) + r))",
            ["{'key': 'k', 'value': 3}"],
        ),
        ("flatmap(lambda x: [x, x]).map(lambda x: later(x)).limit(2, 1)", ["0", "1"]),
        ("map(lambda x: later(x)).map(lambda x: later(9 - x)).sort()", ["7", "8", "9"]),
        ("map(lambda x: later(x) if x == 1 else x).distinct().count()", ["3"]),
    ],
)
def test_steps_wait(worker, kind, steps, expected):
    script = f"{ASYNC}later = {kind}\nGB('PythonReader').{steps}.run({NUMBERS.format(3)})"
    assert results(worker, script) == expected


@pytest.mark.parametrize("step", ["map(f)", "foreach(f)", "filter(f)", "flatmap(f)"])
def test_a_thousand_wait_beside_each_other(worker, step):
    script = f"""
import asyncio
async def f(x):
    await asyncio.sleep(0.1)
    return [x]
GB('PythonReader').{step}.count().run({NUMBERS.format(1000)})
"""
    started = time.monotonic()
    assert results(worker, script) == ["1000"]
    assert time.monotonic() - started < 50  # one after the other: 100


def test_not_more_than_a_thousand_wait(worker, redis):
    script = f"""
import asyncio
started = []
async def f(x):
    started.append(x)
    if x > 0:
        return x
    while len(started) < 1000:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    return len(started)
GB('PythonReader').map(f).limit(1).run({NUMBERS.format(2500)})
"""
    assert results(worker, script) == ["1000"]


def test_accumulating_steps_wait_for_one_at_a_time(worker):
    script = f"""
import asyncio
busy = []
async def f(a, r):
    busy.append(r)
    await asyncio.sleep(0)
    busy.remove(r)
    return (a or 0) + len(busy)
GB('PythonReader').accumulate(f).run({NUMBERS.format(20)})
"""
    assert results(worker, script) == ["0"]


def test_a_record_may_be_what_an_earlier_one_waits_for(worker):
    script = f"""
kept = []
def f(x):
    if x == 0:
        kept.append(gearsFuture())
        return kept[0]
    kept[0].continueRun('from the second')
    return x
GB('PythonReader').map(f).run({NUMBERS.format(2)})
"""
    assert results(worker, script) == ["from the second", "1"]


def test_errors_come_in_the_order_of_their_records(worker):
    script = """
import asyncio
async def f(x):
    await asyncio.sleep(0.05 - x / 100)
    if x % 2: raise ValueError('bad %d' % x)
    return x
GB('PythonReader').map(f).run(lambda: (i for i in range(5)))
"""
    assert worker.run(script) == ([b"0", b"2", b"4"], ["bad 1", "bad 3"])


def test_failing_futures(worker):
    script = f"""
import threading
def f(x):
    made = gearsFuture()
    threading.Thread(target=made.continueFailed, args=('no %d' % x,)).start()
    return made
{ONE}.map(lambda x: f(int(x))).run()
"""
    assert failure(worker, script) == "no 1"


@pytest.mark.parametrize("error", ["'late'", "ValueError('late')", "StopIteration('late')"])
def test_futures_of_the_loop_take_any_error(worker, error):
    script = f"""
import threading
async def f(x):
    made = createFuture()
    threading.Thread(target=setFutureException, args=(made, {error})).start()
    return await made
{ONE}.map(f).run()
"""
    assert failure(worker, script) == "late"


# -- what is refused ------------------------------------------------------------------------------

REFUSED = [
    ("map(lambda x: gearsFuture(x))", "Future gets no arguments"),
    ("map(lambda x: (gearsFuture(), gearsFuture()))", "Can not create async record twice"),
    ("map(lambda x: gearsFuture().continueRun(1))", "Can not handle future untill it returned"),
    ("map(lambda x: gearsFuture())", "Async record did not called continue"),
    ("repartition(lambda x: gearsFuture())", "Step does not support async"),
    ("repartition(c)", "coroutine are not allow on extractor"),
    ("groupby(lambda x: gearsFuture(), lambda k, a, r: r)", "Step does not support async"),
    ("groupby(c, lambda k, a, r: r)", "coroutine are not allow on extractor"),
    ("batchgroupby(lambda x: 1, lambda k, v: gearsFuture())", "Step does not support async"),
    ("batchgroupby(lambda x: 1, lambda k, v: c(k))", "coroutine are not allow on reduce"),
    ("map(c).repartition(c)", "coroutine are not allow on extractor"),
    ("map(c).repartition(lambda x: gearsFuture())", "Step does not support async"),
]


@pytest.mark.parametrize(("steps", "text"), REFUSED)
def test_what_is_refused(worker, steps, text):
    script = f"async def c(x):\n    return x\n{ONE}.{steps}.run()"
    assert text in failure(worker, script)


def test_futures_belong_into_steps(worker):
    text = "Future object can only be created inside certain execution steps"
    assert text in worker.call("RG.PYEXECUTE", "gearsFuture()")
    script = "def read():\n    yield gearsFuture()\nGB('PythonReader').run(read)"
    assert text in failure(worker, script)


def test_a_future_is_used_once(worker, redis):
    script = f"""
import threading
def f(x):
    made = gearsFuture()
    def work():
        made.continueRun(1)
        for method in (made.continueRun, made.continueFailed):
            try: method(2)
            except Exception as error: execute_later(str(error))
    threading.Thread(target=work).start()
    return made
session = None
def execute_later(text):
    with GearsSession(session):
        execute('RPUSH', 'errors', text)
def g(x):
    global session
    session = getGearsSession()
    return x
{ONE}.map(g).map(f).run()
"""
    assert results(worker, script) == ["1"]
    while int(redis("LLEN", "errors")) < 2:
        time.sleep(0.001)
    texts = redis("LRANGE", "errors", "0", "-1")
    assert texts == ["Can not continue with the same future twice"] * 2


def test_a_future_that_is_not_returned_is_dropped(worker):
    script = "def f(x):\n    gearsFuture()\n    return 7\n"
    assert results(worker, f"{script}{ONE}.map(f).map(f).run()") == ["7"]
    script = "def f(a, x):\n    gearsFuture()\n    return 7\n"
    assert results(worker, f"{script}{ONE}.accumulate(f).run()") == ["None"]


def test_a_future_that_nobody_keeps_is_lost(worker):
    script = f"""
def f(x):
    return [gearsFuture(), None][0] if x == 1 else x
GB('PythonReader').map(f).run({NUMBERS.format(3)})
"""
    assert worker.run(script) == ([b"0"], ["Async record did not called continue"])


# -- coroutines and the loop ----------------------------------------------------------------------


def test_two_executions_meet(worker, redis):
    script = f"""
import sys
async def wait(x):
    future = createFuture()
    sys.meeting = future
    execute('SET', 'waiting', 1)
    return await future
{ONE}.map(wait).run()
"""
    try:
        waiting = worker.start("RG.PYEXECUTE", script)
        while not redis("EXISTS", "waiting"):
            time.sleep(0.001)
        wake = f"import sys\n{ONE}.foreach(lambda x: setFutureResults(sys.meeting, 'hello')).run()"
        assert results(worker, wake) == ["1"]
        assert waiting.get() == [[b"hello"], []]
        waiting = worker.start("RG.PYEXECUTE", script.replace("'waiting'", "'again'"))
        while not redis("EXISTS", "again"):
            time.sleep(0.001)
        wake = wake.replace("setFutureResults", "setFutureException")
        wake = wake.replace("'hello'", "ValueError('no')")
        assert results(worker, wake + "\n") == ["1"]
        assert waiting.get() == [[], [b"no"]]
    finally:
        import sys

        del sys.meeting


def test_run_coroutine(worker):
    script = f"""
async def value(): return 5
async def bad(): raise ValueError('no')
def f(make):
    made = gearsFuture()
    runCoroutine(make(), made, delay=0.01)
    return made
{ONE}.flatmap(lambda x: [bad, value]).map(f).run()
"""
    assert worker.run(script) == ([b"5"], ["no"])


def test_other_runs_can_be_awaited(worker):
    script = f"""
async def f(x):
    inner = await GB('PythonReader').map(lambda x: x + 1).run({NUMBERS.format(2)})
    bad = await GB('ShardsIDReader').map(lambda x: flat_error('no')).run()
    return inner, bad
{ONE}.map(f).run()
"""
    assert results(worker, script) == ["([['1', '2'], []], [[], ['no']])"]
    assert worker.call("RG.DUMPEXECUTIONS") == []


def test_await_in_atomic_blocks(worker):
    script = f"""
async def f(x):
    with atomic():
        await createFuture()
{ONE}.map(f).run()
"""
    assert failure(worker, script) == "await is not allow inside atomic block"
    assert results(worker, f"{ONE}.map(lambda x: execute('PING')).run()") == ["PONG"]


def test_waiting_executions_leave_the_threads_to_others(worker, redis):
    script = f"""
async def f(x):
    execute('INCR', 'started')
    await createFuture()
{ONE}.map(f).run()
"""
    idents = [worker.call("RG.PYEXECUTE", script, "UNBLOCKING") for _ in range(30)]
    while int(redis("GET", "started") or 0) < 30:
        time.sleep(0.001)
    assert results(worker, f"{ONE}.run()") == ["1"]
    (status,) = {entry[3] for entry in worker.call("RG.DUMPEXECUTIONS")}
    assert status == b"running"
    for ident in idents:
        assert worker.call("RG.ABORTEXECUTION", ident) == "OK"


def test_events_do_not_queue_behind_one_that_waits(worker, redis):
    script = """
future = None
async def f(r):
    global future
    execute('RPUSH', 'log', r['key'])
    if r['key'] == 'k1':
        future = createFuture()
        await future
    else:
        future.set_result(1)
    execute('RPUSH', 'log', 'end')
GB().foreach(f).register('k*', mode='async_local')
"""
    assert worker.call("RG.PYEXECUTE", script) == "OK"
    redis("SET", "k1", "1")
    redis("SET", "k2", "1")
    while redis("LLEN", "log") < 4:
        time.sleep(0.001)
    assert redis("LRANGE", "log", "0", "1") == ["k1", "k2"]


def test_unregistering_with_pending_futures(worker, redis):
    script = """
async def f(x):
    execute('INCR', 'started')
    await createFuture()
GB('CommandReader').map(f).register(trigger='t')
"""
    assert worker.call("RG.PYEXECUTE", script) == "OK"
    waiting = worker.start("RG.TRIGGER", "t")
    while not redis("EXISTS", "started"):
        time.sleep(0.001)
    ((_, registration, *_),) = worker.call("RG.DUMPREGISTRATIONS")
    ((_, ident, *_),) = worker.call("RG.DUMPEXECUTIONS")
    assert worker.call("RG.UNREGISTER", registration, "abortpending") == "OK"
    assert not waiting.came
    assert worker.call("RG.ABORTEXECUTION", ident) == "OK"
    assert "gears.forcestopped" in waiting.get()
