"""The ways to a server: Sentinel, TLS, Unix sockets, texts in place of bytes, RESP3; both clients."""

import asyncio
import contextlib
import importlib
import os
import socket
import ssl
import subprocess
import threading

import pytest
import redis
from support.ports import free_port
from support.redis_versions import hang_up
from support.waiting import eventually

import redgrease
from redgrease import CommandReader, KeysReader
from redgrease.asking import Waiting
from redgrease.engine.redis_server import find_redis

REDIS = tuple(map(int, redis.__version__.split(".")[:2]))


@pytest.fixture(params=["waiting", "asyncio"])
def clients(request):
    """Does all there is to check with a client of that kind."""
    if request.param == "waiting":

        def use(make):
            with make(redgrease.RedisGears, redis) as client:
                Waiting()._run(check(client))

        return use
    pytest.importorskip("redis.asyncio.cluster")
    from redis import asyncio as redis_asyncio

    from redgrease import aio

    def use_async(make):
        async def go():
            async with make(aio.RedisGears, redis_asyncio) as client:
                await Awaited()._run(check(client))
            # Sentinel's pools are not closed with their clients.
            pool = client.connection_pool
            await pool.disconnect()
            if hasattr(pool, "sentinel_manager"):
                for watcher in pool.sentinel_manager.sentinels:
                    await hang_up(watcher)

        asyncio.run(go())

    from redgrease.aio.running import Awaited

    return use_async


def check(client):
    """What is done on each way; each ``yield`` gives the reply, with or without asyncio."""
    own = str if client.connection_pool.connection_kwargs.get("decode_responses") else str.encode
    assert (yield client.set("k", "v"))
    assert (yield client.get("k")) == own("v")
    assert (yield client.gears.pyexecute("GB().count().run()")) == own("1")
    items = KeysReader().map(lambda record: {record["key"]: record["value"]})
    assert (yield items.run(on=client)) == {"k": "v"}
    function = CommandReader().map(lambda words: words[1])
    assert (yield function.register(trigger="t", on=client, replace=True)).trigger == "t"
    assert (yield client.gears.trigger("t", "x")) == "x"
    (registration,) = yield client.gears.dumpregistrations()
    assert registration.RegistrationData.numSuccess == 1
    assert (yield client.gears.config.MaxExecutions) == 1000


def test_texts_in_place_of_bytes(gears_server, r, clients):
    clients(lambda kind, _: kind.from_url(gears_server.url, decode_responses=True))


@pytest.mark.skipif(REDIS < (5, 0), reason="redis-py 5 brought RESP3")
@pytest.mark.parametrize("texts", [False, True])
def test_resp3(gears_server, r, clients, texts):
    clients(lambda kind, _: kind.from_url(gears_server.url, protocol=3, decode_responses=texts))


class Passage:
    """Takes connections and passes their bytes on to a server."""

    def __init__(self, listening, host, port, context=None):
        self._listening, self._target, self._context = listening, (host, port), context
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken):
        try:
            if self._context is not None:
                taken = self._context.wrap_socket(taken, server_side=True)
            onward = socket.create_connection(self._target)
        except OSError:
            return
        threading.Thread(target=self._pump, args=(onward, taken), daemon=True).start()
        self._pump(taken, onward)

    @staticmethod
    def _pump(source, target):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self._listening.close()


@pytest.fixture
def unix_path(gears_server, tmp_path):
    path = os.path.relpath(tmp_path / "socket")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    passage = Passage(listening, gears_server.host, gears_server.port)
    yield path
    passage.stop()


def test_unix_sockets(r, clients, unix_path):
    clients(lambda kind, _: kind(unix_socket_path=unix_path))


CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
)


@pytest.fixture
def tls(gears_server, tmp_path):
    try:
        subprocess.run(CERTIFICATE.split(), cwd=tmp_path, check=True, capture_output=True)
    except OSError:
        pytest.skip("there is no openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0))
    passage = Passage(listening, gears_server.host, gears_server.port, context)
    yield f"rediss://localhost:{listening.getsockname()[1]}?ssl_ca_certs={tmp_path}/cert.pem"
    passage.stop()


def test_tls(r, clients, tls):
    clients(lambda kind, _: kind.from_url(tls))


@pytest.fixture
def sentinel(gears_server, tmp_path):
    """A Sentinel that watches over the embedded server."""
    port = free_port()
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
        f"sentinel monitor gears 127.0.0.1 {gears_server.port} 1\n"
    )
    process = subprocess.Popen(
        [find_redis(), str(configuration), "--sentinel"], stdout=subprocess.DEVNULL
    )
    client = redis.Redis(port=port)

    def knows():
        try:
            return bool(client.sentinel_masters()["gears"]["is_master"])
        except (redis.ConnectionError, KeyError):
            return False

    eventually(knows, True)
    client.close()
    yield port
    process.kill()
    process.wait()


def test_sentinel(r, clients, sentinel):
    def make(kind, package):
        home = importlib.import_module(package.__name__ + ".sentinel")
        watcher = home.Sentinel([("127.0.0.1", sentinel)])
        return watcher.master_for("gears", redis_class=kind)

    clients(make)
