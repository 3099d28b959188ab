"""Exceptions that gear functions see, and the text in which errors reach clients.

The original server reports an error as the printed list of the lines of its traceback.  Scripts,
tests and clients read that text (``ast.literal_eval`` gives the lines back), so it is reproduced
here, with one difference: frames of this engine are left out, since they say nothing to whoever
wrote the function.
"""

from __future__ import annotations

import os
import traceback
from types import TracebackType

from . import memory

ENGINE_DIRECTORY = os.path.dirname(os.path.abspath(__file__)) + os.sep
_HEADER = "Traceback (most recent call last):\n"
PIPELINE_FILE = "<redgrease pipeline>"
"""File name of the generated code that runs the steps of a function."""


class GearsError(Exception):
    """What the server's own functions raise; printed as ``gears.error``."""


class GearsFlatError(Exception):
    """An error whose message alone is reported, without a traceback."""


class GearsForceStopped(Exception):
    """Thrown into a running function when its execution is aborted."""


# Tracebacks print a class as "module.qualname"; clients look for the original's names.
for _class, _name in (
    (GearsError, "error"),
    (GearsFlatError, "flaterror"),
    (GearsForceStopped, "forcestopped"),
):
    _class.__module__ = "gears"
    _class.__name__ = _class.__qualname__ = _name


class Aborted(BaseException):
    """Ends a pipeline for good; never seen by functions, whatever they catch."""


class PlainError(Exception):
    """An error of a reader that is reported by its message, as the original's C readers do."""


def is_ours(file_name: str) -> bool:
    """Tell whether a frame of this file belongs to the engine rather than to the user."""
    return file_name == PIPELINE_FILE or file_name.startswith(ENGINE_DIRECTORY)


def _strip(report: traceback.TracebackException, seen: set[int]) -> None:
    """Remove the engine's frames from a traceback and from those of its causes."""
    if id(report) in seen:
        return
    seen.add(id(report))
    report.stack[:] = [frame for frame in report.stack if not is_ours(frame.filename)]
    for linked in (report.__cause__, report.__context__):
        if linked is not None:
            _strip(linked, seen)


def has_user_frames(trace: TracebackType | None) -> bool:
    """Tell whether any frame of the traceback is not the engine's."""
    while trace is not None:
        if not is_ours(trace.tb_frame.f_code.co_filename):
            return True
        trace = trace.tb_next
    return False


def error_text(error: BaseException, full: bool = True, frameless: bool = False) -> str:
    """Put an exception into the words of the server.

    Args:
        error: The exception, with its traceback.
        full: The setting PythonAttemptTraceback: the whole traceback, or type and value only.
        frameless: Whether an exception that passed no Python code of the user's is reported in
            the short form, as the original does for what its C code calls directly.

    Returns:
        The text of the error entry or error reply.
    """
    if isinstance(error, (GearsFlatError, PlainError)):
        return str(error)
    memory.note(error)
    try:
        if full and not (frameless and not has_user_frames(error.__traceback__)):
            report = traceback.TracebackException(type(error), error, error.__traceback__)
            _strip(report, set())
            lines = list(report.format())
            if error.__traceback__ is not None and lines[0] != _HEADER and not report.stack:
                lines.insert(0, _HEADER)  # where all frames were ours Python prints none
            return str(lines)
        return f"Error type: {type(error)}, Value: {error}"
    except Exception as broken:  # an exception class of the user's whose __str__ raises
        return f"Error type: {type(error)}, Value: <{type(broken).__name__} in its text>"
