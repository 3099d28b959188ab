"""Changes of functions are noticed."""

import functools

import pytest
import usercode

from redgrease.shipping.cache import Watch
from redgrease.shipping.pickler import dumps

SETTINGS = {"a": [1, 2]}
NUMBER = 1


def uses_globals(x):
    return SETTINGS["a"], NUMBER, x


def outer(x):
    return uses_globals(x), undefined_so_far  # noqa: F821


def watch(value):
    return Watch(value, dumps(value))


@pytest.mark.parametrize(
    "value",
    [
        [("map", (uses_globals,), {"a": None})],
        outer,
        [1, 2.5, "a", b"b", None, ..., (), {1}, frozenset([2]), int, ValueError, len, str.join],
        lambda x, y=(1, [2]), *, z={}: x,  # noqa: B006
    ],
)
def test_nothing_has_changed(value):
    watched = watch(value)
    assert watched.complete
    assert watched.unchanged()


@pytest.mark.parametrize(
    "value",
    [
        object(),
        functools.partial(len),
        lambda x, y=functools.partial(len): y(x),
        usercode,
        [usercode.deeper.Thing],
    ],
)
def test_what_cannot_be_watched(value):
    assert not watch(value).complete


def test_globals(monkeypatch):
    watched = watch([outer])
    monkeypatch.setitem(globals(), "NUMBER", 2)
    assert not watched.unchanged()


def test_globals_that_appear(monkeypatch):
    watched = watch([outer])
    monkeypatch.setitem(globals(), "undefined_so_far", 2)
    assert not watched.unchanged()


def test_contents_of_containers():
    watched = watch(outer)
    SETTINGS["a"].append(3)
    assert not watched.unchanged()
    SETTINGS["a"].pop()
    assert watched.unchanged()
    SETTINGS["b"] = 1
    assert not watched.unchanged()
    del SETTINGS["b"]


def test_containers_that_contain_themselves():
    endless = []
    endless.append(endless)
    watched = watch([endless])
    assert watched.complete and watched.unchanged()
    endless.append(1)
    assert not watched.unchanged()


def test_closures_and_attributes():
    count = 1

    def function():
        return count

    def empty():
        return later

    watched = watch([function, empty])
    assert watched.complete and watched.unchanged()
    later = 1
    assert not watched.unchanged()
    watched = watch([function])
    count = 2
    assert not watched.unchanged()
    watched = watch([function])
    function.note = 1
    assert not watched.unchanged()
    assert later


def test_code():
    def function():
        return 1

    watched = watch(function)
    function.__code__ = (lambda: 2).__code__
    assert not watched.unchanged()
