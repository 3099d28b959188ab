"""What ``pyexecute`` accepts, and the script that is sent for it."""

import os
import re
from pathlib import Path
from typing import Any, Callable, FrozenSet, Iterable, NamedTuple, Optional, Tuple

__all__ = ["Submission", "is_shipped", "prepare"]


class Submission(NamedTuple):
    """What is sent for a function.

    Attributes:
        script: The script.
        requirements: The packages that it needs.
        pickled: Whether redgrease has the records of its results pickled.
        trigger: The trigger that it registers, if it is known.
        identity: What the function is called, if it registers and was made with redgrease: an
            :class:`redgrease.shipping.identity.Identity`.
        made: Whether it was made with redgrease.
    """

    script: str
    requirements: FrozenSet[Any] = frozenset()
    pickled: bool = False
    trigger: Optional[str] = None
    identity: Any = None
    made: bool = False


# A string that was surely meant to be the path of a file.
_PATH = re.compile(r"(?:[^\n\"'()]*\.pyw?|(?:~|\.{0,2})/[\w./~ -]+|[A-Za-z]:\\[^\n\"'()]*)")


# What surely is a script, so that the disk need not be asked.
_BUILDER = re.compile(r"\b(?:GB|GearsBuilder)\(.*\)\.")


def _script(value: str) -> str:
    """A script: from the file, if the string is the path of one."""
    if "\n" in value or "\0" in value or not value.strip() or len(value) > 4096:
        return value
    if _BUILDER.search(value):
        return value
    try:
        is_path = os.path.exists(value)
    except (OSError, ValueError):  # the text cannot even be a path
        is_path = False
    if is_path or _PATH.fullmatch(value.strip()):
        return Path(value).read_text(encoding="utf-8")
    return value


def _unknown_version() -> Tuple[int, int]:
    raise TypeError("the server's version of Python is needed to send a function")


def is_shipped(function: Any) -> bool:
    """Whether something is a function that is pickled, rather than a script or its path."""
    return not isinstance(function, (bytes, str, os.PathLike))


def prepare(
    function: Any,
    python_version: Callable[[], Tuple[int, int]] = _unknown_version,
    requirements: Iterable[Any] = (),
    desc: Optional[str] = None,
) -> Submission:
    """Find out what is to be sent for what a user gave.

    Args:
        function: A function made with redgrease, a ``GearsBuilder``, a script as text or bytes,
            or the path of a file with a script.
        python_version: Tells the server's version of Python; called only if that matters.
        requirements: Packages that are going to be installed, beyond those of the function.
        desc: The description of its registration, in the place of its own.

    Returns:
        What to send.

    Raises:
        TypeError: It is something else.
        FileNotFoundError: There is no such file.
        PythonVersionMismatch: The function cannot run on the server's version of Python.
    """
    if isinstance(function, bytes):
        return Submission(function.decode("utf-8"))
    if isinstance(function, str):
        return Submission(_script(function))
    if isinstance(function, os.PathLike):
        return Submission(Path(os.fspath(function)).read_text(encoding="utf-8"))

    from redgrease.gears import GearFunction

    function = getattr(function, "gearfunction", function)
    if not isinstance(function, GearFunction):
        raise TypeError(
            "expected a GearFunction, a GearsBuilder, a script, or the path of one; not "
            + type(function).__name__
        )

    from redgrease import gearialization

    shipment = gearialization.serialize(function, python_version(), requirements, desc)
    return Submission(
        shipment.script,
        frozenset(shipment.requirements),
        shipment.pickled,
        shipment.trigger,
        shipment.identity,
        made=True,
    )
