"""What INFO tells of Gears: the sections that the original's module adds to Redis's own."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .modules import VERSION

if TYPE_CHECKING:
    from .core import Engine

PLUGINS = (("GearsPythonPlugin", VERSION),)
EVERYTHING = frozenset({"EVERYTHING", "MODULES", "RG"})
"""What asks for all the sections."""
_UNSAFE = str.maketrans("#:\r\n", "____")
_WITHIN = str.maketrans(",=", ";~")


def info(engine: Engine, words: Sequence[str]) -> str:
    """The sections that are asked for, as INFO prints them.

    Args:
        engine: The engine.
        words: The arguments of INFO.
    """
    wanted = {word.upper() for word in words}
    chosen = (
        f"# {name}\r\n" + "".join(f"rg_{_safe(key)}:{_safe(text)}\r\n" for key, text in fields)
        for name, fields in _sections(engine)
        if not wanted.isdisjoint({name.upper(), *EVERYTHING})
    )
    return "\r\n".join(chosen)


def _sections(engine: Engine) -> Iterator[tuple[str, Iterable[tuple[str, Any]]]]:
    """Names of the sections (one is misspelled, as on the original), and their fields."""
    registrations = [one.dump() for one in engine.registrations.all()]  # does not wait for events
    counts = {"nexecutions": len(engine.executions.all()), "nregistrations": len(registrations)}
    yield "rg", counts.items()
    yield "rg_regisrations", [(one[1], _line(one[2:])) for one in registrations]
    yield "rg_plugins", [(name, f"version={version}") for name, version in PLUGINS]
    yield "rg_python_stats", _pairs(memory())
    requirements = engine.requirements.dump()
    yield "rg_python_requirements", [(one[3], _line(one)) for one in requirements]
    yield "rg_python_sessions", [(one[1], _line(one[2:])) for one in engine.sessions.dump([])]


def memory() -> list[Any]:
    """The reply to RG.PYSTATS: the worker's memory, as far as the system tells."""
    scale = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    try:
        with open("/proc/self/statm", encoding="ascii") as status:
            current = int(status.read().split()[1]) * resource.getpagesize()
    except OSError:
        current = peak
    peak = max(peak, current)  # the system counts the pages of a peak a little later
    return ["TotalAllocated", peak, "PeakAllocated", peak, "CurrAllocated", current]


def _pairs(flat: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Names and values of a flat list; those of lists in it take the place of these."""
    for name, value in zip(flat[::2], flat[1::2]):
        if name in ("RegistrationData", "args"):
            yield from _pairs(value)
        else:
            yield name, value


def _line(flat: Sequence[Any]) -> str:
    return ",".join(f"{name}={_text(value)}" for name, value in _pairs(flat))


def _text(value: Any) -> str:
    """A value as it stands in a line of names and values, which clients take apart."""
    text = "[" + ",".join(map(str, value)) + "]" if isinstance(value, list) else str(value)
    return text.translate(_WITHIN)


def _safe(value: Any) -> str:
    """A value without the characters that mean something to who reads the lines."""
    return str(value).translate(_UNSAFE)
