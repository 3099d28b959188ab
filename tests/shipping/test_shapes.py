"""Functions of all shapes give the same on a server with nothing installed as on the client."""

import pytest
from shapes import SHAPES

import redgrease

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
