"""GearFunctions: chains of steps, from a reader to ``run`` or ``register``.

An :class:`OpenGearFunction` takes more steps; each gives a new function and leaves the old one as
it is, so a common beginning can be kept and continued in several ways.  ``run`` and ``register``
close it; a :class:`ClosedGearFunction` can be sent to a server.
"""

import difflib
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Generic,
    Iterable,
    Optional,
    Tuple,
    TypeVar,
    Union,
)

from redgrease import operations as ops
from redgrease.operations import Operation, Register, Run
from redgrease.utils import passfun

__all__ = ["ClosedGearFunction", "GearFunction", "OpenGearFunction"]

T = TypeVar("T")

Requirements = Union[None, str, Iterable[Any]]

COMMON_RUN = ("convertToStr", "collect")
COMMON_REGISTER = ("convertToStr", "collect", "mode", "onRegistered")

# Which arguments the server's readers know, beyond the common ones; None: cannot do that at all.
RUN_ARGUMENTS: Dict[str, Optional[Tuple[str, ...]]] = {
    "KeysReader": ("mode", "noScan", "readValue"),
    "KeysOnlyReader": ("count", "noScan", "patternGenerator"),
    "StreamReader": ("mode", "fromId"),
    "PythonReader": ("mode",),
    "ShardsIDReader": ("mode",),
    "CommandReader": None,
}
REGISTER_ARGUMENTS: Dict[str, Optional[Tuple[str, ...]]] = {
    "KeysReader": ("eventTypes", "keyTypes", "readValue", "commands"),
    "KeysOnlyReader": None,
    "StreamReader": (
        "batch",
        "duration",
        "onFailedPolicy",
        "onFailedRetryInterval",
        "trimStream",
    ),
    "PythonReader": None,
    "ShardsIDReader": None,
    "CommandReader": ("trigger", "inorder", "hook", "keyprefix"),
}
MODES = {"run": ("async", "async_local"), "register": ("async", "async_local", "sync")}
POLICIES = ("continue", "abort", "retry")
UNSET: Any = ...


def requirement_set(requirements: Requirements) -> FrozenSet[Any]:
    """Requirements as a set; a text is one requirement, not its letters.

    Args:
        requirements: None, one requirement, or several.

    Returns:
        All of them.
    """
    if requirements is None:
        return frozenset()
    if isinstance(requirements, (str, bytes)) or not isinstance(requirements, Iterable):
        return frozenset([requirements])
    return frozenset(requirements)


class GearFunction(Generic[T]):
    """A function for a Gears server, made of steps.

    Args:
        operation: The last step.
        input_function: The function that the step was appended to.
        requirements: Packages that the step needs on the server.
    """

    def __init__(
        self,
        operation: Operation,
        input_function: "Optional[OpenGearFunction[Any]]" = None,
        requirements: Requirements = None,
    ) -> None:
        self.operation = operation
        self.input_function = input_function
        self.requirements: FrozenSet[Any] = requirement_set(requirements)
        if input_function is not None:
            self.requirements |= input_function.requirements

    @property
    def steps(self) -> Tuple[Operation, ...]:
        """The steps, from the reader to the last."""
        steps = []
        function: Optional[GearFunction[Any]] = self
        while function is not None:
            steps.append(function.operation)
            function = function.input_function
        return tuple(reversed(steps))

    @property
    def reader(self) -> str:
        """The name of the reader."""
        return str(self.steps[0].args[0])

    @property
    def supports_batch_mode(self) -> bool:
        """Whether the function can be closed by ``run``."""
        return RUN_ARGUMENTS.get(self.reader, ()) is not None

    @property
    def supports_event_mode(self) -> bool:
        """Whether the function can be closed by ``register``."""
        return REGISTER_ARGUMENTS.get(self.reader, ()) is not None

    def __repr__(self) -> str:
        return ".".join(step.shown for step in self.steps if step.shown)


class ClosedGearFunction(GearFunction[T]):
    """A function that is ready to be sent to a server."""

    def on(
        self,
        gears_server: Any,
        unblocking: bool = False,
        requirements: Requirements = None,
        replace: Optional[bool] = None,
        **kwargs: Any,
    ) -> Any:
        """Run or register the function on a server (``RG.PYEXECUTE``).

        Args:
            gears_server: A redgrease client, its ``gears``, or any client of redis-py.
            unblocking: Do not wait for the results; returns an execution id.
            requirements: More packages that the function needs.
            replace: What to do if the trigger is taken: None, raise; True, replace the old
                registration; False, keep it.
            kwargs: More arguments of ``Gears.pyexecute``.

        Returns:
            An ``ExecutionResult``.

        Raises:
            redgrease.exceptions.RedGreaseError: What went wrong on the way or on the server.
        """
        gears = getattr(gears_server, "gears", gears_server)
        if not hasattr(gears, "pyexecute"):
            from redgrease.client import Gears

            gears = Gears(gears_server)
        return gears.pyexecute(
            self, unblocking=unblocking, requirements=requirements, replace=replace, **kwargs
        )


def operand(step: str, value: Any, default: Any = UNSET) -> Callable[..., Any]:
    """The plain function for an operand; servers accept nothing else.

    Args:
        step: The name of the step, for the error.
        value: What the user gave: any callable; None for the default.
        default: The default; none if the operand must be given.

    Returns:
        A function.

    Raises:
        TypeError: The operand is not callable.
    """
    if value is None and default is not UNSET:
        return default  # type: ignore[no-any-return]
    if not callable(value):
        raise TypeError(
            f"{step}() needs a callable (a function, a type, a method, a partial …), not {value!r}"
        )
    return passfun(value)


class OpenGearFunction(GearFunction[T]):
    """A function that takes more steps.  Each returns a new one."""

    def _then(
        self,
        name: str,
        args: Iterable[Any] = (),
        shown: Iterable[Any] = (),
        requirements: Requirements = None,
        native: Optional[str] = None,
    ) -> "OpenGearFunction[Any]":
        text = ops.call(name, shown)
        return OpenGearFunction(Operation(native or name, args, {}, text), self, requirements)

    def map(self, op: Any, requirements: Requirements = None) -> "OpenGearFunction[Any]":
        """Replace each record by what a function makes of it.

        Args:
            op: Called with a record; returns the new one.
            requirements: Packages that the function needs.
        """
        return self._then("map", [operand("map", op)], [op], requirements)

    def flatmap(self, op: Any = None, requirements: Requirements = None) -> "OpenGearFunction[Any]":
        """Replace each record by any number of records.

        Args:
            op: Called with a record; returns a list of new ones (anything else is one record).
                By default the record itself, which must be a list.
            requirements: Packages that the function needs.

        Note:
            Servers give the elements of a list on in reverse order.
        """
        return self._then("flatmap", [operand("flatmap", op, passfun())], _given(op), requirements)

    def foreach(self, op: Any, requirements: Requirements = None) -> "OpenGearFunction[Any]":
        """Call a function with each record, and pass the record on.

        Args:
            op: Called with a record, for its effect.
            requirements: Packages that the function needs.
        """
        return self._then("foreach", [operand("foreach", op)], [op], requirements)

    def filter(self, op: Any = None, requirements: Requirements = None) -> "OpenGearFunction[Any]":
        """Keep the records for which a function is true.

        Args:
            op: Called with a record.  By default, the truth of the record itself.
            requirements: Packages that the function needs.
        """
        return self._then("filter", [operand("filter", op, passfun())], _given(op), requirements)

    def accumulate(
        self, op: Any = None, requirements: Requirements = None
    ) -> "OpenGearFunction[Any]":
        """Make one record of all records of a shard.

        Args:
            op: Called with the accumulator (None at first) and a record; returns the accumulator.
                By default, a list of all records.
            requirements: Packages that the function needs.
        """
        function = operand("accumulate", op, ops.list_accumulator())
        return self._then("accumulate", [function], _given(op), requirements)

    def localgroupby(
        self, extractor: Any = None, reducer: Any = None, requirements: Requirements = None
    ) -> "OpenGearFunction[Any]":
        """Group the records of each shard; gives ``{'key': …, 'value': …}`` for each group.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            reducer: Called with the key, the group's accumulator (None at first) and a record;
                returns the accumulator.  By default, a list of the records.
            requirements: Packages that the functions need.
        """
        return self._group("localgroupby", extractor, reducer, ops.list_reducer(), requirements)

    def groupby(
        self, extractor: Any = None, reducer: Any = None, requirements: Requirements = None
    ) -> "OpenGearFunction[Any]":
        """Group the records of all shards; gives ``{'key': …, 'value': …}`` for each group.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            reducer: Called with the key, the group's accumulator (None at first) and a record;
                returns the accumulator.  By default, a list of the records.
            requirements: Packages that the functions need.
        """
        return self._group("groupby", extractor, reducer, ops.list_reducer(), requirements)

    def batchgroupby(
        self, extractor: Any = None, reducer: Any = None, requirements: Requirements = None
    ) -> "OpenGearFunction[Any]":
        """Group the records of all shards, and reduce each group at once.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            reducer: Called with the key and the list of the group's records; returns the value.
                By default, the number of records.
            requirements: Packages that the functions need.
        """
        return self._group("batchgroupby", extractor, reducer, ops.batch_length(), requirements)

    def _group(
        self, name: str, extractor: Any, reducer: Any, default: Any, requirements: Requirements
    ) -> "OpenGearFunction[Any]":
        args = [operand(name, extractor, ops.whole_record()), operand(name, reducer, default)]
        return self._then(name, args, _given(extractor, reducer), requirements)

    def limit(
        self, length: int, start: int = 0, requirements: Requirements = None
    ) -> "OpenGearFunction[Any]":
        """Pass on only some records (of each shard; ``collect`` first for a global limit).

        Args:
            length: How many records.
            start: How many to leave out first.
            requirements: Packages that the function needs.
        """
        for name, value in (("length", length), ("start", start)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"limit() needs a number as its {name}, not {value!r}")
        shown = [length] if start == 0 else [length, start]
        return self._then("limit", [length, start], shown, requirements)

    def collect(self, requirements: Requirements = None) -> "OpenGearFunction[Any]":
        """Bring the records of all shards to the one that was asked."""
        return self._then("collect", requirements=requirements)

    def distinct(self, requirements: Requirements = None) -> "OpenGearFunction[Any]":
        """Keep one of equal records, which must be hashable."""
        return self._then("distinct", requirements=requirements)

    def count(self, requirements: Requirements = None) -> "OpenGearFunction[int]":
        """Count the records.  No records give no result, rather than 0."""
        return self._then("count", requirements=requirements)

    def repartition(
        self, extractor: Any, requirements: Requirements = None
    ) -> "OpenGearFunction[Any]":
        """Send each record to the shard that has a key.

        Args:
            extractor: Called with a record; returns the key.
            requirements: Packages that the function needs.
        """
        function = operand("repartition", extractor)
        return self._then("repartition", [function], [extractor], requirements)

    def aggregate(
        self,
        zero: Any = None,
        seqOp: Any = None,
        combOp: Any = None,
        requirements: Requirements = None,
    ) -> "OpenGearFunction[Any]":
        """Make one record of all records: first on each shard, then of the shards' values.

        Args:
            zero: What the accumulators start with, on both levels; servers take a fresh one
                whenever the accumulator is false.  By default an empty list.
            seqOp: Called with the accumulator and a record.  By default, addition where zero is
                a number, and a list of the records where it is a list.
            combOp: Called with the accumulator and a shard's value.  By default ``seqOp``.
            requirements: Packages that the functions need.

        Raises:
            ValueError: There is no default ``seqOp`` for that zero.
        """
        shown = _given(zero, seqOp, combOp)
        zero = [] if zero is None else zero
        seq = operand("aggregate", seqOp) if seqOp is not None else ops.seq_operand(zero)
        default = ops.comb_operand(zero, seqOp is not None, seq)
        comb = operand("aggregate", combOp, default)
        return self._then("aggregate", [zero, seq, comb], shown, requirements)

    def aggregateby(
        self,
        extractor: Any = None,
        zero: Any = None,
        seqOp: Any = None,
        combOp: Any = None,
        requirements: Requirements = None,
    ) -> "OpenGearFunction[Any]":
        """Aggregate the records of each group; gives ``{'key': …, 'value': …}`` for each.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            zero: What the accumulators start with.  By default an empty list.
            seqOp: Called with key, accumulator and record.  By default, a list of the records.
            combOp: Called with key, accumulator and a shard's value.  By default ``seqOp``; lists
                are joined.
            requirements: Packages that the functions need.
        """
        comb_default = ops.list_combiner() if seqOp is None else passfun(seqOp)
        args = [
            operand("aggregateby", extractor, ops.whole_record()),
            [] if zero is None else zero,
            operand("aggregateby", seqOp, ops.list_reducer()),
            operand("aggregateby", combOp, comb_default),
        ]
        shown = _given(extractor, zero, seqOp, combOp)
        return self._then("aggregateby", args, shown, requirements)

    def sum(self, requirements: Requirements = None) -> "OpenGearFunction[Any]":
        """Add the records up.  No records give no result, rather than 0."""
        args = [0, ops.adder(), ops.adder()]
        return self._then("sum", args, (), requirements, native="aggregate")

    def sort(
        self, reverse: bool = True, requirements: Requirements = None
    ) -> "OpenGearFunction[Any]":
        """Sort the records.

        Args:
            reverse: As servers take it: True, the default, comes out *ascending*; False,
                descending.
            requirements: Packages that the function needs.
        """
        return self._then("sort", [bool(reverse)], [] if reverse else [reverse], requirements)

    def countby(
        self, extractor: Any = None, requirements: Requirements = None
    ) -> "OpenGearFunction[Any]":
        """Count the records of each group; gives ``{'key': …, 'value': …}`` for each.

        Args:
            extractor: Called with a record; returns the key of its group.  By default the record.
            requirements: Packages that the function needs.
        """
        function = operand("countby", extractor, ops.whole_record())
        return self._then("countby", [function], _given(extractor), requirements)

    def avg(
        self, extractor: Any = None, requirements: Requirements = None
    ) -> "OpenGearFunction[float]":
        """Make the mean of all records.

        Args:
            extractor: Called with a record; returns a number.  By default the record as a number.
            requirements: Packages that the function needs.
        """
        function = operand("avg", extractor, ops.numeric())
        return self._then("avg", [function], _given(extractor), requirements)

    def run(
        self,
        arg: Any = None,
        convertToStr: Optional[bool] = None,
        collect: bool = True,
        requirements: Requirements = None,
        on: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Close the function, to be run once over what there is.

        Args:
            arg: What to read, in place of the reader's own: a pattern of keys, the key of a
                stream, the generator function of a PythonReader.
            convertToStr: None, results come back as Python values; True, as texts; False, in
                the server's own encoding.
            collect: Whether to bring the results of all shards to the one that was asked.
            requirements: Packages that the function needs.
            on: A client; the function is run there at once.
            kwargs: What the reader knows: ``noScan`` and ``readValue`` (KeysReader), ``count``,
                ``noScan`` and ``patternGenerator`` (KeysOnlyReader), ``fromId`` (StreamReader),
                ``mode``.  With ``on``, also the arguments of ``Gears.pyexecute``.

        Returns:
            The closed function; with ``on``, and on a server, the result.

        Raises:
            TypeError: The reader cannot be run, or does not know an argument.
        """
        known = self._known("run", RUN_ARGUMENTS)
        given = {"convertToStr": convertToStr} if convertToStr is not None else {}
        shown = ops.call(
            "run",
            [] if arg is None else [arg],
            {**given, **({} if collect else {"collect": collect}), **kwargs},
        )
        options = _options("run", self.reader, kwargs, known, COMMON_RUN, on)
        settings = {**given, "collect": collect, **kwargs}
        if self.reader == "PythonReader":
            arg = self._generator(arg)
        function: ClosedGearFunction[T] = ClosedGearFunction(
            Run(arg, settings, shown), self, requirements
        )
        return _act(function, on, options)

    def _generator(self, arg: Any) -> Any:
        """The function that a PythonReader reads from, which the server calls."""
        if arg is None:
            raise TypeError("a PythonReader needs a generator function: run(function)")
        return operand("run", arg)

    def register(
        self,
        prefix: str = "*",
        convertToStr: Optional[bool] = None,
        collect: bool = True,
        mode: Optional[str] = None,
        onRegistered: Any = None,
        eventTypes: Optional[Iterable[str]] = None,
        keyTypes: Optional[Iterable[str]] = None,
        readValue: Optional[bool] = None,
        batch: Optional[int] = None,
        duration: Optional[int] = None,
        onFailedPolicy: Optional[str] = None,
        onFailedRetryInterval: Optional[int] = None,
        trimStream: Optional[bool] = None,
        trigger: Optional[str] = None,
        requirements: Requirements = None,
        on: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Close the function, to be run for each event.

        Args:
            prefix: Of the keys whose events count: a trailing ``*`` means any continuation;
                without one, the key itself.
            convertToStr: As for ``run``.
            collect: As for ``run``.
            mode: ``"async"`` (the default), ``"async_local"`` or ``"sync"``.
            onRegistered: Called without arguments where the registration becomes active.
            eventTypes: KeysReader: which events, such as ``["set", "del"]``.
            keyTypes: KeysReader: which types of keys, such as ``["string", "hash"]``.
            readValue: KeysReader: whether records have the value.
            batch: StreamReader: how many messages at most are handled at once.
            duration: StreamReader: how many milliseconds to wait for a full batch.
            onFailedPolicy: StreamReader: ``"continue"``, ``"abort"`` or ``"retry"``.
            onFailedRetryInterval: StreamReader: seconds between retries.
            trimStream: StreamReader: whether handled messages are removed.
            trigger: CommandReader: the name for ``RG.TRIGGER``.
            requirements: Packages that the function needs.
            on: A client; the function is registered there at once.
            kwargs: ``commands`` (KeysReader); ``inorder``, ``hook``, ``keyprefix``
                (CommandReader).  With ``on``, also the arguments of ``Gears.pyexecute``.

        Returns:
            The closed function; with ``on``, and on a server, the result.

        Raises:
            TypeError: The reader cannot be registered, or does not know an argument.
            ValueError: A value is none of those possible.
        """
        known = self._known("register", REGISTER_ARGUMENTS)
        settings: Dict[str, Any] = {
            "convertToStr": convertToStr,
            "mode": mode,
            "onRegistered": onRegistered if onRegistered is None else passfun(onRegistered),
            "eventTypes": _names("eventTypes", eventTypes),
            "keyTypes": _names("keyTypes", keyTypes),
            "readValue": readValue,
            "batch": batch,
            "duration": duration,
            "onFailedPolicy": onFailedPolicy,
            "onFailedRetryInterval": onFailedRetryInterval,
            "trimStream": trimStream,
            "trigger": trigger,
            **kwargs,
        }
        settings = {name: value for name, value in settings.items() if value is not None}
        options = _options("register", self.reader, settings, known, COMMON_REGISTER, on)
        shown = ops.call(
            "register",
            [] if prefix == "*" else [prefix],
            {**settings, **({} if collect else {"collect": collect})},
        )
        settings.setdefault("mode", "async")
        settings["collect"] = collect
        _check_register(self.reader, settings)
        self._narrow(settings)
        function: ClosedGearFunction[T] = ClosedGearFunction(
            Register(prefix, settings, shown), self, requirements
        )
        return _act(function, on, options)

    def _narrow(self, settings: Dict[str, Any]) -> None:
        """Let the server leave out events that the function's first filter would."""
        for step in self.steps[1:2]:
            for name, value in step.narrows.items():
                settings.setdefault(name, value)

    def _known(self, verb: str, table: Dict[str, Optional[Tuple[str, ...]]]) -> Tuple[str, ...]:
        known = table.get(self.reader, ())
        if known is None:
            able = sorted(reader for reader, names in table.items() if names is not None)
            raise TypeError(
                "a {} cannot {}; readers that can: {}".format(self.reader, verb, ", ".join(able))
            )
        return known


def _given(*operands: Any) -> Iterable[Any]:
    """The operands up to the last that was given, to be shown."""
    words = list(operands)
    while words and words[-1] is None:
        words.pop()
    return words


def _names(argument: str, values: Optional[Iterable[str]]) -> Optional[list]:  # type: ignore[type-arg]
    """A list of names; a text would be taken letter by letter by the server."""
    if values is None:
        return None
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{argument} is a list of names: {argument}=[{values!r}]")
    return list(values)


EXECUTE_ARGUMENTS = (
    "unblocking",
    "replace",
    "enforce_redgrease",
    "id",
    "description",
    "upgrade",
    "replace_with",
    "force_reinstall_requirements",
)


def _options(
    verb: str,
    reader: str,
    kwargs: Dict[str, Any],
    known: Tuple[str, ...],
    common: Tuple[str, ...],
    on: Any,
) -> Dict[str, Any]:
    """Check keyword arguments; takes out and returns those that are for ``pyexecute``."""
    options = {}
    for name in list(kwargs):
        if name in known or name in common:
            continue
        if name in EXECUTE_ARGUMENTS:
            if on is None:
                raise TypeError(
                    f"{verb}({name}=…) has a meaning only together with on=; pass it to .on(…)"
                )
            options[name] = kwargs.pop(name)
            continue
        everything = sorted({*known, *common})
        close = difflib.get_close_matches(name, everything, 1)
        raise TypeError(
            "{}() of a {} has no argument {!r}{}; it knows {}".format(
                verb,
                reader,
                name,
                f", did you mean {close[0]!r}?" if close else "",
                ", ".join(everything),
            )
        )
    modes = MODES[verb]
    if "mode" in kwargs and kwargs["mode"] not in modes:
        raise ValueError("mode is one of {}; not {!r}".format(", ".join(modes), kwargs["mode"]))
    return options


def _check_register(reader: str, settings: Dict[str, Any]) -> None:
    """Refuse what the server would refuse."""
    if reader == "CommandReader":
        if "trigger" not in settings and "hook" not in settings:
            raise TypeError("a CommandReader needs a trigger or a hook: register(trigger='name')")
        if "trigger" in settings and ("hook" in settings or "keyprefix" in settings):
            raise TypeError("a trigger cannot be combined with hook or keyprefix")
    policy = str(settings.get("onFailedPolicy", "continue")).lower()
    if policy not in POLICIES:
        raise ValueError(f"onFailedPolicy is one of {POLICIES}; not {policy!r}")
    if settings["mode"] == "sync" and policy != "continue":
        raise ValueError("mode 'sync' goes only with onFailedPolicy 'continue'")


def _act(function: ClosedGearFunction[Any], on: Any, options: Dict[str, Any]) -> Any:
    """What closing a function gives: on a server its result, with a client too."""
    from redgrease import runtime

    if runtime.in_server():
        return runtime.run(function, runtime.native("GearsBuilder"))
    return function if on is None else function.on(on, **options)
