"""Ports for servers that have to be told theirs, or that start again on the same one.

A port that the system has handed out (port 0) may be handed out once more as soon as it is closed,
to any connection of any process.  So these are taken from below the range that it hands out from.
"""

import os
import random
import socket
from typing import Iterator

FIRST, LAST = 10_000, 32_000
SHARES = 16
"""How many processes of tests can run at once without trying the same ports."""


def _shuffled() -> Iterator[int]:
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % SHARES
    ports = [port for port in range(FIRST, LAST) if port % SHARES == share]
    random.SystemRandom().shuffle(ports)
    return iter(ports)


_ports = _shuffled()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses, another one each time."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("there is no free port left")
