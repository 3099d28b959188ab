"""Executions that take long: they hold nobody up, and can be ended."""

import pytest

from redgrease.exceptions import ServerError

SLEEP = "import time\nGB('ShardsIDReader').foreach(lambda x: time.sleep(60)).run()"
STUBBORN = """
def f(x):
    import time
    execute('SET', 'started', 1)
    while True:
        try:
            while True:
                time.sleep(0.001)
        except BaseException:
            pass
GB('ShardsIDReader').foreach(f).run()
"""


@pytest.fixture
def server():
    from redgrease.engine import GearsServer

    with GearsServer() as server:  # its own: the worker is restarted in these tests
        yield server


def test_sleeping_functions_hold_no_other_command_up_and_are_aborted(server):
    with server.client() as r:
        running = [r.gears.pyexecute(SLEEP, unblocking=True) for _ in range(4)]
        assert r.gears.pyexecute("x = 1")
        assert r.gears.config.get("ExecutionThreads") == {"ExecutionThreads": 3}
        for execution in running:
            assert r.gears.abortexecution(execution)
        for execution in running:
            r.gears.getresultsblocking(execution)
            assert r.gears.dropexecution(execution)
        assert r.gears.dumpexecutions() == []


def test_a_function_that_resists_costs_the_worker_not_the_server(server):
    with server.client() as r:
        stubborn = r.gears.pyexecute(STUBBORN, unblocking=True)
        while not r.exists("started"):
            pass
        assert r.gears.abortexecution(stubborn)
        while "resisted" not in server.log:  # the worker ends right after its last reply
            pass
        while True:
            try:
                answer = r.gears.pyexecute("GB('KeysOnlyReader').run()")
                break
            except ServerError as error:  # sent to the worker that was ending
                assert "the Gears worker died" in str(error)
        assert answer == b"started"
        assert "resisted its abort for too long: the worker is restarted" in server.log
