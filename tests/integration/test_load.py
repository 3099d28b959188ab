"""Many clients at once; ``python -m tests.faults.load`` does it for longer."""

import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

pytest.importorskip("redis.asyncio", reason="needs redis-py 4.3")

from faults.load import load, stream


def test_two_hundred_connections(tmp_path):
    done, errors, seen, grown = load(tmp_path, 200, 4)
    assert errors == []
    assert seen == done["event"] and min(done.values()) > 0 and len(done) == 9
    assert max(grown) < 30 << 20


def test_a_long_stream(tmp_path):
    found, doubled, _ = stream(tmp_path, 10_000)
    assert found == 10_000 and doubled == 0
