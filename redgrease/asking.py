"""Methods that ask servers, written once, for clients that wait and for those of asyncio.

Such a method is a generator function under :func:`asking`, and has a ``yield`` in front of each
call that asks a server: ``answer = yield self.send("RG.INFOCLUSTER")``.  In a client that waits,
the call has got its answer by then, and ``yield`` only hands it on.  In a client for asyncio the
call has made a coroutine, which ``yield`` hands to whoever runs the method, to be awaited there.
So the method returns its value in the former, and a coroutine in the latter.
"""

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, Generator, TypeVar

if TYPE_CHECKING:
    from typing import ParamSpec

    P = ParamSpec("P")

__all__ = ["Asks", "Waiting", "asking"]

R = TypeVar("R")

# What such a generator function is annotated to return: the type of its value.
Asks = Generator[Any, Any, R]


class Waiting:
    """What has methods under :func:`asking`, and waits for answers."""

    def _run(self, steps: "Asks[R]") -> R:
        """Run a method to its end."""
        try:
            answer = next(steps)
            while True:
                answer = steps.send(answer)
        except StopIteration as end:
            value: R = end.value
            return value

    def _guarded(self, asked: Any) -> Any:
        """Let a call come to its end, even if whoever waits for it is cancelled."""
        return asked

    def _within(self, seconds: float, asked: Any) -> Any:
        """Give up a call after a time, also while it connects; only asyncio can do that."""
        return asked


def asking(method: "Callable[P, Asks[R]]") -> "Callable[P, R]":
    """Make a method of a generator function that asks servers.

    Args:
        method: The generator function; its object has a method ``_run``, as :class:`Waiting`.

    Returns:
        The method.
    """

    @functools.wraps(method)
    def run(*args: Any, **kwargs: Any) -> Any:
        return args[0]._run(method(*args, **kwargs))

    signature = inspect.signature(method)
    result = getattr(signature.return_annotation, "__args__", (Any,))[-1]
    run.__signature__ = signature.replace(return_annotation=result)  # type: ignore[attr-defined]
    return run
