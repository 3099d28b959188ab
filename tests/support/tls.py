"""TLS in front of servers that have none."""

import asyncio
import socket
import ssl
import subprocess
import threading

import pytest

CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
)


class Terminator:
    """Takes TLS connections and passes their bytes on.

    Args:
        target: A Unix socket's path, or a port of this machine.
        certificate: The file with the certificate that it shows.
        key: The file with its key.
    """

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
        data = await reader.read(1 << 16)
        while data:
            writer.write(data)
            await writer.drain()
            data = await reader.read(1 << 16)

    async def _bridge(self, plain):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, plain, ssl=self._context
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        if isinstance(self._target, int):
            others = await asyncio.open_connection("127.0.0.1", self._target)
        else:
            others = await asyncio.open_unix_connection(self._target)
        other_reader, other_writer = others
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


def make_certificate(folder):
    """Make a certificate for this machine, signed by itself; returns its file, with the key in
    ``key.pem`` beside it.  Skips the test where there is no openssl."""
    try:
        subprocess.run(CERTIFICATE.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    return folder / "cert.pem"
