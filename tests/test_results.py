"""ExecutionResult behaves like its value."""

import copy
import operator
import pickle

import pytest

from redgrease import exceptions as ex
from redgrease.results import ExecutionResult as R
from redgrease.results import unwrapped


def test_value_and_errors():
    assert R(5).value == 5
    assert R(5).errors is None
    assert R(5, ["e"]).errors == ["e"]
    assert R(5, ()).errors == []


def test_representation():
    assert repr(R(5)) == "ExecutionResult[int](5)"
    assert repr(R(5, [])) == "ExecutionResult[int](5)"
    assert repr(R([5], ["x"])) == "ExecutionResult[list]([5], errors=['x'])"


def test_texts_and_formats_are_those_of_the_value():
    assert str(R(5)) == "5"
    assert f"{R(5):>4}" == "   5"
    assert f"{R(1.25):.1f}" == "1.2"
    assert bytes(R("ä")) == "ä".encode()
    assert bytes(R(b"x")) == b"x"
    assert bytes(R(None)) == b""
    assert bytes(R(True)) == b"1"
    assert bytes(R(1.5)) == b"1.5"


def test_instances():
    assert isinstance(R(5), int)
    assert isinstance(R(5), R)
    assert not isinstance(R(5), str)
    assert type(R(5)) is R
    assert R[int](5) == 5


def test_equality():
    assert R(5) == 5
    assert R(5) == [5]
    assert [5] == R(5)
    assert R(5) == R(5)
    assert R(5) != 6
    assert R(5) != [5, 5]
    assert R([1]) != 1
    assert R([1]) == [1]
    assert R([1, 2]) == R([1, 2])
    assert not R(5) != 5


def test_ordering():
    assert R(5) < 6 <= R(6)
    assert R(5) > R(4) >= 4


def test_arithmetic():
    assert R(5) + R(3) == 8
    assert 3 - R(5) == -2
    assert R(7) // 2 == 3
    assert 7 % R(4) == 3
    assert R(2) ** 3 == 8
    assert 2 ** R(3) == 8
    assert pow(R(2), 3, 5) == 3
    assert divmod(R(7), 2) == (3, 1)
    assert divmod(7, R(2)) == (3, 1)
    assert -R(5) == -5
    assert +R(5) == abs(R(-5)) == 5
    assert ~R(5) == -6
    assert R(6) & 3 == 2
    assert 1 | R(6) == 7
    assert round(R(2.6)) == 3
    assert round(R(2.66), 1) == 2.7
    assert [1, 2, 3][R(1)] == 2
    total = R(5)
    total += 1
    assert total == 6
    assert type(total) is int


def test_conversions():
    assert int(R("5")) == 5
    assert float(R(5)) == 5.0
    assert complex(R(5)) == 5
    assert bool(R(0)) is False
    assert bool(R([1])) is True


def test_lengths():
    assert len(R([1, 2])) == 2
    assert len(R("abc")) == 1
    assert len(R(b"abc")) == 1
    assert len(R(5)) == 1
    assert len(R(None)) == 0
    assert len(R({})) == 0


def test_iteration():
    assert list(R(5)) == [5]
    assert list(R(None)) == []
    assert list(R([1, 2])) == [1, 2]
    assert list(R("ab")) == ["a", "b"]
    assert list(reversed(R([1, 2]))) == [2, 1]


def test_containment():
    assert 5 in R(5)
    assert 6 not in R(5)
    assert 1 in R([1, 2])
    assert R(1) in R([1, 2])
    assert "a" in R({"a": 1})


def test_items():
    assert R(5)[0] == 5
    assert R([1, 2])[1] == 2
    assert R([1, 2, 3])[1:] == [2, 3]
    assert R({"a": 1})["a"] == 1
    for key in (1, slice(None)):
        with pytest.raises(TypeError):
            R(5)[key]
    with pytest.raises(TypeError):
        R(None)[0]


def test_containers_can_be_changed():
    values = [1, 2]
    R(values)[0] = 9
    del R(values)[1]
    assert values == [9]


def test_attributes_are_those_of_the_value():
    class Thing:
        size = 1

    thing = Thing()
    result = R(thing)
    assert result.size == 1
    result.size = 2
    assert thing.size == 2
    del result.size
    assert thing.size == 1
    assert R("abc").upper() == "ABC"
    with pytest.raises(AttributeError):
        R(5).nothing
    assert {"size", "value", "errors", "raise_for_errors"} <= set(dir(result))
    assert R[Thing](thing).value is thing
    assert not hasattr(thing, "__orig_class__")


def test_calling():
    assert R(operator.add)(1, 2) == 3
    with pytest.raises(TypeError):
        R(5)()


def test_not_hashable():
    with pytest.raises(TypeError):
        hash(R(5))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling(protocol):
    result = pickle.loads(pickle.dumps(R([5], ["e"]), protocol))
    assert type(result) is R
    assert result.value == [5]
    assert result.errors == ["e"]


def test_copying():
    values = [[1]]
    assert copy.copy(R(values)).value is values
    deep = copy.deepcopy(R(values, ["e"]))
    assert deep.value == values
    assert deep.value is not values
    assert deep.errors == ["e"]
    with pytest.raises(AttributeError):
        R.__new__(R).anything  # never recurses for ever


def test_raise_for_errors():
    result = R(5, [])
    assert result.raise_for_errors() is result
    assert R(5).raise_for_errors() == 5
    with pytest.raises(ex.ExecutionFailedError) as caught:
        R([1], ["boom"]).raise_for_errors()
    assert caught.value.errors == ["boom"]
    assert caught.value.value == [1]


def test_words_of_commands():
    words = ("SET", "key", b"1", 1, [R(1)])
    assert unwrapped(words) is words
    assert [type(word) for word in unwrapped(("SET", R("key"), R(5), None))] == [
        str,
        str,
        int,
        type(None),
    ]
