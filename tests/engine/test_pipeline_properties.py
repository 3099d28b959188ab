"""Compiled pipelines against a plain reading of the rules, on random chains and records.

The reference evaluates native steps one after the other, each a generator that pulls from the one
before; errors travel along as records that no step touches.  Composite steps are made of native
ones.  Neither shares code with the pipelines.
"""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from redgrease.engine.errors import PlainError
from redgrease.engine.pending import Maker, Pending
from redgrease.engine.pipeline import Pipeline
from redgrease.engine.steps import Step

# -- the reference --------------------------------------------------------------------------------


class Failed:
    """An error on its way to the end."""

    def __init__(self, error):
        self.error = described(error)


def described(error):
    return type(error).__name__, str(error)


def attempt(function, *args):
    try:
        return function(*args)
    except Exception as error:
        return Failed(error)


def c_string(key):
    text = key if isinstance(key, str) else repr(key)
    return text.split("\0")[0]


def native(step):
    """The native steps that a step stands for."""

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
        adding = (f[0], lambda k, a, r: a + 1, lambda k, a, r: a + r)
        return native(Step("aggregateby", adding, zero=0))
    if kind == "sort":
        gathering = (lambda a, r: a + [r], lambda a, r: a + r)
        return [
            *native(Step("aggregate", gathering, [])),
            ("map", lambda r: sorted(r, reverse=step.reverse)),
            ("flatmap", lambda r: r),
        ]
    if kind == "distinct":
        uniting = (lambda a, r: a | {r}, lambda a, r: a | r)
        return [*native(Step("aggregate", uniting, set())), ("flatmap", list)]
    if kind == "average":
        adding = (lambda a, r: (a[0] + r, a[1] + 1), lambda a, r: (a[0] + r[0], a[1] + r[1]))
        return [*native(Step("aggregate", adding, (0, 0))), ("map", lambda r: r[0] / r[1])]
    if kind == "str":
        return [("map", str)]
    if kind == "limit":
        return [("limit", step.count, step.offset)]
    if kind == "localgroupby":
        return [("groupby", *f)]
    return [(kind, *f)]


class Reference:
    """Evaluates steps."""

    def __init__(self, steps):
        self.steps = [one for step in steps for one in native(step)]
        self.errors = []

    def run(self, records):
        stream = self.read(records)
        for kind, *args in self.steps:
            stream = getattr(self, kind)(stream, *args)
        results = []
        for record in stream:
            if isinstance(record, Failed):
                self.errors.append(record.error)
            else:
                results.append(record)
        return results

    def read(self, records):
        while not self.errors:
            record = attempt(next, records, self)
            if record is self:
                return
            yield record
            if isinstance(record, Failed):
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
            if isinstance(r, Failed):
                yield r
                continue
            a, filled = attempt(f, a, r), True
            if isinstance(a, Failed):
                yield a
                a, filled = None, False
        if filled:
            yield a

    def groupby(self, stream, e, f):
        groups = {}
        for r in stream:
            key = r if isinstance(r, Failed) else attempt(e, r)
            if isinstance(key, Failed):
                yield key
                continue
            key = c_string(key)
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
                groups.setdefault(c_string(key), []).append(r)
        for key, group in reversed(groups.items()):
            value = attempt(f, key, group)
            yield value if isinstance(value, Failed) else {"key": key, "value": value}


# -- the pipelines' surroundings ------------------------------------------------------------------


class Run:
    """An execution, as far as pipelines know it; results that are to come are made by itself.

    Args:
        late: Whether they are there only when they are waited for, not at once.
    """

    def __init__(self, late=False):
        self.errors = []
        self.maker = Maker()
        self._late, self._coroutines = late, {}

    def fail(self, error, builtin_lines):
        self.errors.append(described(error))

    def adopt(self, result):
        pending = Pending()
        self._coroutines[pending] = result
        if not self._late:
            self._finish(pending)
        return pending

    def wait(self, pending):
        self._finish(pending)
        return pending.result()

    def _finish(self, pending):
        coroutine = self._coroutines.pop(pending, None)
        if coroutine is None:
            return
        try:
            coroutine.send(None)
        except StopIteration as end:
            pending.settle(end.value)
        except Exception as error:
            pending.settle(None, f"{type(error).__name__}: {error}")

    def close(self):
        for coroutine in self._coroutines.values():
            coroutine.close()


def later(function):
    """The same as a coroutine function."""

    async def coroutine(*args):
        return function(*args)

    return coroutine


# -- random chains --------------------------------------------------------------------------------


class MyList(list):
    pass


def size(r):
    """A number that any record has."""
    return len(str(r))


def fails_at(number, value):
    def function(*args):
        if size(args[-1]) % number == 0:
            raise ValueError(f"bad {args[-1]!r}")
        return value(*args)

    return function


def maybe(n, value):
    """A callback that fails for some records, unless the number is 0."""
    return fails_at(n, value) if n else value


FAILS = st.sampled_from([0, 0, 0, 0, 2, 3, 5])
FALSY = st.sampled_from([0, "", None, False])
KEYS = st.sampled_from(
    [
        lambda r: size(r) % 3,
        lambda r: str(size(r) % 3),
        lambda r: None,
        lambda r: (size(r) % 2, "a"),
        lambda r: b"x" if size(r) % 2 else "b'x'",
        lambda r: "a\0b" if size(r) % 2 else "a",
        lambda r: r,
        lambda r: 1.5,
    ]
)
MAPS = st.sampled_from(
    [
        lambda r: r,
        lambda r: None,
        lambda r: (r, 1),
        lambda r: [r, r],
        size,
        lambda r: 10 // (size(r) % 3),
        lambda r: r + 1,
        lambda r: {"r": r},
        repr,
    ]
)
FLATMAPS = st.sampled_from(
    [
        lambda r: [r] * (size(r) % 3),
        lambda r: [r, size(r), None],
        lambda r: (r, r),
        lambda r: MyList([1, r]),
        lambda r: "text",
        lambda r: [[r], []],
        lambda r: r,
        lambda r: [1 // (size(r) % 3)],
    ]
)
FOLDS = st.sampled_from(
    [
        lambda a, r: (a or 0) + size(r),
        lambda a, r: None,
        lambda a, r: (size(a) + size(r)) % 3,
        lambda a, r: [a, r],
        lambda a, r: 6 // (size(r) % 3),
        lambda a, r: "",
    ]
)
SIMPLE = {"map": MAPS, "flatmap": FLATMAPS, "foreach": MAPS, "filter": MAPS, "accumulate": FOLDS}
ZERO = st.sampled_from([0, 5, "", "z", None, False])


def adds(a, r):
    return a + size(r)


def modulo(a, r):
    return (size(a) + size(r)) % 4


def collected(a, r):
    return (a if isinstance(a, list) else [a]) + [r]


SEQUENCES = st.sampled_from([adds, modulo, collected, lambda a, r: 0, lambda a, r: 8 // size(a)])


@st.composite
def step(draw):
    kind = draw(
        st.sampled_from(
            [
                *("map", "map", "flatmap", "flatmap", "foreach", "filter", "filter", "accumulate"),
                *("limit", "limit", "collect", "repartition", "groupby", "localgroupby"),
                *("batchgroupby", "aggregate", "aggregateby", "count", "countby", "sort"),
                *("distinct", "average", "str"),
            ]
        )
    )
    n = draw(FAILS)
    if kind in SIMPLE:
        return Step(kind, (maybe(n, draw(SIMPLE[kind])),))
    if kind == "limit":
        return Step(kind, count=draw(st.integers(0, 5)), offset=draw(st.integers(0, 3)))
    if kind == "sort":
        return Step(kind, reverse=draw(st.booleans()))
    if kind in ("collect", "count", "distinct", "average", "str"):
        return Step(kind)
    if kind == "aggregate":
        sequence, combine = draw(SEQUENCES), draw(SEQUENCES)
        return Step(kind, (maybe(n, sequence), combine), zero=draw(ZERO))
    extractor = maybe(n, draw(KEYS))
    if kind in ("repartition", "countby"):
        return Step(kind, (extractor,))
    m = draw(FAILS)
    if kind == "batchgroupby":
        return Step(kind, (extractor, maybe(m, lambda k, values: (k, len(values)))))
    if kind == "aggregateby":
        sequence, combine = draw(SEQUENCES), draw(SEQUENCES)
        first, second = keyed(maybe(m, sequence)), keyed(combine)
        return Step(kind, (extractor, first, second), zero=draw(ZERO))
    return Step(kind, (extractor, keyed(maybe(m, draw(FOLDS)))))


def keyed(function):
    return lambda k, a, r: function(a, r)


CHAINS = st.lists(step(), max_size=7)
RECORDS = st.lists(
    st.integers(-5, 2000)
    | st.sampled_from(["", "a", "bc", None, True, 1.5, (1, 2), b"x", [], [3, 1]]),
    max_size=12,
)
FOR_EVENTS = ("map", "flatmap", "foreach", "filter", "accumulate", "groupby", "localgroupby")


def traced(steps, log, late=()):
    """The steps, with notes of all calls; some as coroutine functions."""

    def noting(number, index, function):
        def noted(*args):
            log.append((number, index, repr(args)))
            return function(*args)

        return noted

    chain = []
    for number, one in enumerate(steps):
        callbacks = [noting(number, *pair) for pair in enumerate(one.callbacks)]
        if number in late and one.kind in FOR_EVENTS:
            callbacks[-1] = later(callbacks[-1])
        chain.append(Step(one.kind, tuple(callbacks), one.zero, one.count, one.offset, one.reverse))
    return chain


def reading(records, log, broken):
    for record in records:
        log.append(("read", repr(record)))
        yield copy.copy(record)
    if broken:
        raise PlainError("the reader failed")


def expected(steps, records, broken=False):
    """What the rules say: results, errors and all calls in their order."""
    log = []
    reference = Reference(traced(steps, log))
    return reference.run(reading(records, log, broken)), reference.errors, log


@settings(max_examples=2000, deadline=None)
@given(CHAINS, RECORDS, st.booleans(), st.booleans())
def test_a_pipeline_does_what_the_rules_say(steps, records, profile, broken):
    results, errors, calls = expected(steps, records, broken)
    log, run = [], Run()
    pipeline = Pipeline(traced(steps, log), profile=profile)
    assert pipeline.run(reading(records, log, broken), run) == results, pipeline.source
    assert run.errors == errors, pipeline.source
    assert log == calls, pipeline.source


@settings(max_examples=600, deadline=None)
@given(CHAINS, RECORDS, st.sets(st.integers(0, 6)), st.booleans())
def test_results_that_come_later_change_nothing(steps, records, late, profile):
    results, errors, calls = expected(steps, records)
    log, run = [], Run()
    pipeline = Pipeline(traced(steps, log, late), profile=profile)
    assert pipeline.run(reading(records, log, False), run) == results, pipeline.source
    assert [text.rpartition(": ")[2] for _, text in run.errors] == [
        text.rpartition(": ")[2] for _, text in errors
    ], pipeline.source
    assert log == calls, pipeline.source


@settings(max_examples=600, deadline=None)
@given(CHAINS, RECORDS, st.sets(st.integers(0, 6)))
def test_waiting_for_results_keeps_the_order(steps, records, late):
    results, errors, calls = expected(steps, records)
    run, log = Run(late=True), []
    got = Pipeline(traced(steps, log, late)).run(reading(records, [], False), run)
    run.close()
    if not errors and not run.errors:
        assert got == results
