"""Fixtures for the whole suite."""

import sys

import pytest

if sys.version_info < (3, 10):
    # The embedded server, the command line and the documentation need a newer Python.
    collect_ignore = ["cli", "docs", "engine", "integration"]
else:

    @pytest.fixture(scope="session")
    def gears_server():
        """One embedded Gears server for all tests of a worker process, on a free loopback port."""
        pytest.importorskip("hiredis")
        from redgrease.engine import GearsServer

        with GearsServer() as server:
            yield server

    @pytest.fixture
    def r(gears_server):
        """A client of the embedded server, which holds neither keys nor executions."""
        client = gears_server.client()
        client.flushall()
        yield client
        for registration in client.gears.dumpregistrations():
            client.gears.unregister(registration.id, abortpending=True)
        for execution in client.gears.dumpexecutions():
            client.gears.abortexecution(execution)
            client.gears.dropexecution(execution)
        client.close()
