"""Who may talk to Redis: calls of many threads together, or one thread alone.

Two kinds of threads have the gate alone.  A *holder* (``atomic()``, sync triggers) claims it and
then asks the proxy to keep its clients back.  A *section* (functions that handle the events of a
client's command) begins when the proxy has kept everybody back already; so it need not wait for a
claim whose turn at the proxy comes only after it.
"""

from __future__ import annotations

import threading
from collections import deque

from .context import check

_LOOK_UP = 0.05
"""Seconds after which a waiting thread looks whether its execution is being aborted."""


class Gate:
    """Lets calls of many threads through together, or those of one thread alone.

    Its methods are called within a :class:`context.Shield`.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._owner: int | None = None
        self._claimant: int | None = None
        self._inside: set[int] = set()
        self._entering = 0  # threads that are being kept out
        self._claims: deque[object] = deque()  # those that wait for their claim, the first first

    @property
    def owner(self) -> int | None:
        """The thread that has the gate alone."""
        return self._owner

    def enter(self) -> None:
        """Come in beside others; waits while another thread has the gate alone."""
        me = threading.get_ident()
        # First come in, then look: who takes the gate does it the other way round, so that one of
        # both sees the other, without a lock on the way that all commands take.
        self._inside.add(me)
        if self._owner is None and self._claimant is None:
            return
        with self._condition:
            if self._closed(me):
                self._inside.discard(me)
                self._condition.notify_all()
                self._entering += 1
                try:
                    while self._closed(me):
                        self._condition.wait(_LOOK_UP)
                        check()
                finally:
                    self._entering -= 1
                    if self._claims and not self._entering:
                        self._condition.notify_all()
                self._inside.add(me)

    def _closed(self, me: int) -> bool:
        return self._owner != me and (self._owner is not None or self._claimant not in (None, me))

    def leave(self) -> None:
        """Go out."""
        self._inside.discard(threading.get_ident())
        if self._owner is not None or self._claimant is not None:
            with self._condition:
                self._condition.notify_all()

    def claim(self) -> None:
        """Keep others from coming in; to be followed by :meth:`take`.

        Those who have been waiting come first, lest a loop of claims kept them out for ever.
        """
        me, turn = threading.get_ident(), object()
        with self._condition:
            self._claims.append(turn)
            try:
                while (
                    self._owner is not None
                    or self._claimant is not None
                    or self._entering
                    or self._claims[0] is not turn
                ):
                    self._condition.wait(_LOOK_UP)
                    check()
                self._claimant = me
            finally:
                self._claims.remove(turn)

    def take(self) -> None:
        """Have the gate alone; waits for the calls that are under way.

        For a thread that has claimed it, or for a section.
        """
        me = threading.get_ident()
        with self._condition:
            while self._owner is not None:
                self._condition.wait(_LOOK_UP)
                check()
            self._owner = me
            if self._claimant == me:
                self._claimant = None
            try:
                while self._inside - {me}:
                    self._condition.wait(_LOOK_UP)
                    check()
            except BaseException:
                self._owner = None
                self._condition.notify_all()
                raise

    def release(self) -> None:
        """Give it back, be it claimed or taken."""
        me = threading.get_ident()
        with self._condition:
            if self._owner == me:
                self._owner = None
            if self._claimant == me:
                self._claimant = None
            self._condition.notify_all()

    def pass_on(self, thread: int) -> None:
        """Let another thread have it."""
        with self._condition:
            if self._owner == threading.get_ident():
                self._owner = thread
