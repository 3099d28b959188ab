"""The table of commands."""

import pytest

pytest_plugins = ["worker_fixtures"]


@pytest.mark.parametrize(
    "words, text",
    [
        (["RG.PYEXECUTE"], "ERR wrong number of arguments for 'RG.PYEXECUTE' command"),
        (["rg.getresults"], "ERR wrong number of arguments for 'RG.GETRESULTS' command"),
        (["RG.GETEXECUTION", "a", "b", "c"], "ERR wrong number of arguments for 'RG.GETEXECUTION'"),
        (["RG.TRIGGERONKEY", "a"], "ERR wrong number of arguments for 'RG.TRIGGERONKEY' command"),
        (["RG.NOSUCH", "a"], "ERR unknown command 'RG.NOSUCH', with args beginning with: 'a' "),
        (["RG.GETRESULTS", "a", "b"], "execution plan does not exist"),
        (["RG.GETRESULTSBLOCKING", "a"], "execution plan does not exist"),
        (["RG.DROPEXECUTION", "a"], "execution plan does not exist"),
        (["RG.GETEXECUTION", "a"], "execution plan does not exist"),
        (["RG.ABORTEXECUTION", "a"], "execution does not exist"),
        (["RG.UNREGISTER", "a"], "execution is not registered"),
        (["RG.TRIGGER", "a"], "ERR subcommand not found"),
        (["RG.PYPROFILE", "STATS", "a"], "session does not exists"),
        (["RG.PYPROFILE", "X", "a"], "Wrong subcommand given to RG.PYPROFILE"),
        (["RG.PYDUMPSESSIONS", "foo"], "Unknown option foo"),
        (["RG.PYEXPORTREQ", "a"], "requirement does not exists"),
        (["RG.PAUSEREGISTRATIONS", "a"], f"Execution a does not exists on shard {'0' * 40}"),
        (["RG.PAUSEREGISTRATIONS", "abortpending", "a"], "Execution a does not exists on shard"),
        (["RG.UNPAUSEREGISTRATIONS", "ABORTPENDING"], "Execution ABORTPENDING does not exists on"),
    ],
)
def test_refusals(worker, words, text):
    reply = worker.call(*words)
    assert type(reply).__name__ == "Error"
    assert reply.startswith(text)


@pytest.mark.parametrize(
    "words, reply",
    [
        (["RG.INFOCLUSTER"], b"no cluster mode"),
        (["RG.REFRESHCLUSTER"], "OK"),
        (["RG.NETWORKTEST"], "OK"),
        (["RG.DUMPREGISTRATIONS"], []),
        (["RG.DUMPEXECUTIONS", "x"], []),
        (["RG.PYDUMPREQS"], []),
        (["RG.PYDUMPSESSIONS", "VERBOSE", "DEAD"], []),
        (["RG.PYDUMPSESSIONS", "SESSIONS", "a"], [b"Session a does not exists"]),
        (["RG.DUMPPLUGINS"], [[b"GearsPythonPlugin", 10213]]),
        (["RG.CLEARREGISTRATIONSSTATS"], "OK"),
        (["RG.CONFIGGET"], []),
        (["RG.PYFREEINTERPRETER"], b"Free interpreter is not longer supported"),
    ],
)
def test_answers(worker, words, reply):
    assert worker.call(*words) == reply


def test_registrations_of_verbose_sessions_are_without_private_data(worker):
    worker.call("RG.PYEXECUTE", "GB('CommandReader').register(trigger='t')", "ID", "s")
    try:
        (session,) = worker.call("RG.PYDUMPSESSIONS", "VERBOSE")
        (entry,) = worker.call("RG.DUMPREGISTRATIONS")
        assert entry[8::2] == [b"PD", b"ExecutionThreadPool"]
        assert session[15] == [entry[:8] + entry[10:]]
    finally:
        worker.call("RG.UNREGISTER", entry[1])


def test_functions_get_the_commands_own_complaint_about_arguments(worker):
    script = "GB('ShardsIDReader').map(lambda x: execute('RG.GETRESULTS')).run()"
    _, (error,) = worker.call("RG.PYEXECUTE", script)
    wrong = b"gears.error: ERR wrong number of arguments for 'RG.GETRESULTS' command"
    assert wrong in error


def test_memory(worker):
    names = worker.call("RG.PYSTATS", "x")
    assert names[::2] == [b"TotalAllocated", b"PeakAllocated", b"CurrAllocated"]
    assert all(number > 0 for number in names[1::2])


def test_nothing_waits_in_a_transaction(worker):
    ident = worker.call("RG.PYEXECUTE", "GB('ShardsIDReader').run()", "UNBLOCKING")
    worker.call("RG.GETRESULTSBLOCKING", ident)
    assert worker.call("RG.GETRESULTS", ident, flags="m") == [[b"1"], []]
    for words in (["RG.GETRESULTSBLOCKING", ident], ["RG.ABORTEXECUTION", ident]):
        reply = worker.call(*words, flags="m")
        assert reply == "ERR Blocking module command called from transaction"
    assert worker.call("RG.PYEXECUTE", "x = 1", flags="m") == (
        "Can not run gears inside a multi exec, lua, or when blocking is not allowed"
    )


def test_commands_within_functions(worker):
    script = """
def attempt(*words):
    try:
        return execute(*words)
    except Exception as error:
        return str(error)
def f(x):
    return [
        attempt('rg.infocluster'),
        attempt('RG.CONFIGGET', 'MaxExecutions', 'none'),
        attempt('RG.GETRESULTS', 'none'),
        attempt('RG.PYEXECUTE', 'x = 1'),
        attempt('RG.GETRESULTSBLOCKING', 'none'),
        attempt('RG.NOSUCH'),
        type(attempt('RG.REFRESHCLUSTER')).__name__,
    ]
GB('ShardsIDReader').map(f).run(convertToStr=False)
"""
    ((cluster, config, results, execute, blocking, unknown, refresh),), _ = worker.run(script)
    assert cluster == b"no cluster mode"
    assert config == [1000, b"(error) Unsupported config parameter: none"]
    assert results == b"execution plan does not exist"
    assert b"blocking is not allowed" in execute
    assert b"blocking is not allowed" in blocking
    assert unknown == b"No such file or directory"
    assert refresh == b"str"
