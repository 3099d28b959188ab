"""A server in front of a Redis that is reached by TLS only."""

import asyncio
import socket
import ssl
import subprocess
import threading

import pytest
import redis
from support.waiting import eventually

from redgrease.engine import GearsServer

CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
)


class Terminator:
    """Takes TLS connections and passes their bytes on to a Unix socket."""

    def __init__(self, target, certificate, key):
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        plain.setblocking(False)
        try:
            asyncio.run(self._bridge(plain))
        except OSError:
            plain.close()

    @staticmethod
    async def _pump(reader, writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()

    async def _bridge(self, plain):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, plain, ssl=self._context
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        other_reader, other_writer = await asyncio.open_unix_connection(self._target)
        await asyncio.wait(
            [
                asyncio.ensure_future(self._pump(reader, other_writer)),
                asyncio.ensure_future(self._pump(other_reader, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        other_writer.close()
        writer.close()

    def close(self):
        self._listening.close()


@pytest.fixture
def certificate(tmp_path):
    try:
        subprocess.run(CERTIFICATE.split(), cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    return tmp_path / "cert.pem"


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
