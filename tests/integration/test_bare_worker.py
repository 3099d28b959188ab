"""Functions on a server whose Python has nothing installed.

The worker is the real one, but runs in a virtual environment which holds nothing except the engine
itself and what that needs: hiredis, and cloudpickle, with which it keeps registrations, as the
original does.  There is no redgrease beside the engine, no redis-py, and nobody but the engine can
import cloudpickle.
"""

import base64
import collections
import dataclasses
import decimal
import enum
import functools
import json
import re
import subprocess
import sys
import threading
import venv
from pathlib import Path

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

hiredis = pytest.importorskip("hiredis")
cloudpickle = pytest.importorskip("cloudpickle")

import redgrease  # noqa: E402
from redgrease.engine import GearsServer  # noqa: E402
from redgrease.exceptions import ScriptError  # noqa: E402

RATES = {"a": 2, "b": 3}

# What starts the worker: an import of cloudpickle succeeds only in the engine and in cloudpickle.
WORKER = """
import builtins, sys
original = builtins.__import__
def guarded(name, *args, **kwargs):
    if name.partition(".")[0] == "cloudpickle":
        path = sys._getframe(1).f_code.co_filename
        if "/redgrease/engine/" not in path and "/cloudpickle/" not in path:
            raise ModuleNotFoundError("No module named 'cloudpickle'", name="cloudpickle")
    return original(name, *args, **kwargs)
builtins.__import__ = guarded
from redgrease.engine.worker import main
main()
"""


class BareServer(GearsServer):
    """A server with a worker that runs on another Python."""

    def __init__(self, python, **kwargs):
        super().__init__(worker="thread", **kwargs)
        self.python = python
        self.worker = None

    def _start_thread(self, link):
        self.worker = subprocess.Popen(
            [self.python, "-I", "-c", WORKER]
            + ["--link", link, "--redis", self.redis_url, "--dir", self._options.dir or "."],
            stderr=self._log,
            cwd=str(Path(self.python).parent),
        )
        threading.Thread(target=self._end_with_worker, daemon=True).start()

    def _end_with_worker(self):
        """Nobody else would notice that a worker could not start."""
        worker, process = self.worker, self._process
        worker.wait()
        if process is not None and process.poll() is None and self.worker is worker:
            process.terminate()

    def stop(self):
        super().stop()
        if self.worker is not None:
            self.worker.wait(10)  # it ends with the link
            self.worker = None


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of a bare virtual environment."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(str(folder), with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for module in (hiredis, cloudpickle):
        (packages / module.__name__).symlink_to(Path(module.__file__).parent)
    ours, bare = Path(redgrease.__file__).parent, packages / "redgrease"
    bare.mkdir()
    (bare / "__init__.py").write_text("")
    for name in ("engine", "_version.py", "codes.py"):
        (bare / name).symlink_to(ours / name)
    return str(folder / "bin" / "python")


@pytest.fixture(scope="module")
def server(python, tmp_path_factory):
    with BareServer(python, dir=str(tmp_path_factory.mktemp("server"))) as server:
        yield server


@pytest.fixture
def r(server):
    client = server.client()
    client.flushall()
    yield client
    for registration in client.gears.dumpregistrations():
        client.gears.unregister(registration)
    client.close()


def test_the_environment_is_bare(r):
    names = ["cloudpickle", "redis", "attr", "packaging", "redgrease.gears", "redgrease.runtime"]
    script = f"""
def missing(name):
    try:
        __import__(name)
    except ImportError:
        return True
    return False
GB('ShardsIDReader').map(lambda _: [missing(name) for name in {names!r}]).run()
"""
    assert r.gears.pyexecute(script) == str([True] * len(names)).encode()
    with pytest.raises(ScriptError, match="No module named 'redgrease.runtime'"):
        r.gears.pyexecute("from redgrease.runtime import execute")


def test_chains_of_steps(r):
    for number in range(10):
        r.set(f"key:{number}", number)
    keys = redgrease.KeysReader("key:*")
    assert keys.values().map(int).filter(lambda number: number > 4).sum().run(on=r) == 35
    assert keys.values().avg().run(on=r) == 4.5
    assert keys.count().run(on=r) == 10
    counts = keys.values().countby(lambda value: int(value) % 2).run(on=r)
    assert sorted((each["key"], each["value"]) for each in counts) == [("0", 5), ("1", 5)]
    longest = keys.keys().accumulate().map(len).run(on=r)
    assert longest == 10
    assert sorted(keys.keys().run(on=r).value) == sorted(f"key:{number}" for number in range(10))


def rated(record, default=1):
    @functools.lru_cache()
    def rate(name):
        return RATES.get(name, default)

    return rate(record)


def test_functions_with_all_that_they_use(r):
    def letters():
        yield from "abc"

    def numbers():
        yield from (1, 2)

    assert sorted(redgrease.PythonReader().map(rated).run(letters, on=r)) == [1, 2, 3]
    double = functools.partial(int.__mul__, 2)
    assert sorted(redgrease.PythonReader().map(double).run(numbers, on=r)) == [2, 4]


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    y: decimal.Decimal = decimal.Decimal(1)


Pair = collections.namedtuple("Pair", "one two")


def test_results_of_all_kinds(r):
    def make(_):
        encoded = base64.b64encode(json.dumps({"a": [1]}).encode())
        return [
            Color.RED, Point(1), Pair(1, 2), {1, 2}, None, re.compile("a"), encoded, 1.5, -3, "-x",
        ]  # fmt: skip

    result = redgrease.ShardsIDReader().map(make).map(lambda record: record).run(on=r)
    color, point, pair, *others = result.value
    assert color is Color.RED
    assert point == Point(1) and type(point) is Point
    assert pair == Pair(1, 2) and type(pair) is Pair
    assert others == [{1, 2}, None, re.compile("a"), b"eyJhIjogWzFdfQ==", 1.5, -3, "-x"]


def test_words_of_the_runtime(r):
    def words(_):
        redgrease.log({"any": "thing"})
        with redgrease.atomic():
            redgrease.execute("SET", "count" + redgrease.hashtag3(), 5)
            alone = redgrease.isInAtomicBlock()
        return (
            alone,
            redgrease.execute("GET", "count{06S}"),
            redgrease.gearsConfigGet("nothing", "default"),
            redgrease.hashtag(),
        )

    assert redgrease.ShardsIDReader().map(words).run(on=r) == (True, "5", "default", "06S")


def test_commands(r):
    @redgrease.command(on=r)
    def joined(*args):
        return {"joined": "-".join(args)}

    assert joined("a", "b") == {"joined": "a-b"}
    closed = redgrease.CommandReader().apply(lambda text: text.upper()).register(trigger="upper")
    upper = closed.on(r)
    assert upper("x") == "X"
    again = closed.on(r, replace=True)
    assert again("y") == "Y" and not upper.is_registered
    assert closed.on(r, replace=False).id == again.id


def test_functions_on_keys(r):
    @functools.wraps(rated)
    def count(record):
        redgrease.execute("INCRBY", "count", rated(record["key"]))

    reader = redgrease.KeysReader().foreach(count)
    registered = reader.register("a", mode="sync", on=r)
    r.set("a", 1)
    assert r.get("count") == b"2"
    assert registered.statistics.numSuccess == 1
    (execution,) = r.gears.dumpexecutions(registered=True)
    assert r.gears.getresults(execution)["key"] == "a"


def test_coroutines(r):
    async def later(record):
        import asyncio

        await asyncio.sleep(0)
        return record * 2

    def numbers():
        yield 21

    assert redgrease.PythonReader().map(later).run(numbers, on=r) == 42


def test_what_does_need_a_package_says_so(r):
    import attr

    def uses(_):
        return attr.fields

    with pytest.raises(ScriptError, match=r"needs the module 'attr'.*requirements=\["):
        redgrease.ShardsIDReader().map(uses).run(on=r)
