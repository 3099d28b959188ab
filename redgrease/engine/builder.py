"""``GearsBuilder`` as scripts know it: collects reader and steps, checks them, runs or registers.

Arguments are checked as the original's C code does, with its words.  Composite operations are in
its Python code there, so they check nothing themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar

from .context import Context, current
from .errors import GearsError
from .readers import READERS, Reader, for_run
from .steps import Step

if TYPE_CHECKING:
    from .core import Engine

SPENT = "Can not run more then 1 executions in a single script"


def _function(value: Any, name: str) -> Callable[..., Any]:
    """The value, if it is a plain function.

    Raises:
        GearsError: It is not; classes, builtins and callable objects are refused.
    """
    if not isinstance(value, FunctionType):
        raise GearsError(f"{name} argument must be a function")
    return value


def _arguments(values: tuple[Any, ...], number: int, name: str) -> tuple[Any, ...]:
    if len(values) != number:
        raise GearsError(f"wrong number of args to {name} function")
    return values


def _to_float(value: Any) -> float:
    return float(value)


def _identity(value: Any) -> Any:
    return value


class PyFlatExecution:
    """The native steps; every method takes positional arguments only and returns the builder.

    Args:
        reader: Name of the reader.
        desc: A description, shown with registrations.

    Raises:
        GearsError: There is no such reader, the description is no text, or the thread has
            nothing to do with a session.
    """

    _engine: ClassVar[Engine]

    def __init__(self, reader: Any = "KeysReader", desc: Any = None) -> None:
        self._context = self._require_context()
        if not isinstance(reader, str):
            raise GearsError("reader argument must be a string")
        if reader not in READERS:
            raise GearsError("The given reader does not exists")
        if desc is not None and not isinstance(desc, str):
            raise GearsError("desc argument must be a string")
        self._reader = reader
        self._description = desc
        self._steps: list[Step] = []
        self._engine.take_registration_number()

    @staticmethod
    def _require_context() -> Context:
        context = current()
        if context is None:
            raise GearsError("Can not create a gearsCtx on a python created thread")
        return context

    def _add(self, step: Step) -> Any:
        self._steps.append(step)
        return self

    def map(self, *args: Any) -> Any:
        """Replace each record by what the function makes of it."""
        (function,) = _arguments(args, 1, "map")
        return self._add(Step("map", (_function(function, "map"),)))

    def flatmap(self, *args: Any) -> Any:
        """As map; a list becomes one record per element, the last one first."""
        (function,) = _arguments(args, 1, "flatmap")
        return self._add(Step("flatmap", (_function(function, "flatmap"),)))

    def foreach(self, *args: Any) -> Any:
        """Call the function with each record, and pass the record on."""
        (function,) = _arguments(args, 1, "foreach")
        return self._add(Step("foreach", (_function(function, "foreach"),)))

    def filter(self, *args: Any) -> Any:
        """Pass on the records for which the function says so."""
        (function,) = _arguments(args, 1, "filter")
        return self._add(Step("filter", (_function(function, "filter"),)))

    def accumulate(self, *args: Any) -> Any:
        """Fold the records of the shard into one."""
        (function,) = _arguments(args, 1, "accumulate")
        return self._add(Step("accumulate", (_function(function, "accumulate"),)))

    def limit(self, *args: Any) -> Any:
        """Pass on so many records, after dropping the offset."""
        if len(args) not in (1, 2):
            raise GearsError("wrong number of args to limit function")
        if not all(isinstance(number, int) for number in args):
            raise GearsError("limit argument must be a number")
        offset = int(args[1]) if len(args) == 2 else 0
        return self._add(Step("limit", count=int(args[0]), offset=offset))

    def collect(self, *args: Any) -> Any:
        """Bring the records of all shards together."""
        _arguments(args, 0, "collect")
        return self._add(Step("collect"))

    def repartition(self, *args: Any) -> Any:
        """Send each record to the shard that owns the key which the function gives."""
        (extractor,) = _arguments(args, 1, "repartition")
        return self._add(Step("repartition", (_function(extractor, "repartition"),)))

    def groupby(self, *args: Any) -> Any:
        """Fold the records of each group into one, over all shards."""
        return self._add(Step("groupby", self._group(args)))

    def localgroupby(self, *args: Any) -> Any:
        """Fold the records of each group into one, on each shard."""
        return self._add(Step("localgroupby", self._group(args)))

    @staticmethod
    def _group(args: tuple[Any, ...]) -> tuple[Callable[..., Any], ...]:
        extractor, reducer = _arguments(args, 2, "groupby")
        return (
            _function(extractor, "groupby extractor"),
            _function(reducer, "groupby reducer"),
        )

    def batchgroupby(self, *args: Any) -> Any:
        """Replace each group by what the function makes of the list of its records."""
        extractor, reducer = _arguments(args, 2, "batchgroupby")
        # The original does not look at the reducer either: it fails when it is called.
        return self._add(
            Step("batchgroupby", (_function(extractor, "batchgroupby extractor"), reducer))
        )

    def _plan_and_run(self, steps: tuple[Step, ...], reader: Reader, mode: Any = None) -> Any:
        context = self._require_context()
        self._engine.shard.check_run(steps, mode)
        if context.script is not None:
            if context.script.plan is not None:
                raise GearsError(SPENT)
            context.script.plan = self._engine.plan(context.session, reader, steps)
            return self._engine.futures.unavailable()
        return self._engine.run_inside(context, reader, steps)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function, see :meth:`GearsBuilder.run`."""
        if self._reader == "PythonReader" and not args:
            raise GearsError("python reader function is not given")
        argument = args[0] if args else "*"
        mode = kwargs.get("mode")
        return self._plan_and_run(tuple(self._steps), for_run(self._reader, argument, kwargs), mode)

    def register(self, *args: Any, **kwargs: Any) -> Any:
        """Register the function, see :meth:`GearsBuilder.register`."""
        return self._register(tuple(self._steps), args[0] if args else "*", kwargs)

    def _register(self, steps: tuple[Step, ...], prefix: Any, options: dict[str, Any]) -> Any:
        context = self._require_context()
        shard = self._engine.shard
        shard.check_register(steps, options.get("mode"))
        number = self._engine.take_registration_number()
        ident = shard.registration_id(context.script, number)
        return self._engine.registrations.add(
            context, ident, self._reader, self._description, steps, prefix, options
        )


class GearsBuilder(PyFlatExecution):
    """The builder that scripts use: native steps, and the operations composed of them.

    Args:
        reader: Name of the reader.
        defaultArg: What ``run`` uses when it gets no argument.
        desc: A description, shown with registrations.
    """

    def __init__(self, reader: Any = "KeysReader", defaultArg: Any = "*", desc: Any = None) -> None:
        super().__init__(reader, desc)
        self.reader = reader
        self.defaultArg = defaultArg

    def aggregate(self, zero: Any, seqOp: Any, combOp: Any) -> Any:
        """Fold the records, first on each shard, then the shards' results."""
        return self._add(Step("aggregate", (seqOp, combOp), zero=zero))

    def aggregateby(self, extractor: Any, zero: Any, seqOp: Any, combOp: Any) -> Any:
        """As aggregate, for each group."""
        _function(extractor, "groupby extractor")
        return self._add(Step("aggregateby", (extractor, seqOp, combOp), zero=zero))

    def count(self) -> Any:
        """The number of records."""
        return self._add(Step("count"))

    def countby(self, extractor: Any = _identity) -> Any:
        """The number of records of each group."""
        builtin = extractor is _identity
        _function(extractor, "groupby extractor")
        return self._add(Step("countby", (extractor,), builtin=builtin))

    def sort(self, reverse: Any = True) -> Any:
        """Order the records: ascending by default, as ``flatmap`` reverses the sorted list."""
        return self._add(Step("sort", reverse=reverse))

    def distinct(self) -> Any:
        """Each of equal records once."""
        return self._add(Step("distinct"))

    def avg(self, extractor: Any = _to_float) -> Any:
        """The mean of what the extractor makes of the records."""
        builtin = extractor is _to_float
        self._add(Step("map", (_function(extractor, "map"),), builtin=builtin))
        return self._add(Step("average"))

    def _finished(self, convert: Any, collect: Any) -> tuple[Step, ...]:
        if convert:
            self._steps.append(Step("str"))
        if collect:
            self._steps.append(Step("collect"))
        return tuple(self._steps)

    def run(
        self, arg: Any = None, convertToStr: Any = True, collect: Any = True, **kwargs: Any
    ) -> Any:
        """Run the function once.

        Args:
            arg: What to read; falsy means the builder's default.
            convertToStr: Whether results become texts.
            collect: Whether the results of all shards are brought together.
            kwargs: Options of the reader.

        Returns:
            In a script something of no use; in a function what ``await`` turns into the results
            and errors.

        Raises:
            GearsError: An argument is wrong, or the script has run a function already.
        """
        steps, mode = self._finished(convertToStr, collect), kwargs.get("mode")
        reader = for_run(self._reader, arg if arg else self.defaultArg, kwargs)
        return self._plan_and_run(steps, reader, mode)

    def register(
        self, prefix: Any = "*", convertToStr: Any = True, collect: Any = True, **kwargs: Any
    ) -> Any:
        """Register the function for events.

        Args:
            prefix: Which keys it is for.
            convertToStr: Whether results become texts.
            collect: Whether the results of all shards are brought together.
            kwargs: Options of the reader.

        Returns:
            The registration's ID.

        Raises:
            GearsError: An argument is wrong.
        """
        return self._register(self._finished(convertToStr, collect), prefix, kwargs)
