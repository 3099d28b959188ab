"""What GearsBuilder accepts and refuses, and what it makes of it."""

import ast

import pytest

pytest_plugins = ["worker_fixtures"]


def refusal(worker, script):
    reply = worker.call("RG.PYEXECUTE", script)
    assert type(reply).__name__ == "Error", reply
    return reply


@pytest.mark.parametrize(
    "chain, text",
    [
        ("map(1)", "map argument must be a function"),
        ("map(str)", "map argument must be a function"),
        ("map()", "wrong number of args to map function"),
        ("filter(None)", "filter argument must be a function"),
        ("flatmap()", "wrong number of args to flatmap function"),
        ("foreach('x')", "foreach argument must be a function"),
        ("accumulate(len)", "accumulate argument must be a function"),
        ("limit()", "wrong number of args to limit function"),
        ("limit('1')", "limit argument must be a number"),
        ("limit(1, 2.5)", "limit argument must be a number"),
        ("collect(1)", "wrong number of args to collect function"),
        ("repartition(1)", "repartition argument must be a function"),
        ("groupby(1, f)", "groupby extractor argument must be a function"),
        ("groupby(f, 1)", "groupby reducer argument must be a function"),
        ("localgroupby(f)", "wrong number of args to groupby function"),
        ("batchgroupby(1, f)", "batchgroupby extractor argument must be a function"),
        ("countby(str)", "groupby extractor argument must be a function"),
        ("aggregateby(str, 0, f, f)", "groupby extractor argument must be a function"),
        ("avg(float)", "map argument must be a function"),
        ("run(5)", "regex argument must be a string"),
        ("run('*', noScan=1)", "exactMatch value is not boolean"),
        ("run('*', readValue='x')", "readValue value is not boolean"),
        ("run(mode=5)", "execution mode must be a string"),
        ("run(mode='sync')", "unknown execution mode"),
        ("register(5)", "regex argument must be a string"),
        ("register(mode='x')", "unknown execution mode"),
    ],
)
def test_wrong_arguments(worker, chain, text):
    assert f"gears.error: {text}" in refusal(worker, f"f = lambda *a: 1\nGB().{chain}")


@pytest.mark.parametrize(
    "script, text",
    [
        ("GB('Nothing')", "The given reader does not exists"),
        ("GB(desc=5)", "desc argument must be a string"),
        ("GB('CommandReader').run()", "Given reader do not support run or not exists"),
        ("GB('PythonReader').run()", "pyreader argument must be a function"),
        ("GB('PythonReader').run(dict)", "pyreader argument must be a function"),
        ("PyFlatExecution('PythonReader').run()", "python reader function is not given"),
        ("GB().run()\nGB().run()", "Can not run more then 1 executions in a single script"),
    ],
)
def test_wrong_readers_and_runs(worker, script, text):
    assert f"gears.error: {text}" in refusal(worker, script)


@pytest.mark.parametrize(
    "script",
    [
        "GB().map(callback=lambda x: x)",
        "GB().count(1)",
        "GB().aggregate(1)",
        "GB('KeysOnlyReader').run(mode='async')",
    ],
)
def test_python_refuses_too(worker, script):
    assert "TypeError" in refusal(worker, script)


def test_no_frame_of_the_engine_is_shown(worker):
    text = refusal(worker, "def go():\n    GB().map(1)\ngo()")
    assert "in go" in text
    assert "redgrease" not in text


@pytest.mark.parametrize(
    "chain, expected",
    [
        ("sort()", [b"1", b"2", b"3"]),
        ("sort(False)", [b"3", b"2", b"1"]),
        ("count()", [b"3"]),
        ("avg()", [b"2.0"]),
        ("aggregate(10, lambda a, r: a + r, lambda a, r: a + r)", [b"26"]),
        ("flatmap(lambda r: [r, -r])", ["3", b"3", "1", b"1", "2", b"2"]),
        ("limit(1, 1)", [b"1"]),
        ("accumulate(lambda a, r: r)", [b"2"]),
        ("countby(lambda r: 'k')", [b"{'key': 'k', 'value': 3}"]),
        ("distinct().count()", [b"3"]),
        ("batchgroupby(lambda r: r % 2, lambda k, v: v)", None),
    ],
)
def test_operations(worker, chain, expected):
    results, errors = worker.run(
        f"def source():\n    yield from [3, 1, 2]\nGB('PythonReader').{chain}.run(source)"
    )
    assert errors == []
    if expected is None:
        assert results == [b"{'key': '0', 'value': [2]}", b"{'key': '1', 'value': [3, 1]}"]
    else:
        assert results == expected


@pytest.mark.parametrize("reverse", ["len", "None", "'yes'", "[]", "1.0"])
def test_the_order_of_a_sort_must_be_a_number(worker, reverse):
    results, errors = worker.run(
        f"GB('PythonReader').sort({reverse}).run(lambda: (i for i in range(3)))"
    )
    assert results == []
    assert len(errors) == 1 and "TypeError" in errors[0] and "integer" in errors[0]


@pytest.mark.parametrize(
    "chain",
    [
        "avg()",
        "distinct()",
        "sort()",
        "aggregate(0, 1, f)",
        "aggregate(0, f, 1)",
        "aggregate(0, f, lambda a: a)",
        "aggregateby(lambda r: 1, 0, 1, f)",
        "aggregateby(lambda r: 1, 0, f, 1)",
    ],
)
def test_errors_of_composite_steps_look_like_others(worker, chain):
    script = f"f = lambda *a: 1\nGB('PythonReader').{chain}.run(lambda: (i for i in [[], {{}}]))"
    _, errors = worker.run(script)
    lines = ast.literal_eval(errors[0])
    assert lines[0] == "Traceback (most recent call last):\n"
    assert lines[-1].startswith("TypeError: ")


def test_convert_to_str_may_be_switched_off(worker):
    script = "GB('ShardsIDReader').map(lambda x: [1, 1.5, None]).run(convertToStr=False)"
    assert worker.run(script) == ([[1, b"1.500000", b"PY RECORD"]], [])


def test_a_run_within_a_function_can_be_awaited(worker):
    script = """
async def f(x):
    return await GB('PythonReader').run(lambda: (i for i in range(3)))
GB('ShardsIDReader').map(f).run(convertToStr=False)
"""
    assert worker.run(script) == ([[[b"0", b"1", b"2"], []]], [])
    assert worker.call("RG.DUMPEXECUTIONS") == []


def test_a_thread_of_its_own_has_no_builder(worker):
    script = """
import threading
told = []
def go():
    try:
        GB()
    except Exception as error:
        told.append(str(error))
thread = threading.Thread(target=go)
thread.start()
thread.join()
GB('PythonReader').run(lambda: (text for text in told))
"""
    assert worker.run(script) == ([b"Can not create a gearsCtx on a python created thread"], [])
