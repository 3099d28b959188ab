"""Which timeout is meant by Python's own."""

import asyncio
import concurrent.futures
import importlib
import itertools
import socket
import sys

import pytest

from redgrease.shipping import timeouts
from redgrease.shipping.modules import Modules

if sys.version_info < timeouts.MERGED:
    pytest.skip("timeouts are told apart by their classes", allow_module_level=True)

ASYNCIO = ("asyncio", "TimeoutError")
FUTURES = ("concurrent.futures", "TimeoutError")
SOCKET = ("socket", "timeout")
assert asyncio.TimeoutError is socket.timeout is concurrent.futures.TimeoutError
FUNCTION = "\ndef function(x):\n    pass\n"
numbers = itertools.count()


@pytest.fixture
def meant(tmp_path, monkeypatch):
    """Tells what is meant in a package of some files, of which each has a function."""

    def found(**files):
        package = f"timeouts_{next(numbers)}"
        (tmp_path / package).mkdir()
        for name in {"__init__": "", **files}:
            text = files.get(name, "").replace("PACKAGE", package)
            (tmp_path / package / f"{name}.py").write_text(text + FUNCTION)
        monkeypatch.syspath_prepend(str(tmp_path))
        module = importlib.import_module(f"{package}.main")
        return timeouts.meant([module.function], Modules())

    return found


@pytest.mark.parametrize(
    "text, home",
    [
        ("import asyncio; A = [asyncio.TimeoutError]", ASYNCIO),
        ("import asyncio as a\ndef f(x=a.exceptions.TimeoutError): pass", ASYNCIO),
        ("from asyncio.exceptions import TimeoutError as A; B = A", ASYNCIO),
        ("from asyncio import TimeoutError\nB = (TimeoutError,)", ASYNCIO),
        ("def f():\n    import socket\n    return socket.timeout", SOCKET),
        ("import concurrent.futures\nA = concurrent.futures.TimeoutError", FUTURES),
        ("from concurrent import futures\nA = futures.TimeoutError", FUTURES),
        ("from concurrent.futures import thread\nimport socket", None),
        ("A = TimeoutError", None),
        ("import builtins, asyncio; A = asyncio.TimeoutError, builtins.TimeoutError", None),
        ("import asyncio; A = asyncio.TimeoutError, TimeoutError", None),
        ("import asyncio, socket; A = asyncio.TimeoutError, socket.timeout", None),
        ("from .asyncio import timeout; A = timeout.TimeoutError", None),
        ("class socket: timeout = 5\nA = socket.timeout", None),
    ],
)
def test_one_file(meant, text, home):
    assert meant(main=text, asyncio="class timeout: TimeoutError = 5") == home


def test_files_that_are_imported(meant):
    one = "import asyncio\nA = asyncio.TimeoutError"
    assert meant(main="from .other import A", other=one) == ASYNCIO
    assert meant(main="from . import other", other=one) == ASYNCIO
    assert meant(main="import PACKAGE.other", other=one) == ASYNCIO
    assert meant(main="from . import A", __init__=one) == ASYNCIO
    assert meant(main=f"{one}\nfrom .other import B", other="B = [TimeoutError]") is None
    assert meant(main=f"{one}\nimport PACKAGE.other", __init__="B = TimeoutError", other="") is None


def test_cells_of_a_notebook():
    names = {"__name__": "__main__"}
    text = "import asyncio\nA = asyncio.TimeoutError" + FUNCTION
    exec(compile(text, "<cell>", "exec"), names)
    assert timeouts.meant([names["function"]], Modules()) is None
    names["__file__"] = __file__
    assert timeouts.meant([names["function"]], Modules()) is None
