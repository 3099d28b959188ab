"""Steps as data, and the native steps they are shown as."""

import pytest

from redgrease.engine.steps import BARRIERS, Step, native_steps


def named(r):
    return r


def types(*steps):
    return [row.type for row, _ in native_steps(steps)]


def test_the_first_native_step_makes_python_objects():
    ((row, number),) = native_steps([])
    assert (row.type, row.name, number) == ("map", "RedisGearsPy_ToPyRecordMapper", -1)


@pytest.mark.parametrize(
    "step, expected",
    [
        (Step("map", (named,)), ["map"]),
        (Step("flatmap", (named,)), ["map", "flatmap"]),
        (Step("filter", (named,)), ["filter"]),
        (Step("foreach", (named,)), ["foreach"]),
        (Step("limit", count=3), ["limit"]),
        (Step("collect"), ["collect"]),
        (Step("repartition", (named,)), ["extractkey", "repartition"]),
        (Step("count"), ["accumulate", "collect", "accumulate"]),
        (Step("groupby", (named, named)), ["extractkey", "repartition", "accumulatebykey"]),
        (
            Step("batchgroupby", (named, named)),
            ["extractkey", "repartition", "group", "reduce"],
        ),
        (
            Step("sort"),
            ["accumulate", "collect", "accumulate", "map", "map", "flatmap"],
        ),
    ],
)
def test_composite_steps_are_shown_as_native_ones(step, expected):
    assert types(step)[1:] == expected


def test_arguments_are_shown():
    rows = [row for row, _ in native_steps([Step("map", (named,)), Step("limit", count=3)])]
    assert [row.arg for row in rows] == ["", "named", "3"]
    ((extractor, _),) = native_steps([Step("countby", (named,), builtin=True)])[1:2]
    assert extractor.arg == "<lambda>"


def test_every_step_knows_the_one_it_belongs_to():
    numbers = [number for _, number in native_steps([Step("count"), Step("str")])]
    assert numbers == [-1, 0, 0, 0, 1]


def test_barriers():
    assert Step("sort").barrier
    assert not Step("map", (named,)).barrier
    assert {"accumulate", "groupby", "distinct"} <= BARRIERS
