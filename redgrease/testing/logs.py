"""What a server logs."""

import logging
import re
from typing import Any, List, Match

from redgrease.testing.waiting import eventually

__all__ = ["ServerLog"]

LAST = 20
"""How many lines of the log an error shows."""


class ServerLog:
    """The log of an embedded server, from a certain moment on.

    Functions write to it by ``log``; if they run in a process of their own, by ``print`` too.

    Args:
        server: The server, a ``GearsServer``.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._handler = _Keeper()  # of functions that run in a thread of this process
        self._logger = logging.getLogger("redgrease")
        self._level = self._logger.level
        self._start = 0
        self.clear()

    def __enter__(self) -> "ServerLog":
        self._logger.addHandler(self._handler)
        if self._logger.getEffectiveLevel() > logging.INFO:
            self._logger.setLevel(logging.INFO)
        return self

    def __exit__(self, *exception: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._level)

    def clear(self) -> None:
        """Forget what was logged so far."""
        self._start = len(self._server.log)
        self._handler.lines.clear()

    @property
    def text(self) -> str:
        """What has been logged."""
        own = "".join(f"{line}\n" for line in list(self._handler.lines))
        return str(self._server.log)[self._start :] + own

    @property
    def lines(self) -> List[str]:
        """The same line by line."""
        return self.text.splitlines()

    def __contains__(self, text: str) -> bool:
        return text in self.text

    def wait_for(self, pattern: str, timeout: float = 5.0) -> Match[str]:
        """Wait until something has been logged.

        Args:
            pattern: A regular expression that is searched in the log.
            timeout: For how many seconds to wait.

        Returns:
            The match.

        Raises:
            AssertionError: It has not been logged in time; the message shows what has been.
        """
        __tracebackhide__ = True
        try:
            found = eventually(lambda: re.search(pattern, self.text), timeout)
        except AssertionError:
            last = "".join(f"\n  {line}" for line in self.lines[-LAST:]) or " nothing"
            raise AssertionError(
                f"{pattern!r} was not logged within {timeout:g} s; logged was, at last:{last}"
            ) from None
        assert found is not None
        return found


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
