"""A short run of the crowd."""

import sys

import pytest

if sys.version_info < (3, 10) or not sys.platform.startswith("linux"):
    pytest.skip("the server needs Python 3.10, the test /proc", allow_module_level=True)
pytest.importorskip("redis")
pytest.importorskip("hiredis")

from .crowd import run_crowd, run_stream  # noqa: E402


def test_a_crowd():
    counts, memory = run_crowd(connections=200, seconds=5, settles=2.5)
    assert counts["replies"] > 1000
    for settled, end in memory.values():
        assert end < settled + 16


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_a_stream(mode):
    _, times = run_stream(5000, f"mode='{mode}', batch=100, duration=10")
    assert sum(times.values()) == 5000
