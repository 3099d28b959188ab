"""Whatever is killed while a stream is being filled: no entry is lost, and everything goes on.

The function records by itself, in Redis, what it has seen.  The client that fills the stream is a
process of its own, and notes what Redis has acknowledged to it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

redis = pytest.importorskip("redis")
pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="the server needs Python 3.10")

TIMEOUT = 30
SCRIPT = "GB('StreamReader').foreach(lambda r: execute('SADD', 'seen', r['value']['n']))"
FILLER = """
import itertools, sys, redis
port, path, start = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
client = redis.Redis(port=port, socket_timeout=10)
with open(path, "a", buffering=1) as log:
    for number in itertools.count(start):
        while True:
            try:
                client.xadd(f"s{number % 3}", {"n": number})
                break
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
                pass  # once more; whether it was added, nobody knows
        print(number, file=log)
"""
MODES = [
    "mode='async'",
    "mode='async_local', batch=20, duration=20",
    "mode='sync'",
]


def until(condition):
    """Wait until a condition holds; Redis may be away meanwhile."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            if condition():
                return
        except (redis.ConnectionError, redis.ResponseError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.01)


class RedisProcess:
    """A Redis that loses nothing it has acknowledged, always on the same socket."""

    def __init__(self, directory):
        from redgrease.engine.redis_server import RedisServer

        arguments = ["--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"]
        path = str(directory / "socket")
        self._server = RedisServer(path, str(directory), arguments=arguments)
        self._server.start()
        self.url = self._server.url

    @property
    def pid(self):
        return self._server.process.pid

    def start_again(self):
        self._server.process.wait()
        self._server.start()

    def stop(self):
        self._server.stop()


class Filler:
    """The client that fills the stream."""

    def __init__(self, port, path):
        self._port, self._path = port, path
        self._process = None
        path.touch()

    def start(self):
        start = len(self.acknowledged)
        command = [sys.executable, "-c", FILLER, str(self._port), str(self._path), str(start)]
        self._process = subprocess.Popen(command)
        self.advance(50)

    def kill(self):
        self._process.kill()
        self._process.wait()

    @property
    def acknowledged(self):
        return {line.encode() for line in self._path.read_text().split("\n")[:-1]}

    def advance(self, number):
        """Wait until so many more entries have been acknowledged."""
        before = len(self.acknowledged)
        until(lambda: len(self.acknowledged) >= before + number)


class Scene:
    """A server, and somebody who fills its streams."""

    def __init__(self, server, directory):
        self.server = server
        self.client = redis.Redis(port=server.port)
        self.filler = Filler(server.port, directory / "acknowledged")

    def register(self, options):
        words = ["RG.PYEXECUTE", f"{SCRIPT}.register('s*', {options})"]
        assert self.client.execute_command(*words) == b"OK"

    def registrations(self):
        return [entry[1] for entry in self.client.execute_command("RG.DUMPREGISTRATIONS")]

    def worker_pid(self):
        script = "import os\nGB('ShardsIDReader').map(lambda x: os.getpid()).run()"
        return int(self.client.execute_command("RG.PYEXECUTE", script)[0][0])

    def check(self):
        """Nothing is lost, all is acknowledged, and it still works."""
        wanted = self.filler.acknowledged
        assert wanted
        until(lambda: wanted <= self.client.smembers("seen"))
        until(lambda: not any(self.client.xlen(key) for key in ("s0", "s1", "s2")))
        self.client.xadd("s-new", {"n": "afterwards"})
        until(lambda: self.client.sismember("seen", "afterwards"))

    def close(self):
        if self.filler._process is not None:
            self.filler.kill()
        self.client.close()


@pytest.fixture
def redis_process(tmp_path):
    (tmp_path / "redis").mkdir()
    process = RedisProcess(tmp_path / "redis")
    yield process
    process.stop()


@pytest.fixture
def scene(redis_process, tmp_path):
    from redgrease.engine import GearsServer

    with GearsServer(redis=redis_process.url, dir=tmp_path / "home") as server:
        one = Scene(server, tmp_path)
        yield one
        one.close()


@pytest.mark.parametrize("options", MODES[1:])
def test_the_worker_is_killed(scene, options):
    scene.register(options)
    registrations = scene.registrations()
    scene.filler.start()
    for _ in range(2):
        pid = scene.worker_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: scene.worker_pid() != pid)
        assert scene.registrations() == registrations
        scene.filler.advance(50)
    scene.filler.kill()
    scene.check()


def test_the_client_is_killed(scene):
    scene.register(MODES[2])
    for _ in range(3):
        scene.filler.start()
        scene.filler.kill()
    scene.check()


@pytest.mark.parametrize("options", MODES)
def test_redis_is_killed(scene, redis_process, options):
    scene.register(options)
    registrations = scene.registrations()
    scene.filler.start()
    for _ in range(2):
        os.kill(redis_process.pid, signal.SIGKILL)
        redis_process.start_again()
        scene.filler.advance(50)
    scene.filler.kill()
    scene.check()
    assert scene.registrations() == registrations


def test_everything_but_redis_is_killed(scene, redis_process, tmp_path):
    """The next server finds what the first one has left."""
    from redgrease.engine import GearsServer

    scene.register(MODES[1])
    registrations = scene.registrations()
    scene.filler.start()
    victims = [scene.server.pid, scene.worker_pid()]
    scene.filler.advance(50)
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):  # the worker ends when its server has gone
            os.kill(pid, signal.SIGKILL)
    scene.filler.kill()
    scene.server.stop()
    with GearsServer(redis=redis_process.url, dir=tmp_path / "home") as server:
        again = Scene(server, tmp_path)
        assert again.registrations() == registrations
        again.check()
        again.close()


class TestServersOwnRedis:
    """The server's Redis is a child of the server."""

    @pytest.fixture
    def serve(self, tmp_path):
        from redgrease.engine import GearsServer

        running = []

        def start():
            arguments = ["--appendfsync", "always"]
            server = GearsServer(dir=tmp_path / "home", redis_args=arguments).start()
            running.append(Scene(server, tmp_path))
            return running[-1]

        yield start
        for scene in running:
            scene.close()
            scene.server.stop()

    def test_it_is_started_again(self, serve):
        scene = serve()
        scene.register(MODES[1])
        scene.filler.start()
        for _ in range(2):
            pid = scene.client.info("server")["process_id"]
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: scene.client.info("server")["process_id"] != pid)
            scene.filler.advance(50)
        scene.filler.kill()
        scene.check()

    def test_all_kinds_of_registrations_survive_the_end_of_the_server(self, serve):
        scene = serve()
        scene.register(MODES[1])
        others = [
            "GB().foreach(lambda r: execute('SADD', 'sets', r['key'])).register('k*')",
            "GB('CommandReader').map(lambda x: x[1:]).register(trigger='t')",
        ]
        for script in others:
            assert scene.client.execute_command("RG.PYEXECUTE", script) == b"OK"
        registrations = scene.registrations()
        scene.filler.start()
        scene.filler.kill()
        scene.server.stop()
        scene = serve()
        assert scene.registrations() == registrations
        scene.check()
        scene.client.set("k1", 1)
        until(lambda: scene.client.sismember("sets", "k1"))
        assert scene.client.execute_command("RG.TRIGGER", "t", "a") == [b"['a']"]

    def test_the_server_is_killed(self, serve):
        """If its Redis stays behind, it must not write beside the next one."""
        scene = serve()
        scene.register(MODES[1])
        registrations = scene.registrations()
        scene.filler.start()
        left = redis.Redis.from_url(scene.server.redis_url)
        os.kill(scene.server.worker_pid, signal.SIGSTOP)  # it would see to that
        os.kill(scene.server.pid, signal.SIGKILL)
        os.kill(scene.server.worker_pid, signal.SIGKILL)
        scene.filler.kill()
        scene.server.stop()
        assert left.ping()
        scene = serve()
        with pytest.raises(redis.ConnectionError):
            left.ping()
        assert scene.registrations() == registrations
        scene.check()

    def test_two_servers_cannot_share_a_folder(self, serve):
        from redgrease.engine.server import ServerStartError

        serve()
        with pytest.raises(ServerStartError, match="another server uses the folder"):
            serve()
