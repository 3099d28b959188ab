"""Errors say which part of a function cannot be sent."""

import contextlib
import sys
import threading

import pytest

import redgrease
from redgrease.exceptions import NotShippableError
from redgrease.gearialization import serialize, serialize_gear_function
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


class Service:
    @staticmethod
    def handle(x):
        return LOCK


class Faster(Service):
    slots = 1


def test_members_and_bases_of_classes():
    text = reason(lambda x: Faster.handle(x))
    for part in (
        "because of the global name 'Faster', the class Faster",
        "because of its base, the class Service",
        "because of its attribute 'handle', a value of type builtins.staticmethod",
        "because of what it wraps, the function Service.handle (",
        "because of the global name 'LOCK', a value of type _thread.lock",
    ):
        assert part in text
    service = Faster()
    assert "because of its class, the class Faster" in reason(lambda x: service.handle(x))


@contextlib.contextmanager
def entered():
    yield 1


def test_a_context_manager_that_was_entered():
    manager = entered()
    with manager:
        assert "_GeneratorContextManager" in reason(lambda x: manager)


def test_what_python_has_written():
    if sys.version_info < (3, 8):
        pytest.skip("clients of these versions send to servers of the same version only")
    import dataclasses

    @dataclasses.dataclass
    class Item:
        number: int

    made = Item.__init__
    function = redgrease.KeysReader().map(lambda x: made).run()
    other = (3, 13) if sys.version_info[:2] != (3, 13) else (3, 12)
    with pytest.raises(NotShippableError) as caught:
        serialize(function, other)
    assert "the function" in str(caught.value) and "<string>" in str(caught.value)
    assert "Python has written it, for a data class" in str(caught.value)
