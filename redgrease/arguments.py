"""What steps, ``run`` and ``register`` accept: so mistakes show where they are written.

A server would notice most of them much later, silently ignore some, and crash on a few.
"""

import difflib
import functools
import operator
import re
import types
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from redgrease.utils import passfun

__all__ = [
    "EXECUTE_ARGUMENTS",
    "READERS",
    "REGISTER_ARGUMENTS",
    "RUN_ARGUMENTS",
    "check_defaults",
    "check_number",
    "check_reader",
    "check_register",
    "did_you_mean",
    "key_text",
    "known_arguments",
    "normal",
    "operand",
    "source",
    "take_options",
]

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
READERS = tuple(RUN_ARGUMENTS)
COMMON = {
    "run": ("convertToStr", "collect"),
    "register": ("convertToStr", "collect", "mode", "onRegistered"),
}
# Parameters of our own, which a misspelt name may stand for.
_PARAMETERS = {"run": ("arg", "requirements", "on"), "register": ("prefix", "requirements", "on")}
# What other documentation calls them.
_OTHER_NAMES = {"run": {"prefix": "arg", "pattern": "arg"}, "register": {"regex": "prefix"}}
# Arguments of `Gears.pyexecute`, for `on=`.
EXECUTE_ARGUMENTS = (
    "unblocking",
    "replace",
    "enforce_redgrease",
    "id",
    "description",
    "upgrade",
    "replace_with",
    "force_reinstall_requirements",
    "timeout",
)

MODES = {"run": ("async", "async_local"), "register": ("async", "async_local", "sync")}
POLICIES = ("continue", "abort", "retry")
#: The types of keys that ``keyTypes`` takes.
KEY_TYPES = ("string", "hash", "list", "set", "zset", "module", "stream", "empty")
_TEXTS = frozenset(["trigger", "hook", "keyprefix", "fromId", "mode", "onFailedPolicy"])
_TRUTHS = frozenset(["collect", "noScan", "readValue", "trimStream", "inorder", "convertToStr"])
_LEAST = {"batch": 1, "count": 1, "duration": 0}
_MESSAGE_ID = re.compile(r"\d+(-\d+)?")
_LISTS = frozenset(["eventTypes", "keyTypes", "commands"])
_FUNCTIONS = frozenset(["onRegistered", "patternGenerator"])

# The marks of generators and of `async def` in a code object.
_GENERATOR = 0x20
_COROUTINE = 0x80
_UNSET: Any = ...


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """A suggestion for a word that may be misspelt.

    Args:
        word: The word.
        known: The words that there are.

    Returns:
        ``, did you mean 'this'?``, or nothing.
    """
    known = list(known)
    small = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(word).lower(), small, 1)
    return f", did you mean {small[close[0]]!r}?" if close else ""


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(function, (types.FunctionType, types.MethodType)):
        function = getattr(type(function), "__call__", None)  # noqa: B004
    if isinstance(function, types.MethodType):
        function = function.__func__
    return isinstance(function, types.FunctionType) and bool(
        function.__code__.co_flags & _COROUTINE
    )


def operand(
    step: str, value: Any, default: Any = _UNSET, may_wait: bool = True
) -> Callable[..., Any]:
    """The plain function for an operand; servers accept nothing else.

    Args:
        step: The name of the step, for the error.
        value: What the user gave: any callable; None for the default.
        default: The default; none if the operand must be given.
        may_wait: Whether servers accept coroutines here.

    Returns:
        A function.

    Raises:
        TypeError: The operand is not callable, or is ``async`` where that is not possible.
    """
    if value is None and default is not _UNSET:
        return default  # type: ignore[no-any-return]
    if not callable(value):
        raise _no_callable(step, value)
    if not may_wait and _is_async(value):
        raise TypeError(f"{step}() cannot take a coroutine function here: servers refuse {value!r}")
    if getattr(value, "__module__", None) == "redgrease.runtime":
        # On the server it becomes the server's own word, which is no plain function.
        return _calling(value)
    return passfun(value)


# Steps whose operand is called with a record, and with nothing else.
_OF_RECORDS = frozenset(["map", "flatmap", "foreach", "filter", "repartition", "countby", "avg"])


def _no_callable(step: str, value: Any) -> TypeError:
    """What to raise for an operand that cannot be called."""
    advice = ""
    if step in _OF_RECORDS:
        advice = f"; for the same value for every record: {step}(lambda record: {value!r})"
    elif step == "run" and isinstance(value, (list, tuple, set, range)):
        advice = f"; for these very records: run(lambda: iter({value!r}))"
    return TypeError(
        f"{step}() needs a callable (a function, a type, a method, a partial …),"
        f" not {value!r}{advice}"
    )


def source(step: str, value: Any) -> Callable[[], Any]:
    """The plain function for what a PythonReader reads.

    Servers iterate only over generators.  Any other value is one record, and they call the function
    again for the next, without end; an iterator is never meant so.

    Args:
        step: What it was given to, for the error.
        value: What the user gave: a generator function, or any other callable.

    Returns:
        A function.

    Raises:
        TypeError: It is not callable, or is ``async``.
    """
    function = operand(step, value, may_wait=False)
    return function if function.__code__.co_flags & _GENERATOR else _generating(function)


def _generating(function: Callable[[], Any]) -> Callable[[], Any]:
    def records() -> Any:
        while True:
            record = function()
            if hasattr(record, "__next__"):
                yield from record
                return
            yield record

    records.__name__ = function.__name__
    return records


def _calling(word: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any) -> Any:
        return word(*args)

    called.__name__ = word.__name__
    return called


def check_reader(reader: Any) -> None:
    """Refuse what is no reader.

    Args:
        reader: The name of a reader.

    Raises:
        TypeError: It is no text.
        ValueError: There is no such reader.
    """
    if not isinstance(reader, str):
        raise TypeError(f"a reader is given by its name, a text, not {reader!r}")
    if reader not in READERS:
        raise ValueError(
            "there is no reader {!r}{}; there are {}".format(
                reader, did_you_mean(reader, READERS), ", ".join(READERS)
            )
        )


def key_text(what: str, value: Any) -> Any:
    """A key, pattern or prefix as servers take it; bytes become text.

    Args:
        what: What it is, for the error.
        value: The value.

    Returns:
        The text.

    Raises:
        TypeError: It is neither text nor bytes.
        UnicodeDecodeError: The bytes are no UTF-8, which servers do not take.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if not isinstance(value, str):
        raise TypeError(f"the {what} is a text, not {value!r}")
    return value


def known_arguments(verb: str, reader: str) -> Tuple[str, ...]:
    """The arguments that a reader knows.

    Args:
        verb: ``"run"`` or ``"register"``.
        reader: The name of the reader.

    Returns:
        Their names, with those that all readers know.

    Raises:
        TypeError: The reader cannot do that.
    """
    table = RUN_ARGUMENTS if verb == "run" else REGISTER_ARGUMENTS
    known = table.get(reader)
    if known is None:
        able = [name for name, names in table.items() if names is not None]
        raise TypeError(
            "a {} cannot {}; readers that can: {}".format(reader, verb, ", ".join(able))
        )
    return COMMON[verb] + known


def unknown_argument(verb: str, reader: str, name: str, known: Iterable[str]) -> TypeError:
    """The error for an argument that a reader does not know.

    Args:
        verb: What was called: run, register, or the reader itself.
        reader: The name of the reader.
        name: The argument.
        known: The arguments that it knows.

    Returns:
        The exception to raise.
    """
    known = sorted(known)
    other = _OTHER_NAMES.get(verb, {}).get(name)
    hint = f", did you mean {other!r}?" if other else ""
    candidates = [*known, *_PARAMETERS.get(verb, ()), *EXECUTE_ARGUMENTS]
    return TypeError(
        "{} has no argument {!r}{}; it knows {}".format(
            f"a {reader}" if verb == reader else f"{verb}() of a {reader}",
            name,
            hint or did_you_mean(name, candidates),
            ", ".join(known),
        )
    )


def take_options(verb: str, reader: str, kwargs: Dict[str, Any], on: Any) -> Dict[str, Any]:
    """Take the arguments of ``pyexecute`` out of keyword arguments, and check the others' names.

    Args:
        verb: ``"run"`` or ``"register"``.
        reader: The name of the reader.
        kwargs: The keyword arguments; those of ``pyexecute`` are removed.
        on: What was given as ``on``.

    Returns:
        The arguments of ``pyexecute``.

    Raises:
        TypeError: The reader does not know an argument.
    """
    known = known_arguments(verb, reader)
    options = {}
    for name in [name for name in kwargs if name not in known]:
        if name not in EXECUTE_ARGUMENTS:
            raise unknown_argument(verb, reader, name, known)
        if on is None:
            raise TypeError(
                f"{verb}({name}=…) has a meaning only together with on=; pass it to .on(…)"
            )
        options[name] = kwargs.pop(name)
    return options


def check_defaults(reader: str, defaults: Dict[str, Any]) -> Dict[str, Any]:
    """Check arguments that are given to a reader, for whichever of run and register knows them.

    Args:
        reader: The name of the reader.
        defaults: The arguments.

    Returns:
        Those that are not None.

    Raises:
        TypeError: Neither of the two knows an argument, or it is of a wrong type.
        ValueError: The value of an argument is none of those possible.
    """
    tables = (("run", RUN_ARGUMENTS, ()), ("register", REGISTER_ARGUMENTS, ("prefix",)))
    defaults = {name: value for name, value in defaults.items() if value is not None}
    for name, value in defaults.items():
        errors: List[Exception] = []
        everything: List[str] = []
        for verb, table, more in tables:
            if table.get(reader) is None:
                continue
            known = (*known_arguments(verb, reader), *more)
            everything += known
            if name in known:
                try:
                    normal(verb, name, value)
                    break
                except (TypeError, ValueError) as error:
                    errors.append(error)
        else:
            raise errors[-1] if errors else unknown_argument(reader, reader, name, set(everything))
    return defaults


def _names(argument: str, values: Any) -> List[str]:
    """A list of names; servers would take a text letter by letter."""
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{argument} is a list of names: {argument}=[{values!r}]")
    if not isinstance(values, Iterable):
        raise TypeError(f"{argument} is a list of names, not {values!r}")
    names = list(values)
    if not names:
        raise ValueError(f"{argument}=[] matches nothing; leave it out for all")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{argument} is a list of texts; {name!r} is none")
        if argument == "keyTypes":
            check_key_type(name, KEY_TYPES)
    return names


def check_key_type(name: str, known: Iterable[str]) -> None:
    """Refuse what is no type of keys.

    Raises:
        ValueError: It is not among those known.
    """
    known = list(known)
    if name not in known:
        raise ValueError(
            "there is no type of keys {!r}{}; there are {}".format(
                name, did_you_mean(name, known), ", ".join(known)
            )
        )


def check_number(name: str, value: Any, least: int) -> int:
    """Refuse what is no number, or too small a one.

    Args:
        name: What it is, for the error.
        value: The number.
        least: The smallest that is possible.

    Returns:
        The number, as a plain ``int``.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is too small.
    """
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} is a number, not {value!r}")
    number = operator.index(value)
    if number < least:
        raise ValueError(f"{name} is at least {least}, not {value!r}")
    return number


def normal(verb: str, name: str, value: Any) -> Any:
    """Check the value of an argument, and bring it into the form that servers take.

    Args:
        verb: ``"run"`` or ``"register"``.
        name: The argument.
        value: Its value.

    Returns:
        The value.

    Raises:
        TypeError: It is of a wrong type.
        ValueError: It is none of those possible.
    """
    if name in _TEXTS and not isinstance(value, str):
        raise TypeError(f"{name} is a text, not {value!r}")
    if name in _TRUTHS and not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {value!r}")
    if name in _LISTS:
        return _names(name, value)
    if name in _FUNCTIONS:
        if not callable(value):
            raise TypeError(f"{name} is a function without parameters, not {value!r}")
        return operand(f"{verb}(…, {name}=…)", value, may_wait=False)
    if name in _LEAST:
        return check_number(name, value, _LEAST[name])
    if name == "onFailedRetryInterval":
        return check_number(name, value, 0)
    _check_text(verb, name, value)
    return value


def _check_text(verb: str, name: str, value: Any) -> None:
    """Refuse texts that servers would not understand."""
    if name == "mode":
        _one_of(name, value, MODES[verb])
    elif name == "onFailedPolicy":
        _one_of(name, value.lower(), POLICIES)
    elif name in ("trigger", "hook") and (not value or "\0" in value):
        raise ValueError(f"a {name} is a text of at least one character, without NUL: {value!r}")
    elif name == "fromId" and not _MESSAGE_ID.fullmatch(value):
        raise ValueError(f"fromId is the id of a message, such as '0-0' or '17-3', not {value!r}")


def _one_of(name: str, value: str, known: Tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(
            "{} is one of {}; not {!r}{}".format(
                name, ", ".join(known), value, did_you_mean(value, known)
            )
        )


def check_register(reader: str, settings: Dict[str, Any]) -> None:
    """Refuse combinations of arguments that servers would refuse.

    Args:
        reader: The name of the reader.
        settings: The arguments of ``register``.

    Raises:
        TypeError: An argument is missing, or cannot be combined with another.
        ValueError: Values exclude each other.
    """
    if reader == "CommandReader":
        if "trigger" not in settings and "hook" not in settings:
            raise TypeError("a CommandReader needs a trigger or a hook: register(trigger='name')")
        if "trigger" in settings and ("hook" in settings or "keyprefix" in settings):
            raise TypeError("a trigger cannot be combined with hook or keyprefix")
    policy = settings.get("onFailedPolicy", "continue").lower()
    if settings["mode"] == "sync" and policy != "continue":
        raise ValueError("mode 'sync' goes only with onFailedPolicy 'continue'")
