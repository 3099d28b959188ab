"""Decorated functions that are bound to a client for asyncio."""

import asyncio
from typing import Any, Dict, Generator, Optional

from redgrease.func import ClosedCommand, Command

__all__ = ["AwaitedCommand"]


class AwaitedCommand(Command):
    """A decorated function that is registered when it is first called, or awaited itself.

    A decorator cannot wait for a server; ``await function`` registers the function there and
    then, and gives it; ``await function(…)`` registers it if need be, and calls it.

    Args:
        closed: What is registered.
        gears: The ``Gears`` of the client with which it is registered.
        options: Arguments for ``Gears.pyexecute``.
    """

    def __init__(self, closed: ClosedCommand, gears: Any, options: Dict[str, Any]) -> None:
        super().__init__(closed, gears)
        self._options = options
        self._registering: "Optional[asyncio.Future[Any]]" = None

    def __await__(self) -> Generator[Any, None, "AwaitedCommand"]:
        return self._here().__await__()

    async def _here(self) -> "AwaitedCommand":
        """Register it, unless that has been done; several tasks do it once."""
        if self._registered is None:
            if self._registering is None:
                registration: Any = self.register(self._options)
                self._registering = asyncio.ensure_future(registration)
                self._registering.add_done_callback(self._ended)
            await asyncio.shield(self._registering)
        return self

    def _ended(self, registering: "asyncio.Future[Any]") -> None:
        self._registering = None
        if not registering.cancelled():
            registering.exception()  # whoever waits for it gets it; nobody else need know

    async def __call__(*args: Any, **kwargs: Any) -> Any:
        """Run the function on the server, see :class:`redgrease.func.Command`."""
        await args[0]._here()
        return await Command.__call__(*args, **kwargs)

    @property
    async def registration(self) -> Any:
        """Its registration, as the server knows it now; to be awaited."""
        await self._here()
        registration: Any = Command.registration.fget(self)  # type: ignore[attr-defined]
        return await registration

    def __repr__(self) -> str:
        state = "registered" if self._registered is not None else "to be registered"
        return f"<{state}: {self._closed!r}>"
