"""Compiled pipelines against a plain reading of the rules, on random chains and records."""

import copy

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
        self.errors.append(type(error).__name__)
        if self.abort:
            raise Aborted

    def wait(self, pending):
        raise AssertionError("nothing is pending here")


# -- the reference: pull-based native steps, one class of records and one of errors ---------------


class Failed:
    """An error on its way to the end."""

    def __init__(self, error):
        self.name = type(error).__name__


def attempt(function, *args):
    try:
        return function(*args)
    except Exception as error:
        return Failed(error)


class Reference:
    """Evaluates native steps one generator each, as the fact sheet words them."""

    def __init__(self, steps):
        self.steps = [native for step in steps for native in self.natives(step)]
        self.errors = []

    def natives(self, step):
        def z(a):
            return a if a else copy.deepcopy(step.zero)

        kind, f = step.kind, step.callbacks
        if kind == "aggregate":
            return [
                ("accumulate", lambda a, r: f[0](z(a), r)),
                ("accumulate", lambda a, r: f[1](z(a), r)),
            ]
        if kind == "count":
            return [
                ("accumulate", lambda a, r: (a or 0) + 1),
                ("accumulate", lambda a, r: (a or 0) + r),
            ]
        if kind == "aggregateby":
            return [
                ("groupby", f[0], lambda k, a, r: f[1](k, z(a), r)),
                ("groupby", lambda r: r["key"], lambda k, a, r: f[2](k, z(a), r["value"])),
            ]
        if kind == "countby":
            return self.natives(
                Step(
                    "aggregateby",
                    (f[0], lambda k, a, r: a + 1, lambda k, a, r: a + r),
                    zero=0,
                )
            )
        if kind == "sort":
            return [
                *self.natives(Step("aggregate", (lambda a, r: a + [r], lambda a, r: a + r), [])),
                ("map", lambda r: sorted(r, reverse=step.reverse)),
                ("flatmap", lambda r: r),
            ]
        if kind == "distinct":
            return [
                *self.natives(Step("aggregate", (lambda a, r: a | {r}, lambda a, r: a | r), set())),
                ("flatmap", lambda r: list(r)),
            ]
        if kind == "average":
            return [
                *self.natives(
                    Step(
                        "aggregate",
                        (
                            lambda a, r: (a[0] + r, a[1] + 1),
                            lambda a, r: (a[0] + r[0], a[1] + r[1]),
                        ),
                        (0, 0),
                    )
                ),
                ("map", lambda r: r[0] / r[1]),
            ]
        if kind == "str":
            return [("map", str)]
        if kind == "limit":
            return [("limit", step.count, step.offset)]
        if kind == "localgroupby":
            return [("groupby", *f)]
        return [(kind, *f)]

    def run(self, records):
        stream = self.read(records)
        for kind, *args in self.steps:
            stream = getattr(self, kind)(stream, *args)
        results = []
        for record in stream:
            if isinstance(record, Failed):
                self.errors.append(record.name)
            else:
                results.append(record)
        return results

    def read(self, records):
        while not self.errors:
            try:
                yield next(records)
            except StopIteration:
                return

    def map(self, stream, f):
        for r in stream:
            yield r if isinstance(r, Failed) else attempt(f, r)

    def foreach(self, stream, f):
        for r in stream:
            if not isinstance(r, Failed):
                result = attempt(f, r)
                if isinstance(result, Failed):
                    r = result
            yield r

    def filter(self, stream, f):
        for r in stream:
            keep = r if isinstance(r, Failed) else attempt(f, r)
            if isinstance(keep, Failed):
                yield keep
            elif keep:
                yield r

    def flatmap(self, stream, f):
        for r in self.map(stream, f):
            if isinstance(r, list):
                yield from reversed(r)
            else:
                yield r

    def limit(self, stream, count, offset):
        seen = 0
        for r in stream:
            if isinstance(r, Failed):
                yield r
                continue
            seen += 1
            if seen > offset + count:
                return
            if seen > offset:
                yield r

    def collect(self, stream):
        return stream

    def repartition(self, stream, e):
        for r in stream:
            key = r if isinstance(r, Failed) else attempt(e, r)
            yield key if isinstance(key, Failed) else r

    def accumulate(self, stream, f):
        a, filled = None, False
        for r in stream:
            result = r if isinstance(r, Failed) else attempt(f, a, r)
            if isinstance(result, Failed):
                if result is not r:
                    a, filled = None, False
                yield result
            else:
                a, filled = result, True
        if filled:
            yield a

    def groupby(self, stream, e, f):
        groups = {}
        for r in stream:
            key = r if isinstance(r, Failed) else attempt(e, r)
            if isinstance(key, Failed):
                yield key
                continue
            key = key if isinstance(key, str) else repr(key)
            result = attempt(f, key, groups.get(key), r)
            if isinstance(result, Failed):
                groups.pop(key, None)
                yield result
            else:
                groups[key] = result
        for key, a in groups.items():
            yield {"key": key, "value": a}

    def batchgroupby(self, stream, e, f):
        groups = {}
        for r in stream:
            key = r if isinstance(r, Failed) else attempt(e, r)
            if isinstance(key, Failed):
                yield key
            else:
                key = key if isinstance(key, str) else repr(key)
                groups.setdefault(key, []).append(r)
        for key, group in reversed(groups.items()):
            value = attempt(f, key, group)
            yield value if isinstance(value, Failed) else {"key": key, "value": value}


# -- random chains --------------------------------------------------------------------------------


def text(r):
    """A number that any record has."""
    return len(str(r))


def some(values, kind, *callbacks, **more):
    return values.map(lambda number: Step(kind, tuple(c(number) for c in callbacks), **more))


NUMBER = st.integers(2, 4)
STEPS = st.one_of(
    some(NUMBER, "map", lambda n: lambda r: (r, n) if text(r) % 5 else n),
    some(NUMBER, "map", lambda n: lambda r: 10 // (text(r) % n)),
    some(NUMBER, "flatmap", lambda n: lambda r: [r] * (text(r) % n)),
    some(NUMBER, "flatmap", lambda n: lambda r: [r, n] if text(r) % n else r),
    some(NUMBER, "filter", lambda n: lambda r: text(r) % n),
    some(NUMBER, "filter", lambda n: lambda r: 1 // (text(r) % (n + 3))),
    some(NUMBER, "foreach", lambda n: lambda r: 1 // (text(r) % (n + 4))),
    some(NUMBER, "accumulate", lambda n: lambda a, r: (a or 0) + text(r)),
    some(NUMBER, "accumulate", lambda n: lambda a, r: (a or 0) + 6 // (text(r) % n)),
    some(NUMBER, "repartition", lambda n: lambda r: 1 // (text(r) % (n + 3))),
    some(
        NUMBER,
        "aggregate",
        lambda n: lambda a, r: (a + text(r)) % n,
        lambda n: lambda a, r: a + r,
        zero=5,
    ),
    some(
        NUMBER,
        "aggregate",
        lambda n: lambda a, r: a + [r],
        lambda n: lambda a, r: a + r + [1 // (len(r) % n)],
        zero=[],
    ),
    some(NUMBER, "groupby", lambda n: lambda r: text(r) % n, lambda n: lambda k, a, r: [a, r]),
    some(
        NUMBER,
        "localgroupby",
        lambda n: lambda r: str(text(r) % n),
        lambda n: lambda k, a, r: (a or 0) + 6 // (text(r) % (n + 1)),
    ),
    some(
        NUMBER,
        "batchgroupby",
        lambda n: lambda r: text(r) % n,
        lambda n: lambda k, v: 1 // (len(v) % n),
    ),
    some(
        NUMBER,
        "aggregateby",
        lambda n: lambda r: text(r) % n,
        lambda n: lambda k, a, r: (a + 1) % n,
        lambda n: lambda k, a, r: a + 1 // r,
        zero=1,
    ),
    some(NUMBER, "countby", lambda n: lambda r: text(r) % n),
    st.builds(lambda c, o: Step("limit", count=c, offset=o), st.integers(0, 5), st.integers(0, 3)),
    st.booleans().map(lambda reverse: Step("sort", reverse=reverse)),
    st.sampled_from(
        [Step("count"), Step("average"), Step("distinct"), Step("str"), Step("collect")]
    ),
)
RECORDS = st.lists(st.integers(-5, 2000) | st.sampled_from(["", "a", "bc"]), max_size=12)


@settings(max_examples=600, deadline=None)
@given(st.lists(STEPS, max_size=6), RECORDS, st.booleans())
def test_a_pipeline_does_what_the_rules_say(steps, records, profile):
    pulled, expected_pulled = [], []

    def reading(into):
        for record in records:
            into.append(record)
            yield record

    run = Run()
    pipeline = Pipeline(steps, profile=profile)
    results = pipeline.run(reading(pulled), run)
    reference = Reference(steps)
    expected = reference.run(reading(expected_pulled))
    assert results == expected, pipeline.source
    assert run.errors == reference.errors, pipeline.source
    assert pulled == expected_pulled, pipeline.source


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
    assert "keep = filter_1(r)" in source
    assert "n += 1" in source
