"""Scripts and their sessions."""

import ast
import sys

import pytest

from redgrease.engine.requirements import satisfied
from redgrease.engine.script import OptionError, Options, parse_options

pytest_plugins = ["worker_fixtures"]


def test_options():
    assert parse_options([]) == Options()
    words = ["id", "a-B_9", "Description", "some words", "UPGRADE", "UNBLOCKING"]
    words += ["FORCE_REINSTALL_REQUIREMENTS", "requirements", "x==1", "UNBLOCKING"]
    assert parse_options(words) == Options(
        "a-B_9", "some words", True, None, True, True, ("x==1", "UNBLOCKING")
    )
    assert parse_options(["REQUIREMENTS"]) == Options()


@pytest.mark.parametrize(
    "words, text",
    [
        (["ID"], "ID is missing"),
        (["DESCRIPTION"], "DESCRIPTION is missing"),
        (["REPLACE_WITH"], "REPLACE_WITH is missing"),
        (["ID", "a b"], "ID must be compose of: "),
        (["FORCE_REINSTALLING_REQUIREMENTS"], "Unknown arguments were given: FORCE_"),
    ],
)
def test_wrong_options(words, text):
    with pytest.raises(OptionError, match=text):
        parse_options(words)


def lines(worker, script):
    return ast.literal_eval(worker.call("RG.PYEXECUTE", script))


def test_nothing_to_run(worker):
    assert worker.call("RG.PYEXECUTE", "") == "OK"
    assert worker.call("RG.PYEXECUTE", "x = 1", "UNBLOCKING") == "OK"


def test_the_error_of_a_script(worker):
    assert lines(worker, "def f():\n    return nothing\nf()") == [
        "Traceback (most recent call last):\n",
        '  File "<string>", line 3, in <module>\n',
        '  File "<string>", line 2, in f\n',
        "NameError: name 'nothing' is not defined\n",
    ]


def test_classes_of_scripts_are_not_mains(worker):
    assert lines(worker, "class Mine(Exception): pass\nraise Mine('x')")[-1] == "not_main.Mine: x\n"


def test_a_chain_of_errors_shows_no_frame_of_ours(worker):
    script = "try:\n    GB().map(1)\nexcept Exception as e:\n    raise ValueError('outer') from e"
    text = "".join(lines(worker, script))
    assert "gears.error: map argument" in text and "ValueError: outer" in text
    assert "builder.py" not in text


@pytest.mark.parametrize("script", ["x = (", "if True:\nx = 1", b"x = '\xff'"])
def test_scripts_that_do_not_compile(worker, script):
    assert worker.call("RG.PYEXECUTE", script).startswith("Error type: <class '")


def test_sys_exit_ends_the_script_only(worker):
    assert lines(worker, "import sys\nsys.exit(3)")[-1] == "SystemExit: 3\n"
    assert worker.call("RG.PYEXECUTE", "") == "OK"


def test_tracebacks_may_be_switched_off(worker):
    worker.call("RG.CONFIGSET", "PythonAttemptTraceback", "0")
    expected = "Error type: <class 'ZeroDivisionError'>, Value: division by zero"
    assert worker.call("RG.PYEXECUTE", "1 / 0") == expected


def test_scripts_do_not_share_names_but_their_functions_do(worker):
    assert worker.call("RG.PYEXECUTE", "left_over = 5") == "OK"
    script = """
n = 0
def bump(x):
    global n
    n += 1
    return [n, __name__, 'left_over' in globals()]
GB('PythonReader').map(bump).run(lambda: (i for i in range(2)))
"""
    assert worker.run(script)[0] == [b"[1, 'not_main', False]", b"[2, 'not_main', False]"]


def test_future_statements_of_the_engine_are_not_the_scripts(worker):
    script = "def f(x: int): return x\nassert f.__annotations__['x'] is int"
    assert worker.call("RG.PYEXECUTE", script) == "OK"


def test_the_modules_are_importable(worker):
    script = """
import redisgears, redisAI
from redisgears import executeCommand as execute, GearsError
assert rg is redisgears and redisgears.atomicCtx is atomic
def f(x):
    try:
        redisAI.createTensorFromValues()
    except GearsError as error:
        return str(error)
GB('ShardsIDReader').map(f).run()
"""
    (text,) = worker.run(script)[0]
    assert text == b"RedisAI is not loaded, createTensorFromValues is not available"


def test_names_of_scripts(worker):
    names = (
        "GearsBuilder GB execute atomic hashtag registerTE gearsCtx PyFlatExecution log Log "
        "configGet ConfigGet gearsConfigGet GearsConfigGet redisgears rg redisAI copy call_next "
        "get_command override_reply gearsFuture setGearsSession getGearsSession "
        "registerGearsThread isInAtomicBlock isAsyncAllow flat_error GearsSession GearsFuture "
        "createFuture setFutureResults setFutureException runCoroutine profilerCreate "
        "profileStart profileStop profileGetInfo asyncio loop Thread Future cProfile pstats io"
    )
    assert worker.call("RG.PYEXECUTE", "\n".join(names.split())) == "OK"


@pytest.mark.parametrize(
    "call, text",
    [
        ("call_next('a')", "Can not get CommandHook ctx"),
        ("get_command()", "Can not get command ctx"),
        ("override_reply('x')", "Can not get command ctx"),
        ("override_reply()", "Override reply must get a single argument"),
        ("registerTE()", "not enough arguments for time event"),
        ("configGet(5)", "get_config key must be a string"),
        ("log()", "log function must get a log message as input"),
        ("log(5)", "Log message must be a string"),
        ("log('m', 5)", "Log level must be a sting (debug/verbose/notice/warning)"),
        ("log('m', level='NOTICE')", "Log level should be one of the following : "),
        ("execute(5)", "the given command must be a string"),
        ("gearsFuture(1)", "Future gets no arguments"),
        ("gearsFuture()", "Future object can only be created inside certain execution steps"),
    ],
)
def test_runtime_functions_out_of_place(worker, call, text):
    assert f"gears.error: {text}" in worker.call("RG.PYEXECUTE", call)


def test_the_users_own_configuration(worker):
    worker.call("RG.CONFIGSET", "mine", "x")
    script = "c = [configGet('mine'), configGet('MaxExecutions'), gearsConfigGet('no', 3)]\n"
    assert worker.run(script + "GB('PythonReader').run(lambda: (i for i in c))")[0] == [
        b"x",
        b"None",
        b"3",
    ]


def test_printing_and_logging_go_to_the_log(process_worker):
    process_worker.run(
        "print('from the top')\n"
        "def f(x):\n    print('from a step')\n    log('message %d')\nGB('ShardsIDReader').map(f).run()"
    )
    log = process_worker.log.read_text()
    assert "from the top\n" in log and "from a step\n" in log and "GEARS: message %d\n" in log


def test_libraries_find_the_names_in_main(process_worker):
    script = "from __main__ import GearsBuilder, configGet\nGearsBuilder('ShardsIDReader').run()"
    assert process_worker.run(script) == ([b"1"], [])


def test_redgrease_can_be_imported(worker):
    script = "import redgrease\nGB('ShardsIDReader').map(lambda x: redgrease.__version__).run()"
    import redgrease

    assert worker.run(script) == ([redgrease.__version__.encode()], [])


def test_requirements_that_are_there(worker):
    script = "GB('ShardsIDReader').run()"
    assert worker.run(script, "REQUIREMENTS", "hiredis", "redgrease[runtime]") == ([b"1"], [])
    names = [entry[3] for entry in worker.call("RG.PYDUMPREQS")]
    assert names == [b"hiredis", b"redgrease[runtime]"]
    assert {len(entry) for entry in worker.call("RG.PYDUMPREQS")} == {18}


@pytest.mark.parametrize(
    "requirement, there",
    [
        ("hiredis", True),
        ("hiredis>=0.1", True),
        ("hiredis==0.0.1", False),
        ("hiredis>=0.1; python_version < '3'", True),
        ("no-such-package-at-all", False),
        ("hiredis @ file:///nowhere.whl", False),
        ("not a requirement!", False),
    ],
)
def test_what_is_there(requirement, there):
    assert satisfied(requirement) is there


def test_requirements_that_cannot_be_had(worker, monkeypatch):
    reply = worker.call("RG.PYEXECUTE", "x = 1", "REQUIREMENTS", "not a requirement!")
    assert reply == ("Could not satisfy requirements (look at redis log file for more information)")


def test_a_requirement_is_installed_beside(worker, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "5")
    monkeypatch.setenv("PIP_RETRIES", "1")
    source = tmp_path / "source"
    source.mkdir()
    (source / "redgrease_test_extra.py").write_text("value = 42\n")
    (source / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='redgrease-test-extra', version='1.0', py_modules=['redgrease_test_extra'])\n"
    )
    pytest.importorskip("setuptools")
    script = "import redgrease_test_extra as e\nGB('ShardsIDReader').map(lambda x: e.value).run()"
    name = f"redgrease-test-extra @ {source.as_uri()}"
    before = list(sys.path)
    try:
        reply = worker.start("RG.PYEXECUTE", script, "REQUIREMENTS", name).get(90)
    finally:
        sys.path[:] = before
        sys.modules.pop("redgrease_test_extra", None)
    if type(reply).__name__ == "Error" and "look at redis log" in reply:
        pytest.skip("pip cannot build packages here")
    assert reply == [[b"42"], []]
