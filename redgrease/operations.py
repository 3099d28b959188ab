"""The steps of a GearFunction, as data.

Each step knows the method of a server's own ``GearsBuilder`` that it stands for, the arguments for
that method, and how the user wrote it.  Nothing here knows a server: a plan is a list of steps,
whoever runs it.
"""

import functools
import types
from typing import Any, Callable, Dict, Iterable, Optional, Tuple, Type

__all__ = [
    "STEPS",
    "Accumulate",
    "Aggregate",
    "AggregateBy",
    "Avg",
    "BatchGroupBy",
    "Collect",
    "Count",
    "CountBy",
    "Distinct",
    "Filter",
    "FlatMap",
    "ForEach",
    "GroupBy",
    "Limit",
    "LocalGroupBy",
    "Map",
    "Nop",
    "Operation",
    "Reader",
    "Register",
    "Repartition",
    "Run",
    "Sort",
    "described",
]


REQUIRED: Any = ...


class Operation:
    """A step of a GearFunction.

    The kinds of steps differ only by the method and the arguments below.

    Args:
        args: The arguments in order; callables are plain functions, as servers demand.
        kwargs: The same by name, and whatever else the method is to be given by name.

    Raises:
        TypeError: An argument is missing, or there are too many.

    Attributes:
        name: The method of a native ``GearsBuilder``.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        shown: The step as the user wrote it, for ``repr``.
        narrows: Arguments of ``register`` by which a server can leave out what this step would.
        needs_value: Whether the step fails for records without value and type.
    """

    #: The method of a native ``GearsBuilder``.
    method = ""
    #: The names of its arguments, with their defaults.
    fields: Tuple[Tuple[str, Any], ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kind = type(self).__name__
        if len(args) > len(self.fields):
            raise TypeError(f"{kind} takes {len(self.fields)} arguments, not {len(args)}")
        values = list(args)
        for name, default in self.fields[len(args) :]:
            value = kwargs.pop(name, default)
            if value is REQUIRED:
                raise TypeError(f"{kind} needs an argument {name!r}")
            values.append(value)
        vars(self).update(zip((name for name, _ in self.fields), values))
        self.name = self.method
        self.args: Tuple[Any, ...] = tuple(values)
        self.kwargs: Dict[str, Any] = kwargs
        self.shown = call(kind, self.args, self.kwargs)
        self.narrows: Dict[str, Any] = {}
        self.needs_value = False

    def add_to(self, builder: Any) -> Any:
        """Append this step to a native builder.

        Args:
            builder: A ``GearsBuilder`` of the server's.

        Returns:
            What the builder's method returns.

        Raises:
            NotImplementedError: This kind of step stands for no method.
        """
        if not self.name:
            raise NotImplementedError(
                f"{type(self).__name__} stands for no method of a builder; give it one as `method`,"
                " or an add_to() of its own"
            )
        return getattr(builder, self.name)(*self.args, **self.kwargs)

    def __repr__(self) -> str:
        return self.shown


class Nop(Operation):
    """A step that does nothing."""

    method = "nop"

    def add_to(self, builder: Any) -> Any:
        """Leave the builder as it is."""
        return builder


class Reader(Operation):
    """The first step: where records come from."""

    method = "reader"
    fields = (("reader", "KeysReader"), ("defaultArg", "*"), ("desc", None))

    def add_to(self, builder: Any) -> Any:
        """Make the builder: here ``builder`` is the server's ``GearsBuilder`` class."""
        return builder(*self.args, **self.kwargs)


class Run(Operation):
    """The last step of a function that is run once, over what there is."""

    method = "run"
    fields: Tuple[Tuple[str, Any], ...] = (("arg", None),)

    @property
    def convertToStr(self) -> Optional[bool]:
        """How results travel; None, as Python values."""
        return self.kwargs.get("convertToStr")

    @property
    def collect(self) -> bool:
        """Whether the results of all shards are brought to the one that was asked."""
        return bool(self.kwargs.get("collect", True))


class Register(Run):
    """The last step of a function that is run for each event."""

    method = "register"
    fields = (("prefix", "*"),)

    @property
    def mode(self) -> str:
        """How executions run."""
        return str(self.kwargs.get("mode", "async"))

    @property
    def onRegistered(self) -> Optional[Callable[[], Any]]:
        """What is called where the registration becomes active."""
        return self.kwargs.get("onRegistered")


def _kind(title: str, *required: str, **optional: Any) -> Type[Operation]:
    """Make a kind of step, of which the method has the same name in small letters."""
    fields = (*((name, REQUIRED) for name in required), *optional.items())
    content = {
        "__doc__": f"The step ``{title.lower()}``.",
        "__module__": __name__,
        "method": title.lower(),
        "fields": fields,
    }
    return type(title, (Operation,), content)


Map = _kind("Map", "op")
FlatMap = _kind("FlatMap", "op")
ForEach = _kind("ForEach", "op")
Filter = _kind("Filter", "op")
Accumulate = _kind("Accumulate", "op")
LocalGroupBy = _kind("LocalGroupBy", "extractor", "reducer")
GroupBy = _kind("GroupBy", "extractor", "reducer")
BatchGroupBy = _kind("BatchGroupBy", "extractor", "reducer")
Limit = _kind("Limit", "length", start=0)
Collect = _kind("Collect")
Distinct = _kind("Distinct")
Count = _kind("Count")
Repartition = _kind("Repartition", "extractor")
Aggregate = _kind("Aggregate", "zero", "seqOp", "combOp")
AggregateBy = _kind("AggregateBy", "extractor", "zero", "seqOp", "combOp")
Sort = _kind("Sort", reverse=True)
CountBy = _kind("CountBy", "extractor")
Avg = _kind("Avg", "extractor")

#: The steps between reader and end, by their methods.
STEPS: Dict[str, Type[Operation]] = {
    kind.method: kind
    for kind in (
        *(Map, FlatMap, ForEach, Filter, Accumulate, LocalGroupBy, GroupBy, BatchGroupBy, Limit),
        *(Collect, Distinct, Count, Repartition, Aggregate, AggregateBy, Sort, CountBy, Avg),
    )
}


def described(value: Any) -> str:
    """How a user would write a value: functions by their names, everything else by ``repr``.

    Args:
        value: An argument of a step.

    Returns:
        Its text.
    """
    if isinstance(value, functools.partial):
        words = [described(value.func), *map(described, value.args)]
        words += [f"{name}={described(item)}" for name, item in value.keywords.items()]
        return "partial({})".format(", ".join(words))
    owner = getattr(value, "__self__", None)
    if isinstance(value, types.BuiltinFunctionType) and isinstance(owner, types.ModuleType):
        module = owner.__name__.lstrip("_")
        return value.__name__ if module == "builtins" else f"{module}.{value.__name__}"
    if isinstance(value, (types.MethodType, types.BuiltinMethodType)) and owner is not None:
        return f"{described(owner)}.{value.__name__}"
    if callable(value):
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
        if isinstance(name, str):
            return name.rpartition("<locals>.")[2]
    kind = type(value)
    if getattr(kind, "__repr__") is object.__repr__:  # noqa: B009
        return f"<{kind.__qualname__}>"  # an address would say nothing
    return repr(value)


def call(name: str, args: Iterable[Any] = (), kwargs: Optional[Dict[str, Any]] = None) -> str:
    """The text of a call.

    Args:
        name: What is called.
        args: Positional arguments.
        kwargs: Keyword arguments.

    Returns:
        The text, as a user would write it.
    """
    words = [described(arg) for arg in args]
    words += [f"{key}={described(arg)}" for key, arg in (kwargs or {}).items()]
    return "{}({})".format(name, ", ".join(words))


# --- Operands for whoever gives none.  Each is made inside a function: so it is shipped with its
# code, and no server needs this module.


def list_accumulator() -> Callable[[Any, Any], Any]:
    """Makes ``accumulate``'s default: a list of all records."""

    def to_list(accumulator: Any, record: Any) -> Any:
        if accumulator is None:
            return [record]
        if not isinstance(accumulator, list):
            accumulator = [accumulator]
        accumulator.append(record)
        return accumulator

    return to_list


def list_reducer() -> Callable[[Any, Any, Any], Any]:
    """Makes ``groupby``'s default: a list of the group's records."""

    def to_list_of_group(key: Any, accumulator: Any, record: Any) -> Any:
        if accumulator is None:
            return [record]
        if not isinstance(accumulator, list):
            accumulator = [accumulator]
        accumulator.append(record)
        return accumulator

    return to_list_of_group


def batch_length() -> Callable[[Any, Any], int]:
    """Makes ``batchgroupby``'s default: the number of records in the group."""

    def length(key: Any, records: Any) -> int:
        return len(records)

    return length


def whole_record() -> Callable[[Any], Any]:
    """Makes the default extractor: records that look the same are one group.

    Unlike a hash, a text is the same in every process, and every record has one.
    """

    def as_text(record: Any) -> str:
        return record if isinstance(record, str) else repr(record)

    return as_text


def numeric() -> Callable[[Any], float]:
    """Makes ``avg``'s default extractor: the record as a number."""

    def as_number(record: Any) -> float:
        if isinstance(record, (bytes, bytearray)):
            record = record.decode()
        return float(record if isinstance(record, (int, float, str)) else str(record))

    return as_number


def adder() -> Callable[[Any, Any], Any]:
    """Makes the operand of sums."""

    def add(accumulator: Any, record: Any) -> Any:
        return accumulator + record

    return add


def group_adder() -> Callable[[Any, Any, Any], Any]:
    """Makes the operand of sums of groups; lists are joined."""

    def add_to_group(key: Any, accumulator: Any, record: Any) -> Any:
        return record if accumulator is None else accumulator + record

    return add_to_group


def default_operands(step: str, zero: Any, adding: Any, gathering: Any) -> Tuple[Any, Any]:
    """The operands of aggregations for whoever gives only a zero.

    Args:
        step: The name of the step, for the error.
        zero: The value that the aggregation starts with.
        adding: What adds a record, or joins two lists.
        gathering: What appends a record to a list.

    Returns:
        What takes in a record, and what puts two values together: for numbers, addition; for
        lists, gathering and joining.

    Raises:
        ValueError: The zero is neither a number nor a list.
    """
    if isinstance(zero, (int, float, complex)):
        return adding, adding
    if isinstance(zero, list):
        return gathering, adding
    raise ValueError(
        f"{step}() has no default seqOp for a zero of type {type(zero).__name__}; "
        f"pass one: {step}(…, seqOp=…)"
    )
