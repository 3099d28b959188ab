"""How code objects are pickled: with the name of their file.

cloudpickle leaves it out since 3.1.3, so that equal functions give equal pickles wherever they are
from.  But then tracebacks show no line of the source, debuggers stop nowhere, and coverage counts
nothing.
"""

import types
from typing import Any, Tuple

__all__ = ["reduce_code"]

# What cloudpickle puts in the place of the name.
_NAMELESS = "<dynamic-code>"


def reduce_code(code: types.CodeType) -> Tuple[Any, Tuple[Any, ...]]:
    """Tell pickle how a code object is made again (Python 3.8 and later).

    Args:
        code: The code object.

    Returns:
        What pickle calls, and with which arguments.
    """
    from cloudpickle import cloudpickle_fast

    make, arguments = cloudpickle_fast._code_reduce(code)
    name = "".join(code.co_filename)  # a new one, as cloudpickle does with all texts of code
    return make, tuple(name if item == _NAMELESS else item for item in arguments)
