"""How methods under ``redgrease.asking.asking`` are run with asyncio."""

from types import CoroutineType
from typing import Any, Coroutine, TypeVar

from redgrease.asking import Asks

__all__ = ["Awaited"]

R = TypeVar("R")


class Awaited:
    """What has methods under :func:`redgrease.asking.asking`, to be awaited.

    Stands before the class that has the methods in the list of bases.
    """

    def _run(self, steps: "Asks[R]") -> "Coroutine[Any, Any, R]":
        return _run(steps)


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
