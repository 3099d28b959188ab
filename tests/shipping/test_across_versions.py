"""Functions of all shapes, from each version of Python that is here to each other."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cloudpickle
import pytest
from support.pythons import interpreter

HERE = Path(__file__).parent
CLIENTS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]
SERVERS = ["3.6", "3.7", *CLIENTS]
ENOUGH = 60


FOUND = {version: path for version, path in zip(SERVERS, map(interpreter, SERVERS)) if path}


@pytest.fixture
def packages(tmp_path):
    """A folder with what a client needs: it is the same for all versions."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    shutil.copytree(os.path.dirname(cloudpickle.__file__), str(folder / "cloudpickle"))
    return folder


@pytest.mark.parametrize("client", CLIENTS)
def test_every_shape(packages, client):
    if client not in FOUND:
        pytest.skip(f"there is no Python {client} here")
    if sys.version_info < (3, 8):
        pytest.skip("the cloudpickle of this Python is too old for the others")
    others = [path for version, path in FOUND.items() if version != client]
    if not others:
        pytest.skip("there is no other Python here")
    done = subprocess.run(
        [FOUND[client], "-S", str(HERE / "across.py"), *others],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=str(packages)),
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for server in sorted({tuple(row[0]) for row in rows}):
        counts = Counter(row[2] for row in rows if tuple(row[0]) == server)
        print("{} to {}.{}:".format(client, *server), dict(counts))
        assert sum(counts.values()) >= ENOUGH
    assert [row for row in rows if row[2] == "wrong"] == []
