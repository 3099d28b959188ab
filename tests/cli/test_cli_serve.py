"""``redgrease serve``."""

import os
import socket
import subprocess
import sys

import pytest

pytest.importorskip("click")
pytest.importorskip("hiredis")

import redis  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from support.real_redis import RealRedis, find_server  # noqa: E402

from redgrease.cli.commands import redgrease  # noqa: E402
from redgrease.engine.access import is_loopback  # noqa: E402


def run(*words, **environment):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "redgrease", *words],
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
    )


CLIENT = "import os, redgrease; r = redgrease.RedisGears.from_url(os.environ['REDGREASE_URL']); "


def test_a_command_runs_against_the_server():
    code = CLIENT + "r.set('k', 1); print(r.gears.pyexecute('GB().count().run()'))"
    done = run("serve", "--port", "0", "--", sys.executable, "-c", code)
    assert (done.returncode, done.stdout) == (0, "b'1'\n")
    assert "redgrease serves redis://127.0.0.1:" in done.stderr


def test_its_status_is_the_servers():
    done = run("serve", "--port", "0", "--", sys.executable, "-c", "raise SystemExit(7)")
    assert done.returncode == 7


def test_a_command_that_is_none():
    done = run("serve", "--port", "0", "--", "/no/such/command")
    assert done.returncode == 127 and "cannot run /no/such/command" in done.stderr


def test_a_password_reaches_the_command_and_nothing_else():
    code = CLIENT + "print(r.ping())"
    done = run("serve", "--port", "0", "--password", "s3cret", "--", sys.executable, "-c", code)
    assert done.stdout == "True\n" and "s3cret" not in done.stderr


def test_a_password_on_the_command_line_is_not_shown():
    """Nor does what the server starts find it in its environment, but for the address."""
    code = "import os; print(os.popen('ps axww -o args').read(), dict(os.environ))"
    secret = os.urandom(8).hex()
    words = ("serve", "--port", "0", "--password", secret, "--", sys.executable, "-c", code)
    shown, _, environment = run(*words).stdout.rpartition("{")
    assert "serve --port 0 --" in shown and secret not in shown
    assert environment.count(secret) == 1
    done = run("serve", "--redis", f"redis://:{secret}@localhost:1")
    assert done.returncode == 1 and secret not in done.stderr + done.stdout


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1 and "cannot listen on 127.0.0.1:" in done.stderr


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    done = run("serve", "--port", "0", "--dir", tmp_path / "file" / "data")
    assert done.returncode == 1 and f"{tmp_path}/file/data: Not a directory" in done.stderr


def test_no_redis_to_start():
    done = run("serve", "--port", "0", REDGREASE_REDIS_SERVER="/no/such/program")
    assert done.returncode == 1
    assert "REDGREASE_REDIS_SERVER is '/no/such/program', which is no program" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.org"])
def test_other_addresses_need_a_password(host):
    result = CliRunner().invoke(redgrease, ["serve", "--host", host])
    assert result.exit_code == 2 and "--unprotected" in result.output


@pytest.mark.parametrize(
    "host, expected",
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("x", False)],
)
def test_loopback(host, expected):
    assert is_loopback(host) is expected


def test_scripts_are_loaded_on_start_and_on_change(tmp_path):
    trigger = 'GB("CommandReader").register(trigger="{0}")'
    (tmp_path / "a.py").write_text(trigger.format("one"))
    (tmp_path / "broken.py").write_text("x = 1\n1 / 0")
    code = CLIENT + (
        "import sys, time, pathlib\n"
        "get = lambda: [each.RegistrationData.args['trigger'] for each in r.gears.dumpregistrations()]\n"
        "def wait(*names):\n"
        "    while get() != list(names): time.sleep(0.02)\n"
        "wait('one')\n"
        "pathlib.Path(sys.argv[1], 'a.py').write_text(sys.argv[2])\n"
        "wait('two')\n"
        "pathlib.Path(sys.argv[1], 'a.py').unlink()\n"
        "wait()\n"
    )
    words = ("--port", "0", "--watch", str(tmp_path), "--", sys.executable, "-c", code)
    done = run("serve", *words, str(tmp_path), trigger.format("two"))
    assert done.returncode == 0
    assert f'File "{tmp_path / "broken.py"}", line 2' in done.stderr
    assert done.stderr.count("loaded ") == 2 and done.stderr.count("unregistered ") == 1


def test_a_directory_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("serve", "--port", "0", "--dir", str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert f"{tmp_path}/file" in done.stderr and "listen" not in done.stderr


def test_the_login_of_a_redis_that_runs_already_reaches_the_command(tmp_path):
    binary = find_server()
    if binary is None:
        pytest.skip("there is no redis-server here")
    real = RealRedis(binary, str(tmp_path))
    try:
        with redis.Redis(port=real.port) as client:
            client.config_set("requirepass", "s3cret")
        address = f"redis://:s3cret@127.0.0.1:{real.port}"
        words = ("serve", "--port", "0", "--redis", address, "--", sys.executable, "-c")
        done = run(*words, CLIENT + "print(r.ping())")
        assert done.stdout == "True\n" and "s3cret" not in done.stderr
    finally:
        real.stop()
