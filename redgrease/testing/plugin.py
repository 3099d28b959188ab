"""The plugin for pytest.

Fixtures:

* ``gears_server``: one embedded server for all tests of a process.
* ``gears``: a client of a server without keys, registrations and executions, for each test.
* ``gears_log``: what the server logs during the test, a :class:`redgrease.testing.logs.ServerLog`.

Options: ``--gears-url`` and ``--gears-wipe`` (test against a server that runs already),
``--gears-worker`` (``thread`` runs functions in the process of the tests).
"""

import sys
from contextlib import contextmanager
from typing import Any, Iterator

import pytest

WIPE = (
    "the server of --gears-url is not empty: {}. Tests remove everything from it; give --gears-wipe"
    " if they may"
)


def pytest_addoption(parser: Any) -> None:
    """Add the options."""
    group = parser.getgroup("redgrease", "Redis Gears")
    group.addoption(
        "--gears-url",
        metavar="URL",
        help="run the tests against this server, which must be empty, in the place of an embedded"
        " one; tests of several processes take turns",
    )
    group.addoption(
        "--gears-wipe", action="store_true", help="the server of --gears-url need not be empty"
    )
    group.addoption(
        "--gears-worker",
        choices=["process", "thread"],
        default="process",
        help="where the embedded server runs functions: in a process of its own, or in a thread of"
        " the tests', so that breakpoints, prints and coverage see them (default: %(default)s)",
    )


@contextmanager
def _packages_of(extra: str) -> Iterator[None]:
    """A block that needs the packages of some of redgrease's extras; without them, tests fail."""
    missing = None
    try:
        yield
    except ModuleNotFoundError as error:
        missing = error.name
    if missing is not None:
        pytest.fail(
            f"testing with redgrease needs the package {missing!r}; "
            f"`pip install redgrease[{extra}]` brings all it needs",
            pytrace=False,
        )


@pytest.fixture(scope="session")
def gears_server(request: Any) -> Iterator[Any]:
    """The embedded server; with ``--gears-url``, what knows that server's ``url``."""
    url = request.config.getoption("--gears-url")
    if url:
        with _packages_of("client"):
            import redgrease.client
        from redgrease.testing.remote import RemoteServer

        yield RemoteServer(url)
        return
    if sys.version_info < (3, 10):
        pytest.skip("the embedded Gears server needs Python 3.10 or newer")
    with _packages_of("client,server"):
        import redgrease.client  # noqa: F401
        from redgrease.engine import GearsServer

    with GearsServer(worker=request.config.getoption("--gears-worker")) as server:
        yield server


@pytest.fixture(scope="session")
def _gears_checked(request: Any, gears_server: Any) -> None:
    """Look once whether a server that is not the tests' own is one, and may be emptied."""
    if not getattr(gears_server, "is_remote", False):
        return
    from redis.exceptions import RedisError

    from redgrease.testing.cleaning import alone, contents

    problem = None
    try:
        with alone(gears_server.url), gears_server.client() as client:
            found = contents(client)
        if found and not request.config.getoption("--gears-wipe"):
            problem = WIPE.format(", ".join(found))
    except (RedisError, ValueError) as error:  # it is not there, has no Gears, or is no URL
        problem = f"the server of --gears-url cannot be used: {error}"
    if problem is not None:
        pytest.fail(problem, pytrace=False)


@pytest.fixture
def gears(gears_server: Any, _gears_checked: None) -> Iterator[Any]:
    """A client (``RedisGears``); the server has neither keys nor registrations nor executions.

    What the test leaves there is removed after it; what cannot be removed is an error.
    """
    from contextlib import ExitStack

    from redgrease.testing.cleaning import alone, clean

    with ExitStack() as stack:
        if getattr(gears_server, "is_remote", False):
            stack.enter_context(alone(gears_server.url))
        client = gears_server.client()
        stack.callback(client.close)
        clean(client)
        yield client
        clean(client)


@pytest.fixture
def gears_log(gears_server: Any) -> Iterator[Any]:
    """What the embedded server logs during the test."""
    if getattr(gears_server, "is_remote", False):
        pytest.skip("the log of a server that runs elsewhere cannot be seen")
    from redgrease.testing.logs import ServerLog

    with ServerLog(gears_server) as log:
        yield log
