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
    function = GearReader("StreamReader", "arg")
    assert function.operation.args == ("StreamReader", "arg", None)
    assert function.supports_batch_mode and function.supports_event_mode
    assert repr(function) == "GearReader('StreamReader', 'arg')"


def test_there_are_no_other_readers():
    with pytest.raises(ValueError, match="no reader 'KeyReader', did you mean 'KeysReader'"):
        GearReader("KeyReader")
    with pytest.raises(TypeError, match="given by its name"):
        GearReader(KeysReader)


def test_a_function_can_be_what_a_python_reader_reads():
    def numbers():
        yield from range(3)

    function = GearReader("PythonReader", numbers)
    assert function.operation.args[1] is numbers
    assert repr(function) == "GearReader('PythonReader', numbers)"
    with pytest.raises(TypeError, match="key pattern is a text"):
        GearReader("KeysReader", numbers)


@pytest.mark.parametrize("reader", READERS)
def test_a_description_is_a_text(reader):
    with pytest.raises(TypeError, match="desc is a text"):
        reader(desc=5)


def test_what_python_reads_is_given_to_run():
    with pytest.raises(TypeError, match=r"given to run\(\)"):
        PythonReader(iter)


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


@pytest.mark.parametrize(
    "choice, passes, told",
    [
        (b"string", True, ["string"]),
        ({"string", 5}, True, None),
        (iter(["string", "hash"]), True, ["hash", "string"]),
        ({"string": 1}.keys(), True, ["string"]),
        (["hash", "unknown"], False, None),
        ((), False, None),
        ([["string"], "string"], True, None),
        (str, True, None),
        (5, False, None),
        (None, False, None),
    ],
)
def test_choices_may_be_anything(choice, passes, told):
    function = KeysReader().values(type=choice)
    assert (local(function, EVENT) is not None) == passes
    assert function.register().operation.kwargs.get("keyTypes") == told


def test_events_may_be_mixed_too():
    function = KeysReader().keys(event=["set", None])
    assert local(function, EVENT) == "k" and local(function, dict(EVENT, event=None)) == "k"
    assert "eventTypes" not in function.register().operation.kwargs
    kwargs = KeysReader().keys(event={"set", "del"}).register().operation.kwargs
    assert kwargs["eventTypes"] == ["del", "set"]


def test_streams_are_found_by_either_of_their_names():
    record = dict(EVENT, type="unknown", value=None)
    assert local(KeysReader().keys(type="stream"), record) == "k"
    assert local(KeysReader().keys(type="unknown"), record) == "k"
    assert local(KeysReader().keys(type=["hash", "stream"]), record) == "k"


def test_misspelt_types_are_refused():
    with pytest.raises(ValueError, match="no type of keys 'strnig', did you mean 'string'"):
        KeysReader().values(type=["strnig"])


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


@pytest.mark.parametrize("bad", ["2", 1.5, True])
def test_the_number_of_arguments_is_a_number(bad):
    with pytest.raises(TypeError, match="max_count is a number"):
        CommandReader().args(bad)
    with pytest.raises(ValueError, match="at least 0"):
        CommandReader().args(-1)


def test_apply():
    function = CommandReader().apply(max, requirements="numpy")
    assert local(function, ["name", "a", "c", "b"]) == "c"
    assert function.requirements == {"numpy"}
    assert function.operation.args[0].__name__ == "max"
    with pytest.raises(TypeError, match="apply"):
        CommandReader().apply(3)
