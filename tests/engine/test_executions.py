"""Executions: states, results, limits, abort."""

from types import SimpleNamespace

import pytest
from support.waiting import eventually

from redgrease.engine.executions import Kept

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
    worker.call("RG.NETWORKTEST")  # it has been taken by now
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


def idents(worker):
    return [entry[1] for entry in worker.call("RG.DUMPEXECUTIONS")]


def test_no_limit(worker):
    worker.call("RG.CONFIGSET", "MaxExecutions", "0")
    run = ("RG.PYEXECUTE", "GB('ShardsIDReader').run()", "UNBLOCKING")
    made = [worker.call(*run) for _ in range(5)]
    for ident in made:
        worker.call("RG.GETRESULTSBLOCKING", ident)
    assert idents(worker) == made


def test_what_stays_only_for_a_while_counts(worker):
    worker.call("RG.CONFIGSET", "MaxExecutions", "2")
    kept = worker.call("RG.PYEXECUTE", "GB('ShardsIDReader').run()", "UNBLOCKING")
    worker.call("RG.GETRESULTSBLOCKING", kept)
    for _ in range(3):
        assert worker.run("GB('ShardsIDReader').run()") == ([b"1"], [])
        assert idents(worker) == [kept]
    inner = "GB('ShardsIDReader').map(lambda x: '1').run()"
    script = f"async def f(x):\n    return await {inner}\nGB('ShardsIDReader').map(f).run()"
    assert worker.run(script) == ([b"[['1'], []]"], [])
    assert idents(worker) == []


def test_registrations_keep_their_last_executions(worker, redis):
    worker.call("RG.CONFIGSET", "MaxExecutionsPerRegistration", "2")
    for prefix in ("a", "b"):
        script = f"GB().foreach(lambda r: execute('INCR', 'n')).register('{prefix}*')"
        assert worker.call("RG.PYEXECUTE", script) == "OK"
    for name in ("a1", "b1", "a2", "a3", "a4"):
        redis("SET", name, "1")
    eventually(lambda: redis("GET", "n"), "5")

    def listed():
        return [(entry[3], entry[5]) for entry in worker.call("RG.DUMPEXECUTIONS")]

    eventually(listed, [(b"done", 1)] * 3)
    for registration in worker.call("RG.DUMPREGISTRATIONS"):
        assert worker.call("RG.UNREGISTER", registration[1]) == "OK"
    eventually(lambda: idents(worker), [])


def test_an_execution_within_another_restores_what_it_changes(worker):
    inner = """
def f(r):
    with atomic():
        execute('INCR', 'n')
    return [isInAtomicBlock(), r[1]]
GB('CommandReader').map(f).register(trigger='inner', mode='sync')
"""
    assert worker.call("RG.PYEXECUTE", inner) == "OK"
    outer = """
def f(x):
    before = getGearsSession()
    with atomic():
        result = execute('RG.TRIGGER', 'inner', 'a')
        inside = isInAtomicBlock()
    return [result, inside, isInAtomicBlock(), before is getGearsSession(), execute('GET', 'n')]
GB('ShardsIDReader').map(f).run()
"""
    expected = "[[\"[False, 'a']\"], True, False, True, '1']"
    assert worker.run(outer) == ([expected.encode()], [])
    assert len(worker.released) == len(worker.holds) == 1


def test_durations(worker, redis):
    worker.call("RG.CONFIGSET", "ProfileExecutions", "1")
    script = """
import time
def read():
    time.sleep(0.02)
    yield 1
def slow(a, r):
    time.sleep(0.02)
    return r
GB('PythonReader').accumulate(slow).groupby(lambda x: 1, lambda k, a, r: slow(a, r)).run(read)
"""
    ident = worker.call("RG.PYEXECUTE", script, "UNBLOCKING")
    worker.call("RG.GETRESULTSBLOCKING", ident)
    plan = worker.call("RG.GETEXECUTION", ident)[0][3]
    fields = dict(zip(plan[::2], plan[1::2]))
    assert fields[b"read_duration"] >= 20
    assert fields[b"total_duration"] >= 60
    durations = {step[1]: step[3] for step in fields[b"steps"]}
    assert durations[b"accumulate"] >= 20
    assert durations[b"map"] == 0
    assert sum(durations.values()) <= fields[b"total_duration"]


@pytest.mark.parametrize("step", ["map(f)", "map(g).map(f)", "accumulate(lambda a, r: f(r))"])
def test_exits_are_errors_of_their_records(worker, step):
    script = f"""
def f(x):
    if x == 2: raise SystemExit('out')
    return x
async def g(x):
    return x
GB('PythonReader').{step}.run(lambda: (i for i in range(4)))
"""
    results, (error,) = worker.run(script)
    assert "SystemExit: out" in error
    assert results[:2] == ([] if "accumulate" in step else [b"0", b"1"])


def test_exits_in_coroutines_do_not_end_the_loop(worker):
    script = """
async def bad(): raise SystemExit('out')
def f(x):
    made = gearsFuture()
    runCoroutine(bad(), made)
    return made
async def g(x): raise SystemExit('gone')
GB('ShardsIDReader').flatmap(lambda x: [1, 2]).map(lambda x: f(x) if x == 2 else g(x)).run()
"""
    assert worker.run(script) == ([], ["out", "gone"])
    script = "async def g(x): return x\nGB('ShardsIDReader').map(g).run()"
    assert worker.run(script) == ([b"1"], [])


def test_what_ends_after_its_registration_is_not_kept():
    dropped = []
    engine = SimpleNamespace(
        settings={"MaxExecutionsPerRegistration": 2},
        executions=SimpleNamespace(drop=dropped.append),
    )
    kept = Kept(engine)
    for ident in "abc":
        kept.ended(SimpleNamespace(id=ident))
    assert dropped == ["a"]
    kept.drop_all()
    kept.ended(SimpleNamespace(id="d"))
    assert dropped == ["a", "b", "c", "d"]
