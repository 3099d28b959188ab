"""How code objects are pickled: with the name of their file.

cloudpickle leaves it out since 3.1.3, so that equal functions give equal pickles wherever they are
from.  But then tracebacks show no line of the source, debuggers stop nowhere, and coverage counts
nothing.
"""

import types
from typing import Any, Callable, Tuple

__all__ = ["Reduce", "with_file"]

# Tells pickle how a code object is made again: what is called, and with which arguments.
Reduce = Callable[[types.CodeType], Tuple[Any, Tuple[Any, ...]]]

# What cloudpickle puts in the place of the name.
_NAMELESS = "<dynamic-code>"


def with_file(reduce: Reduce) -> Reduce:
    """Have code objects keep the name of their file (Python 3.8 and later).

    Args:
        reduce: What cloudpickle does with a code object.

    Returns:
        What to do in its place.
    """

    def reduce_code(code: types.CodeType) -> Tuple[Any, Tuple[Any, ...]]:
        make, arguments = reduce(code)
        name = "".join(code.co_filename)  # a new one, as cloudpickle does with all texts of code
        return make, tuple(name if item == _NAMELESS else item for item in arguments)

    return reduce_code
