"""Executions that take long: they hold nobody up, and can be ended."""

import pytest

SLEEP = "import time\nGB('ShardsIDReader').foreach(lambda x: time.sleep(60)).run()"


@pytest.fixture
def server():
    from redgrease.engine import GearsServer

    with GearsServer() as server:
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
