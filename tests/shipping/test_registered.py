"""Registered functions survive what servers do to them: pickling them once more."""

import subprocess
import sys

import pytest

import redgrease
from redgrease.gearialization import serialize

cloudpickle = pytest.importorskip("cloudpickle")

SERVER = """
import sys, types, pickle
MODULE = "redisgears"
server = types.ModuleType(MODULE)
sys.modules[MODULE] = server


class GearsBuilder:
    def __init__(self, *args):
        self.steps = []

    def __getattr__(self, name):
        def add(*args, **kwargs):
            self.steps.append((name, args, kwargs))
            return self
        return add


built = []
class Noted(GearsBuilder):
    def __init__(self, *args):
        super().__init__(*args)
        built.append(self)


{body}
"""
FIRST = SERVER.replace(
    "{body}",
    """
import cloudpickle
exec(sys.stdin.read(), {"GearsBuilder": Noted, "__name__": "not_main"})
functions = [args[0] for name, args, _ in built[0].steps if name == "map"]
sys.stdout.buffer.write(cloudpickle.dumps(functions, protocol=4))
""",
)
LATER = SERVER.replace(
    "{body}",
    """
value = 1
for function in pickle.loads(sys.stdin.buffer.read()):
    value = function(value)
print(value)
""",
)


def run(code, given):
    done = subprocess.run(
        [sys.executable, "-c", code], input=given, stdout=subprocess.PIPE, check=True
    )
    return done.stdout


def test_functions_work_after_another_pickling_in_another_process():
    import enum

    class Factor(enum.Enum):
        TWO = 2

    def scale(x, *, factor=Factor.TWO):
        return x * factor.value

    count = [10]

    def add(x):
        count[0] += x
        return count[0]

    function = redgrease.KeysReader().map(scale).map(add).register("k*", convertToStr=True)
    script = serialize(function, sys.version_info[:2]).script
    pickled = run(FIRST, script.encode())
    assert run(LATER, pickled).strip() == b"12"
