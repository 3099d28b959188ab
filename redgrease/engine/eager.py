"""Receiving without falling asleep, where what is awaited is about to come.

To put a thread to sleep and to wake it up again costs more than Redis takes for most commands: on
a machine with little else to do, two thirds of a round trip.  So a thread that waits for a reply
first looks for it, again and again, for as long as such a round trip takes, and each time offers
its processor to whoever wants it: Redis may well have to run there to reply.  It gives that up by
and by where it turns out to be of no use: slow commands, or a machine whose processors are busy.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from time import perf_counter

SPIN_SECONDS = 0.0003
"""How long a reply is looked for, at most, before the thread sleeps."""
LEAST_SECONDS = 0.000005
"""Looking for less than this is given up, until a reply has come as soon as all that."""
_DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)
_spinning = threading.Lock()
"""Only one thread at a time: others would only take the interpreter away from each other."""


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


POSSIBLE = bool(_DONTWAIT) and hasattr(os, "sched_yield") and _processors() > 1
"""Whether it makes sense here."""


class EagerSocket:
    """Receives from a connected, blocking socket.

    Args:
        connection: The socket.
    """

    __slots__ = ("_connection", "_seconds")

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        possible = POSSIBLE and not isinstance(connection, ssl.SSLSocket)
        self._seconds = SPIN_SECONDS if possible else -1.0

    def soon(self, size: int) -> bytes | None:
        """What :meth:`socket.socket.recv` returns, or None if nothing comes soon.

        Args:
            size: How many bytes at most.

        Raises:
            OSError: The connection broke.
        """
        if self._seconds < LEAST_SECONDS or not _spinning.acquire(False):
            return None
        try:
            end, receive = perf_counter() + self._seconds, self._connection.recv
            give_way = os.sched_yield
            while True:
                try:
                    chunk = receive(size, _DONTWAIT)
                except BlockingIOError:
                    if perf_counter() > end:
                        break
                    give_way()
                else:
                    self._seconds = SPIN_SECONDS
                    return chunk
        finally:
            _spinning.release()
        self._seconds /= 2
        return None

    def receive(self, size: int) -> bytes:
        """What :meth:`socket.socket.recv` returns.

        Args:
            size: How many bytes at most.

        Raises:
            OSError: The connection broke.
        """
        chunk = self.soon(size)
        if chunk is None:
            start = perf_counter()
            chunk = self._connection.recv(size)
            if self._seconds >= 0 and perf_counter() - start < SPIN_SECONDS:
                self._seconds = SPIN_SECONDS
        return chunk
