"""The steps of functions: what they accept, what they do by default, and what they refuse."""

import functools
import operator

import pytest

import redgrease
from redgrease.reader import KeysReader


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


def test_limit_takes_numbers_of_any_kind():
    class Seven:
        def __index__(self):
            return 7

    step = KeysReader().limit(Seven(), Seven()).operation
    assert step.args == (7, 7) and type(step.args[0]) is int
    for bad in (-1, -5):
        with pytest.raises(ValueError, match="at least 0"):
            KeysReader().limit(bad)


@pytest.mark.parametrize("bad", [1, None, len, "desc"])
def test_sort_has_no_key(bad):
    with pytest.raises(TypeError, match="True or False"):
        KeysReader().sort(bad)
    assert KeysReader().sort(reverse=False).operation.args == (False,)


class TestAggregateBy:
    def test_adds_numbers_to_a_number(self):
        _, zero, seq, comb = KeysReader().aggregateby(str, 0).operation.args
        assert (zero, seq("k", 1, 2), comb("k", 3, 4), comb("k", None, 4)) == (0, 3, 7, 4)
        assert seq("k", seq("k", zero, 5), 6) == 11

    def test_of_another_zero_needs_an_operand(self):
        with pytest.raises(ValueError, match=r"aggregateby\(\) has no default seqOp .* type dict"):
            KeysReader().aggregateby(str, {})
        assert KeysReader().aggregateby(str, {}, lambda k, a, r: a).operation.args[1] == {}

    def test_a_given_combiner_is_taken(self):
        args = KeysReader().aggregateby(None, [], None, lambda k, a, r: "mine").operation.args
        assert args[3]("k", 1, 2) == "mine" and args[2]("k", [], 2) == [2]


async def later(*args):
    return args


class Later:
    async def __call__(self, record):
        return record


COROUTINES = [later, functools.partial(later, 1), Later(), Later().__call__]


@pytest.mark.parametrize("coroutine", COROUTINES, ids=["def", "partial", "object", "method"])
class TestCoroutines:
    @pytest.mark.parametrize(
        "step", ["groupby", "localgroupby", "batchgroupby", "aggregateby", "countby", "repartition"]
    )
    def test_are_refused_as_extractors(self, step, coroutine):
        with pytest.raises(TypeError, match=step + r"\(\) cannot take a coroutine function"):
            getattr(KeysReader(), step)(coroutine)

    def test_are_refused_as_reducers_of_batches_only(self, coroutine):
        with pytest.raises(TypeError, match="coroutine"):
            KeysReader().batchgroupby(str, coroutine)
        assert KeysReader().groupby(str, coroutine)
        assert KeysReader().aggregate([], coroutine, coroutine)

    @pytest.mark.parametrize("step", ["map", "flatmap", "foreach", "filter", "accumulate", "avg"])
    def test_are_accepted_where_servers_wait_for_them(self, step, coroutine):
        assert getattr(KeysReader(), step)(coroutine).operation.name == step


def test_objects_that_have_any_attribute_are_no_coroutines():
    class Anything:
        def __getattr__(self, name):
            return self

        def __call__(self, record):
            return record

    assert KeysReader().countby(Anything()).operation.args[0](5) == 5


def test_words_of_the_server_become_plain_functions():
    step = KeysReader().foreach(redgrease.log).operation
    assert type(step.args[0]) is type(double) and step.args[0] is not redgrease.log
    assert step.args[0].__name__ == "log" and step.shown == "foreach(log)"


def test_a_constant_is_no_function_but_can_become_one():
    with pytest.raises(TypeError, match=r"for the same value .*: map\(lambda record: 5\)"):
        KeysReader().map(5)


def test_requirements_belong_to_every_step():
    function = KeysReader()
    for step in ("limit", "collect", "distinct", "count", "sum", "sort"):
        args = [3] if step == "limit" else []
        function = getattr(function, step)(*args, requirements=step)
    assert function.requirements == {"limit", "collect", "distinct", "count", "sum", "sort"}
