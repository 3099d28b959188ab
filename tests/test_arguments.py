"""What run, register and the steps accept."""

import functools

import pytest

from redgrease import arguments, command
from redgrease.reader import CommandReader, KeysOnlyReader, KeysReader, PythonReader, StreamReader


@pytest.mark.parametrize(
    "word, known, suggestion",
    [
        ("readvalue", ["readValue", "noScan"], ", did you mean 'readValue'?"),
        ("strnig", arguments.KEY_TYPES, ", did you mean 'string'?"),
        ("something else", ["readValue"], ""),
        (5, ["x"], ""),
    ],
)
def test_did_you_mean(word, known, suggestion):
    assert arguments.did_you_mean(word, iter(known)) == suggestion


@pytest.mark.parametrize(
    "reader, kwargs, error, text",
    [
        (CommandReader, {"trigger": 5}, TypeError, "trigger is a text, not 5"),
        (CommandReader, {"trigger": ""}, ValueError, "a trigger is a text of at least one"),
        (CommandReader, {"trigger": "a\0b"}, ValueError, "without NUL"),
        (CommandReader, {"hook": b"GET"}, TypeError, "hook is a text"),
        (CommandReader, {"hook": "GET", "keyprefix": 1}, TypeError, "keyprefix is a text"),
        (CommandReader, {"trigger": "t", "inorder": 1}, TypeError, "inorder is True or False"),
        (KeysReader, {"keyTypes": ["strnig"]}, ValueError, "'strnig', did you mean 'string'"),
        (KeysReader, {"keyTypes": [str]}, TypeError, "a list of texts"),
        (KeysReader, {"keyTypes": 5}, TypeError, "a list of names, not 5"),
        (KeysReader, {"keyTypes": "hash"}, TypeError, r"keyTypes=\['hash'\]"),
        (KeysReader, {"eventTypes": []}, ValueError, "matches nothing"),
        (KeysReader, {"eventTypes": b"set"}, TypeError, "a list of names"),
        (KeysReader, {"commands": "set"}, TypeError, "a list of names"),
        (KeysReader, {"onRegistered": "x"}, TypeError, "onRegistered is a function"),
        (KeysReader, {"mode": 1}, TypeError, "mode is a text"),
        (KeysReader, {"mode": "async-local"}, ValueError, "did you mean 'async_local'"),
        (KeysReader, {"readValue": "no"}, TypeError, "readValue is True or False"),
        (KeysReader, {"collect": 1}, TypeError, "collect is True or False"),
        (KeysReader, {"convertToStr": "yes"}, TypeError, "convertToStr is True or False"),
        (KeysReader, {"prefix": 5}, TypeError, "the prefix is a text"),
        (KeysReader, {"evenTypes": ["set"]}, TypeError, "did you mean 'eventTypes'"),
        (KeysReader, {"regex": "a*"}, TypeError, "did you mean 'prefix'"),
        (StreamReader, {"batch": "10"}, TypeError, "batch is a number"),
        (StreamReader, {"batch": True}, TypeError, "batch is a number"),
        (StreamReader, {"batch": 0}, ValueError, "batch is at least 1"),
        (StreamReader, {"duration": 1.5}, TypeError, "duration is a number"),
        (StreamReader, {"duration": -1}, ValueError, "duration is at least 0"),
        (StreamReader, {"onFailedRetryInterval": "1"}, TypeError, "is a number"),
        (StreamReader, {"onFailedPolicy": "rerty"}, ValueError, "did you mean 'retry'"),
        (StreamReader, {"onFailedPolicy": None, "trimStream": 0}, TypeError, "trimStream is"),
    ],
)
def test_register_refuses_wrong_values(reader, kwargs, error, text):
    with pytest.raises(error, match=text):
        reader().register(**kwargs)


@pytest.mark.parametrize(
    "reader, kwargs, error, text",
    [
        (KeysReader, {"noScan": 1}, TypeError, "noScan is True or False"),
        (KeysReader, {"prefix": "a*"}, TypeError, "did you mean 'arg'"),
        (KeysOnlyReader, {"count": 0}, ValueError, "count is at least 1"),
        (KeysOnlyReader, {"patternGenerator": "a*"}, TypeError, "patternGenerator is a function"),
        (StreamReader, {"fromId": 5}, TypeError, "fromId is a text"),
        (StreamReader, {"fromId": "$"}, ValueError, "the id of a message"),
        (StreamReader, {"replce": True}, TypeError, "did you mean 'replace'"),
    ],
)
def test_run_refuses_wrong_values(reader, kwargs, error, text):
    with pytest.raises(error, match=text):
        reader().run(**kwargs)


def test_right_values_come_in_the_form_that_servers_take():
    kwargs = StreamReader().register(batch=Number(5), onFailedPolicy="Retry").operation.kwargs
    assert kwargs["batch"] == 5 and type(kwargs["batch"]) is int
    assert kwargs["onFailedPolicy"] == "Retry"
    kwargs = KeysReader().register(eventTypes={"set"}, keyTypes=("hash",)).operation.kwargs
    assert kwargs["eventTypes"] == ["set"] and kwargs["keyTypes"] == ["hash"]
    assert KeysReader().register(b"a*").operation.args == ("a*",)
    assert StreamReader().run(fromId="17-3").operation.kwargs["fromId"] == "17-3"
    function = KeysReader().register(onRegistered=functools.partial(print, "x"))
    assert type(function.operation.onRegistered) is type(test_did_you_mean)


class Number:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


def test_none_is_as_good_as_nothing():
    kwargs = KeysReader().run(None, noScan=None, readValue=None).operation.kwargs
    assert kwargs == {"collect": True}


def test_a_key_is_text_or_bytes_of_text():
    assert arguments.key_text("key", b"\xc3\xa9") == "é"
    with pytest.raises(UnicodeDecodeError):
        arguments.key_text("key", b"\xff")


def test_options_of_pyexecute_are_told_from_arguments():
    kwargs = {"noScan": True, "timeout": 3, "id": "x"}
    assert arguments.take_options("run", "KeysReader", kwargs, on=object()) == {
        "timeout": 3,
        "id": "x",
    }
    assert kwargs == {"noScan": True}
    with pytest.raises(TypeError, match=r"run\(id=…\) has a meaning only together with on="):
        arguments.take_options("run", "KeysReader", {"id": "x"}, on=None)


@pytest.mark.parametrize("reader", arguments.READERS)
@pytest.mark.parametrize("verb", ["run", "register"])
def test_every_argument_that_is_known_can_be_checked(reader, verb):
    table = arguments.RUN_ARGUMENTS if verb == "run" else arguments.REGISTER_ARGUMENTS
    if table[reader] is None:
        with pytest.raises(TypeError, match=f"a {reader} cannot {verb}"):
            arguments.known_arguments(verb, reader)
        return
    for name in arguments.known_arguments(verb, reader):
        with pytest.raises((TypeError, ValueError), match=name):
            arguments.normal(verb, name, object())


@pytest.mark.parametrize(
    "call, advice",
    [
        (lambda: KeysReader().map(7), "for the same value for every record: map(lambda"),
        (lambda: PythonReader().run([1]), "for these very records: run(lambda: iter([1]"),
        (lambda: PythonReader().run(5), "not 5"),
        (lambda: KeysReader().groupby(None, 5), "groupby() needs a callable"),
        (lambda: command("name")(5), "command() needs a callable"),
    ],
)
def test_what_cannot_be_called_gets_advice_that_fits(call, advice):
    with pytest.raises(TypeError) as caught:
        call()
    text = str(caught.value)
    assert advice in text and ("; for " in text) is ("; for " in "; " + advice)
