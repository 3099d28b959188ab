"""Functions survive what servers do to them: pickling them once more, and not well.

The pickler of these servers keeps a function's code and closure, and loses all the rest: global
names, defaults, keyword-only defaults and attributes.
"""

import os
import subprocess
import sys
from enum import Enum

import pytest
from support.pythons import interpreter

import redgrease
from redgrease.gearialization import serialize
from redgrease.shipping import starting

pytest.importorskip("cloudpickle")

SERVER = """
import marshal, pickle, sys, types
server = sys.modules["redisgears"] = types.ModuleType("redisgears")
nodes = int(sys.argv[1])
asked = []

def execute(*command):
    asked.append(command)
    if nodes == 0:
        raise RuntimeError("ERR unknown command")
    return ["MyId", "1", "MyRunId", "2", [["id", "1"]] * nodes] if nodes > 1 else "no cluster mode"

class GearsBuilder:
    def __init__(self, *args):
        self.steps = []
        built.append(self)

    def __getattr__(self, name):
        def add(*args, **kwargs):
            self.steps.append((name, args, kwargs))
            return self
        return add

built = []
scope = {"GearsBuilder": GearsBuilder, "execute": execute, "__name__": "not_main"}
"""
# It writes what travels between servers; a list of functions for each script.
FIRST = (
    SERVER
    + """
for script in pickle.load(sys.stdin.buffer):
    exec(script, scope)
functions = [[args[0] for name, args, _ in each.steps if name == "map"] for each in built]
print(len(vars(server).get("_redgrease_runs", {})), asked, file=sys.stderr)
pickle.dump([[(marshal.dumps(f.__code__), [cell.cell_contents for cell in f.__closure__ or ()])
              for f in each] for each in functions], sys.stdout.buffer, 4)
"""
)
LATER = (
    SERVER
    + """
def cell(value):
    return (lambda: value).__closure__[0]

for each in pickle.load(sys.stdin.buffer):
    value = 1
    for code, closure in each:
        names = {"__builtins__": __builtins__}
        value = types.FunctionType(marshal.loads(code), names, "f", None, tuple(map(cell, closure)))(value)
    print(value)
print(sorted(name for name in vars(server) if name.startswith("_redgrease")), file=sys.stderr)
print(len(vars(server).get("_redgrease_loaders", {})), file=sys.stderr)
print(len(vars(server).get("_redgrease_runs", {})), file=sys.stderr)
"""
)

# What real servers of RedisGears run, or nearly.
OLD = (
    ["3.7", "3.6", "3.8", "3.9"]
    if sys.version_info >= (3, 8)
    else ["{}.{}".format(*sys.version_info)]
)


class Factor(Enum):
    TWO = 2


def steps():
    count = [10]

    def scale(x, *, factor=Factor.TWO):
        return x * factor.value

    def add(x):
        count[0] += x
        return count[0]

    return redgrease.KeysReader().map(scale).map(add)


def serve(python, code, given, nodes=1):
    """Run a server; what it writes, and the lines that it says."""
    done = subprocess.run(
        [python, "-c", code, str(nodes)],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=""),
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout, done.stderr.decode().splitlines()


def scripts(python, *functions):
    import pickle

    version = subprocess.check_output([python, "-c", "import sys; print(*sys.version_info[:2])"])
    target = tuple(map(int, version.split()))
    return pickle.dumps([serialize(each, target).script for each in functions], 4)


@pytest.fixture
def old():
    found = next(filter(None, map(interpreter, OLD)), None)
    if found is None or sys.version_info[:2] in [(3, 6), (3, 7)] and found != sys.executable:
        pytest.skip("there is no Python here as old as that of real servers")
    return found


def test_registered_functions_are_loaded_again_elsewhere():
    function = steps().register("k*", convertToStr=True)
    sent, (said,) = serve(sys.executable, FIRST, scripts(sys.executable, function))
    assert said == "0 []"
    results, (names, loaders, runs) = serve(sys.executable, LATER, sent)
    assert results.split() == [b"12"]
    assert names == "['_redgrease_loaders', '_redgrease_plans']"


def test_runs_over_several_shards_are_loaded_again_elsewhere(old):
    sent, (said,) = serve(old, FIRST, scripts(old, steps().run("k*", convertToStr=True)), nodes=3)
    assert said == "1 [('RG.INFOCLUSTER',)]"
    results, (names, loaders, runs) = serve(old, LATER, sent)
    assert results.split() == [b"12"]
    assert names == "['_redgrease_loaders', '_redgrease_runs']"


def test_plans_of_runs_do_not_pile_up_and_the_loader_is_compiled_once(old):
    many = starting.RECENT + 10
    functions = [
        redgrease.KeysReader().map(lambda x, n=n: x + n).run(convertToStr=True) for n in range(many)
    ]
    sent, (said,) = serve(old, FIRST, scripts(old, *functions), nodes=3)
    assert said.split()[0] == str(starting.RECENT)
    results, (names, loaders, runs) = serve(old, LATER, sent)
    assert list(map(int, results.split())) == [n + 1 for n in range(many)]
    assert (int(loaders), int(runs)) == (1, starting.RECENT)


@pytest.mark.parametrize("nodes", [0, 1])
def test_functions_of_a_single_server_are_left_alone(old, nodes):
    sent, (said,) = serve(
        old, FIRST, scripts(old, redgrease.KeysReader().map(lambda x: x).run()), nodes
    )
    assert said == "0 [('RG.INFOCLUSTER',)]"


def test_servers_on_newer_pythons_are_not_asked(monkeypatch):
    def execute(*command):
        raise AssertionError(command)

    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert not starting.shared({"execute": execute})


def test_a_cluster_of_one_shard_is_not_shared(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 7, 16))
    reply = ["MyId", "1", "MyRunId", "2", [["id", "1"]]]
    assert not starting.shared({"execute": lambda *command: reply})
    assert starting.shared({"execute": lambda *command: [*reply[:4], reply[4] * 2]})
    assert not starting.shared({})
