"""Functions and objects for use inside Gears functions.

On a server they are the server's own.  Elsewhere they can be imported, so that functions can be
written and type-checked, but calling them raises ``NotInServerError``.
"""

import sys
from typing import Any, Dict, Iterable, Optional, Tuple, Union

from redgrease.gears import GearFunction, OpenGearFunction, Requirements
from redgrease.operations import Operation
from redgrease.reader import GearReader
from redgrease.shipping import loader

__all__ = [
    "GB",
    "GEARS_RUNTIME",
    "GearsBuilder",
    "atomic",
    "call_next",
    "configGet",
    "execute",
    "flat_error",
    "gearsConfigGet",
    "gearsFuture",
    "get_command",
    "hashtag",
    "hashtag3",
    "in_server",
    "isAsyncAllow",
    "isInAtomicBlock",
    "log",
    "override_reply",
    "run",
]

# The server's names for the words, in its module `redisgears`; the others are in its scripts.
_NATIVE: Dict[str, str] = {
    "execute": "executeCommand",
    "atomic": "atomicCtx",
    "hashtag": "getMyHashTag",
    "gearsFuture": "gearsFutureCtx",
    "log": "log",
    "configGet": "config_get",
    "call_next": "callNext",
    "get_command": "getCommand",
    "override_reply": "overrideReply",
    "flat_error": "flatError",
    "isAsyncAllow": "isAsyncAllow",
}


def in_server() -> bool:
    """Whether this code runs inside a Gears server."""
    server = sys.modules.get("redisgears")
    # The embedded server may run functions in a thread of a process that is also a client.
    return server is not None and bool(getattr(server, "in_server", lambda: True)())


def native(name: str, called: str = "") -> Any:
    """The server's own object of a name.

    Args:
        name: The word.
        called: What the user has called, if that is another one.

    Returns:
        The object.

    Raises:
        NotInServerError: The code does not run inside a Gears server.
        NotImplementedError: The server is too old to have it.
    """
    if not in_server():
        raise not_in_server(called or name)
    for module, attribute in (("redisgears", _NATIVE.get(name, name)), ("__main__", name)):
        found = getattr(sys.modules.get(module), attribute, None)
        if found is not None:
            return found
    raise NotImplementedError(f"this Gears server has no {name}(); it is too old")


def not_in_server(name: str, otherwise: str = "") -> Exception:
    """What to raise where something is used outside a server.

    Args:
        name: What was used.
        otherwise: What does the same on a client.
    """
    from redgrease.exceptions import NotInServerError

    return NotInServerError(
        f"{name} works only inside a Gears server: {otherwise}use it in a function that is run "
        "there, such as KeysReader().foreach(…).run(on=client); for trying functions locally, "
        "redgrease.engine.GearsServer(worker='thread') runs them in this process"
    )


def _runtime_version() -> Union[bool, Tuple[int, int]]:
    if not in_server():
        return False
    return (1, 2) if hasattr(sys.modules["redisgears"], "gearsFutureCtx") else (1, 0)


#: False on a client; (1, 0) or (1, 2) inside a server, by its abilities.
GEARS_RUNTIME = _runtime_version()


def execute(command: str, *args: Any) -> Any:
    """Run a Redis command in the local shard.

    Args:
        command: Its name.
        args: Its arguments; what is not bytes is sent as text.

    Returns:
        The reply: text (or a bytearray if it is no text), a number, None, or a list of these.

    Raises:
        redisgears.GearsError: The command failed.
    """
    return native("execute")(command, *args)


class atomic:
    """A context manager: no other client's command runs between those inside.

    Nothing is rolled back after an exception.
    """

    def __init__(self) -> None:
        self._native = native("atomic")()

    def __enter__(self) -> "atomic":
        self._native.__enter__()
        return self

    def __exit__(self, *exception: Any) -> Any:
        return self._native.__exit__(*exception)


def log(message: Any, level: str = "notice") -> None:
    """Write to the server's log.

    Args:
        message: Anything; its text is written.
        level: ``"debug"``, ``"verbose"``, ``"notice"`` or ``"warning"``; also a level of Python's
            ``logging``.  Others are taken for ``"notice"``.
    """
    native("log")
    loader.log(message, level)


def hashtag() -> str:
    """A string that hashes to a slot of the local shard (``06S`` without a cluster)."""
    return str(native("hashtag")())


def hashtag3() -> str:
    """The same in braces, to be put into keys: ``f"count:{hashtag3()}"``."""
    return "{" + str(native("hashtag", "hashtag3")()) + "}"


def configGet(key: str) -> Optional[str]:
    """A user-defined setting of the server (``RG.CONFIGSET``); None if there is none."""
    value: Optional[str] = native("configGet")(key)
    return value


def gearsConfigGet(key: str, default: Any = None) -> Any:
    """A user-defined setting of the server, or a default.

    Args:
        key: The name of the setting.
        default: What to return if there is none.
    """
    value = native("configGet", "gearsConfigGet")(key)
    return default if value is None else value


def gearsFuture() -> Any:
    """A value that is set later: return it from a step, and then call its ``continueRun(value)`` or
    ``continueFailed(message)``, from any thread.  RedisGears 1.2."""
    return native("gearsFuture")()


def call_next(*args: Any) -> Any:
    """Inside a command hook: run the hooked command.  RedisGears 1.2.

    Args:
        args: The arguments, without the command's name.
    """
    return native("call_next")(*args)


def get_command() -> Any:
    """Inside a function registered with ``commands``: the client's command, as a list."""
    return native("get_command")()


def override_reply(reply: Any) -> Any:
    """Inside a function registered with ``commands``: answer the client with this."""
    return native("override_reply")(reply)


def flat_error(message: str) -> Any:
    """Raise an error of which only the message is reported, with no traceback."""
    return native("flat_error")(message)


def isInAtomicBlock() -> bool:
    """Whether this runs inside ``with atomic()``."""
    return bool(native("isInAtomicBlock")())


def isAsyncAllow() -> bool:
    """Whether a step may return a future or a coroutine here."""
    return bool(native("isAsyncAllow")())


def run(function: GearFunction[Any], builder: Any) -> Any:
    """Build a function out of a server's own steps, and run or register it.

    Args:
        function: The function.
        builder: The server's ``GearsBuilder`` class.

    Returns:
        What the server's last step returns.
    """
    built = builder
    for step in function.steps:
        kwargs = dict(step.kwargs)
        # The default is the Python value, which a script on the server has no use for.
        if step.name in ("run", "register"):
            kwargs.setdefault("convertToStr", True)
            built = getattr(built, step.name)(*step.args, **kwargs)
        else:
            built = step.add_to(built)
    return built


class GearsBuilder(OpenGearFunction[Any]):
    """Builds a function step by step, as scripts on a server do.

    It is an open function that changes: each step changes it, and returns it.

    Args:
        reader: The name of the reader.
        defaultArg: What is read when ``run`` does not say.
        desc: A description, shown in the list of registrations.
        requirements: Packages that the function needs on the server.
        defaults: Arguments for whichever of ``run`` and ``register`` knows them.

    Raises:
        TypeError: An argument is of a wrong type, or unknown.
        ValueError: There is no such reader, or an argument's value is none of those possible.
    """

    def __init__(
        self,
        reader: str = "KeysReader",
        defaultArg: Any = "*",
        desc: Optional[str] = None,
        requirements: Requirements = None,
        **defaults: Any,
    ) -> None:
        function = GearReader(reader, defaultArg, desc, requirements, **defaults)
        shown = function.operation.shown
        function.operation.shown = "GearsBuilder" + shown[len(GearReader.__name__) :]
        self._become(function)

    def _become(self, function: OpenGearFunction[Any]) -> None:
        self._function = function
        self.operation = function.operation
        self.input_function = function.input_function
        self.requirements = function.requirements
        self.defaults = function.defaults

    def _append(
        self, step: Operation, requirements: Any, title: str, shown: Iterable[Any]
    ) -> "GearsBuilder":
        self._become(self._function._append(step, requirements, title, shown))
        return self

    @property
    def gearfunction(self) -> OpenGearFunction[Any]:
        """The function as it is now."""
        return self._function

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Close the function; see ``OpenGearFunction.run``.  The builder stays as it is."""
        return self._function.run(*args, **kwargs)

    def register(self, *args: Any, **kwargs: Any) -> Any:
        """Close the function; see ``OpenGearFunction.register``.  The builder stays as it is."""
        return self._function.register(*args, **kwargs)


GB = GearsBuilder

if in_server():
    # In a script on a server, redgrease's names are the server's.
    GearsBuilder = GB = native("GearsBuilder")  # type: ignore[misc]
