"""Readers and their sugar."""

import pytest

from redgrease.reader import (
    CommandReader,
    GearReader,
    KeysOnlyReader,
    KeysReader,
    PythonReader,
    ShardsIDReader,
    StreamReader,
)
from redgrease.utils import Record, StreamRecord

READERS = [KeysReader, KeysOnlyReader, StreamReader, PythonReader, ShardsIDReader, CommandReader]
EVENT = {"key": "k", "value": "v", "type": "string", "event": "set"}


def local(function, record):
    """What the steps of a function make of one record; None if a filter drops it."""
    for step in function.steps[1:]:
        if step.name == "filter":
            if not step.args[0](record):
                return None
        elif step.name == "map":
            record = step.args[0](record)
    return record


@pytest.mark.parametrize("reader", READERS)
def test_names_and_descriptions(reader):
    function = reader(desc="about it")
    assert function.reader == reader.__name__
    assert function.operation.args == (reader.__name__, "*", "about it")
    assert repr(reader()) == reader.__name__ + "()"


def test_any_reader_by_its_name():
    function = GearReader("NewReader", "arg")
    assert function.operation.args == ("NewReader", "arg", None)
    assert function.supports_batch_mode and function.supports_event_mode


@pytest.mark.parametrize("reader", READERS)
def test_a_description_is_a_text(reader):
    with pytest.raises(TypeError, match="desc is a text"):
        reader(desc=5)


@pytest.mark.parametrize("reader", [KeysReader, KeysOnlyReader, StreamReader])
def test_a_pattern_is_a_text(reader):
    assert reader("a*").default_key_pattern == "a*"
    with pytest.raises(TypeError, match="key pattern is a text"):
        reader(["a*"])


def test_parts_of_key_records():
    assert local(KeysReader().values(), EVENT) == "v"
    assert local(KeysReader().keys(), EVENT) == "k"
    assert local(KeysReader().records(), EVENT) == Record(**EVENT)


@pytest.mark.parametrize("part", ["values", "keys", "records"])
def test_filters_of_key_records(part):
    select = getattr(KeysReader(), part)
    assert local(select(type="string"), EVENT) is not None
    assert local(select(type="hash"), EVENT) is None
    assert local(select(type=["hash", "string"], event=...), EVENT) is not None
    assert local(select(event=["del"]), EVENT) is None


@pytest.mark.parametrize("part", ["values", "keys", "records"])
def test_filters_are_told_to_the_server_when_registered(part):
    select = getattr(KeysReader(), part)
    kwargs = select(type={"string", "hash"}, event="set").register().operation.kwargs
    assert kwargs["keyTypes"] == ["hash", "string"] and kwargs["eventTypes"] == ["set"]
    assert "keyTypes" not in select(event="set").register().operation.kwargs
    assert "eventTypes" not in select().register().operation.kwargs


def test_given_event_types_win_over_the_filters():
    function = KeysReader().values(event="set").register(eventTypes=["set", "del"])
    assert function.operation.kwargs["eventTypes"] == ["set", "del"]


@pytest.mark.parametrize("kind", ["stream", "unknown", "empty", object()])
def test_types_that_only_records_know_are_left_to_the_filter(kind):
    assert "keyTypes" not in KeysReader().values(type=kind).register().operation.kwargs


def test_filters_do_not_touch_run():
    assert "keyTypes" not in KeysReader().values(type="string").run().operation.kwargs


def test_filters_are_shown_as_written():
    assert repr(KeysReader().keys(type="string")) == "KeysReader().keys(type='string')"


def test_parts_of_stream_records():
    message = {"key": "s", "id": "1-0", "value": {"a": "1"}}
    assert local(StreamReader().values(), message) == {"a": "1"}
    assert local(StreamReader().keys(), message) == "s"
    assert local(StreamReader().records(), message) == StreamRecord(**message)


@pytest.mark.parametrize(
    "count, expected", [(None, ["a", "b"]), (0, []), (1, ["a"]), (5, ["a", "b"])]
)
def test_arguments_of_commands(count, expected):
    function = CommandReader().args(count)
    assert local(function, ["name", "a", "b"]) == expected
    assert repr(function).endswith(".args()" if count is None else f".args({count})")


def test_apply():
    function = CommandReader().apply(max, requirements="numpy")
    assert local(function, ["name", "a", "c", "b"]) == "c"
    assert function.requirements == {"numpy"}
    assert function.operation.args[0].__name__ == "max"
    with pytest.raises(TypeError, match="apply"):
        CommandReader().apply(3)
