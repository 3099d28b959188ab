"""What type checkers are told about the clients for asyncio."""

import importlib.util
import sys

import pytest

if sys.version_info < (3, 9) or importlib.util.find_spec("ruff") is None:
    pytest.skip("is made by ruff, with Python 3.9", allow_module_level=True)

from support.stubs import STUB, stub


def test_the_signatures_are_those_of_the_clients_that_wait():
    assert STUB.read_text("utf-8") == stub(), "run: python tests/support/stubs.py"
