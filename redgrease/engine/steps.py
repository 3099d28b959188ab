"""The steps of a function as data: what a builder collects and a pipeline is compiled from.

A step names its kind and holds its callbacks and numbers.  Composite steps (count, aggregate,
sort, ...) stay what they are, so that the pipeline may run them in a better way than by the
native steps they are defined by; :func:`native_steps` says what these are, for RG.GETEXECUTION.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Callback = Callable[..., Any]

BARRIERS = frozenset(
    {
        "accumulate",
        "aggregate",
        "count",
        "average",
        "sort",
        "distinct",
        "groupby",
        "localgroupby",
        "batchgroupby",
        "aggregateby",
        "countby",
    }
)
"""Kinds that see all of their input before they give anything on."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        kind: The builder's method, or ``str`` (conversion to text) and ``average`` (the second
            half of ``avg``).
        callbacks: The functions, in the order in which the method takes them.
        zero: The start of an aggregation.
        count: How many records ``limit`` passes.
        offset: How many it drops before.
        reverse: The argument of ``sort``.
        builtin: Whether the callback is the server's own (``float`` of ``avg``).
    """

    kind: str
    callbacks: tuple[Callback, ...] = ()
    zero: Any = None
    count: int = 0
    offset: int = 0
    reverse: Any = True
    builtin: bool = False

    @property
    def barrier(self) -> bool:
        """Whether nothing comes out before all has gone in."""
        return self.kind in BARRIERS


@dataclass(frozen=True)
class NativeStep:
    """One row of the execution plan that RG.GETEXECUTION shows."""

    type: str
    name: str
    arg: str = ""


TO_PYTHON = NativeStep("map", "RedisGearsPy_ToPyRecordMapper")
_MAP = "RedisGearsPy_PyCallbackMapper"
_ACCUMULATE = "RedisGearsPy_PyCallbackAccumulate"
_ACCUMULATE_BY_KEY = "RedisGearsPy_PyCallbackAccumulateByKey"
_EXTRACT = "RedisGearsPy_PyCallbackExtractor"
_COLLECT = NativeStep("collect", "collect")
_REPARTITION = NativeStep("repartition", "repartition")
_LAMBDA = "<lambda>"

# What each kind is made of: (type, C-level name, index of the callback it shows).
_Row = tuple[str, str, int | None]
_LOCAL_GROUP: tuple[_Row, ...] = (
    ("extractkey", _EXTRACT, 0),
    ("accumulatebykey", _ACCUMULATE_BY_KEY, 1),
)
_GROUP: tuple[_Row, ...] = (
    ("extractkey", _EXTRACT, 0),
    ("repartition", "repartition", None),
    ("accumulatebykey", _ACCUMULATE_BY_KEY, 1),
)
_AGGREGATE: tuple[_Row, ...] = (
    ("accumulate", _ACCUMULATE, None),
    ("collect", "collect", None),
    ("accumulate", _ACCUMULATE, None),
)
_FLATMAP: tuple[_Row, ...] = (("map", "RedisGearsPy_PyCallbackFlatMapper", 0),)
_SPREAD: tuple[_Row, ...] = (
    ("map", "RedisGearsPy_PyCallbackFlatMapper", None),
    ("flatmap", "flatmap", None),
)
_ROWS: dict[str, tuple[_Row, ...]] = {
    "map": (("map", _MAP, 0),),
    "str": (("map", _MAP, None),),
    "flatmap": (*_FLATMAP, ("flatmap", "flatmap", None)),
    "foreach": (("foreach", "RedisGearsPy_PyCallbackForEach", 0),),
    "filter": (("filter", "RedisGearsPy_PyCallbackFilter", 0),),
    "accumulate": (("accumulate", _ACCUMULATE, 0),),
    "limit": (("limit", "limit", None),),
    "collect": (("collect", "collect", None),),
    "repartition": (("extractkey", _EXTRACT, 0), ("repartition", "repartition", None)),
    "localgroupby": _LOCAL_GROUP,
    "groupby": _GROUP,
    "batchgroupby": (
        ("extractkey", _EXTRACT, 0),
        ("repartition", "repartition", None),
        ("group", "group", None),
        ("reduce", "RedisGearsPy_PyCallbackReducer", 1),
    ),
    "aggregate": _AGGREGATE,
    "count": _AGGREGATE,
    "average": (*_AGGREGATE, ("map", _MAP, None)),
    "aggregateby": (*_LOCAL_GROUP, *_GROUP),
    "countby": (*_LOCAL_GROUP, *_GROUP),
    "sort": (*_AGGREGATE, ("map", _MAP, None), *_SPREAD),
    "distinct": (*_AGGREGATE, *_SPREAD),
}


def _shown(step: Step, index: int | None) -> str:
    if step.kind == "limit":
        return f"{step.count}"
    if index is None or index >= len(step.callbacks):
        return "" if step.kind in ("collect", "repartition") else _LAMBDA
    callback = step.callbacks[index]
    return _LAMBDA if step.builtin else str(getattr(callback, "__name__", callback))


def native_steps(steps: Iterable[Step]) -> list[tuple[NativeStep, int]]:
    """The native steps of a plan, first step first.

    Args:
        steps: The steps of the plan.

    Returns:
        Pairs of a native step and the index of the step it belongs to (-1: none).
    """
    rows = [(TO_PYTHON, -1)]
    for number, step in enumerate(steps):
        for kind, name, index in _ROWS[step.kind]:
            if kind == "collect":
                row = _COLLECT
            elif kind == "repartition":
                row = _REPARTITION
            else:
                row = NativeStep(kind, name, _shown(step, index))
            rows.append((row, number))
    return rows
