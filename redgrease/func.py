"""Decorators that make a function a command of a Gears server."""

import contextlib
import functools
import inspect
import types
import uuid
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from redgrease import operations as ops
from redgrease.answering import server_side
from redgrease.arguments import EXECUTE_ARGUMENTS, normal, operand
from redgrease.asking import Asks, Waiting, asking
from redgrease.calling import Call, classes_of
from redgrease.gears import ClosedGearFunction, OpenGearFunction, Requirements, gears_of, is_async
from redgrease.reader import CommandReader
from redgrease.shipping import loader
from redgrease.unpickling import reader
from redgrease.utils import as_is

__all__ = ["ClosedCommand", "Command", "command", "trigger"]

_Function = Callable[..., Any]


class ClosedCommand(ClosedGearFunction[Any]):
    """A decorated function that is on no server yet: what :func:`command` makes without ``on``.

    Args:
        closed: What is registered for it.
        function: The function that was decorated; inside other functions it can be called.
        classes: The user's classes that may occur in its arguments.
        options: Arguments for ``Gears.pyexecute``.
    """

    __wrapped__: _Function

    def __init__(
        self,
        closed: ClosedGearFunction[Any],
        function: _Function,
        classes: Dict[str, type],
        options: Dict[str, Any],
    ) -> None:
        super().__init__(closed.operation, closed.input_function, closed.requirements)
        _resemble(self, function)
        self._classes = classes
        self._options = options

    def __call__(*args: Any, **kwargs: Any) -> Any:
        """Nothing that can be called: it is on no server yet.  Inside a server, the function.

        Raises:
            TypeError: Always.
        """
        name = vars(args[0]).get("__name__", "function")
        raise TypeError(f"{name}() is on no server yet: {name}.on(client) gives what can be called")

    def on(
        self,
        gears_server: Any,
        unblocking: Optional[bool] = None,
        requirements: Requirements = None,
        replace: Optional[bool] = None,
        **kwargs: Any,
    ) -> "Command":
        """Register the function on a server.  Sends ``RG.PYEXECUTE``.

        What is not given here is as it was given to the decorator.

        Args:
            gears_server: A redgrease client, its ``gears``, or any client of redis-py.
            unblocking: Do not wait for the registration.
            requirements: More packages that the function needs.
            replace: What to do if the trigger is taken: None, raise; True, replace the old
                registration; False, keep it if it is the same.
            kwargs: More arguments of ``Gears.pyexecute``.

        Returns:
            A function that triggers it there; of a client for asyncio, a coroutine of one.

        Raises:
            redgrease.exceptions.DuplicateTriggerError: The trigger is taken.
            redgrease.exceptions.RedGreaseError: Something else went wrong.
        """
        given = dict(kwargs, unblocking=unblocking, replace=replace, requirements=requirements)
        return self.command_on(gears_of(gears_server)).register(self.options_with(given))

    def command_on(self, gears: Any) -> "Command":
        """What it is on a server, yet to be registered."""
        return Command(self, gears)

    def options_with(self, given: Dict[str, Any]) -> Dict[str, Any]:
        """The arguments given to the decorator, with others that go before them."""
        return {**self._options, **{k: v for k, v in given.items() if v is not None}}

    def __reduce__(self) -> Any:
        return vars(self)["__qualname__"]  # elsewhere it is found where it was defined


class Command:
    """A function that runs on a server when it is called.

    It has name, documentation and signature of the function that was decorated, which is its
    ``__wrapped__``; inside other functions on a server, it is that function.

    Args:
        closed: What is registered.
        gears: The ``Gears`` of the client with which it is registered.
    """

    def __init__(self, closed: ClosedCommand, gears: Any) -> None:
        _resemble(self, closed.__wrapped__)
        settings = closed.operation.kwargs
        self._closed = closed
        self._gears = gears
        self._registered: Any = None
        self._hook = settings.get("hook")
        self._trigger = settings.get("trigger")
        self._signature = _signature(closed)
        self._counts = _counts(self._signature)

    def _run(self, steps: Asks[Any]) -> Any:
        run = getattr(self._gears, "_run", None)
        return Waiting._run(self, steps) if run is None else run(steps)  # type: ignore[arg-type]

    @asking
    def register(self, options: Dict[str, Any]) -> "Asks[Command]":
        """Register the function.

        Args:
            options: Arguments for ``Gears.pyexecute``.

        Returns:
            This very object.
        """
        closed = self._closed
        plain = ClosedGearFunction[Any](
            closed.operation, closed.input_function, closed.requirements
        )
        self._registered = yield plain.on(self._gears, **options)
        return self

    def as_result(self) -> Any:
        """What ``pyexecute`` returns for it: a ``RegisteredFunction`` that calls it."""
        return self._registered.calling(self)

    @asking
    def __call__(*args: Any, **kwargs: Any) -> Asks[Any]:
        """Run the function on the server.  Sends ``RG.TRIGGER``; for a hook, the command.

        Args:
            args: Its positional arguments.
            kwargs: Its keyword arguments.

        Returns:
            What it returns.

        Raises:
            TypeError: The function takes other arguments, or one cannot be sent; nothing was
                sent.
            redgrease.exceptions.ScriptError: It raised an exception; with the traceback.
            redgrease.exceptions.TriggerNotFoundError: It is not registered any more.
        """
        self, args = args[0], args[1:]  # so that "self" may be one of the keywords
        if self._signature is not None and (kwargs or len(args) not in self._counts):
            try:
                bound = self._signature.bind(*args, **kwargs)
            except TypeError as error:
                name = self.__name__
                raise TypeError(f"{name}() {error}") from None
            if self._hook is not None:
                args, kwargs = bound.args, bound.kwargs
        if self._hook is not None:
            reply = yield self._run_hooked(args, kwargs)
            return reply
        call = Call(self._closed._classes, args, kwargs)
        # Neither unpickled nor decoded, whatever the client does to other replies.
        result = yield self._gears.send("RG.TRIGGER", self._trigger, *call.words, record=as_is)
        return call.value(result.value, reader(getattr(self._gears, "_redis", None)))

    def _run_hooked(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        if kwargs:
            raise TypeError(
                "the arguments of a Redis command have no names: {}".format(", ".join(kwargs))
            )
        return self._gears._redis.execute_command(self._hook, *args)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    @property
    def trigger(self) -> Optional[str]:
        """What triggers it; None for a hook."""
        return self._trigger

    @property
    @asking
    def registration(self) -> Asks[Any]:
        """Its registration, as the server knows it now.  Sends ``RG.DUMPREGISTRATIONS``.

        Raises:
            redgrease.exceptions.RegistrationNotFoundError: It is not registered any more.
        """
        if self._trigger is None:
            yield self._registered.refresh()
            found = yield self._registered.registration
        else:
            found = yield self._gears.registration(trigger=self._trigger)
        if found is None:
            from redgrease.exceptions import RegistrationNotFoundError

            raise RegistrationNotFoundError(f"{self._trigger!r} is not registered any more")
        return found

    @asking
    def unregister(self, abortpending: bool = False) -> Asks[bool]:
        """Remove it from the server.  Sends ``RG.UNREGISTER``.

        Args:
            abortpending: Abort its executions that have not started yet.

        Returns:
            True.

        Raises:
            redgrease.exceptions.RegistrationNotFoundError: It is not registered any more.
        """
        registration = yield self.registration
        done = yield self._gears.unregister(registration.id, abortpending)
        return bool(done)

    def check(self, python_version: Any) -> None:
        """Find out whether it can be sent to a version of Python; see ``GearFunction.check``."""
        self._closed.check(python_version)

    def __repr__(self) -> str:
        return f"<registered: {self._closed!r}>"

    def __reduce__(self) -> Any:
        return vars(self)["__qualname__"]  # connections do not travel; elsewhere it is made again


def _resemble(wrapper: Any, function: _Function) -> None:
    """Give something the name, the documentation and the other attributes of a function."""
    functools.update_wrapper(wrapper, function)


def _signature(closed: ClosedCommand) -> Any:
    try:
        return inspect.signature(closed.__wrapped__)
    except (TypeError, ValueError):  # functions written in C may have none
        return None


def _counts(signature: Any) -> Any:
    """How many positional arguments certainly fit, so that nothing need be looked at."""
    parameters = list(signature.parameters.values()) if signature is not None else []
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, _EITHER)]
    if len(positional) < len(parameters):
        return ()
    least = sum(one.default is one.empty for one in positional)
    return range(least, len(positional) + 1)


_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD


def command(
    trigger: Any = None,
    prefix: Any = None,
    collect: Optional[bool] = None,
    mode: Optional[str] = None,
    onRegistered: Any = None,
    *,
    on: Any = None,
    requirements: Requirements = None,
    replace: Optional[bool] = None,
    desc: Optional[str] = None,
    hook: Optional[str] = None,
    **kwargs: Any,
) -> Callable[[_Function], Any]:
    """Make a function that runs on the server when it is triggered (``RG.TRIGGER``).

    Between redgrease on both sides, arguments and results keep their types: JSON's, ``bytes``,
    ``tuple``, ``set``, dates and times, ``Decimal``, ``Fraction``, ``UUID``, and classes that the
    function's annotations or its code name.  Results can be anything that can be pickled.  Other
    clients (``RG.TRIGGER name text …``) give the function texts, and get the text of its result.

    Args:
        trigger: The name to trigger it by; by default the function's own, ``...`` makes one that
            is unique.
        prefix: Has no meaning for triggers; kept since servers accept it.
        collect: Whether to bring the results of all shards to the one that was asked.
        mode: ``"async"`` (the default), ``"async_local"`` or ``"sync"``.  In a cluster of
            RedisGears, ``"async"`` runs it on all servers, and a call gives a list of what each
            returned.
        onRegistered: Called without arguments where the registration becomes active.
        on: A client; the function is registered there at once; with one for asyncio, when it is
            called or awaited for the first time.
        requirements: Packages that the function needs.
        replace: What to do if the trigger is taken: None, raise an error; True, replace the old
            registration (on servers since 1.2.2 in one step); False, keep the old registration if
            it is the same.
        desc: A description, shown in the list of registrations.
        hook: In the place of a trigger: the name of a Redis command that calls the function, with
            texts, and is answered by it (1.2).
        kwargs: More arguments of ``CommandReader().register`` (``inorder``, ``keyprefix``,
            ``convertToStr``) and of ``Gears.pyexecute`` (``id``, ``description``, ``upgrade``,
            ``replace_with``, ``force_reinstall_requirements``, ``enforce_redgrease``,
            ``unblocking``, ``timeout``).

    Returns:
        A decorator.  With ``on``, it registers the function there and makes it one that triggers
        it, a :class:`Command`; without, a :class:`ClosedCommand`, with a method ``on``.  Inside a
        server it registers the function, and leaves it as it is.

    Raises:
        TypeError: It was used without parentheses, or an argument is of a wrong type or unknown.
        ValueError: The value of an argument is none of those possible.
    """
    if callable(trigger):
        raise TypeError(
            "the decorator needs parentheses: @redgrease.command() above {}".format(
                getattr(trigger, "__name__", trigger)
            )
        )
    options = {name: kwargs.pop(name) for name in EXECUTE_ARGUMENTS if name in kwargs}
    options.update({} if replace is None else {"replace": replace})

    def decorate(function: _Function) -> Any:
        from redgrease import runtime

        start = CommandReader(desc)
        named = {"prefix": prefix, "collect": collect, "mode": mode, "onRegistered": onRegistered}
        named.update(trigger=_name(trigger, function, hook), hook=hook)
        arguments: Dict[str, Any] = {**named, **kwargs}
        shown = {k: v for k, v in arguments.items() if v is not None}
        convert = arguments.get("convertToStr")
        if convert is not None:
            normal("register", "convertToStr", convert)
        classes: Dict[str, type] = {}
        if hook is None:
            classes = classes_of(function, start.requirements)
            opened = _opened(start, function, classes, requirements, convert)
            arguments["convertToStr"] = False  # what travels is bytes already
        else:
            opened = start.apply(function, requirements)
        registered = opened.register(**arguments)
        if runtime.in_server():
            return function
        registered.operation.shown = ops.call("register", [], shown)
        closed = ClosedCommand(registered, function, classes, options)
        if on is None:
            return closed
        if is_async(on):
            from redgrease.aio.func import AwaitedCommand

            return AwaitedCommand(closed, gears_of(on), options)
        with _finding_itself(function):
            return closed.on(on)

    return decorate


@contextlib.contextmanager
def _finding_itself(function: _Function) -> Iterator[None]:
    """Let a function that calls itself be sent with itself.

    While it is being decorated, its name is bound to nothing, or to what it was before.
    """
    plain: Any = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    if code is None:
        yield
        return
    name, names = code.co_name, plain.__globals__

    def is_stale(value: Any) -> bool:
        return value is not function and all(
            getattr(value, each, None) == getattr(plain, each)
            for each in ("__qualname__", "__module__")
        )

    before = names.get(name, _NOTHING)
    is_global = plain.__qualname__ == name and (before is _NOTHING or is_stale(before))
    if is_global:
        names[name] = function
    for variable, cell in zip(code.co_freevars, plain.__closure__ or ()):
        if variable == name and (_is_empty(cell) or is_stale(cell.cell_contents)):
            loader.set_cell(cell, function)  # where the decorator's result will be put
    try:
        yield
    finally:
        if is_global and before is _NOTHING:
            names.pop(name, None)
        elif is_global:
            names[name] = before


_NOTHING = object()


def _is_empty(cell: Any) -> bool:
    try:
        return cell.cell_contents is _NOTHING
    except ValueError:
        return True


def _name(trigger: Any, function: _Function, hook: Optional[str]) -> Any:
    """The trigger for a function."""
    if trigger is ...:
        return str(uuid.uuid4())
    if trigger is not None or hook is not None:
        return trigger
    name = getattr(function, "__name__", "<unnamed>")
    if name.startswith("<"):
        raise ValueError(f"{function!r} has no name of its own; give one: trigger='name'")
    return name


def _opened(
    start: CommandReader,
    function: _Function,
    classes: Dict[str, type],
    requirements: Requirements,
    convert: Optional[bool],
) -> OpenGearFunction[Any]:
    """What calls the function with the arguments of a trigger."""
    plain = operand("command", function)
    if plain.__code__.co_flags & _GENERATOR:
        raise TypeError(
            f"{plain.__name__}() is a generator function, whose values cannot be sent back one by"
            " one; let it return a list"
        )
    step = ops.Map(server_side(plain, classes, convert))
    return start._append(step, requirements, "apply", [function])


_GENERATOR = 0x20 | 0x200  # the marks of generators, plain and async, in a code object

#: The older name of :func:`command`.
trigger: Optional[Callable[..., Any]] = command
