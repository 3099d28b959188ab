"""Calls of decorated functions, from the server's side: what a trigger calls.

A call made by redgrease has :data:`MARK` as its first argument, and all its own arguments in the
second one, as JSON (see :mod:`redgrease.calling`); it is answered with a pickle.  Any other call
has plain texts as arguments, and is answered with the text of the result.

These functions travel with the one that they call.  So they use nothing but each other and the
standard library, which they import themselves.
"""

from typing import Any, Callable, Dict, List

from redgrease.shipping import loader

__all__ = ["MARK", "PLAIN_CLASSES", "server_side"]

#: The first argument of a call whose second one holds all arguments.
MARK = "redgrease:call:1"

#: Classes of the standard library that may occur in arguments.
PLAIN_CLASSES = frozenset(
    f"{module} {name}"
    for module, names in {
        "builtins": "bool bytearray bytes complex dict float frozenset int list range set"
        " slice str tuple",
        "collections": "Counter OrderedDict defaultdict deque",
        "datetime": "date datetime time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "ipaddress": "IPv4Address IPv4Network IPv6Address IPv6Network",
        "pathlib": "PosixPath PurePosixPath",
        "pathlib._local": "PosixPath PurePosixPath",
        "types": "SimpleNamespace",
        "uuid": "SafeUUID UUID",
        "zoneinfo": "ZoneInfo",
    }.items()
    for name in names.split()
)


def find_class(key: str, classes: Dict[str, type]) -> Any:
    """Find a class that may occur in arguments.

    Args:
        key: Its module and its name.
        classes: The user's classes that may.

    Raises:
        TypeError: It may not.
    """
    import importlib

    if key in classes:
        return classes[key]
    module, _, name = key.partition(" ")
    if key in PLAIN_CLASSES:
        return getattr(importlib.import_module(module), name)
    found = getattr(importlib.import_module("builtins"), name, None)
    if module == "builtins" and isinstance(found, type) and issubclass(found, BaseException):
        return found
    raise TypeError(f"an argument of the class {key!r} is not accepted")


def make_object(
    classes: Dict[str, type], key: str, how: str, args: Any, state: Any, items: Any, pairs: Any
) -> Any:
    """Make an object again, as pickle does it, but never calling users' classes.

    Args:
        classes: The user's classes that may occur.
        key: Its class.
        how: Whether the class is called, or only an empty object made.
        args: The arguments for that.
        state: Its attributes.
        items: What is in it, if it is a list.
        pairs: What is in it, if it is a dict.
    """
    import enum

    kind = find_class(key, classes)
    if how == "call" and (key not in classes or issubclass(kind, enum.Enum)):
        made = kind(*args)
    else:
        made = kind.__new__(kind, *args)
    if state is not None and hasattr(made, "__setstate__"):
        made.__setstate__(state)
    elif state is not None:
        attributes, slots = state if isinstance(state, tuple) else (state, None)
        if attributes:
            vars(made).update(attributes)
        for name, value in (slots or {}).items():
            setattr(made, name, value)
    for item in items:
        made.append(item)
    for name, value in pairs:
        made[name] = value
    return made


def revive(tagged: Dict[str, Any], classes: Dict[str, type]) -> Any:
    """Turn an object of JSON, of which all parts have been revived, into what it stands for.

    Args:
        tagged: The object; it has one name.
        classes: The user's classes that may occur.

    Returns:
        The value.
    """
    import base64

    ((tag, value),) = tagged.items()
    kinds: Dict[str, Any] = {"t": tuple, "s": set, "f": frozenset, "d": dict}
    if tag in kinds:
        return kinds[tag](value)
    if tag in ("b", "B"):
        data = base64.b64decode(value)
        return data if tag == "b" else bytearray(data)
    if tag == "i":
        return int(value, 16)
    if tag == "k":
        return find_class(value, classes)
    if tag == "o":
        return make_object(classes, *value)
    if tag == "e":
        return ...
    raise ValueError(f"an argument is of an unknown kind: {tag!r}")


def arguments(words: List[Any], classes: Dict[str, type]) -> Any:
    """The arguments in the words of a call.

    Args:
        words: The words, the name of the trigger among them.
        classes: The user's classes that may occur.

    Returns:
        Positional and keyword arguments, and the call's token; None if redgrease has not made it.
    """
    import json

    if len(words) != 3 or words[1] != MARK:
        return words[1:], {}, None
    token, _, text = words[2].partition(":")
    if "{" in text:
        parts = json.loads(text, object_hook=lambda tagged: revive(tagged, classes))
    else:  # plain values
        parts = json.loads(text)
    return parts[0], parts[1] if len(parts) > 1 else {}, token


def answer(result: Any, token: Any, convert: Any) -> Any:
    """What a server is given to reply.

    Args:
        result: What the function returned.
        token: The call's token.
        convert: As for :func:`server_side`.
    """
    if convert:
        result = str(result)
    if token is not None:
        return f"{MARK}:{token}:".encode("ascii") + encode(result)
    if convert is False:
        return result
    # As bytes: a text that begins with + or - would come out as something else.
    if isinstance(result, (bytes, bytearray)):
        return bytes(result)
    return str(result).encode("utf-8", "backslashreplace")


async def answer_later(coroutine: Any, token: Any, convert: Any) -> Any:
    """Wait for a coroutine, and then :func:`answer`."""
    import traceback

    try:
        return answer(await coroutine, token, convert)
    except Exception as error:
        # Of the error of a coroutine, servers tell no more than its text.
        lines = traceback.format_exception(type(error), error, error.__traceback__)
    raise RuntimeError(str(lines))


def run_here(coroutine: Any) -> Any:
    """Run a coroutine to its end, on a server that is too old to wait for it."""
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def call(function: Any, args: Any, kwargs: Any, token: Any, convert: Any) -> Any:
    """Call the function, and :func:`answer`."""
    result = function(*args, **kwargs)
    if type(result) in (str, bytes, int, float, bool, list, dict, tuple, type(None)):
        return answer(result, token, convert)

    import inspect
    import sys

    if hasattr(result, "continueRun"):
        if token is None:
            return result
        raise TypeError(
            f"{function.__name__}() returned a gearsFuture, of which the type of the value would"
            " get lost; let it be an async function, or call it with RG.TRIGGER"
        )
    if not inspect.iscoroutine(result):
        return answer(result, token, convert)
    result = answer_later(result, token, convert)
    if hasattr(sys.modules.get("redisgears"), "gearsFutureCtx"):
        return result
    return run_here(result)


encode = loader.encode


def server_side(
    function: Any, classes: Dict[str, type], convert: Any = None
) -> Callable[[Any], Any]:
    """Make what a server calls with the words of each ``RG.TRIGGER``.

    Args:
        function: A plain function, to be called with the arguments.
        classes: The user's classes that may occur in arguments.
        convert: None, plain clients get texts; True, everybody gets texts; False, plain clients
            get results in the server's own encoding.

    Returns:
        A function that depends on nothing but the standard library.
    """
    defaults = function.__kwdefaults__  # which the cloudpickle of servers of 1.x forgets

    def called(words: Any) -> Any:
        function.__kwdefaults__ = defaults
        args, kwargs, token = arguments(words, classes)
        return call(function, args, kwargs, token, convert)

    called.__name__ = function.__name__
    called.__annotations__ = {}
    return called
