"""Names for the servers' words."""

import logging

import pytest

from redgrease import sugar


@pytest.mark.parametrize("holder", [getattr(sugar, name) for name in sugar.__all__])
def test_words_are_texts(holder):
    words = [v for k, v in vars(holder).items() if k[0].isupper()]
    assert words and all(isinstance(word, str) for word in words)


@pytest.mark.parametrize(
    "value, expected",
    [(str, "string"), ("x", "string"), ({}, "hash"), (list, "list"), (set(), "set")],
)
def test_key_types_of_python_types(value, expected):
    assert sugar.KeyType.of(value) == expected


def test_not_every_type_has_a_key_type():
    with pytest.raises(ValueError, match="'float'"):
        sugar.KeyType.of(1.5)
    with pytest.raises(KeyError):
        sugar.KeyType.constructor("zset")
    assert sugar.KeyType.constructor("hash") is dict


def test_log_levels():
    assert sugar.LogLevel.to_logging_level(sugar.LogLevel.Notice) == logging.WARNING
    assert sugar.LogLevel.to_logging_level("no such level") == logging.INFO
