"""Functions of all shapes give the same on a server with nothing installed as on the client."""

import sys
from pathlib import Path

import pytest

import redgrease

sys.path.insert(0, str(Path(__file__).parent))

from shapes import SHAPES  # noqa: E402

RECORDS = [0, 1, 6]


def source():
    yield from RECORDS


def test_there_are_enough():
    assert len(SHAPES) >= 60


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_shape(bare, name):
    function = SHAPES[name]
    shipped = redgrease.PythonReader().map(function).run(source)
    assert bare.results(shipped) == [function(record) for record in RECORDS]
