"""What a client has queued since MULTI, and whether Redis has taken it.

Redis carries out a queue as a whole.  Where functions have to run in its midst, the proxy carries
it out in pieces, see ``segments``, and so it keeps what is queued.
"""

from __future__ import annotations

import os

from .resp import Framer, bulk, command

MOST_KEPT = 256 << 20
"""Bytes of a transaction that are kept; a larger one is carried out by Redis only, as a whole."""
OVERHEAD = 200
"""Bytes that a command takes besides."""
LONGEST_LINE = 1024
"""How long a reply to a command that is queued may be, at most."""
_TOKEN = os.urandom(16).hex().encode()
PLACEHOLDER = command([b"ECHO", _TOKEN])
"""What Redis queues in the place of a command that it is not to carry out."""
ECHOED = bulk(_TOKEN)
"""What it replies to that where it does not queue it, because it has refused MULTI."""
NO_TRANSACTION = b"-ERR MULTI was refused, so this is not carried out\r\n"
NOT_QUEUED = frozenset({b"MULTI", b"WATCH"})
"""Commands that are refused within a transaction, which some versions of Redis spoils."""
MULTI, EXEC, DISCARD = (command([name]) for name in (b"MULTI", b"EXEC", b"DISCARD"))
CHANGING = frozenset({b"AUTH", b"CLIENT", b"HELLO", b"MONITOR"})
"""Commands that change the connection; those to subscribe do, too."""


def if_refused(replies: bytes) -> bytes:
    """Replies to what was to be a transaction, as the client is to see them."""
    return replies.replace(ECHOED, NO_TRANSACTION)


def changes(name: bytes) -> bool:
    """Whether a command changes what the proxy has to know about a connection."""
    return name in CHANGING or name.endswith(b"SUBSCRIBE")


class Queued:
    """A command in a transaction.

    Args:
        name: Its name, in capitals.
        raw: The request, or its beginning.
        gears: Whether it is for Gears, or hooked.
    """

    __slots__ = ("gears", "name", "parts")

    def __init__(self, name: bytes, raw: bytes, gears: bool = False) -> None:
        self.name, self.gears = name, gears
        self.parts = [raw]

    @property
    def raw(self) -> bytes:
        """The request."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)

    @property
    def words(self) -> list[bytes]:
        """The command and its arguments."""
        framer = Framer()
        framer.next(self.raw, 0)
        return framer.words

    @property
    def changes_replies(self) -> bool:
        """Whether it is a CLIENT REPLY."""
        return self.name == b"CLIENT" and b"REPLY" in map(bytes.upper, self.words[1:2])


class Transaction:
    """A client's queue.

    Args:
        watching: Whether the client watches keys, so that only EXEC itself can say whether the
            transaction takes place.
    """

    def __init__(self, watching: bool) -> None:
        self.watching = watching
        self.queue: list[Queued] = []
        self.calls = False
        """Whether there is something for Gears in it."""
        self.too_large = False
        self.refused = False
        """Whether Redis is known not to have taken all that was queued."""
        self.unsure = False
        """Whether it could not be seen if Redis has taken it."""
        self.seen = bytearray()
        """The last of what Redis has replied."""
        self._size = 0
        self._names: dict[bytes, None] = {}
        self._asked = 0  # the first command of the queue whose reply is not judged

    def add(self, name: bytes, raw: bytes, gears: bool = False) -> None:
        """Queue a command."""
        self.calls = self.calls or gears
        if not self.too_large:
            self.queue.append(Queued(name, raw, gears))
        elif name not in self._names:  # no more than what kinds of commands there are
            self.queue.append(Queued(name, b""))
        self._names[name] = None
        self._count(raw)

    def more(self, raw: bytes) -> None:
        """Add to the last command, which was queued in part."""
        if not self.too_large:
            self.queue[-1].parts.append(raw)
        self._count(raw)

    def _count(self, raw: bytes) -> None:
        self._size += len(raw) + OVERHEAD
        if self._size > MOST_KEPT:
            self.too_large = True
            self.queue = [Queued(name, b"") for name in self._names]

    @property
    def withholds(self) -> bool:
        """Whether Redis is not to queue what comes: EXEC has to end before the first call."""
        return self.calls and self.watching

    def see(self, data: bytes) -> None:
        """Redis has replied something, to commands of the queue or to earlier ones."""
        self.seen += data
        most = LONGEST_LINE * (len(self.queue) + 3)
        if len(self.seen) > 2 * most:
            del self.seen[:-most]

    def judge(self, token: bytes, ahead: int = 0) -> None:
        """Look at what Redis has replied to the commands, which it has discarded again.

        Args:
            token: What a reply behind all of them contains.
            ahead: How many of the last ones Redis has not been sent.
        """
        end = len(self.queue) - ahead
        asked = self.queue[self._asked : end]
        found = self.seen.rfind(b"\r\n", 0, max(self.seen.find(token), 0))
        lines = self.seen[:found].split(b"\r\n")[-(len(asked) + 2) :] if found > 0 else []
        self._asked = end
        self.seen.clear()
        if len(lines) < len(asked) + 2 or not lines[0] == lines[-1] == b"+OK":
            self.unsure = True
            return
        for one, line in zip(asked, lines[1:-1]):
            if line == b"+QUEUED":
                continue
            if not line.startswith(b"-"):
                self.unsure = True
            elif one.name in NOT_QUEUED:
                self.unsure = True  # this Redis shows whether that spoils a transaction
            else:
                self.refused = True

    @property
    def unfit(self) -> bytes:
        """What keeps functions from running within the transaction, if anything does."""
        if self.too_large:
            return b"more than %d bytes" % MOST_KEPT
        for one in self.queue:
            if one.name == b"MONITOR" or one.name.endswith(b"SUBSCRIBE"):
                return one.name
            if one.changes_replies:
                return b"CLIENT REPLY"
        return b""

    @property
    def doubtful(self) -> bool:
        """Whether it has a command that only some versions of Redis allow within a transaction."""
        return any(one.name == b"HELLO" or one.changes_replies for one in self.queue)
