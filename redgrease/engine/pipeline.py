"""Compiles the steps of a plan into Python functions with one loop each.

A plan is cut after every barrier (a step that sees all its input before it gives anything on).
Each part becomes one generated function, ``segment(records, run)``: a loop in which the callbacks
of the part's steps are called one after the other, with no call of the engine's per record and
step.  So a record goes through all steps before the next is read, as on the original, at the cost
of a hand-written loop.  ``Pipeline.source`` is the generated text, for whoever wants to read it.

What happens with errors (``run.fail`` notes one):

* while the reader's records are processed, the first error ends the reading; what is still under
  way behind a ``flatmap``, and what barriers have gathered, goes on;
* behind a barrier, a failed record is left out and the next one is processed;
* a barrier whose callback fails starts again from nothing.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from time import perf_counter
from types import CodeType, CoroutineType
from typing import Any, Protocol

from .errors import PIPELINE_FILE, PlainError
from .pending import Maker
from .steps import Step

Segment = Callable[[Iterable[Any], "Run"], Iterable[Any]]

ASYNC = frozenset({"map", "foreach", "filter", "flatmap"})
"""Steps between barriers whose results may come later, beside those of other records."""
ATOMIC_TYPES = frozenset({type(None), bool, int, float, complex, str, bytes})
"""Types of which a copy is the object itself."""


class Run(Protocol):
    """What generated code needs to know of the execution it runs for."""

    errors: list[str]
    maker: Maker

    def fail(self, error: BaseException, builtin_lines: frozenset[int]) -> None:
        """Note the error of a record; raises Aborted if the execution shall end, or has to."""

    def adopt(self, result: Any) -> Any:
        """Take a callback's result that is not there yet; returns what to wait for."""

    def wait(self, pending: Any) -> Any:
        """The value of an adopted result."""


PENDING: set[type] = {CoroutineType}
"""Types of results that stand for a value to come; ``futures`` adds its own."""


def as_key(key: Any) -> str:
    """A group's key as the original keeps it: a C string, made with ``repr`` unless a text.

    Raises:
        PlainError: It is a coroutine.
    """
    if type(key) in PENDING:
        if isinstance(key, CoroutineType):
            key.close()
        raise PlainError("coroutine are not allow on extractor")
    text = key if isinstance(key, str) else repr(key)
    return str(text.partition("\0")[0])


def reduced(key: str, value: Any) -> dict[str, Any]:
    """The record of a batch group."""
    if type(value) in PENDING:
        if isinstance(value, CoroutineType):
            value.close()
        raise PlainError("coroutine are not allow on reduce")
    return {"key": key, "value": value}


def spread(value: Any) -> Sequence[Any]:
    """The records of a ``flatmap`` result: a list's elements, last first; all else is one."""
    if isinstance(value, list):
        return list.__getitem__(value, slice(None, None, -1))
    return (value,)


class Pipeline:
    """The compiled steps of a plan.

    Args:
        steps: The steps, first one first.
        counted: Whether the reader delivers numbers of records, not records; only for a plan
            that begins with ``count``.
        profile: Whether to measure the time spent in each step, into :attr:`spent`.
    """

    def __init__(self, steps: Sequence[Step], counted: bool = False, profile: bool = False) -> None:
        self.counted = counted
        self.spent = [0.0] * len(steps)
        self._segments: list[Segment] = []
        self._sources: list[str] = []
        part: list[tuple[int, Step]] = []
        for number, step in enumerate(steps):
            part.append((number, step))
            if step.barrier:
                self._finish(part, profile)
                part = [(number, Step("reduce", step.callbacks[1:]))]
                if step.kind != "batchgroupby":
                    part = []
        if part or not self._segments:
            self._finish(part, profile)

    def _finish(self, part: Sequence[tuple[int, Step]], profile: bool) -> None:
        first = not self._segments
        writer = _Writer(part, first, first and self.counted, self.spent if profile else None)
        names = writer.names
        exec(_compiled(writer.source), names)
        self._segments.append(names["segment"])
        self._sources.append(writer.source)

    @property
    def source(self) -> str:
        """The generated code."""
        return "\n\n".join(self._sources)

    def run(self, records: Iterable[Any], run: Run) -> list[Any]:
        """Send the reader's records through the steps.

        Args:
            records: What the reader yields.
            run: The execution; gets the errors.

        Returns:
            The results.
        """
        for segment in self._segments:
            records = segment(records, run)
        return records if type(records) is list else list(records)


def _makes_futures(callback: Callable[..., Any]) -> bool:
    """Whether a callback may make a gearsFuture; if it does not return it, that is the result."""
    names = getattr(getattr(callback, "__code__", None), "co_names", ())
    return "gearsFuture" in names or "gearsFutureCtx" in names


@lru_cache(maxsize=512)
def _compiled(source: str) -> CodeType:
    return compile(source, PIPELINE_FILE, "exec")


_EXCEPT = ("except BaseException as error:", "    run.fail(error, BUILTIN)")


class _Writer:
    """Writes the function of one part of a plan."""

    def __init__(
        self,
        part: Sequence[tuple[int, Step]],
        first: bool,
        counted: bool,
        spent: list[float] | None,
    ) -> None:
        from .late import Late

        barrier = part[-1] if part and part[-1][1].barrier else None
        fused = part[:-1] if barrier else part
        self.names: dict[str, Any] = {
            "LATE": Late(fused, first, spent),
            "PENDING": PENDING,
            "as_key": as_key,
            "clock": perf_counter,
            "copy": copy.deepcopy,
            "index": operator.index,
            "reduced": reduced,
            "spent": spent,
            "spread": spread,
        }
        self._lines: list[str] = []
        self._builtin: set[int] = set()
        self._refusing: set[int] = set()
        self._depth = 0
        self._first, self._counted, self._profile = first, counted, spent is not None
        self._at = 0  # index of the step that is being written
        self._loops: list[str] = []  # what is left of the flatmaps around it
        self._seen = [number for number, step in fused if step.kind == "limit"]
        self._late = any(step.kind in ASYNC and not step.builtin for _, step in fused)
        self._stops = bool(self._seen) or self._late
        self._write(fused, barrier)
        self.names["BUILTIN"] = frozenset(self._builtin)
        self.names["REFUSING"] = frozenset(self._refusing)
        self.source = "\n".join(self._lines) + "\n"

    # -- lines ----------------------------------------------------------------------------------

    def _add(self, *lines: str, builtin: bool = False) -> None:
        for text in lines:
            self._lines.append("    " * self._depth + text)
            if builtin:  # its errors are reported as if from the server's own Python code
                self._builtin.add(len(self._lines))

    def _name(self, number: int, kind: str, value: Any) -> str:
        name = f"{kind}_{number}"
        self.names[name] = value
        return name

    def _call(self, number: int, text: str, builtin: bool = False, refuse: bool = False) -> None:
        """A line that calls a callback; measured, if wanted."""
        if self._profile:
            self._add("started = clock()")
        self._add(text, builtin=builtin)
        if refuse:
            self._refusing.add(len(self._lines))
        if self._profile:
            self._add(f"spent[{number}] += clock() - started")

    def _settle(self, name: str) -> None:
        """Wait for a callback's result if it is to come."""
        self._add(f"if type({name}) in PENDING:")
        self._add(f"    {name} = run.adopt({name})", f"    {name} = run.wait({name})")

    def _hand_over(self, name: str) -> None:
        """Leave the loops for :mod:`late` if a callback's result is to come."""
        sources = "".join(f"{source}, " for source in ("records", *self._loops))
        seen = ", ".join(f"{number}: seen_{number}" for number in self._seen)
        self._add(f"if type({name}) in PENDING:", f"    {name} = run.adopt({name})")
        self._add(f"    late = LATE.go_on(run, {self._at}, r, {name}, ({sources}), {{{seen}}})")
        self._add("    stop = True", "    break")

    def _zero(self, number: int, step: Step) -> str:
        name = self._name(number, "zero", step.zero)
        return name if type(step.zero) in ATOMIC_TYPES else f"copy({name})"

    # -- the function ---------------------------------------------------------------------------

    def _write(self, fused: Sequence[tuple[int, Step]], barrier: tuple[int, Step] | None) -> None:
        self._begin()
        if barrier is None:
            self._add("out = []", "emit = out.append")
        else:
            self._prepare(barrier[1])
        if self._first:
            self._add("try:")
            self._depth += 1
        self._add("for r in records:", builtin=True)
        self._depth += 1
        if not self._first:
            self._add("try:")
            self._depth += 1
        start = len(self._lines)
        closing: list[int] = []
        for self._at, (number, step) in enumerate(fused):
            getattr(self, f"_{step.kind}")(number, step)
            if step.kind == "flatmap":
                closing.append(self._depth)
        self._take(barrier)
        if len(self._lines) == start:
            self._add("pass")
        self._close(closing)
        if self._late:
            self._add("for r in late:", "    try:")
            self._depth += 2
            self._take(barrier)
            self._depth -= 1
            self._add(*_EXCEPT)
            self._depth -= 1
        if barrier is None:
            self._add("return out")
        else:
            self._release(*barrier)

    def _begin(self) -> None:
        self._add("def segment(records, run):")
        self._depth += 1
        if self._stops:
            self._add("stop = False")
        if self._late:
            self._add("late = ()", "records = iter(records)")
        for number in self._seen:
            self._add(f"seen_{number} = 0")

    def _take(self, barrier: tuple[int, Step] | None) -> None:
        """What becomes of a record behind the last step of the loop."""
        if barrier is None:
            self._add("emit(r)")
        else:
            self._gather(*barrier)

    def _close(self, flatmaps: list[int]) -> None:
        """End the loops that are open, the innermost first."""
        for index, depth in enumerate(reversed(flatmaps)):
            self._depth = depth - 1
            self._add(*_EXCEPT)
            self._depth -= 1
            outermost = index == len(flatmaps) - 1
            if self._stops:
                self._add("if stop:", "    break")
            if outermost and self._first:
                self._add("if run.errors:", "    break")
        if self._first:
            self._depth = 1
            self._add(*_EXCEPT)
        else:
            self._depth = 2
            self._add(*_EXCEPT)
            self._depth = 1

    # -- steps between barriers -----------------------------------------------------------------

    def _map(self, number: int, step: Step) -> None:
        name = self._name(number, "map", step.callbacks[0])
        if step.builtin:
            self._call(number, f"r = {name}(r)", builtin=True)
            return
        # The record may be kept by what the result is to come from.
        self._call(number, f"x = {name}(r)")
        self._hand_over("x")
        self._add("r = x")

    def _str(self, number: int, step: Step) -> None:
        self._call(number, "r = str(r)", builtin=True)

    def _foreach(self, number: int, step: Step) -> None:
        name = self._name(number, "foreach", step.callbacks[0])
        self._call(number, f"x = {name}(r)")
        self._hand_over("x")

    def _filter(self, number: int, step: Step) -> None:
        name = self._name(number, "filter", step.callbacks[0])
        self._call(number, f"x = {name}(r)")
        self._hand_over("x")
        self._add("if not x:", "    continue")

    def _flatmap(self, number: int, step: Step) -> None:
        name = self._name(number, "flatmap", step.callbacks[0])
        self._call(number, f"x = {name}(r)")
        self._hand_over("x")
        items = f"items_{number}"
        self._add(f"{items} = iter(x[::-1] if type(x) is list else spread(x))")
        self._add(f"for r in {items}:", "    try:")
        self._loops.append(items)
        self._depth += 2

    def _limit(self, number: int, step: Step) -> None:
        seen = f"seen_{number}"
        self._add(f"{seen} += 1", f"if {seen} > {step.offset + step.count}:")
        self._add("    stop = True", "    break")
        if step.offset > 0:
            self._add(f"if {seen} <= {step.offset}:", "    continue")

    def _collect(self, number: int, step: Step) -> None:
        """Nothing: there is one shard."""

    def _repartition(self, number: int, step: Step) -> None:
        self._key(number, step)

    def _reduce(self, number: int, step: Step) -> None:
        name = self._name(number, "reduce", step.callbacks[0])
        self._call(number, f"r = reduced(r[0], {name}(r[0], r[1]))", refuse=True)

    def _key(self, number: int, step: Step) -> None:
        name = self._name(number, "extract", step.callbacks[0])
        self._call(number, f"key = {name}(r)", step.builtin, refuse=True)
        self._add('if type(key) is not str or "\\0" in key:', "    key = as_key(key)")

    # -- barriers: before, in and after the loop ------------------------------------------------

    def _prepare(self, step: Step) -> None:
        if step.kind in ("accumulate", "aggregate"):
            self._add("a = None", "filled = False")
        elif step.kind == "count":
            self._add("n = 0")
        elif step.kind == "average":
            self._add("total = n = 0")
        elif step.kind == "sort":
            self._add("gathered = []")
        elif step.kind == "distinct":
            self._add("gathered = set()")
        else:
            self._add("groups = {}")

    def _gather(self, number: int, step: Step) -> None:
        kind = step.kind
        if kind == "accumulate":
            name = self._name(number, "accumulate", step.callbacks[0])
            self._accumulate(number, f"a = {name}(a, r)", _makes_futures(step.callbacks[0]))
        elif kind == "aggregate":
            name = self._name(number, "aggregate", step.callbacks[0])
            zero = self._zero(number, step)
            self._accumulate(number, f"a = {name}(a if a else {zero}, r)", builtin=True)
        elif kind == "count":
            self._add("n += r" if self._counted else "n += 1")
        elif kind == "average":
            self._add("try:")
            self._add("    total = total + r", builtin=True)
            self._add("    n += 1", "except BaseException:", "    total = n = 0", "    raise")
        elif kind == "sort":
            self._add("gathered.append(r)")
        elif kind == "distinct":
            self._distinct()
        else:
            self._key(number, step)
            self._gather_group(number, step)

    def _distinct(self) -> None:
        """Gather the record in a set, whose order in the end is that of ``a | {r}`` every time.

        Such a union copies the set.  Copies are made only where they change the layout of the
        set's table: while it is small, and whenever its size passes a power of two.
        """
        self._add("try:")
        self._add("    one = {r}", builtin=True)
        self._add("    size = len(gathered)", "    if size > 8:")
        self._add("        if r in gathered:", "            continue")
        self._add("        if size & (size - 1):", "            gathered.add(r)")
        self._add("            continue", "    gathered = gathered | one")
        self._add("except BaseException:", "    gathered = set()", "    raise")

    def _accumulate(
        self, number: int, text: str, futures: bool = False, builtin: bool = False
    ) -> None:
        self._add("try:")
        self._depth += 1
        self._call(number, text, builtin)
        self._settle("a")
        if futures:
            self._add("elif run.maker.dropped():", "    a = None")
        self._add("filled = True")
        self._depth -= 1
        self._add("except BaseException:", "    a = None", "    filled = False", "    raise")

    def _gather_group(self, number: int, step: Step) -> None:
        if step.kind == "batchgroupby":
            self._add("if key in groups:", "    groups[key].append(r)")
            self._add("else:", "    groups[key] = [r]")
            return
        if step.kind == "countby":
            self._add("groups[key] = groups.get(key, 0) + 1")
            return
        self._add("try:")
        self._depth += 1
        name = self._name(number, "reduce", step.callbacks[1])
        if step.kind == "aggregateby":
            zero = self._zero(number, step)
            self._add("a = groups.get(key)")
            self._call(number, f"a = {name}(key, a if a else {zero}, r)", builtin=True)
        else:
            self._call(number, f"a = {name}(key, groups.get(key), r)")
        self._settle("a")
        self._add("groups[key] = a")
        self._depth -= 1
        self._add("except BaseException:", "    groups.pop(key, None)", "    raise")

    def _release(self, number: int, step: Step) -> None:
        kind = step.kind
        if kind == "accumulate":
            self._add("return [a] if filled else []")
        elif kind == "count":
            self._add("return [n] if n else []")
        elif kind == "batchgroupby":
            self._add("return reversed(groups.items())")
        elif kind in ("groupby", "localgroupby", "countby"):
            self._add('return ({"key": key, "value": a} for key, a in groups.items())')
        elif kind == "aggregateby":
            self._combine_groups(number, step)
        else:
            self._add("out = []", "try:")
            self._depth += 1
            if kind == "aggregate":
                name = self._name(number, "combine", step.callbacks[1])
                self._add("if filled:")
                self._depth += 1
                self._call(number, f"a = {name}({self._zero(number, step)}, a)", builtin=True)
                self._settle("a")
                self._add("out = [a]")
                self._depth -= 1
            elif kind == "average":
                self._add("if n:", "    out = [total / n]", builtin=True)
            elif kind == "sort":
                # index(): what is not a number is an error of the record, as on Python 3.7
                name = self._name(number, "reverse", step.reverse)
                self._add(f"out = sorted(gathered, reverse=index({name}))", builtin=True)
                self._add("out.reverse()")
            elif kind == "distinct":
                self._add("out = list(set() | gathered)", "out.reverse()")
            self._depth -= 1
            self._add(*_EXCEPT, "return out")

    def _combine_groups(self, number: int, step: Step) -> None:
        name = self._name(number, "combine", step.callbacks[2])
        zero = self._zero(number, step)
        self._add("out = []", "for key, a in groups.items():", "    try:")
        self._depth += 2
        self._call(number, f"a = {name}(key, {zero}, a)", builtin=True)
        self._settle("a")
        self._add('out.append({"key": key, "value": a})')
        self._depth -= 1
        self._add(*_EXCEPT)
        self._depth -= 1
        self._add("return out")
