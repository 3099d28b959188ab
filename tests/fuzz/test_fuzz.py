"""A short run of the fuzzers, and what they have found."""

import socket
import sys
import time

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the server needs Python 3.10", allow_module_level=True)
redis = pytest.importorskip("redis")
pytest.importorskip("hiredis")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from . import wire  # noqa: E402
from .running import Servers, fuzz_commands, fuzz_scripts, fuzz_wire, resident  # noqa: E402


@pytest.fixture(scope="module", params=[False, True], ids=["no functions", "a sync function"])
def servers(request):
    with Servers(request.param) as servers:
        yield servers


def test_requests(servers):
    before = resident(servers.server.pid)
    assert fuzz_wire(servers, 4, seed=int(time.time()))["streams"] > 20
    assert resident(servers.server.pid) < before + (64 << 20)


BYTES = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n", b"PING\r\n", b"*", b"$",
             b"\r\n", b"-1", b"3", b"GET x\n", b"*3\r\n$3\r\nSET\r\n$2\r\nt1\r\n$1\r\nx\r\n", b"\0",
             b"'", b'"', b" ", b"*2\r\n", b"$3\r\nGET\r\n", b"$2\r\nt1\r\n", b"EXEC\r\n", b"MULTI\n"]
        ),
        max_size=12,
    ).map(b"".join),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=BYTES, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_any_bytes(servers, data, cuts):
    """They are answered, or refused, as Redis does."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [data[start:end] for start, end in zip(edges, edges[1:]) if end > start]
    servers.client.delete("t1", "x")
    with redis.Redis(unix_socket_path=servers.redis) as direct:
        direct.delete("t1", "x")
    wire.compare_bytes(servers.proxy, servers.redis, chunks)


def test_scripts(servers):
    report = fuzz_scripts(servers, 4, seed=int(time.time()))
    assert report["scripts"] > 10 and report["error"] > 5


def test_commands():
    with Servers(False) as servers:
        report = fuzz_commands(servers, 3, seed=int(time.time()))
    assert report["ok"] > 10 and report["error"] > 10


# Requests after which nobody else was served any more: Redis takes them for incomplete.
INCOMPLETE = [
    b"SET t1 \0\n",
    b"*1\r\n$9\r\nSUBSCRIBE\r\n*2\r\n$5\r\nRESET\r\n$1\r\nx\r\n*3\r\n$3\r\nSET\r\n$2\r\nt1\r\n$1\r\nx\r\n",
    b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n*2\r\n$5\r\nRESET\r\n$1\r\nx\r\n*3\r\n$3\r\nSET\r\n$2\r\nt1\r\n$1\r\nx\r\n",
    b"*3\r\n$3\r\nSET\r\n$2\r\nt1\r\n$1\r\n",
    b"*3\r\n$3\r\nSET\r\n$2\r\nt1\r\n$100000\r\n" + b"x" * 50_000,
    b"*3\r\n$3\r\nSET\r\n$2\0",
    b"*5\r\n$3\r\nSET",
]


@pytest.mark.parametrize("data", INCOMPLETE)
def test_nobody_waits_for_a_request_that_is_not_complete(servers, data):
    with socket.create_connection(servers.proxy) as one:
        one.sendall(data)
        with redis.Redis(port=servers.server.port, socket_timeout=10) as other:
            for _ in range(3):
                assert other.set("t1other", "x")
            script = "def f(x):\n  with atomic(): return 1\nGB('ShardsIDReader').map(f).run()"
            assert other.execute_command("RG.PYEXECUTE", script) == [[b"1"], []]


def test_a_slow_consumer_holds_nobody_up(servers):
    """Neither a function that wants to be alone, nor other clients, and it costs no memory."""
    servers.client.set("large", "x" * (8 << 20))
    before = resident(servers.server.pid)
    with socket.create_connection(servers.proxy) as slow:
        slow.sendall(b"GET large\r\n" * 20 + b"SET t1 x\r\n" + b"GETRANGE large 0 -1\r\n" * 5)
        time.sleep(0.3)
        with redis.Redis(port=servers.server.port, socket_timeout=10) as other:
            assert other.set("t1other", "x")
            script = "def f(x):\n  with atomic(): return 1\nGB('ShardsIDReader').map(f).run()"
            assert other.execute_command("RG.PYEXECUTE", script) == [[b"1"], []]
            assert other.set("t1other", "x")
        assert resident(servers.server.pid) < before + (100 << 20)
        received, expected = 0, 25 * (8 << 20)
        slow.settimeout(10)
        while received < expected:
            received += len(slow.recv(1 << 20))
