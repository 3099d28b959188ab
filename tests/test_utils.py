"""Small functions that everybody uses."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redgrease import utils
from redgrease.utils import CaseInsensitiveDict, Record, StreamRecord


class AsBytes:
    def __bytes__(self):
        return b"own bytes"


@pytest.mark.parametrize(
    "value, expected",
    [(b"\xc3\xa5", "å"), (bytearray(b"a"), "a"), (memoryview(b"a"), "a"), ("a", "a"), (3, 3)],
)
def test_str_if_bytes(value, expected):
    assert utils.str_if_bytes(value) == expected


@pytest.mark.parametrize("value, expected", [(None, ""), (b"a", "a"), (3, "3")])
def test_safe_str(value, expected):
    assert utils.safe_str(value) == expected
    assert utils.safe_str_upper(value) == expected.upper()


@pytest.mark.parametrize(
    "value, expected",
    [(b"OK", True), ("ok - saved", True), (b"Okinawa", False), (b"", False), (1, False)],
)
def test_bool_ok(value, expected):
    assert utils.bool_ok(value) is expected


@pytest.mark.parametrize(
    "value, expected",
    [
        (True, True),
        (0, False),
        (2, True),
        (b"yes", True),
        ("Y", True),
        ("1", True),
        (b"true", True),
        ("OK", True),
        ("yellow", False),
        (b"no", False),
        (1.0, False),
    ],
)
def test_safe_bool(value, expected):
    assert utils.safe_bool(value) is expected


def test_optional():
    assert utils.optional(int)(None) is None and utils.optional(int)("3") == 3


@pytest.mark.parametrize(
    "value, expected",
    [
        (None, b""),
        (True, 1),
        (3, 3),
        (1.5, 1.5),
        ("å", b"\xc3\xa5"),
        (b"a", b"a"),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        (AsBytes(), b"own bytes"),
        ([1], b"[1]"),
    ],
)
def test_to_redis_type(value, expected):
    assert utils.to_redis_type(value) == expected
    assert utils.to_bytes(value) == (
        expected if isinstance(expected, bytes) else str(expected).encode()
    )


def test_to_int_if_bool():
    assert utils.to_int_if_bool(True) == 1 and utils.to_int_if_bool("x") == "x"


@given(st.dictionaries(st.text(), st.integers()))
def test_lists_and_dicts_are_inverse(data):
    assert utils.to_dict(utils.to_list(data)) == data


def test_to_dict():
    assert utils.to_list(None) == [] and utils.to_dict(None) == {}
    assert utils.to_dict([1, 2, 3]) == {1: 2}
    assert utils.to_dict([1, 2], keys=["a", "b"]) == {"a": 1, "b": 2}
    assert utils.to_dict(["1", "2"], key_transform=int, val_transform={1: float}) == {1: 2.0}
    assert utils.to_kwargs([b"a", 1]) == {"a": 1}


def test_transform():
    assert utils.transform("3", int) == 3
    assert utils.transform("x", int) == "x"
    assert utils.transform("3", None) == "3"
    assert utils.transform("3", {"k": int, None: float}, "other") == 3.0


def test_parsers():
    assert utils.list_of_str(b"['a', 1]") == ["a", "1"]
    assert utils.list_parser(int)(["1", 2]) == [1, 2]
    assert utils.dict_of({"a": int})(["1", "2"], ["a", "b"]) == {"a": 1, "b": "2"}


@pytest.mark.parametrize(
    "make, kind", [(utils.record, Record), (utils.stream_record, StreamRecord)]
)
def test_records(make, kind):
    made = make({"key": b"k", "value": 1, "more": 2})
    assert type(made) is kind and made.key == "k" and made.kwargs == {"more": 2}
    assert make(made) is made and make("k").key == "k"
    assert made == make({"key": "k", "value": 1, "more": 2}) and made != make("k")
    assert repr(make("k")).startswith(kind.__name__ + "(key='k'")
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(ValueError):
        make("")
    with pytest.raises(TypeError):
        hash(made)


def test_stream_record_ids():
    assert StreamRecord("k", b"1-0").id == "1-0" and StreamRecord("k", "").id is None


def test_compose():
    assert utils.compose()(3) == 3
    assert utils.compose(str, abs, int)("-3") == "3"
    assert utils.compose(int)("3") == 3


@pytest.mark.parametrize(
    "conditions, expected",
    [
        ({"a": 1}, True),
        ({"a": 2}, False),
        ({"a": ...}, True),
        ({"missing": ...}, False),
        ({"a": int}, True),
        ({"a": str}, False),
        ({"a": [1, 2]}, True),
        ({"b": "text"}, True),
        ({"b": "a longer text"}, False),
        ({"b": b"text"}, False),
    ],
)
def test_dict_filter(conditions, expected):
    assert utils.dict_filter(**conditions)({"a": 1, "b": "text"}) is expected


def test_passfun():
    def function():
        """Stays itself."""

    assert utils.passfun(function) is function
    assert utils.passfun(len)("abc") == 3 and utils.passfun(len).__name__ == "len"
    assert utils.passfun(AsBytes()) if callable(AsBytes()) else True
    assert utils.passfun()(7) == 7
    assert utils.passfun(None, default=len)("ab") == 2
    assert utils.passfun("constant")(1, 2) == "constant"


def test_case_insensitive_dict():
    data = CaseInsensitiveDict({"Key": 1})
    data["other"] = 2
    assert data["KEY"] == data.get("key") == 1 and "kEy" in data
    assert data.pop("OTHER") == 2 and data.pop("OTHER", None) is None
    assert data.setdefault("key", 5) == 1 and data.setdefault("new", 5) == 5
    del data["NEW"]
    data.update(key=3)
    data[4] = 5
    assert data == {"KEY": 3, 4: 5}


def test_enumerations_equal_their_texts():
    class Word(utils._REnum):
        One = b"one"

    assert Word.One == "one" == Word.One and b"one" == Word.One and Word.One != 1
    assert str(Word.One) == "one" and bytes(Word.One) == b"one"
    assert repr(Word.One) == "Word(one)" and hash(Word.One) == hash("one")
