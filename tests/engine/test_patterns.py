import pytest
from hypothesis import given
from hypothesis import strategies as st

from redgrease.engine.patterns import FEW, Patterns

words = st.text("ab*", max_size=4).map(str.encode)


def is_covered(pattern, key):
    return key.startswith(pattern[:-1]) if pattern.endswith(b"*") else key == pattern


@given(st.lists(words, max_size=12), words)
def test_as_one_by_one(patterns, key):
    found = Patterns((pattern, place) for place, pattern in enumerate(patterns))
    expected = [place for place, pattern in enumerate(patterns) if is_covered(pattern, key)]
    assert list(found.find(key)) == expected
    assert found.cover([key]) is bool(expected)
    assert found.cover([b"c", key]) is (bool(expected) or found.cover([b"c"]))


@pytest.mark.parametrize("number", [FEW, FEW + 1])
def test_many_prefixes(number):
    found = Patterns((b"p%d:*" % place, place) for place in range(number))
    assert found.cover([b"x", b"p1:"]) and not found.cover([b"x", b"p1", b""])
    assert list(found.find(b"p7:x")) == [7]


def test_no_patterns():
    assert not Patterns().cover([b"key"])
    assert list(Patterns().find(b"key")) == []
