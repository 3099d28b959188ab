"""A server without any package, to see what arrives there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from redgrease import gearialization

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for the modules that stand for a user's own


class BareServer:
    """Sends scripts to a Python that has nothing but its standard library."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(HERE / "bare_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )

    def script(self, text):
        """Run a script; returns all that is known of it."""
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def ship(self, function):
        """Ship a function; returns the shipment and the answer."""
        shipment = gearialization.serialize(function, sys.version_info[:2])
        return shipment, self.script(shipment.script)

    def results(self, function):
        """Ship a function; returns its results, decoded."""
        shipment, answer = self.ship(function)
        assert "error" not in answer, answer["error"]
        if not shipment.pickled:
            return answer["results"]
        return [gearialization.decode(bytes.fromhex(each)) for each in answer["results"]]

    def error(self, function):
        """Ship a function that fails; returns the server's traceback."""
        return self.ship(function)[1]["error"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def bare():
    """A bare server, shared by all tests of a process."""
    server = BareServer()
    yield server
    server.stop()
