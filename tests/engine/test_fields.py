"""The order of fields in records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redgrease.engine.fields import LONGEST, field_dict, siphash


@pytest.mark.parametrize(
    "put, listed",
    [
        # The original's own records show how its table orders names.
        ("key event type value", "event key type value"),
        ("key event", "event key"),
        ("key id value", "key id value"),
        ("spam meaning", "meaning spam"),
        ("a b", "b a"),
        ("f1 f2", "f2 f1"),
        ("", ""),
    ],
)
def test_order(put, listed):
    flat = [item for pair in zip(put.split(), range(9)) for item in pair]
    found = field_dict(flat)
    assert list(found) == listed.split()
    assert found == dict(zip(put.split(), range(9)))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.text("xy", max_size=2))))
def test_the_last_of_a_name_counts(pairs):
    flat = [item for pair in pairs for item in pair]
    assert field_dict(flat) == dict(pairs)
    if len(pairs) > 4:
        assert list(field_dict(flat)) == list(dict(pairs))[::-1]


def test_names_are_c_strings():
    assert field_dict(["a\0b", "1"]) == {"a": "1"}
    assert field_dict([bytearray(b"\xff"), "1", "a", "2"]) == {"a": "2", "\\xff": "1"}
    long = "n" * (LONGEST + 1)
    assert list(field_dict([long, "1", "b", "2"])) == ["b", long]


def test_siphash():
    assert siphash("") == 0x3204EEB59B3CCCDD
    assert len({siphash("x" * size) for size in range(40)}) == 40
