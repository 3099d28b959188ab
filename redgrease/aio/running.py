"""How methods under ``redgrease.asking.asking`` are run with asyncio."""

import asyncio
from types import CoroutineType
from typing import Any, Coroutine, Set, TypeVar

from redgrease.asking import Asks

__all__ = ["Awaited"]

R = TypeVar("R")

# Loops refer to their tasks only weakly.
_GUARDED: "Set[asyncio.Task[Any]]" = set()


class Awaited:
    """What has methods under :func:`redgrease.asking.asking`, to be awaited.

    Stands before the class that has the methods in the list of bases.
    """

    def _run(self, steps: "Asks[R]") -> "Coroutine[Any, Any, R]":
        return _run(steps)

    async def _guarded(self, asked: "Coroutine[Any, Any, R]") -> R:
        task = asyncio.ensure_future(asked)
        _GUARDED.add(task)
        task.add_done_callback(_GUARDED.discard)
        return await asyncio.shield(task)

    async def _within(self, seconds: float, asked: "Coroutine[Any, Any, R]") -> R:
        return await asyncio.wait_for(asked, seconds)


async def _run(steps: "Asks[R]") -> R:
    try:
        asked = next(steps)
        while True:
            if type(asked) is not CoroutineType:  # known already
                asked = steps.send(asked)
                continue
            try:
                answer = await asked
            except BaseException as error:  # also a cancellation
                asked = steps.throw(error)
            else:
                asked = steps.send(answer)
    except StopIteration as end:
        value: R = end.value
        return value
