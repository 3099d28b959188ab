"""Sends the same bytes, in the same pieces, through the proxy and to a Redis, and compares."""

import contextlib
import re
import select
import socket
import time

from .requests_made import Maker

# Redis has answered all it will when it has been quiet for so long, in seconds; on a busy machine
# that is not sure, so what seems to differ is looked at again, with more patience each time.
QUIET = (0.03, 0.5, 5.0)
PATIENCE = 10.0
# What is wrong first in a broken request depends on how its bytes arrive.
_VARIES = re.compile(rb"(?<=\$2\r\nid\r\n):\d+|(?<=-ERR Protocol error: )[^\r]*")


class Difference(AssertionError):
    """The proxy has answered otherwise than Redis."""


class Side:
    """One connection."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self.closed = False

    def send(self, data):
        view, deadline = memoryview(data), time.monotonic() + PATIENCE
        while view and not self.closed:
            readable, writable, _ = select.select([self.socket], [self.socket], [], PATIENCE)
            if readable:
                self._receive()
            if writable and not self.closed:
                try:
                    view = view[self.socket.send(view) :]
                except OSError:
                    self.closed = True
            if time.monotonic() > deadline:
                raise Difference("it does not read on")

    def _receive(self):
        try:
            data = self.socket.recv(1 << 16)
        except OSError:
            data = b""
        self.received += data
        self.closed = self.closed or not data

    def read(self, seconds):
        """Read what comes within so many seconds; False if nothing did."""
        if self.closed or not select.select([self.socket], [], [], seconds)[0]:
            return False
        self._receive()
        return True

    def close(self):
        self.socket.close()


def exchange(address, chunks, quiet=QUIET[0], expected=None):
    """Send pieces; returns what came back, and whether the other side has hung up.

    Args:
        address: Where to.
        chunks: The pieces.
        quiet: For how many seconds nothing comes when that was all.
        expected: What is going to come, as far as that is known.
    """
    side = Side(address)
    with contextlib.closing(side):
        for chunk in chunks:
            side.send(chunk)
        deadline = time.monotonic() + PATIENCE
        if expected is not None:
            # What has not come yet may still be under way; what is too much comes soon.
            data, closed = expected
            while len(side.received) < len(data) or closed != side.closed:
                if time.monotonic() > deadline or (side.closed and not closed):
                    break
                side.read(0.1)
        while side.read(quiet) and time.monotonic() < deadline:
            pass
        return bytes(side.received), side.closed


def compare(proxy, redis, seed, tag):
    """Send one stream to both; returns how many bytes.

    Raises:
        Difference: The answers differ.
    """
    return _patiently(lambda quiet: _compare(proxy, redis, seed, tag, quiet))


def _compare(proxy, redis, seed, tag, quiet):
    maker = Maker(seed, tag + b"%d" % QUIET.index(quiet))  # other keys each time
    data = maker.stream()
    _same(proxy, redis, maker.chunks(data), quiet, f"seed {seed}: ")
    return len(data)


def _patiently(look):
    """Call a function with how long to wait, again if it finds a difference."""
    for quiet in QUIET[:-1]:
        with contextlib.suppress(Difference):
            return look(quiet)
    return look(QUIET[-1])


def compare_bytes(proxy, redis, chunks):
    """Send some pieces to both, which change nothing that matters when they are sent again.

    Raises:
        Difference: The answers differ.
    """
    _patiently(lambda quiet: _same(proxy, redis, chunks, quiet))


def _same(proxy, redis, chunks, quiet, what=""):
    expected = exchange(redis, chunks, quiet)
    found = exchange(proxy, chunks, quiet, expected)
    if found[1] and expected[1] and found[0] != expected[0]:
        # What a server says before it hangs up is lost where the client still sends.
        shorter, longer = sorted((found[0], expected[0]), key=len)
        if longer.startswith(shorter):
            return
    same = [_VARIES.sub(b"", each[0]) for each in (found, expected)]
    if same[0] != same[1] or found[1] != expected[1]:
        data = b"".join(chunks)
        raise Difference(
            f"{what}sent {data[:300]!r}, {len(data)} bytes in {len(chunks)} pieces;"
            f"\nRedis: {expected[0][-300:]!r} {expected[1]}"
            f"\nproxy: {found[0][-300:]!r} {found[1]}"
        )
