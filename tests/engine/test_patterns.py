from hypothesis import given
from hypothesis import strategies as st

from redgrease.engine.patterns import Patterns

words = st.text("ab*", max_size=4).map(str.encode)


def is_covered(pattern, key):
    return key.startswith(pattern[:-1]) if pattern.endswith(b"*") else key == pattern


@given(st.lists(words, max_size=12), words)
def test_as_one_by_one(patterns, key):
    found = Patterns((pattern, place) for place, pattern in enumerate(patterns))
    expected = [place for place, pattern in enumerate(patterns) if is_covered(pattern, key)]
    assert list(found.find(key)) == expected
    assert found.covers(key) is bool(expected)


def test_no_patterns():
    assert not Patterns().covers(b"key")
    assert list(Patterns().find(b"key")) == []
