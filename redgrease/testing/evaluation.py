"""Runs functions without a server."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, Iterable, List, Tuple

from redgrease.gears import GearFunction
from redgrease.results import ExecutionResult

__all__ = ["evaluate"]


def evaluate(
    function: Any, records: Iterable[Any], raise_errors: bool = True
) -> "ExecutionResult[List[Any]]":
    """Feed records through a function, without a server.

    The steps are run by the engine of the embedded server, in this thread: in the same order,
    with the same rules for errors, groups and conversions (texts come as with a client that
    decodes replies).  Functions that need a server, such as ``redgrease.cmd``, ``execute`` and
    ``log``, are not available.

    ::

        assert evaluate(KeysReader().map(lambda r: r["key"]), [{"key": "a"}]) == ["a"]

    Args:
        function: A function made with redgrease, open or closed, or a ``GearsBuilder``.
        records: What its reader would produce: for a KeysReader dicts with ``key``, ``value``,
            ``type`` and ``event``, for a StreamReader dicts with ``key``, ``id`` and ``value``,
            for a CommandReader lists of the trigger and its arguments.
        raise_errors: Whether the first exception in a step is raised here, as it is.  Otherwise
            it goes on as a server does, and errors are in the result.

    Returns:
        The list of the results (even if there is only one), with the errors as servers report
        them.

    Raises:
        TypeError: It is not a function made with redgrease.
    """
    function = getattr(function, "gearfunction", function)
    if not isinstance(function, GearFunction):
        raise TypeError(f"expected a GearFunction, not {type(function).__name__}")
    bench = _bench()
    steps = _native_steps(function, bench)
    execution = bench.execution(steps, records, raise_errors)
    execution.run()
    if raise_errors and execution.raised:
        raise execution.raised[0]
    return ExecutionResult(execution.results, execution.errors)


def _native_steps(function: "GearFunction[Any]", bench: Any) -> Tuple[Any, ...]:
    """The steps as the engine's own ``GearsBuilder`` collects them."""
    from redgrease.engine.context import Context, entered

    reader, steps = function.steps[0], list(function.steps[1:])
    settings = {}
    if steps and steps[-1].name in ("run", "register"):
        settings = steps.pop().kwargs
    with entered(Context(bench.session)):
        builder = bench.builder(reader.args[0])
        for step in steps:
            builder = step.add_to(builder)
        convert, collect = settings.get("convertToStr"), settings.get("collect", True)
        # Without a wish, results travel as pickles, and arrive as they were.
        finished: Tuple[Any, ...] = builder._finished(bool(convert), collect)
    return finished


def _bench() -> Any:
    """Just enough of an engine to run steps."""
    from redgrease.engine.builder import GearsBuilder
    from redgrease.engine.executions import Execution, Plan
    from redgrease.engine.futures import Futures
    from redgrease.engine.readers import Reader
    from redgrease.engine.sessions import Session
    from redgrease.engine.settings import Settings

    bench: Any = SimpleNamespace(
        settings=Settings(),
        keyspace=SimpleNamespace(depth=0),
        executions=SimpleNamespace(ended=lambda execution: None),
        pool=SimpleNamespace(replaced=nullcontext),
        take_registration_number=lambda: 0,
        session=Session("evaluate"),
    )
    bench.futures = Futures(bench)
    bench.builder = type("GearsBuilder", (GearsBuilder,), {"_engine": bench})

    class Evaluation(Execution):
        """An execution that keeps the exceptions themselves."""

        def __init__(self, plan: Any, records: Iterable[Any], stops: bool) -> None:
            super().__init__(bench, "0-0", plan, records=lambda: iter(records))
            self.raised: List[BaseException] = []
            self._stops = stops

        def run(self) -> None:
            try:
                super().run()
            finally:
                bench.futures.close()

        def fail(self, error: BaseException, builtin_lines: Any) -> None:
            self.raised.append(error)
            if self._stops:
                self.aborting = True
            super().fail(error, builtin_lines)

        def _note_end(self, error: BaseException) -> None:
            self.raised.append(error)
            super()._note_end(error)

    def execution(steps: Tuple[Any, ...], records: Iterable[Any], stops: bool) -> Evaluation:
        return Evaluation(Plan(bench.session, Reader("PythonReader"), steps), records, stops)

    bench.execution = execution
    return bench
