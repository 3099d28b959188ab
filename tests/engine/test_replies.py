"""Replies in both protocols."""

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redgrease.engine.replies import OK, Error, Raw, Status, encode, record, records


@pytest.mark.parametrize(
    "value, resp2, resp3",
    [
        (OK, b"+OK\r\n", None),
        (Error("ERR no\r\nway"), b"-ERR no  way\r\n", None),
        (None, b"$-1\r\n", b"_\r\n"),
        (7, b":7\r\n", None),
        (2**70, b"$22\r\n1180591620717411303424\r\n", b"(1180591620717411303424\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (0.0, b"$1\r\n0\r\n", b",0\r\n"),
        ("é", b"$2\r\n\xc3\xa9\r\n", None),
        (b"\xff", b"$1\r\n\xff\r\n", None),
        ([1, ["a"], Status("s")], b"*3\r\n:1\r\n*1\r\n$1\r\na\r\n+s\r\n", None),
        (Raw(b":1\r\n"), b":1\r\n", None),
    ],
)
def test_replies_of_commands(value, resp2, resp3):
    assert encode(value) == resp2
    assert encode(value, resp3=True) == (resp3 or resp2)


def test_unknown_objects_are_refused():
    with pytest.raises(TypeError):
        encode(object())


class Number(int):
    pass


@pytest.mark.parametrize(
    "value, expected",
    [
        ("-5", b"-5\r\n"),
        ("+fine", b"+fine\r\n"),
        ("-", b"$1\r\n-\r\n"),
        ("+", b"$1\r\n+\r\n"),
        ("-a\r\nb", b"-a  b\r\n"),
        (b"-5", b"$2\r\n-5\r\n"),
        (["-a", "+b", "c"], b"*3\r\n-a\r\n+b\r\n$1\r\nc\r\n"),
        (True, b":1\r\n"),
        (Number(3), b":3\r\n"),
        (2**70, b"$22\r\n1180591620717411303424\r\n"),
        (1e20, b"$28\r\n100000000000000000000.000000\r\n"),
        (float("nan"), b"$3\r\nnan\r\n"),
        ("\ud800", b"$6\r\n\\ud800\r\n"),
        (bytearray(b"x"), b"$9\r\nPY RECORD\r\n"),
        ((1,), b"$9\r\nPY RECORD\r\n"),
        ({}, b"$9\r\nPY RECORD\r\n"),
        (None, b"$9\r\nPY RECORD\r\n"),
    ],
)
def test_result_records(value, expected):
    assert record(value) == expected


def test_a_list_within_itself_has_no_form():
    loop = []
    loop.append(loop)
    assert record(loop) == b"$9\r\nPY RECORD\r\n"


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(ANY), st.booleans())
def test_every_array_of_records_is_well_formed(values, resp3):
    reader = hiredis.Reader(notEnoughData=Ellipsis)
    reader.feed(records(values, resp3))
    assert len(reader.gets()) == len(values)
    assert reader.gets() is ...


@given(st.text(st.characters(exclude_categories=())))
def test_every_text_is_encodable(text):
    reader = hiredis.Reader(notEnoughData=Ellipsis)
    reader.feed(encode([Status(text), Error(text), text]))
    assert len(reader.gets()) == 3
