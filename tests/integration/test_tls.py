"""A server in front of a Redis that is reached by TLS only."""

import socket

import pytest
import redis
from support.tls import Terminator, make_certificate
from support.waiting import eventually

from redgrease.engine import GearsServer


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path)


@pytest.fixture
def terminator(gears_server, certificate):
    target = gears_server.redis_url[len("unix://") :]
    found = Terminator(target, certificate, certificate.with_name("key.pem"))
    yield found
    found.close()


def test_everything_works_over_tls(r, terminator, certificate):
    url = f"rediss://127.0.0.1:{terminator.port}?ssl_ca_certs={certificate}"
    with GearsServer(redis=url) as server, redis.Redis(port=server.port) as client:
        client.set("k", "v" * 100_000)
        assert client.strlen("k") == 100_000
        script = "GB().foreach(lambda r: execute('INCR', 'n')).register('e*', mode='sync')"
        client.execute_command("RG.PYEXECUTE", script)
        client.set("e1", 1)
        assert client.get("n") == b"1"
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            plain.settimeout(20)
            plain.sendall(b"STRLEN k\r\nGET n\r\n")
            plain.shutdown(socket.SHUT_WR)
            found = b""
            while chunk := plain.recv(100):
                found += chunk
            assert found == b":100000\r\n$1\r\n1\r\n"
        eventually(lambda: int(client.get("n")), 1)


def test_an_unknown_certificate_is_refused(terminator):
    url = f"rediss://127.0.0.1:{terminator.port}"
    with pytest.raises(Exception, match="cannot be reached.*certificate"):
        GearsServer(redis=url).start()
