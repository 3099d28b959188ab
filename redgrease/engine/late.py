"""Goes on with records when a callback's result is to come: many wait beside each other.

The generated code of :mod:`pipeline` knows only results that are there.  At the first one that is
to come it hands over to this module, which goes on with this record and all that follow, up to
the next barrier.  Every step that supports it has a window: it goes on to the records that follow
while earlier ones wait, and gives them on in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .pending import CALLERS, Pending
from .pipeline import PENDING, as_key, reduced, spread
from .steps import Step

if TYPE_CHECKING:
    from .pipeline import Run

WINDOW = 1000
"""How many results may be to come in one step."""
_NONE: frozenset[int] = frozenset()
Waiting = deque[tuple[Any, Any, "BaseException | None"]]


class Late:
    """The steps of a part of a plan, for records whose results may be to come.

    Args:
        steps: The steps before the barrier, each with its number in the plan.
        first: Whether the records come from the reader.
        spent: Where the time spent in each step is noted; None if it is not measured.
    """

    def __init__(
        self, steps: Sequence[tuple[int, Step]], first: bool, spent: list[float] | None
    ) -> None:
        self._steps, self._first, self._spent = steps, first, spent
        self._flatmaps = [at for at, (_, step) in enumerate(steps) if step.kind == "flatmap"]

    def go_on(
        self,
        run: Run,
        at: int,
        record: Any,
        pending: Pending,
        sources: Sequence[Iterable[Any]],
        seen: dict[int, int],
    ) -> Iterator[Any]:
        """Go on where the generated code ends.

        Args:
            run: The execution.
            at: The index of the step whose result is to come.
            record: The record it was called with.
            pending: The result.
            sources: What is left of the records, and of each ``flatmap`` before that step.
            seen: How many records each ``limit`` has seen, by its number.

        Returns:
            The records behind the last step.
        """
        stream: Iterable[Any] = _reading(sources[0], run) if self._first else sources[0]
        start = 0
        for flatmap, items in zip(self._flatmaps, sources[1:]):
            stream = chain(items, self._through(stream, start, flatmap + 1, run, seen))
            start = flatmap + 1
        stream = self._through(stream, start, at, run, seen)
        stream = self._windowed(stream, at, run, deque([(record, pending, None)]))
        return iter(self._through(stream, at + 1, len(self._steps), run, seen))

    def _through(
        self, stream: Iterable[Any], start: int, end: int, run: Run, seen: dict[int, int]
    ) -> Iterable[Any]:
        for at in range(start, end):
            number, step = self._steps[at]
            if step.kind == "limit":
                stream = _limited(stream, step, seen[number])
            elif step.kind in ("map", "foreach", "filter", "flatmap"):
                stream = self._windowed(stream, at, run, deque())
            elif step.kind == "str":
                stream = _each(stream, run, str)
            elif step.kind == "repartition":
                stream = _each(stream, run, _extracting(step.callbacks[0]))
            elif step.kind == "reduce":
                stream = _each(stream, run, _reducing(step.callbacks[0]))
        return stream

    def _windowed(
        self, stream: Iterable[Any], at: int, run: Run, waiting: Waiting
    ) -> Iterator[Any]:
        """The results of a step, each as soon as it and those before it are there."""
        kind = self._steps[at][1].kind
        records: Iterator[Any] | None = iter(stream)
        while waiting or records is not None:
            if records is not None and not (
                waiting and (len(waiting) >= WINDOW or _there(waiting[0][1]))
            ):
                try:
                    waiting.append(self._called(at, next(records), run))
                except StopIteration:
                    records = None
                continue
            record, result, error = waiting.popleft()
            if error is None and type(result) is Pending:
                try:
                    result = run.wait(result)
                except BaseException as raised:
                    error = raised
            if error is not None:
                run.fail(error, _NONE)
            elif kind == "map":
                yield result
            elif kind == "flatmap":
                yield from spread(result)
            elif kind == "foreach" or result:
                yield record

    def _called(self, at: int, record: Any, run: Run) -> tuple[Any, Any, BaseException | None]:
        """A record, what its step makes of it, and the error if it fails."""
        number, step = self._steps[at]
        result: Any = None
        error: BaseException | None = None
        started = perf_counter()
        try:
            result = step.callbacks[0](record)
            if type(result) in PENDING:
                result = run.adopt(result)
        except BaseException as raised:
            error = raised
        if self._spent is not None:
            self._spent[number] += perf_counter() - started
        return record, result, error


CALLERS[Late._called.__code__] = True


def _there(result: Any) -> bool:
    return type(result) is not Pending or result.done


def _reading(records: Iterable[Any], run: Run) -> Iterator[Any]:
    """The reader's records, until there is an error."""
    iterator = iter(records)
    while not run.errors:
        try:
            record = next(iterator)
        except StopIteration:
            return
        except BaseException as error:
            run.fail(error, _NONE)
            return
        yield record


def _each(stream: Iterable[Any], run: Run, function: Callable[[Any], Any]) -> Iterator[Any]:
    for record in stream:
        try:
            result = function(record)
        except BaseException as error:
            run.fail(error, _NONE)
        else:
            yield result


def _limited(stream: Iterable[Any], step: Step, seen: int) -> Iterator[Any]:
    for record in stream:
        seen += 1
        if seen > step.offset + step.count:
            return
        if seen > step.offset:
            yield record


def _extracting(callback: Callable[..., Any]) -> Callable[[Any], Any]:
    def extract(record: Any) -> Any:
        as_key(callback(record))
        return record

    CALLERS[extract.__code__] = False
    return extract


def _reducing(callback: Callable[..., Any]) -> Callable[[Any], Any]:
    def reduce(group: Any) -> Any:
        return reduced(group[0], callback(group[0], group[1]))

    CALLERS[reduce.__code__] = False
    return reduce
