"""GearFunctions: chains of steps, from a reader to ``run`` or ``register``.

Steps can be added to an :class:`OpenGearFunction`.  Each step returns a new function and leaves the
old one unchanged, so a common beginning can be kept and continued in several ways.  ``run`` and
``register`` close the function; a :class:`ClosedGearFunction` can be sent to a server.
"""

import inspect
from typing import Any, Dict, FrozenSet, Generic, Iterable, Optional, Tuple, TypeVar, Union

from redgrease import operations as ops
from redgrease.arguments import (
    REGISTER_ARGUMENTS,
    RUN_ARGUMENTS,
    check_defaults,
    check_register,
    key_text,
    known_arguments,
    normal,
    source,
    take_options,
)
from redgrease.chaining import Chaining
from redgrease.operations import (
    Accumulate,
    Aggregate,
    AggregateBy,
    Avg,
    BatchGroupBy,
    Collect,
    Count,
    CountBy,
    Distinct,
    Filter,
    FlatMap,
    ForEach,
    GroupBy,
    Limit,
    LocalGroupBy,
    Map,
    Nop,
    Operation,
    Reader,
    Register,
    Repartition,
    Run,
    Sort,
)

__all__ = [
    "REGISTER_ARGUMENTS",
    "RUN_ARGUMENTS",
    "Accumulate",
    "Aggregate",
    "AggregateBy",
    "Avg",
    "BatchGroupBy",
    "ClosedGearFunction",
    "Collect",
    "Count",
    "CountBy",
    "Distinct",
    "Filter",
    "FlatMap",
    "ForEach",
    "GearFunction",
    "GroupBy",
    "Limit",
    "LocalGroupBy",
    "Map",
    "Nop",
    "OpenGearFunction",
    "Operation",
    "Reader",
    "Register",
    "Repartition",
    "Requirements",
    "Run",
    "Sort",
    "requirement_set",
]

T = TypeVar("T")

Requirements = Union[None, str, Iterable[Any]]


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


def _checked(requirements: FrozenSet[Any]) -> FrozenSet[Any]:
    for each in requirements:
        if not isinstance(each, (str, bytes)) and not hasattr(each, "specifier"):
            raise TypeError(f"a requirement is a text such as 'numpy>=1.20', not {each!r}")
    return requirements


class GearFunction(Generic[T]):
    """A function for a Gears server, made of steps.

    Args:
        operation: The last step.
        input_function: The function that the step was appended to.
        requirements: Packages that the step needs on the server.

    Raises:
        TypeError: A requirement is neither a text nor a ``Requirement``.
    """

    def __init__(
        self,
        operation: Operation,
        input_function: "Optional[OpenGearFunction[Any]]" = None,
        requirements: Requirements = None,
    ) -> None:
        self.operation = operation
        self.input_function = input_function
        self.requirements: FrozenSet[Any] = _checked(requirement_set(requirements))
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
        return RUN_ARGUMENTS.get(self.reader) is not None

    @property
    def supports_event_mode(self) -> bool:
        """Whether the function can be closed by ``register``."""
        return REGISTER_ARGUMENTS.get(self.reader) is not None

    def check(self, python_version: Any) -> None:
        """Find out whether the function can be sent to a version of Python; nothing is sent.

        Args:
            python_version: The version, such as ``"3.7"`` or ``(3, 7)``.

        Raises:
            NotShippableError: It cannot: the message names the function, its file and line, and
                the reason.
            PythonVersionMismatch: That version, or this one, is too old.
            ValueError: This is no version.
        """
        from redgrease import gearialization

        gearialization.check(self, python_version)

    def __repr__(self) -> str:
        return ".".join(step.shown for step in self.steps if step.shown)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        """What notebooks show: the steps as boxes."""
        from redgrease.visualizing import visualize

        return {"text/plain": repr(self), "image/svg+xml": visualize(self).svg}


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
            replace: What to do if it is registered already: None, raise; True, replace the old
                registration; False, keep it.
            kwargs: More arguments of ``Gears.pyexecute``.

        Returns:
            An ``ExecutionResult``.

        Raises:
            redgrease.exceptions.RedGreaseError: The function was refused, lost, or failed.
        """
        gears = gears_of(gears_server)
        return gears.pyexecute(
            self, unblocking=unblocking, requirements=requirements, replace=replace, **kwargs
        )


def gears_of(client: Any) -> Any:
    """Get the ``Gears`` of a client.

    Args:
        client: A redgrease client, its ``gears``, or any client of redis-py.

    Returns:
        An object with the method ``pyexecute``.
    """
    gears = getattr(client, "gears", client)
    if hasattr(gears, "pyexecute"):
        return gears
    if is_async(gears):
        from redgrease.aio import Gears as AsyncGears

        return AsyncGears(gears)
    from redgrease.client import Gears

    return Gears(gears)


def is_async(client: Any) -> bool:
    """Whether a client, or the ``gears`` of one, is for asyncio."""
    client = getattr(client, "_redis", client)
    return inspect.iscoroutinefunction(getattr(client, "execute_command", None))


class OpenGearFunction(Chaining, GearFunction[T]):
    """A function to which steps can be added.  Each step returns a new function.

    Args:
        operation: The last step.
        input_function: The function that the step was appended to.
        requirements: Packages that the step needs on the server.
        defaults: Default values for arguments of ``run`` and ``register``.

    Raises:
        TypeError: Neither of them has such an argument, or its type is wrong.
        ValueError: The value of an argument is invalid.
    """

    def __init__(
        self,
        operation: Operation,
        input_function: "Optional[OpenGearFunction[Any]]" = None,
        requirements: Requirements = None,
        **defaults: Any,
    ) -> None:
        super().__init__(operation, input_function, requirements)
        inherited = {} if input_function is None else input_function.defaults
        self.defaults: Dict[str, Any] = {**inherited, **check_defaults(self.reader, defaults)}

    def _append(
        self, step: Operation, requirements: Any, title: str, shown: Iterable[Any]
    ) -> "OpenGearFunction[Any]":
        step.shown = ops.call(title, shown)
        return OpenGearFunction(step, self, requirements)

    def run(
        self,
        arg: Any = None,
        convertToStr: Optional[bool] = None,
        collect: Optional[bool] = None,
        requirements: Requirements = None,
        on: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Close the function, so that it runs once over existing data.

        Args:
            arg: What to read, instead of the reader's own argument: a key pattern, the key of a
                stream, or the generator function of a PythonReader.
            convertToStr: With None, results are Python values; with True, their text, as bytes;
                with False, they are in the server's own encoding.
            collect: Whether to collect the results of all shards on the one that received the
                command; True by default.
            requirements: Packages that the function needs.
            on: A client; the function runs there at once.
            kwargs: Arguments of the reader: ``noScan`` and ``readValue`` (KeysReader), ``count``,
                ``noScan`` and ``patternGenerator`` (KeysOnlyReader), ``fromId`` (StreamReader),
                ``mode``.  With ``on``, also the arguments of ``Gears.pyexecute``.

        Returns:
            The closed function; with ``on``, or inside a server, the result.

        Raises:
            TypeError: The reader cannot be run, or an argument is unknown or has a wrong type.
            ValueError: The value of an argument is invalid.
        """
        given, options = self._given(
            "run", {"convertToStr": convertToStr, "collect": collect, **kwargs}, on
        )
        shown = ops.call("run", [] if arg is None else [arg], given)
        settings = self._settings("run", given)
        self._check_values_read(settings)
        step = Run(self._argument(arg), **settings)
        step.shown = shown
        return self._closed(step, requirements, on, options)

    def _argument(self, arg: Any) -> Any:
        """The argument of ``run``, as servers take it."""
        if self.reader == "PythonReader":
            if arg is not None:
                return source("run", arg)
            if not callable(self.steps[0].args[1]):
                raise TypeError("a PythonReader needs a generator function: run(function)")
        elif arg is not None and self.reader != "ShardsIDReader":
            return key_text("argument of run", arg)
        return arg

    def register(
        self,
        prefix: Any = None,
        convertToStr: Optional[bool] = None,
        collect: Optional[bool] = None,
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
        """Close the function, so that it runs for each event.

        Args:
            prefix: The keys to react to: with a trailing ``*``, all keys that start with what
                precedes it; otherwise, a single key.  By default ``*``, all keys.
            convertToStr: As for ``run``.
            collect: As for ``run``.
            mode: ``"async"`` (the default), ``"async_local"`` or ``"sync"``.
            onRegistered: Called without arguments on each shard where the registration becomes
                active.
            eventTypes: KeysReader: which events, such as ``["set", "del"]``.
            keyTypes: KeysReader: which types of keys, such as ``["string", "hash"]``.
            readValue: KeysReader: whether records have type and value.
            batch: StreamReader: how many messages are processed at once, at most.
            duration: StreamReader: how many milliseconds to wait for a complete batch.
            onFailedPolicy: StreamReader: ``"continue"``, ``"abort"`` or ``"retry"``.
            onFailedRetryInterval: StreamReader: seconds between retries.
            trimStream: StreamReader: whether processed messages are removed from the stream.
            trigger: CommandReader: the name for ``RG.TRIGGER``.
            requirements: Packages that the function needs.
            on: A client; the function is registered there at once.
            kwargs: ``commands`` (KeysReader); ``inorder``, ``hook``, ``keyprefix``
                (CommandReader).  With ``on``, also the arguments of ``Gears.pyexecute``.

        Returns:
            The closed function; with ``on``, or inside a server, the result.

        Raises:
            TypeError: The reader cannot be registered, or an argument is unknown or has a wrong
                type.
            ValueError: The value of an argument is invalid.
        """
        named = {
            "convertToStr": convertToStr,
            "collect": collect,
            "mode": mode,
            "onRegistered": onRegistered,
            "eventTypes": eventTypes,
            "keyTypes": keyTypes,
            "readValue": readValue,
            "batch": batch,
            "duration": duration,
            "onFailedPolicy": onFailedPolicy,
            "onFailedRetryInterval": onFailedRetryInterval,
            "trimStream": trimStream,
            "trigger": trigger,
        }
        given, options = self._given("register", {**named, **kwargs}, on)
        shown = ops.call("register", [] if prefix is None else [prefix], given)
        settings = self._settings("register", {"mode": "async"}, given)
        chosen = settings.pop("prefix", "*")
        prefix = key_text("prefix", chosen if prefix is None else prefix)
        check_register(self.reader, settings)
        self._check_values_read(settings)
        for step in self.steps[1:2]:  # the server leaves out what the first filter would
            for name, value in step.narrows.items():
                settings.setdefault(name, value)
        step = Register(prefix, **settings)
        step.shown = shown
        return self._closed(step, requirements, on, options)

    def _given(
        self, verb: str, kwargs: Dict[str, Any], on: Any
    ) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        """What was given: arguments of run or register as servers take them, and of pyexecute."""
        given = {name: value for name, value in kwargs.items() if value is not None}
        options = take_options(verb, self.reader, given, on)
        return {name: normal(verb, name, value) for name, value in given.items()}, options

    def _settings(self, verb: str, *given: Dict[str, Any]) -> Dict[str, Any]:
        """The arguments, with the reader's defaults under those that were given at last."""
        known = (*known_arguments(verb, self.reader), "prefix")
        settings: Dict[str, Any] = {"collect": True}
        for arguments in given[:-1]:
            settings.update(arguments)
        for name, value in self.defaults.items():
            if name in known and (verb == "register" or name != "prefix"):
                settings[name] = normal(verb, name, value)
        settings.update(given[-1])
        return settings

    def _check_values_read(self, settings: Dict[str, Any]) -> None:
        """Refuse steps that need what will not be read."""
        if settings.get("readValue") is not False:
            return
        if any(step.needs_value for step in self.steps):
            raise ValueError(
                "with readValue=False records have neither value nor type, which {} needs".format(
                    ".".join(step.shown for step in self.steps[1:3] if step.shown)
                )
            )

    def _closed(self, step: Run, requirements: Requirements, on: Any, options: Any) -> Any:
        """Close the function.

        Returns:
            The closed function; on a server what that replies, with a client too.
        """
        from redgrease import runtime

        function: ClosedGearFunction[T] = ClosedGearFunction(step, self, requirements)
        if runtime.in_server():
            return runtime.run(function, runtime.native("GearsBuilder"))
        return function if on is None else function.on(on, **options)
