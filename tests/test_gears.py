"""Building functions: open and closed ones, their steps, and what is refused on the spot."""

import functools
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import redgrease
from redgrease.gears import (
    REGISTER_ARGUMENTS,
    RUN_ARGUMENTS,
    ClosedGearFunction,
    OpenGearFunction,
    requirement_set,
)
from redgrease.reader import CommandReader, GearReader, KeysReader, PythonReader, StreamReader


def double(x):
    return 2 * x


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def apply(self, x):
        return self.factor * x

    def __call__(self, x):
        return self.factor * x


UNARY = [int, str.split, operator.neg, functools.partial(pow, 2), Scale(3), Scale(3).apply, double]
UNARY_STEPS = ["map", "flatmap", "foreach", "filter", "repartition", "countby", "avg"]


@pytest.mark.parametrize("step", UNARY_STEPS)
@pytest.mark.parametrize("op", UNARY, ids=lambda op: getattr(op, "__name__", type(op).__name__))
def test_any_callable_becomes_a_plain_function(step, op):
    function = getattr(KeysReader(), step)(op).operation.args[0]
    assert type(function) is type(double)
    argument = "7 8" if op is str.split else 7
    assert function(argument) == op(argument)


@pytest.mark.parametrize(
    "build",
    [
        lambda f, op: f.accumulate(op),
        lambda f, op: f.groupby(str, lambda k, a, r: op(a, r)),
        lambda f, op: f.localgroupby(operator.itemgetter(0), lambda k, a, r: op(a, r)),
        lambda f, op: f.batchgroupby(str, op),
        lambda f, op: f.aggregate(0, op, op),
        lambda f, op: f.aggregateby(len, 0, lambda k, a, r: op(a, r), lambda k, a, r: op(a, r)),
    ],
)
def test_so_does_it_in_steps_of_several_operands(build):
    step = build(KeysReader(), operator.add).operation
    functions = [arg for arg in step.args if callable(arg)]
    assert functions and all(type(function) is type(double) for function in functions)


@pytest.mark.parametrize("step", UNARY_STEPS + ["accumulate", "groupby", "aggregateby"])
@pytest.mark.parametrize("wrong", [3, "int", [len]])
def test_what_is_not_callable_is_refused_where_it_is_written(step, wrong):
    with pytest.raises(TypeError, match=step + r"\(\) needs a callable"):
        getattr(KeysReader(), step)(wrong)


@pytest.mark.parametrize("step", ["map", "foreach"])
def test_operands_without_a_default_must_be_given(step):
    with pytest.raises(TypeError):
        getattr(KeysReader(), step)(None)


def test_open_functions_can_be_branched():
    common = KeysReader("a*").values()
    ints, texts = common.map(int), common.map(str)
    assert repr(common) == "KeysReader('a*').values()"
    assert repr(ints) == "KeysReader('a*').values().map(int)"
    assert repr(texts.count().run()) == "KeysReader('a*').values().map(str).count().run()"
    assert len(common.steps) == 2 and len(ints.steps) == 3


@given(st.lists(st.sampled_from(["count", "collect", "distinct", "sort", "sum"]), max_size=8))
def test_steps_are_those_that_were_written(names):
    function = KeysReader()
    for name in names:
        before = repr(function)
        function = getattr(function, name)()
        assert repr(function) == before + "." + name + "()"
    assert [step.shown for step in function.steps[1:]] == [name + "()" for name in names]


def test_repr_shows_the_chain_as_it_was_written():
    function = (
        KeysReader("x*", desc="about")
        .filter(lambda r: r)
        .map(functools.partial(operator.add, 1))
        .map(double)
        .foreach([].append)
        .flatmap()
        .limit(5)
        .limit(5, 2)
        .sort(False)
        .groupby(None, lambda k, a, r: a)
        .run("y*", collect=False, convertToStr=True)
    )
    assert repr(function) == (
        "KeysReader('x*', desc='about').filter(<lambda>).map(partial(operator.add, 1))"
        ".map(double).foreach([].append).flatmap().limit(5).limit(5, 2).sort(False)"
        ".groupby(None, <lambda>).run('y*', convertToStr=True, collect=False)"
    )
    registered = CommandReader().apply(double).register(trigger="twice", mode="sync")
    assert repr(registered) == (
        "CommandReader().apply(double).register(mode='sync', trigger='twice')"
    )
    assert repr(GearReader("KeysReader", "a")) == "GearReader('KeysReader', 'a')"


def test_requirements_are_collected_along_the_chain():
    function = (
        KeysReader(requirements="numpy")
        .map(int, requirements=["a", "b"])
        .limit(1, requirements="c")
        .collect(requirements=["d"])
        .distinct(requirements="e")
        .count(requirements="f")
        .run(requirements=("g",))
    )
    assert function.requirements == {"numpy", "a", "b", "c", "d", "e", "f", "g"}
    assert KeysReader().map(int).requirements == frozenset()


@pytest.mark.parametrize(
    "given, expected",
    [(None, set()), ("numpy", {"numpy"}), (["a", "b"], {"a", "b"}), (3, {3})],
)
def test_requirement_set(given, expected):
    assert requirement_set(given) == expected


class TestDefaults:
    def test_lists_start_empty(self):
        accumulate = KeysReader().accumulate().operation.args[0]
        assert accumulate(accumulate(None, 1), 2) == [1, 2]
        assert accumulate(7, 8) == [7, 8]
        for step in ("groupby", "localgroupby"):
            reducer = getattr(KeysReader(), step)().operation.args[1]
            assert reducer("k", reducer("k", None, 1), 2) == [1, 2]
            assert reducer("k", 7, 8) == [7, 8]

    def test_batches_are_counted(self):
        assert KeysReader().batchgroupby().operation.args[1]("k", [1, 2, 3]) == 3

    def test_extractors_take_any_record_and_are_stable(self):
        for step in ("groupby", "localgroupby", "batchgroupby", "aggregateby", "countby"):
            extract = getattr(KeysReader(), step)().operation.args[0]
            assert extract("text") == "text"
            assert extract({"a": [1]}) == "{'a': [1]}"

    def test_filter_and_flatmap_use_the_record_itself(self):
        assert KeysReader().filter().operation.args[0](0) == 0
        assert KeysReader().flatmap().operation.args[0]([1]) == [1]

    @pytest.mark.parametrize("record", [3, 3.0, "3", b"3", bytearray(b"3")])
    def test_avg_makes_numbers(self, record):
        assert KeysReader().avg().operation.args[0](record) == 3.0

    def test_avg_of_anything_else_goes_through_its_text(self):
        assert KeysReader().avg().operation.args[0](Text("4")) == 4.0

    def test_aggregate_adds_numbers(self):
        zero, seq, comb = KeysReader().aggregate(0).operation.args
        assert (zero, seq(1, 2), comb(3, 4)) == (0, 3, 7)

    def test_aggregate_gathers_lists_and_joins_them(self):
        zero, seq, comb = KeysReader().aggregate().operation.args
        assert (zero, seq([], 1), comb([1], [2])) == ([], [1], [1, 2])

    def test_aggregate_combines_with_the_operand_itself(self):
        zero, seq, comb = KeysReader().aggregate(1, operator.mul).operation.args
        assert (zero, seq(2, 3), comb(2, 3)) == (1, 6, 6)
        assert KeysReader().aggregate([], list.__add__).operation.args[2]([1], [2]) == [1, 2]

    def test_aggregate_of_another_zero_needs_an_operand(self):
        with pytest.raises(ValueError, match="no default seqOp for a zero of type str"):
            KeysReader().aggregate("")

    def test_aggregateby_joins_lists(self):
        extract, zero, seq, comb = KeysReader().aggregateby().operation.args
        assert (zero, seq("k", [], 1), comb("k", [1], [2])) == ([], [1], [1, 2])
        assert comb("k", None, [2]) == [2]

    def test_aggregateby_combines_with_the_operand_itself(self):
        args = KeysReader().aggregateby(str, 0, lambda k, a, r: a + r).operation.args
        assert args[1] == 0 and args[3]("k", 1, 2) == 3

    def test_sum_is_an_aggregation(self):
        step = KeysReader().sum().operation
        assert step.name == "aggregate" and step.args[0] == 0
        assert step.args[1](1, 2) == step.args[2](1, 2) == 3


class Text:
    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text


@pytest.mark.parametrize("bad", [True, "3", 1.5, None])
def test_limit_needs_numbers(bad):
    with pytest.raises(TypeError, match="limit"):
        KeysReader().limit(bad)
    with pytest.raises(TypeError, match="start"):
        KeysReader().limit(1, bad)


class TestRun:
    def test_gives_a_closed_function(self):
        function = KeysReader().run("a*", noScan=True)
        assert isinstance(function, ClosedGearFunction)
        assert not isinstance(function, OpenGearFunction)
        assert function.operation.args == ("a*",)
        assert function.operation.kwargs == {"collect": True, "noScan": True}

    @pytest.mark.parametrize("convert", [True, False])
    def test_an_explicit_conversion_is_kept(self, convert):
        assert KeysReader().run(convertToStr=convert).operation.kwargs["convertToStr"] is convert

    def test_commands_cannot_be_run(self):
        assert not CommandReader().supports_batch_mode
        with pytest.raises(TypeError, match="CommandReader cannot run; readers that can: Keys"):
            CommandReader().run()

    @pytest.mark.parametrize(
        "reader, argument",
        [(StreamReader, "noScan"), (KeysReader, "prefix"), (KeysReader, "fromId")],
    )
    def test_arguments_the_reader_does_not_know(self, reader, argument):
        with pytest.raises(TypeError, match=f"no argument '{argument}'"):
            reader().run(**{argument: 1})

    def test_a_misspelt_argument_gets_a_suggestion(self):
        with pytest.raises(TypeError, match="did you mean 'readValue'"):
            KeysReader().run(readvalue=False)

    def test_sync_is_no_mode_of_run(self):
        with pytest.raises(ValueError, match="async, async_local; not 'sync'"):
            KeysReader().run(mode="sync")

    def test_a_python_reader_needs_its_function(self):
        with pytest.raises(TypeError, match="generator function"):
            PythonReader().run()
        with pytest.raises(TypeError, match="needs a callable"):
            PythonReader().run("numbers")
        assert PythonReader().run(double).operation.args == (double,)

    def test_arguments_of_pyexecute_need_a_client(self):
        with pytest.raises(TypeError, match="only together with on="):
            KeysReader().run(unblocking=True)
        client = Recorder()
        assert KeysReader().run(on=client, unblocking=True) == "reply"
        assert client.calls[0][1]["unblocking"] is True


class TestRegister:
    def test_leaves_out_what_is_not_given(self):
        kwargs = KeysReader().register("a*").operation.kwargs
        assert kwargs == {"mode": "async", "collect": True}

    def test_takes_what_the_reader_knows(self):
        step = StreamReader().register(
            "s*",
            batch=3,
            duration=10,
            onFailedPolicy="retry",
            onFailedRetryInterval=2,
            trimStream=False,
            onRegistered=print,
        )
        kwargs = step.operation.kwargs
        assert step.operation.args == ("s*",)
        assert kwargs["batch"] == 3 and kwargs["trimStream"] is False
        assert type(kwargs["onRegistered"]) is type(double)

    @pytest.mark.parametrize("reader", ["KeysOnlyReader", "PythonReader", "ShardsIDReader"])
    def test_some_readers_cannot_be_registered(self, reader):
        function = getattr(redgrease, reader)()
        assert not function.supports_event_mode
        with pytest.raises(TypeError, match="cannot register"):
            function.register()

    @pytest.mark.parametrize(
        "reader, kwargs",
        [
            (StreamReader, {"eventTypes": ["set"]}),
            (KeysReader, {"batch": 3}),
            (KeysReader, {"trigger": "x"}),
            (StreamReader, {"noScan": True}),
        ],
    )
    def test_arguments_of_other_readers_are_refused(self, reader, kwargs):
        with pytest.raises(TypeError, match="has no argument"):
            reader().register(**kwargs)

    def test_a_trigger_or_a_hook_is_needed(self):
        with pytest.raises(TypeError, match="needs a trigger or a hook"):
            CommandReader().register()
        with pytest.raises(TypeError, match="cannot be combined"):
            CommandReader().register(trigger="t", hook="GET")
        assert CommandReader().register(hook="GET", keyprefix="p:")

    def test_values_are_checked(self):
        with pytest.raises(ValueError, match="mode is one of"):
            KeysReader().register(mode="snyc")
        with pytest.raises(ValueError, match="onFailedPolicy is one of"):
            StreamReader().register(onFailedPolicy="again")
        with pytest.raises(ValueError, match="goes only with"):
            StreamReader().register(mode="sync", onFailedPolicy="Retry")

    @pytest.mark.parametrize("argument", ["eventTypes", "keyTypes"])
    def test_names_come_in_a_list(self, argument):
        with pytest.raises(TypeError, match="a list of names"):
            KeysReader().register(**{argument: "set"})
        kwargs = KeysReader().register(**{argument: ("set",)}).operation.kwargs
        assert kwargs[argument] == ["set"]

    def test_replace_needs_a_client(self):
        with pytest.raises(TypeError, match="only together with on="):
            CommandReader().register(trigger="t", replace=True)
        client = Recorder()
        CommandReader().register(trigger="t", replace=True, on=client)
        assert client.calls[0][1]["replace"] is True


class Recorder:
    """Stands for a client: notes what it is asked to execute."""

    def __init__(self):
        self.gears = self
        self.calls = []

    def pyexecute(self, function, **kwargs):
        self.calls.append((function, kwargs))
        return "reply"


def test_on_takes_a_client_or_its_gears():
    client = Recorder()
    function = KeysReader().run()
    assert function.on(client, requirements="a", unblocking=True, id="x") == "reply"
    sent, kwargs = client.calls[0]
    assert sent is function
    assert kwargs == {"unblocking": True, "requirements": "a", "replace": None, "id": "x"}


def test_every_reader_is_in_both_tables():
    readers = set(vars(redgrease.ReaderType)) - set(vars(type("Empty", (), {})))
    assert readers == set(RUN_ARGUMENTS) == set(REGISTER_ARGUMENTS)
