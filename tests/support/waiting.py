"""Waits for conditions, rather than for time to pass."""

import time

TIMEOUT = 10


def eventually(function, expected, timeout=TIMEOUT):
    """Call a function until it returns what is expected.

    Args:
        function: What to call.
        expected: What it shall return.
        timeout: For how many seconds to try.
    """
    deadline = time.monotonic() + timeout
    found = function()
    while found != expected:
        assert time.monotonic() < deadline, f"{found!r} rather than {expected!r}"
        time.sleep(0.005)
        found = function()
