"""The plugin for pytest."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("redis")
if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

pytest_plugins = ["pytester"]

PLUGIN = """
import os, threading
import pytest
import redgrease
from redgrease.testing import eventually, wait_for_executions

def once():
    yield 1

def busy(record):
    for _ in range(6000):
        __import__("time").sleep(0.01)

def double(record):
    if record["value"] == "never":
        return "not counted"
    return int(record["value"]) * 2

def test_a_function(gears):
    gears.set("k", 21)
    assert redgrease.KeysReader().map(double).run(on=gears) == 42

def test_where_it_runs(gears, request):
    pid = redgrease.PythonReader().map(lambda x: __import__("os").getpid()).run(
        once, on=gears)
    thread = request.config.getoption("--gears-worker") == "thread"
    assert (pid == os.getpid()) is thread

def test_what_is_left_behind(gears):
    gears.set("k", 1)
    redgrease.KeysReader().register("*", on=gears)
    redgrease.PythonReader().foreach(busy).run(
        once, on=gears, unblocking=True)

def spin(record):
    while True:
        pass

def resist(record):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass

@pytest.mark.parametrize("function, number", [(spin, 4), (resist, 1)])
def test_functions_that_do_not_stop(gears, function, number):
    for _ in range(number):  # some run, the others wait for their turn
        redgrease.PythonReader().foreach(function).run(once, on=gears, unblocking=True)

def test_is_gone(gears):
    assert gears.dbsize() == 0
    assert gears.gears.dumpregistrations() == [] and gears.gears.dumpexecutions() == []

def test_events(gears):
    redgrease.KeysReader().foreach(lambda r: redgrease.cmd.incr("seen")).register(
        "e*", on=gears)
    gears.set("e1", 1)
    wait_for_executions(gears)
    assert eventually(lambda: gears.get("seen")) == b"1"

def test_prints(gears, capfd, request):
    redgrease.PythonReader().foreach(lambda x: print("printed")).run(once, on=gears)
    thread = request.config.getoption("--gears-worker") == "thread"
    assert ("printed" in capfd.readouterr().out) is thread

def test_the_log(gears, gears_log):
    redgrease.PythonReader().foreach(lambda x: redgrease.log("here I am")).run(
        once, on=gears)
    gears_log.wait_for("here I .m")
    assert "GEARS" in gears_log
"""


@pytest.fixture
def project(pytester, request):
    if not request.config.pluginmanager.hasplugin("redgrease"):
        pytest.skip("redgrease was installed before it had the plugin: install it again")
    pytester.makepyfile(test_gears=PLUGIN)
    return pytester


LIMIT = 100
"""Seconds for a run of pytest."""


@pytest.mark.parametrize("worker", ["process", "thread"])
def test_the_plugin(project, worker):
    pytest.importorskip("xdist")
    result = project.runpytest_subprocess(f"--gears-worker={worker}", "-n", "2", timeout=LIMIT)
    result.assert_outcomes(passed=9)


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_coverage_sees_functions(project, words):
    pytest.importorskip("pytest_cov")
    words = ("--gears-worker=thread", "--cov=.", "--cov-report=term-missing", *words)
    result = project.runpytest_subprocess(*words, "-k", "a_function", timeout=LIMIT)
    result.assert_outcomes(passed=1)
    (line,) = [each for each in result.outlines if re.match(r"test_gears.py +\d", each)]
    missing = line.split("%")[1]
    source = (project.path / "test_gears.py").read_text().splitlines()
    at = {text.strip(): str(number) for number, text in enumerate(source, 1)}
    numbers = [part.strip() for part in missing.split(",")]
    assert at['return "not counted"'] in numbers
    assert at['return int(record["value"]) * 2'] not in numbers


def test_another_server(project, gears_server, r):
    url = f"--gears-url={gears_server.url}"
    r.set("somebody's", "data")
    result = project.runpytest_subprocess(url, "-k", "a_function", timeout=LIMIT)
    assert result.ret != 0 and r.dbsize() == 1
    result.stdout.fnmatch_lines(["*not empty: 1 keys*give --gears-wipe*"])
    result = project.runpytest_subprocess(
        url, "--gears-wipe", "-n", "2", "-k", "not stop", timeout=LIMIT
    )
    result.assert_outcomes(passed=6, skipped=1)
    assert r.dbsize() == 0


def test_a_server_that_is_none(project, gears_server):
    project.makepyfile(test_it="def test_it(gears): pass")
    for url, why in (("nowhere", "must specify one of"), (gears_server.redis_url, "no RedisGears")):
        for more in ((), ("--gears-wipe",)):
            result = project.runpytest_subprocess("--gears-url", url, *more, "test_it.py")
            result.assert_outcomes(errors=1)
            told = result.stdout.str()
            assert "the server of --gears-url cannot be used" in told and why in told
            assert "Traceback" not in told and "plugin.py" not in told


def test_a_server_that_is_not_there(project):
    url = "--gears-url=redis://localhost:1"
    result = project.runpytest_subprocess(url, "-k", "a_function", timeout=LIMIT)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*server of --gears-url cannot be used*localhost:1*"])


@pytest.mark.parametrize("missing", ["redis", "hiredis", "attr"])
def test_packages_that_are_missing(project, missing):
    project.makeconftest(f"import sys; sys.modules[{missing!r}] = None")
    project.makepyfile(
        test_plain="def test_plain(): pass", test_gears="def test_gears(gears): pass"
    )
    result = project.runpytest_subprocess(timeout=LIMIT)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*package '{missing}'*pip install redgrease*"])


def test_it_is_loaded_in_every_run_and_so_is_small():
    code = (
        "import sys, pytest; before = set(sys.modules); import redgrease.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert done.stdout.split() == [
        "redgrease",
        "redgrease._version",
        "redgrease.testing",
        "redgrease.testing.plugin",
    ]
