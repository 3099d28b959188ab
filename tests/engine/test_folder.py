"""One server, and one Redis, to a folder."""

import subprocess
import sys

import pytest

from redgrease.engine import GearsServer
from redgrease.engine.folder import Folder, FolderInUseError
from redgrease.engine.redis_server import RedisServer
from redgrease.engine.server import ServerStartError

SLEEPER = "import sys, time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture
def child():
    """Starts processes that inherit a file and do nothing."""
    started = []

    def start(number, source=SLEEPER):
        command = [sys.executable, "-c", source]
        process = subprocess.Popen(command, pass_fds=[number], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def take(folder, child, **kwargs):
    number = folder.take(1)
    process = child(number, **kwargs)
    folder.give(number, process.pid)
    return process


def test_only_one_server_has_it(tmp_path, child):
    first, second = Folder(tmp_path), Folder(tmp_path)
    process = take(first, child)
    with pytest.raises(FolderInUseError, match="another server uses the folder"):
        second.take(1)
    assert process.poll() is None
    process.kill()
    process.wait()
    number = first.take(1)  # again, for the next Redis
    first.give(number, None)
    first.leave()
    second.give(second.take(1), None)
    second.leave()


def test_beside_a_redis_of_others(tmp_path):
    """Two servers would keep their registrations in the same file."""
    redis = RedisServer(str(tmp_path / "socket"))
    redis.start()
    try:
        options = {"redis": redis.url, "dir": tmp_path / "data"}
        with (
            GearsServer(**options),
            pytest.raises(ServerStartError, match="another server uses the folder"),
        ):
            GearsServer(**options).start()
        GearsServer(**options).start().stop()
    finally:
        redis.stop()


def test_what_a_dead_server_left_behind_is_ended(tmp_path, child):
    first, second = Folder(tmp_path), Folder(tmp_path)
    process = take(first, child)
    first.leave()  # as if it had died
    second.give(second.take(10), None)
    assert process.wait(10) == -15
    second.leave()


def test_what_does_not_end_is_not_run_beside(tmp_path, child):
    first, second = Folder(tmp_path), Folder(tmp_path)
    source = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER
    process = take(first, child, source=source)
    first.leave()
    with pytest.raises(FolderInUseError, match=f"process {process.pid}"):
        second.take(0.05)
    second.leave()
