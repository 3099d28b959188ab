"""What the worker does when its server was killed: it leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import time

from .connection import Address, Connection
from .errors import GearsError

PATIENCE = 1.0
"""Seconds within which it shows that the server is gone, when the link to it is."""


def clean_up(server: int, link: str, redis: str) -> None:
    """End the Redis that a server had started, and remove its sockets, unless it lives.

    Args:
        server: The process id of the server, whose child this process was.
        link: Path of its link socket.
        redis: URL of its Redis.
    """
    deadline = time.monotonic() + PATIENCE
    while os.getppid() == server:
        if time.monotonic() > deadline:
            return  # it sees to that itself
        time.sleep(0.01)
    runtime, address = os.path.dirname(link), Address.parse(redis)
    if address.path is not None and os.path.dirname(address.path) == runtime:
        with contextlib.suppress(GearsError, OSError):  # there is no reply to it
            Connection(address).call((b"SHUTDOWN",))
    shutil.rmtree(runtime, ignore_errors=True)
