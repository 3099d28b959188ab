"""Decorated functions on a server whose Python has nothing installed."""

import asyncio
import decimal
import enum
import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

pytest.importorskip("hiredis")

from test_bare_worker import python, r, server  # noqa: E402, F401

import redgrease  # noqa: E402
from redgrease.exceptions import ScriptError  # noqa: E402


class Colour(enum.Enum):
    RED = "r"


def test_nothing_is_needed_there(r):  # noqa: F811
    @redgrease.command(on=r)
    def described(value: Colour, *rest, times=2):
        redgrease.execute("SET", "seen", times)
        redgrease.log(value)
        return value, rest, [type(each).__name__ for each in rest] * times

    value, rest, types = described(Colour.RED, decimal.Decimal("1.5"), b"\0", times=1)
    assert value is Colour.RED and rest == (decimal.Decimal("1.5"), b"\0")
    assert types == ["Decimal", "bytes"] and r.get("seen") == b"1"
    assert r.execute_command("RG.TRIGGER", "described", "a", "b") == [
        b"('a', ('b',), ['str', 'str'])"
    ]


def test_neither_for_coroutines_and_errors(r):  # noqa: F811
    @redgrease.command(on=r)
    async def inverse(x):
        await asyncio.sleep(0)
        return 1 / x

    assert inverse(4) == 0.25
    with pytest.raises(ScriptError, match="^ZeroDivisionError"):
        inverse(0)
