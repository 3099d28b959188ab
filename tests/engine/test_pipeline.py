"""Compiled pipelines: their order, errors, and peculiarities."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redgrease.engine.errors import Aborted
from redgrease.engine.pipeline import Pipeline
from redgrease.engine.steps import Step


class Run:
    """An execution, as far as pipelines know it."""

    def __init__(self):
        self.errors = []
        self.abort = False

    def fail(self, error, builtin_lines):
        if isinstance(error, Aborted):
            raise error
        self.errors.append(type(error).__name__)
        if self.abort:
            raise Aborted

    def wait(self, pending):
        raise AssertionError("nothing is pending here")


def text(r):
    """A number that any record has."""
    return len(str(r))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=8))
def test_effects_come_in_order(records):
    seen = []

    def note(name):
        return lambda r: seen.append((name, r)) or r

    steps = [
        Step("map", (note("map"),)),
        Step("flatmap", (note("flatmap"),)),
        Step("foreach", (note("foreach"),)),
        Step("filter", (lambda r: note("filter")(r) or True,)),
    ]
    expected = []
    for record in records:
        expected += [("map", record), ("flatmap", record)]
        for item in reversed(record):
            expected += [("foreach", item), ("filter", item)]
    Pipeline(steps).run(records, Run())
    assert seen == expected


def test_limit_pulls_one_record_more():
    pulled = []
    steps = [Step("foreach", (pulled.append,)), Step("limit", count=2, offset=1)]
    assert Pipeline(steps).run(iter(range(10)), Run()) == [1, 2]
    assert pulled == [0, 1, 2, 3]


def test_only_lists_are_spread():
    class MyList(list):
        pass

    def one(value):
        return Pipeline([Step("flatmap", (lambda r: value,))]).run([0], Run())

    assert one([1, 2]) == [2, 1]
    assert one(MyList([1, 2])) == [2, 1]
    assert one((1, 2)) == [(1, 2)]
    assert one({1}) == [{1}]
    assert one("ab") == ["ab"]


@given(st.lists(st.integers(0, 200) | st.integers(), max_size=300))
def test_distinct_keeps_the_order_of_unions(records):
    a = set()
    for r in records:
        a = a | {r}
    assert Pipeline([Step("distinct")]).run(records, Run()) == list(set() | a)[::-1]


def test_keys_end_at_a_nul():
    step = Step("groupby", (lambda r: r, lambda k, a, r: k))
    assert Pipeline([step]).run(["a\0b", "a"], Run()) == [{"key": "a", "value": "a"}]


def test_a_mutable_zero_is_copied():
    zero = []

    def add(a, r):
        a.append(r)
        return a

    step = Step("aggregate", (add, lambda a, r: a + r), zero=zero)
    assert Pipeline([step]).run([1, 2], Run()) == [[1, 2]]
    assert zero == []


def test_counting_adds_up_what_the_reader_says():
    assert Pipeline([Step("count"), Step("str")], counted=True).run([3, 4], Run()) == ["7"]


def test_the_end_of_an_abort_is_final():
    run = Run()
    run.abort = True
    steps = [Step("sort"), Step("map", (lambda r: 1 // 0,)), Step("count")]
    with pytest.raises(Aborted):
        Pipeline(steps).run([1, 2, 3], run)
    assert run.errors == ["ZeroDivisionError"]


def test_the_time_of_steps_is_measured():
    pipeline = Pipeline([Step("map", (lambda r: sum(range(1000)),)), Step("str")], profile=True)
    pipeline.run(range(100), Run())
    assert pipeline.spent[0] > pipeline.spent[1] > 0


def test_generated_code_can_be_read():
    source = Pipeline([Step("map", (text,)), Step("filter", (text,)), Step("count")]).source
    assert "x = map_0(r)" in source
    assert "x = filter_1(r)" in source
    assert "n += 1" in source
