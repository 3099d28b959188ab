"""Errors say which part of a function cannot be sent."""

import threading

import pytest

import redgrease
from redgrease.exceptions import NotShippableError
from redgrease.gearialization import serialize_gear_function
from redgrease.shipping.explain import not_shippable

LOCK = threading.Lock()


class Holder:
    def __init__(self):
        self.fine = 1
        self.lock = LOCK


def reason(function, step="map"):
    with pytest.raises(NotShippableError) as caught:
        serialize_gear_function(getattr(redgrease.KeysReader(), step)(function))
    assert caught.value.__cause__ is not None
    return str(caught.value)


def test_defaults():
    def function(x, fine=1, lock=LOCK):
        return x

    text = reason(function, "filter")
    assert text.startswith("filter(): the function test_defaults.<locals>.function (")
    assert "because of a default value, a value of type _thread.lock" in text


def test_containers_and_attributes():
    values = {"a": [1, (Holder(),)]}
    text = reason(lambda x: values[x])
    for part in (
        "its variable 'values', a value of type builtins.dict",
        "the item 'a', a value of type builtins.list",
        "an element, a value of type builtins.tuple",
        "Holder",
        "its attribute 'lock', a value of type _thread.lock",
    ):
        assert part in text


def test_variables_without_a_value():
    def function(x):
        return later, LOCK

    assert "the global name 'LOCK'" in reason(function)
    later = 1
    assert later


def test_arguments_of_the_last_step():
    with pytest.raises(NotShippableError, match=r"register\(\): the function .*LOCK"):
        serialize_gear_function(
            redgrease.CommandReader().register(trigger="t", onRegistered=lambda: LOCK)
        )


def test_attributes_of_a_users_module():
    import usercode

    assert "its variable 'usercode.deeper.LOCK', a value of type _thread.lock" in reason(
        lambda x: usercode.deeper.LOCK
    )


def test_where_it_cannot_be_found_out():
    error = not_shippable([("map", (1,), {})], ValueError("whatever"), ())
    assert str(error) == "the function cannot be sent: whatever"


def test_errors_without_a_text():
    class Silent:
        def __reduce__(self):
            raise ValueError

    silent = Silent()
    assert reason(lambda x: silent).endswith("Silent: ValueError")
