"""Ships functions of all shapes from the Python that runs this to the others that are named.

It is run with ``python across.py PYTHON...`` and writes one line of JSON for each shape and server:
``[server, shape, outcome, reason]``, where the outcome is ``right``, ``refused`` or ``wrong``.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import redgrease  # noqa: E402
from redgrease import gearialization  # noqa: E402
from redgrease.exceptions import NotShippableError  # noqa: E402

RECORDS = [0, 1, 6]
VERSION = """\
import sys
GB().map(lambda x: list(sys.version_info[:2])).run(convertToStr=False)
"""


def source():
    yield from RECORDS


# Which version of Python can read which file.
FILES = {
    "shapes": (3, 6),
    "shapes_functions": (3, 8),
    "shapes_classes": (3, 8),
    "shapes_data": (3, 8),
    "shapes_library": (3, 8),
    "shapes_meaning": (3, 8),
    "shapes_plugins": (3, 6),
    "shapes_hints": (3, 6),
    "shapes_made": (3, 8),
    "shapes_38": (3, 8),
    "shapes_310": (3, 10),
    "shapes_311": (3, 11),
    "shapes_312": (3, 12),
}


def shapes():
    """The shapes that this version of Python can read: the function, and the version it needs."""
    for name, since in FILES.items():
        if sys.version_info >= since:
            module = importlib.import_module(name)
            for shape, function in sorted(module.SHAPES.items()):
                yield shape, function, module.NEEDS.get(shape, (3, 6))


class Server:
    """A server that another Python runs."""

    def __init__(self, python):
        self.process = subprocess.Popen(
            [python, "-I", "-S", str(HERE / "bare_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
            encoding="utf-8",
        )
        self.version = tuple(
            self.ask(
                "GB().map(lambda x: list(__import__('sys').version_info[:2])).run(convertToStr=False)"
            )["results"][0]
        )

    def ask(self, script):
        self.process.stdin.write(json.dumps(script) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


def outcome(server, function):
    """Ship a function; returns the outcome and the reason."""
    shipped = redgrease.PythonReader().map(function).run(source)
    try:
        shipment = gearialization.serialize(shipped, server.version)
    except NotShippableError as error:
        return "refused", str(error)
    except Exception as error:
        return "wrong", f"on the client: {type(error).__name__}: {error}"
    answer = server.ask(shipment.script)
    if "error" in answer:
        return "wrong", "on the server: " + answer["error"].strip().splitlines()[-1]
    try:
        results = [gearialization.decode(bytes.fromhex(each)) for each in answer["results"]]
    except Exception as error:
        return "wrong", f"in the result: {type(error).__name__}: {error}"
    expected = [function(record) for record in RECORDS]
    return ("right", "") if results == expected else ("wrong", f"{results} != {expected}")


def main(pythons):
    for python in pythons:
        server = Server(python)
        for name, function, needs in shapes():
            result, reason = outcome(server, function)
            if (result == "refused") != (server.version < needs):
                result, reason = "wrong", reason or f"not refused, though it needs {needs}"
            print(json.dumps([list(server.version), name, result, reason]), flush=True)
        server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
