"""Says which part of a function cannot be sent, and why."""

import types
from typing import Any, Iterable, Iterator, Optional, Tuple

from redgrease.exceptions import NotShippableError
from redgrease.shipping.mentions import names_in
from redgrease.shipping.pickler import dumps
from redgrease.shipping.standard import SLOTS

__all__ = ["not_shippable"]

Version = Optional[Tuple[int, ...]]
DEPTH = 8  # how far variables are followed


def _cause(value: Any, requirements: Iterable[Any], version: Version) -> str:
    """Why a value cannot be pickled; empty if it can."""
    try:
        dumps(value, requirements, version)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _parts(value: Any) -> Iterator[Tuple[str, Any]]:
    """What a value consists of, with what to call it."""
    if isinstance(value, types.FunctionType):
        yield from _variables(value)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield "an element", item
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"the item {key!r}", item
    elif issubclass(type(value), type):
        yield from _members(value)
    elif isinstance(value, (classmethod, staticmethod)):
        yield "what it wraps", value.__func__
    elif isinstance(value, property):
        for function in (value.fget, value.fset, value.fdel):
            yield "what it calls", function
    elif hasattr(value, "__dict__"):
        for name, item in vars(value).items():
            yield f"its attribute {name!r}", item
        yield "its class", type(value)


def _members(kind: type) -> Iterator[Tuple[str, Any]]:
    for base in kind.__bases__:
        yield "its base", base
    for name, item in vars(kind).items():
        # Slots are made with the class, and members of an enumeration are a part of it.
        if name != "_abc_impl" and type(item) not in (kind, *SLOTS):
            yield f"its attribute {name!r}", item


def _variables(function: types.FunctionType) -> Iterator[Tuple[str, Any]]:
    code = function.__code__
    cells = dict(zip(code.co_freevars, function.__closure__ or ()))
    for variable, *path in sorted(names_in(code).paths):
        kind = "its variable" if variable in cells else "the global name"
        try:
            value = (
                cells[variable].cell_contents
                if variable in cells
                else function.__globals__[variable]
            )
        except (KeyError, ValueError):  # a builtin or a local variable, or still without a value
            continue
        # Of a module, only what the function uses of it is sent.
        while path and isinstance(value, types.ModuleType) and hasattr(value, path[0]):
            variable, value = f"{variable}.{path[0]}", getattr(value, path.pop(0))
        yield f"{kind} {variable!r}", value
    for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield "a default value", default


def _described(value: Any) -> str:
    if isinstance(value, types.FunctionType):
        code = value.__code__
        return f"the function {value.__qualname__} ({code.co_filename}:{code.co_firstlineno})"
    if issubclass(type(value), type):
        return f"the class {value.__qualname__}"
    return f"a value of type {type(value).__module__}.{type(value).__qualname__}"


def _hint(value: Any) -> str:
    kinds = [kind.__module__.partition(".")[0] for kind in type(value).__mro__]
    if "redis" in kinds or "rediscluster" in kinds:
        return (
            "; a client is of no use on the server: functions reach Redis there by"
            " redgrease.cmd or redgrease.execute()"
        )
    return ""


def not_shippable(
    steps: Iterable[Tuple[str, Tuple[Any, ...], Any]],
    error: Exception,
    requirements: Iterable[Any],
    version: Version = None,
) -> NotShippableError:
    """Find out why steps cannot be pickled.

    Args:
        steps: The steps.
        error: What pickling them raised.
        requirements: The packages that the server is asked to install.
        version: The server's version of Python; None is this one.

    Returns:
        The exception to raise: it names the step, the function, its file and line, and how the
        value is reached that cannot be sent.
    """
    requirements = list(requirements)
    for name, args, kwargs in steps:
        for value in (*args, *kwargs.values()):
            cause = _cause(value, requirements, version)
            if cause:
                return NotShippableError(
                    f"{name}(): {_traced(value, cause, requirements, version)}"
                )
    return NotShippableError(f"the function cannot be sent: {error}")


def _traced(value: Any, cause: str, requirements: Iterable[Any], version: Version) -> str:
    """Follow the variables to the value that is the problem."""
    words = [f"{_described(value)} cannot be sent"]
    for _ in range(DEPTH):
        for name, part in () if _hint(value) else _parts(value):
            found = _cause(part, requirements, version)
            if found:
                words.append(f"because of {name}, {_described(part)}")
                value, cause = part, found
                break
        else:
            break
    return f"{', '.join(words)}: {cause}{_hint(value)}"
