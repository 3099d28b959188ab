"""The collector of garbage in processes that live long and answer fast."""

from __future__ import annotations

import gc

GARBAGE_OBJECTS = 10000
"""After how many new objects the collector looks at them."""
ROUNDS = (5, 2)
"""After how many such looks it looks at older ones, too, and after how many of those at all.

What waits its turn in a long queue is old when it is done with, and would pile up until then.
"""


def settle_memory() -> None:
    """Have the collector of garbage leave alone what is there to stay, and come less often.

    It would otherwise look through all modules every few hundred calls.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, *ROUNDS)
