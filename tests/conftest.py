"""Fixtures for the whole suite."""

import sys

import pytest

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # not all tests need it
    pass
else:
    # How long something takes is not for these tests to judge: machines stand still at times.
    settings.register_profile(
        "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")

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
        from redgrease.testing.cleaning import clean

        client = gears_server.client()
        client.flushall()
        yield client
        clean(client)  # what is still running may end by itself meanwhile
        client.close()
