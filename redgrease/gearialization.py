"""Turns GearFunctions into scripts that a server can run, and the results back into values.

A script carries all that it needs: the steps as data, the user's functions, and a loader (see
:mod:`redgrease.shipping.loader`).  So nothing has to be installed on the server.
"""

import pickle
import sys
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from redgrease._version import __version__
from redgrease.exceptions import NotShippableError, PythonVersionMismatch
from redgrease.gears import GearFunction
from redgrease.shipping import loader
from redgrease.shipping.cache import Watch
from redgrease.shipping.explain import not_shippable
from redgrease.shipping.identity import Identity, identify
from redgrease.shipping.pickler import Pickled, dumps
from redgrease.shipping.script import assemble
from redgrease.shipping.starting import Step
from redgrease.unpickling import decode

__all__ = [
    "Shipment",
    "check",
    "decode",
    "deserialize_gear_function",
    "deseralize_gear_function",
    "get_function_string",
    "parse_version",
    "seralize_gear_function",
    "serialize",
    "serialize_gear_function",
]


class Shipment(NamedTuple):
    """A function, ready to be sent.

    Attributes:
        script: The script for ``RG.PYEXECUTE``.
        requirements: The packages that it needs on the server.
        pickled: Whether :func:`decode` makes values of its results.
        trigger: The name that triggers it, if it is registered for one.
        reader: The name of its reader.
        identity: What it is called, if it registers.
    """

    script: str
    requirements: FrozenSet[str]
    pickled: bool
    trigger: Optional[str]
    reader: str
    identity: Optional[Identity] = None


def _runtime_requirement() -> str:
    """What brings redgrease to a server, in this very version if that is a release."""
    if all(part.isdigit() for part in __version__.split(".")):
        return f"redgrease[runtime]=={__version__}"
    return "redgrease[runtime]"


def _check_version(python_version: Tuple[int, ...]) -> None:
    """Refuse where functions would have to travel as source, and cannot."""
    ours, theirs = tuple(sys.version_info[:2]), tuple(python_version[:2])
    if ours != theirs and (ours < (3, 8) or theirs < (3, 6)):
        mine, other = (".".join(map(str, version)) for version in (ours, theirs))
        raise PythonVersionMismatch(
            f"this client runs Python {mine}, but the server runs Python {other}; from Python 3.8"
            " on, clients can send functions to other versions, from 3.6 on. Nothing was sent."
            f" Either run the client on Python {other}, or a server on Python {mine} (`redgrease"
            " serve` runs on the Python it is started with), or send the function as a script:"
            " pyexecute('GearsBuilder()...run()')"
        )


def parse_version(version: Any) -> Tuple[int, ...]:
    """A version of Python: from a text such as ``"3.7"``, or a tuple.

    Raises:
        ValueError: It is none.
    """
    try:
        parts = version.split(".") if isinstance(version, str) else version
        major, minor = (int(part) for part in tuple(parts)[:2])
    except (TypeError, ValueError):
        raise ValueError(
            f"{version!r} is no version of Python; give a text such as '3.7', or (3, 7)"
        ) from None
    return major, minor


def check(function: "GearFunction[Any]", python_version: Any) -> None:
    """Find out whether a function can be sent to a version of Python; nothing is sent.

    Args:
        function: The function, open or closed.
        python_version: The version, such as ``"3.7"`` or ``(3, 7)``.

    Raises:
        PythonVersionMismatch: One of the two versions is too old.
        NotShippableError: The function cannot be sent there.
    """
    version = parse_version(python_version)
    _check_version(version)
    steps = [(step.name, step.args, dict(step.kwargs)) for step in function.steps]
    declared = frozenset(map(str, function.requirements))
    _dumps(steps, declared, version)


def _dumps(steps: List[Step], declared: Iterable[Any], version: Tuple[int, ...]) -> Pickled:
    try:
        return dumps(steps, declared, version)
    except NotShippableError:
        raise
    except Exception as error:
        raise not_shippable(steps, error, declared, version) from error


def _steps(function: "GearFunction[Any]") -> List[Step]:
    """The steps as plain data.  Open functions are closed by a ``run`` without arguments."""
    steps: List[Step] = [(step.name, step.args, dict(step.kwargs)) for step in function.steps]
    if steps[-1][0] not in ("run", "register"):
        if not function.supports_batch_mode:
            raise TypeError(f"a {function.reader} cannot run; it needs register(...)")
        steps.append(("run", (None,), {}))
    return steps


def _plan(
    steps: List[Step], identity: Optional[Identity], desc: Optional[str]
) -> Tuple[List[Step], bool]:
    """The steps as they are sent, and whether results are pickled on the server."""
    plan = list(steps)
    if desc is not None:
        name, args, kwargs = plan[0]
        plan[0] = (name, (*args[:2], desc), kwargs)
    name, args, kwargs = plan.pop()
    kwargs = dict(kwargs)
    pickled = kwargs.get("convertToStr") is None
    if pickled:
        # The client of a hooked command gets the result itself, and may know nothing of Python.
        pickled = "hook" not in kwargs
        kwargs["convertToStr"] = False
    if pickled:
        # By its name, the results of what a registration has started are known again.
        encode = loader.encode if identity is None else _Encoder(identity.encoder)
        plan.append(("map", (encode,), {}))
    plan.append((name, args, kwargs))
    return plan, pickled


class _Encoder:
    """Stands for a function that pickles results, under a name of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Tuple[Any, ...]:
        return loader.named_encoder, (self.name,)


def serialize(
    function: "GearFunction[Any]",
    python_version: Tuple[int, ...],
    requirements: Iterable[Any] = (),
    desc: Optional[str] = None,
) -> Shipment:
    """Turn a function into a script.

    Args:
        function: The function; an open one is closed by ``run()``.
        python_version: The version of the server's Python.
        requirements: Packages that are going to be installed on the server, beyond those that
            the function names itself.
        desc: The description of its registration, in the place of its own.

    Returns:
        What is to be sent.

    Raises:
        PythonVersionMismatch: The server's Python is of another version, and one of the two is
            too old for functions to travel as source.
        NotShippableError: The function uses something that cannot be sent, or not to that
            version.
        TypeError: The function is open, and its reader cannot run.
    """
    _check_version(python_version)
    function = getattr(function, "gearfunction", function)  # of a GearsBuilder, as it is now
    declared = frozenset(map(str, [*function.requirements, *requirements]))
    version = tuple(python_version[:2])
    known = vars(function).get("_shipped")
    if known is not None and known[0] == (declared, desc, version) and known[1].unchanged():
        shipment: Shipment = known[2]
        return shipment

    steps = _steps(function)
    identity = _identity(steps, declared)
    plan, pickled = _plan(steps, identity, desc)
    made = _dumps(plan, declared, version)
    needed = frozenset(map(str, function.requirements))
    if made.needs_redgrease and not any(_is_redgrease(each) for each in declared):
        needed |= {_runtime_requirement()}
    trigger = steps[-1][2].get("trigger")
    shipment = Shipment(
        assemble(made.data, f"redgrease {__version__}: {function!r}", version, made.with_trees),
        needed,
        pickled,
        None if trigger is None else str(trigger),
        function.reader,
        identity,
    )
    watch = Watch(steps, made)
    if watch.complete:
        vars(function)["_shipped"] = ((declared, desc, version), watch, shipment)
    return shipment


def _identity(steps: List[Step], declared: Iterable[Any]) -> Optional[Identity]:
    try:
        return identify(steps, declared)
    except Exception as error:
        raise not_shippable(steps, error, declared) from error


def _is_redgrease(requirement: str) -> bool:
    return requirement.strip().lower().startswith("redgrease")


# -- names of older releases


def serialize_gear_function(gear_function: "GearFunction[Any]") -> str:
    """The script for a function, for a server with the Python version of this client."""
    return serialize(gear_function, sys.version_info[:2]).script


def get_function_string(gear_function: "GearFunction[Any]") -> Tuple[str, Dict[str, Any]]:
    """The script for a function, and what ``pyexecute`` has to know about it.

    Returns:
        The script, and a dict with ``requirements`` and, for functions that have one, ``trigger``.
    """
    shipment = serialize(gear_function, sys.version_info[:2])
    context: Dict[str, Any] = {"requirements": set(shipment.requirements)}
    if shipment.trigger is not None:
        context["trigger"] = shipment.trigger
    return shipment.script, context


def deserialize_gear_function(serialized: Any, python_version: Tuple[int, ...]) -> Any:
    """Read a pickled function, as scripts of releases before 0.4 do on the server.

    Args:
        serialized: The pickle.
        python_version: The version of Python that made it.

    Returns:
        What was pickled.

    Raises:
        PythonVersionMismatch: This Python is of another version.
    """
    if tuple(python_version[:2]) != sys.version_info[:2]:
        raise PythonVersionMismatch(
            "Python {}.{} has made this pickle, and Python {}.{} would read it".format(
                *python_version[:2], *sys.version_info[:2]
            )
        )
    return pickle.loads(serialized)


seralize_gear_function = serialize_gear_function
deseralize_gear_function = deserialize_gear_function
