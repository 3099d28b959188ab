"""What functions that register are called."""

import re

import pytest

import redgrease
from redgrease.shipping.identity import identify, session_name


def called(function):
    return identify([(step.name, step.args, dict(step.kwargs)) for step in function.steps])


def counted(record):
    return record


def test_what_does_not_register_has_no_name():
    assert called(redgrease.KeysReader().run()) is None


def test_triggers():
    identity = called(redgrease.CommandReader(desc="words").register(trigger="count_1-x"))
    assert identity.session == "redgrease-command-count_1-x"
    assert identity[2:] == ("CommandReader", "*", "words", "async", "count_1-x")
    assert identity.encoder == "redgrease_" + identity.fingerprint


@pytest.mark.parametrize("trigger", ["a b", "caf\xe9", "x" * 300, "a.b", "a/b", ""])
def test_triggers_that_cannot_be_names(trigger):
    name = called(redgrease.CommandReader().register(trigger=trigger or "  ")).session
    assert re.fullmatch(r"redgrease-command-[A-Za-z0-9_-]+-[0-9a-f]{12}", name)
    assert len(name) < 100


def test_what_belongs_to_the_name():
    reader = redgrease.KeysReader
    functions = [
        reader().map(counted).register("a*"),
        reader().map(counted).register("b*"),
        reader().map(lambda record: 1).register("a*"),
        reader(desc="x").map(counted).register("a*"),
        reader(desc="y").map(counted).register("a*"),
        redgrease.StreamReader().map(counted).register("a*"),
        redgrease.CommandReader().map(counted).register(hook="get"),
        redgrease.CommandReader().map(counted).register(hook="set"),
        redgrease.CommandReader().map(counted).register(hook="set", keyprefix="a"),
    ]
    assert len({called(function).session for function in functions}) == len(functions)


def test_what_does_not():
    names = {
        called(redgrease.KeysReader(desc="x").map(function).register("a*", mode=mode)).session
        for function in (counted, len)
        for mode in ("sync", "async")
    }
    assert len(names) == 1
    names = {
        called(redgrease.KeysReader().map(function).map(counted).register("a*")).session
        for function in (lambda record: 1, lambda record: 2)
    }
    assert len(names) == 1


def test_words_are_kept_apart():
    assert session_name("a", "b-c") != session_name("a-b", "c")
