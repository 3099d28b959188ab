"""The steps of a GearFunction, as data.

Each step knows the method of a server's own ``GearsBuilder`` that it stands for, the arguments for
that method, and how the user wrote it.  Nothing here knows a server: a plan is a list of steps,
whoever runs it.
"""

import functools
import types
from typing import Any, Callable, Dict, Iterable, Optional, Tuple

__all__ = ["Operation", "Reader", "Register", "Run", "described"]


class Operation:
    """A step of a GearFunction.

    Args:
        name: The method of a native ``GearsBuilder``.
        args: Its positional arguments; callables are plain functions, as servers demand.
        kwargs: Its keyword arguments.
        shown: The step as the user wrote it, for ``repr``.
    """

    def __init__(
        self,
        name: str,
        args: Iterable[Any] = (),
        kwargs: Optional[Dict[str, Any]] = None,
        shown: Optional[str] = None,
    ) -> None:
        self.name = name
        self.args: Tuple[Any, ...] = tuple(args)
        self.kwargs: Dict[str, Any] = dict(kwargs or {})
        self.shown = shown if shown is not None else call(name, self.args, self.kwargs)
        #: Arguments of ``register`` by which a server can leave out what this step would.
        self.narrows: Dict[str, Any] = {}

    def add_to(self, builder: Any) -> Any:
        """Append this step to a native builder.

        Args:
            builder: A ``GearsBuilder`` of the server's.

        Returns:
            What the builder's method returns.
        """
        return getattr(builder, self.name)(*self.args, **self.kwargs)

    def __repr__(self) -> str:
        return self.shown


class Reader(Operation):
    """The first step: where records come from.

    Args:
        reader: The name of the server's reader.
        default_arg: What it reads when ``run`` does not say.
        desc: A description, shown in the list of registrations.
        shown: The reader as the user wrote it.
    """

    def __init__(
        self, reader: str, default_arg: Any, desc: Optional[str], shown: Optional[str] = None
    ) -> None:
        super().__init__("reader", (reader, default_arg, desc), {}, shown)

    def add_to(self, builder: Any) -> Any:
        """Make the builder: here ``builder`` is the server's ``GearsBuilder`` class."""
        return builder(*self.args)


class Run(Operation):
    """The last step of a function that is run once, over what there is."""

    def __init__(self, arg: Any, kwargs: Dict[str, Any], shown: str) -> None:
        super().__init__("run", (arg,), kwargs, shown)


class Register(Operation):
    """The last step of a function that is run for each event."""

    def __init__(self, prefix: str, kwargs: Dict[str, Any], shown: str) -> None:
        super().__init__("register", (prefix,), kwargs, shown)


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
        name = getattr(value, "__qualname__", None)
        if name:
            return str(name).rpartition("<locals>.")[2]
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


def list_combiner() -> Callable[[Any, Any, Any], Any]:
    """Makes ``aggregateby``'s default combiner of lists: one list of all."""

    def joined(key: Any, accumulator: Any, partial: Any) -> Any:
        return (accumulator or []) + partial

    return joined


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


def seq_operand(zero: Any) -> Callable[[Any, Any], Any]:
    """``aggregate``'s operand for whoever gives only a zero.

    Args:
        zero: The value that the aggregation starts with.

    Returns:
        Addition for numbers, gathering for lists.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(zero, (int, float, complex)):
        return adder()
    if isinstance(zero, list):
        return list_accumulator()
    raise ValueError(
        f"aggregate() has no default seqOp for a zero of type {type(zero).__name__}; "
        "pass one: aggregate(zero, seqOp)"
    )


def comb_operand(zero: Any, seq_given: bool, seq: Callable[[Any, Any], Any]) -> Any:
    """``aggregate``'s combiner for whoever gives none.

    Args:
        zero: The value that the aggregation starts with.
        seq_given: Whether the user gave the operand.
        seq: The operand.

    Returns:
        The operand, except for gathered lists, which are joined.
    """
    if not seq_given and isinstance(zero, list):
        return adder()
    return seq
