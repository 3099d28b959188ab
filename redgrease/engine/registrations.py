"""Registrations of functions for events.  Not in this version: the place where they will live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import GearsError
from .steps import Step

if TYPE_CHECKING:
    from .context import Context
    from .core import Engine

UNKNOWN = "execution is not registered"


class Registrations:
    """All registrations of the server.

    Args:
        engine: The engine whose pool runs them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __len__(self) -> int:
        return 0

    def add(
        self,
        context: Context,
        reader: str,
        description: str | None,
        steps: tuple[Step, ...],
        argument: Any,
        options: dict[str, Any],
    ) -> str:
        """Note a registration that a script makes; it counts when the whole script succeeds.

        Raises:
            GearsError: Always, in this version.
        """
        raise GearsError("this server cannot register functions yet, only run them")

    def dump(self) -> list[Any]:
        """The reply to RG.DUMPREGISTRATIONS."""
        return []

    def remove(self, registration: str, abort_pending: bool) -> None:
        """Unregister one.

        Raises:
            KeyError: There is none of this ID.
        """
        raise KeyError(registration)

    def clear_statistics(self) -> None:
        """Set the counters of all to zero."""
