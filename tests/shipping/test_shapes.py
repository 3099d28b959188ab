"""Functions of all shapes give the same on a server with nothing installed as on the client."""

import pytest
from across import shapes

import redgrease

RECORDS = [0, 1, 6]

SHAPES = [pytest.param(function, id=name) for name, function, _ in shapes()]


def source():
    yield from RECORDS


def test_there_are_enough():
    assert len(SHAPES) >= 60


@pytest.mark.parametrize("function", SHAPES)
def test_shape(bare, function):
    shipped = redgrease.PythonReader().map(function).run(source)
    assert bare.results(shipped) == [function(record) for record in RECORDS]
