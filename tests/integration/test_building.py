"""What functions of each kind give on a server."""

import functools
import operator
import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

import redgrease  # noqa: E402
from redgrease import GB, GearReader, KeysOnlyReader, KeysReader, PythonReader  # noqa: E402

WORDS = ["apple", "avocado", "banana"]


def words():
    yield from WORDS


@pytest.fixture
def numbers(r):
    r.mset({"n:1": 1, "n:2": 2, "n:3": 3})
    return KeysReader("n:*").values().map(int)


def test_a_generator_function_may_be_given_to_the_reader(r):
    assert sorted(GearReader("PythonReader", words).run(on=r)) == WORDS
    assert sorted(GB("PythonReader", words).run(on=r)) == WORDS
    assert sorted(PythonReader().run(functools.partial(iter, WORDS), on=r)) == WORDS
    assert list(PythonReader().limit(2).run(lambda: 5, on=r)) == [5, 5]
    assert sorted(GearReader("PythonReader", words).run(lambda: iter(["x"]), on=r)) == ["x"]


class TestAggregations:
    def test_by_groups_with_numbers(self, numbers, r):
        groups = numbers.aggregateby(lambda n: n % 2, 0).run(on=r)
        assert sorted((group["key"], group["value"]) for group in groups) == [("0", 2), ("1", 4)]

    def test_by_groups_with_lists(self, numbers, r):
        groups = numbers.aggregateby(lambda n: n % 2).run(on=r)
        found = {group["key"]: sorted(group["value"]) for group in groups}
        assert found == {"0": [2], "1": [1, 3]}

    def test_by_groups_with_an_operand(self, numbers, r):
        groups = numbers.aggregateby(lambda n: n % 2, 1, lambda k, a, n: a * n).run(on=r)
        found = {group["key"]: group["value"] for group in groups}
        assert found == {"0": 2, "1": 3}

    def test_of_all(self, numbers, r):
        assert numbers.aggregate(0, operator.add).run(on=r) == 6
        assert numbers.aggregate(0).run(on=r) == 6
        assert sorted(numbers.aggregate().run(on=r).value) == [1, 2, 3]
        assert numbers.sum().run(on=r) == 6
        assert numbers.avg().run(on=r) == 2.0

    def test_groups_by_default(self, r):
        r.mset({"n:1": "a", "n:2": "b", "n:3": "a"})
        values = KeysReader("n:*").values()
        counts = {each["key"]: each["value"] for each in values.countby().run(on=r)}
        assert counts == {"a": 2, "b": 1}
        groups = {each["key"]: each["value"] for each in values.groupby().run(on=r)}
        assert groups == {"a": ["a", "a"], "b": ["b"]}
        batches = {each["key"]: each["value"] for each in values.batchgroupby().run(on=r)}
        assert batches == {"a": 2, "b": 1}


def test_a_builder_is_taken_wherever_a_function_is(numbers, r):
    builder = GB("KeysReader", "n:*").map(lambda record: record["key"])
    assert sorted(r.gears.pyexecute(builder)) == ["n:1", "n:2", "n:3"]
    assert sorted(builder.run(on=r)) == ["n:1", "n:2", "n:3"]
    builder.count()
    assert r.gears.pyexecute(builder) == 3


def test_defaults_given_to_the_reader_reach_the_server(numbers, r):
    assert KeysReader("n:1", noScan=True).keys().run(on=r) == "n:1"
    assert KeysReader("n:2", readValue=False).run(on=r).value == {"event": None, "key": "n:2"}
    function = KeysReader(prefix="q:*", eventTypes=["set"], mode="sync").keys()
    function.foreach(functools.partial(redgrease.execute, "SADD", "seen")).register(on=r)
    r.set("q:1", "x")
    r.set("n:1", "x")
    assert r.smembers("seen") == {b"q:1"}


def test_keys_by_a_generator_of_patterns(numbers, r):
    found = KeysOnlyReader().run(patternGenerator=lambda: ("n:*", False), count=2, on=r)
    assert sorted(found) == ["n:1", "n:2", "n:3"]


def test_words_may_be_steps(numbers, r):
    KeysOnlyReader("n:*").foreach(redgrease.log).run(on=r)
    values = KeysOnlyReader("n:*").map(functools.partial(redgrease.execute, "GET")).run(on=r)
    assert sorted(values) == ["1", "2", "3"]


def test_filters_by_choices_of_any_kind(r):
    r.set("a", 1)
    r.hset("b", "f", 1)
    r.xadd("c", {"f": 1})
    names = {
        choice: sorted(KeysReader().keys(type=kinds).run(on=r))
        for choice, kinds in {
            "one": "hash",
            "two": {"hash", b"string"},
            "stream": "stream",
            "mixed": ["hash", None, 5],
        }.items()
    }
    assert names == {"one": ["b"], "two": ["a", "b"], "stream": ["c"], "mixed": ["b"]}


def test_coroutines_are_steps_but_no_extractors(numbers, r):
    async def doubled(number):
        return 2 * number

    assert sorted(numbers.map(doubled).run(on=r)) == [2, 4, 6]
    with pytest.raises(TypeError, match="coroutine"):
        numbers.groupby(doubled)
