"""The collector of garbage in processes that live long and answer fast."""

from __future__ import annotations

import gc

GARBAGE_OBJECTS = 10000
"""After how many new objects the collector looks at them."""


def settle_memory() -> None:
    """Have the collector of garbage leave alone what is there to stay, and come less often.

    It would otherwise look through all modules every few hundred calls.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 50)
