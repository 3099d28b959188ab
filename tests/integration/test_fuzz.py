"""What nobody should send, for a short time; ``python -m tests.fuzz`` does it for longer."""

import socket
import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

import redis
from fuzz.scripts import corrupted, script
from fuzz.wire import differences

from redgrease.engine import GearsServer


@pytest.fixture(scope="module")
def both():
    """A server whose Redis can be reached directly as well: both ports."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with GearsServer(redis_args=["--port", str(port)]) as server:
        yield server.port, port


@pytest.mark.parametrize("first", range(0, 600, 100))
def test_replies_are_those_of_redis(both, first):
    for seed in range(first, first + 100):
        assert differences(*both, seed) is None, seed


# Each of them once was answered otherwise.
@pytest.mark.parametrize(
    "data",
    [
        b"*1\r\n$4\r\nEXEC\r\n*01\r\n",
        b"*999999999999999999999999999999\r\n",
        b"*1\r\n$01\r\nX\r\n",
        b"*3\rc\xbb\xef\xce\xaa",
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
    assert replies[0] == replies[1] and b"Protocol error" in replies[1]


def test_scripts_that_are_none(both):
    with redis.Redis(port=both[0]) as client, redis.Redis(port=both[0]) as other:
        for seed in range(300):
            try:
                client.execute_command("RG.PYEXECUTE", script(seed))
            except redis.ResponseError as error:
                assert "worker died" not in str(error), seed
            assert other.echo(f"token {seed}") == f"token {seed}".encode()


def test_a_damaged_function_says_so(both):
    import random

    with redis.Redis(port=both[0]) as client:
        errors = []
        for seed in range(20):
            try:
                errors += client.execute_command("RG.PYEXECUTE", corrupted(random.Random(seed)))
            except redis.ResponseError as error:
                errors.append(error)
    assert any("damaged on its way" in str(error) for error in errors)
