"""Requests that break the protocol: Redis's own answers, also where the proxy could not wait."""

import re
import socket
import sys

import pytest
from support.ports import free_port

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

import redis

import redgrease
from redgrease import gearialization
from redgrease.engine import GearsServer


@pytest.fixture(scope="module")
def both():
    """A server whose Redis can be reached directly as well: both ports."""
    port = free_port()
    with GearsServer(redis_args=["--port", str(port)]) as server:
        yield server.port, port


@pytest.mark.parametrize(
    "data",
    [
        b"*1\r\n$4\r\nEXEC\r\n*01\r\n",
        b"*999999999999999999999999999999\r\n",
        b"*1\r\n$01\r\nX\r\n",
        b"*3\rc\xbb\xef\xce\xaa",
        b"*4\r\n$6\r\nEXISTS\r\xb4$1\r\n0\r",
        b"*2\r\n$4\r\nPING\r\n$1\r\n\r\n*4\r\n$4\r\nHSET\r\n$2\r\n\x00\xff\r\n$2\r\n\r\n\r\n",
    ],
)
def test_errors_of_the_protocol(both, data):
    replies = []
    for port in both:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(10)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(1000):
                received += piece
            replies.append(received)
    assert replies[0] == replies[1]


def test_a_damaged_function_says_so(both):
    script = gearialization.serialize_gear_function(redgrease.KeysReader().map(len).run())
    begin, end = re.search(r"b64decode\('([^']+)'\)", script).span(1)
    other = "B" if script[begin + 40] == "A" else "A"
    damaged = script[: begin + 40] + other + script[begin + 41 :]
    with redis.Redis(port=both[0]) as client:
        try:
            answer = client.execute_command("RG.PYEXECUTE", damaged)
        except redis.ResponseError as error:
            answer = error
        assert "damaged on its way" in str(answer)
