"""The names for the types of callbacks and values."""

import typing

import pytest

from redgrease import typing as names


@pytest.mark.parametrize(
    "name",
    "Extractor Mapper Expander Processor Filterer Accumulator Reducer BatchReducer".split(),
)
def test_callbacks_can_be_made_more_precise(name):
    alias = getattr(names, name)
    parameters = alias.__parameters__
    precise = alias[tuple(int for _ in parameters)]
    assert not getattr(precise, "__parameters__", ())
    assert repr(precise).startswith("typing.Callable")


def test_values_that_can_be_sent():
    assert names.RedisType == typing.Union[bytes, int, float]
    assert names.SafeType == typing.Union[bytes, int, float, str]
    assert names.SupportedType == typing.Union[bool, str, bytes, int, float]
    assert names.RedisKey == typing.Union[str, bytes]


def test_variance():
    assert names.InputRecord.__contravariant__ and names.OutputRecord.__covariant__
    assert names.Key.__contravariant__ and names.Key.__bound__ is typing.Hashable
    assert not names.T.__covariant__ and not names.Val.__contravariant__


def test_they_can_be_used_in_annotations():
    def words(record: names.Record) -> typing.List[str]:
        return record["value"].split()

    mapper: names.Mapper = words
    assert mapper({"value": "a b"}) == ["a", "b"]
    assert typing.get_type_hints(words)["record"] == typing.Dict[str, typing.Any]
