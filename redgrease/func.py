"""Decorators that make a function callable on a Gears server."""

import functools
import uuid
from typing import Any, Callable, Optional

from redgrease.reader import CommandReader

__all__ = ["command", "trigger"]


def command(
    trigger: Any = None,
    prefix: str = "*",
    collect: bool = True,
    mode: str = "async",
    onRegistered: Any = None,
    **kwargs: Any,
) -> Callable[[Callable[..., Any]], Any]:
    """Make a function that runs on the server when it is triggered (``RG.TRIGGER``).

    Args:
        trigger: The name to trigger it by; by default the function's own, ``...`` makes one that
            is unique.
        prefix: Has no meaning for triggers; kept since servers accept it.
        collect: Whether to bring the results of all shards to the one that was asked.
        mode: ``"async"``, ``"async_local"`` or ``"sync"``.
        onRegistered: Called without arguments where the registration becomes active.
        kwargs: More arguments of ``register``, such as ``on``, ``requirements``, ``replace`` and
            ``convertToStr``.

    Returns:
        A decorator.  With ``on``, it registers the function there at once and gives a function
        that triggers it; without, a closed function, to be registered by ``.on(client)``.

    Raises:
        TypeError: It was used without parentheses.
    """
    if callable(trigger):
        raise TypeError(
            "the decorator needs parentheses: @redgrease.command() above {}".format(
                getattr(trigger, "__name__", trigger)
            )
        )
    replace = kwargs.pop("replace", None)
    on = kwargs.pop("on", None)

    def decorate(function: Callable[..., Any]) -> Any:
        name = trigger
        if name is None:
            name = function.__name__
        elif name is ...:
            name = str(uuid.uuid4())
        closed = (
            CommandReader()
            .apply(function)
            .register(
                prefix=prefix,
                collect=collect,
                mode=mode,
                onRegistered=onRegistered,
                trigger=name,
                **kwargs,
            )
        )
        if on is None:
            return closed
        proxy = closed.on(on, replace=replace)

        @functools.wraps(function)
        def triggered(*args: Any) -> Any:
            return proxy(*args)

        return triggered

    return decorate


#: The older name of :func:`command`.
trigger: Optional[Callable[..., Any]] = command
