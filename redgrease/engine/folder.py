"""A folder in which Redis keeps its data: one server uses it, and one Redis, at a time.

Two locks see to that.  The server holds one of them as long as it lives.  The other is held by
Redis itself, which inherits it, so that a Redis which was left behind by a server that died can be
told, and ended before the next one starts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path


class FolderInUseError(RuntimeError):
    """Another server uses the folder."""


def _locked(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


class Folder:
    """The locks of a folder.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._server: int | None = None

    def _open(self, name: str) -> int:
        return os.open(self.path / name, os.O_RDWR | os.O_CREAT, 0o600)

    def claim(self) -> None:
        """Take it for this process.

        Raises:
            FolderInUseError: Another server has it.
        """
        if self._server is None:
            number = self._open("server.lock")
            if not _locked(number):
                os.close(number)
                raise FolderInUseError(f"another server uses the folder {self.path}")
            self._server = number

    def take(self, patience: float) -> int:
        """Take it for this process, and for a Redis that is going to be started.

        Args:
            patience: How many seconds a Redis that was left behind may take to end.

        Returns:
            Number of the open file that Redis has to inherit, for :meth:`give`.

        Raises:
            FolderInUseError: Another server has it.
        """
        self.claim()
        number = self._open("redis.lock")
        deadline = time.monotonic() + patience
        asked = False
        while not _locked(number):
            # Whoever holds it is a Redis whose server is gone.
            pid = os.pread(number, 32, 0).decode("ascii", "replace").strip()
            if pid.isdigit() and not asked:
                asked = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)
            if time.monotonic() > deadline:
                os.close(number)
                raise FolderInUseError(f"a Redis (process {pid}) uses the folder {self.path}")
            time.sleep(0.01)
        os.truncate(number, 0)
        return number

    @staticmethod
    def give(number: int, pid: int | None) -> None:
        """Redis has the file now.

        Args:
            number: What :meth:`take` gave.
            pid: Its process id; None if it was not started.
        """
        if pid is not None:
            os.pwrite(number, b"%d\n" % pid, 0)
        os.close(number)

    def leave(self) -> None:
        """Let other servers have it."""
        if self._server is not None:
            os.close(self._server)
            self._server = None
