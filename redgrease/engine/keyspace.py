"""What functions see of Redis: ``execute()`` with the server's reply mapping, and ``atomic()``.

Every thread has its own connection.  While one thread is inside ``atomic()``, the proxy keeps the
clients' commands back, and the gate here keeps back those of the other threads of the worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .connection import Address, Connection, ErrorReply, without_errors
from .context import Shield
from .errors import GearsError
from .gate import Gate

SPARE_CONNECTIONS = 8
NO_SUCH_COMMAND = "No such file or directory"
BAD_ARITY = "Invalid argument"

BLOCKING = frozenset(
    {
        "BLPOP",
        "BRPOP",
        "BLMOVE",
        "BRPOPLPUSH",
        "BLMPOP",
        "BZPOPMIN",
        "BZPOPMAX",
        "BZMPOP",
        "XREAD",
        "XREADGROUP",
        "WAIT",
        "WAITAOF",
    }
)
"""Commands that may wait; inside a function they answer at once."""
STATEFUL = frozenset(
    {
        "SELECT",
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH",
        "UNWATCH",
        "AUTH",
        "HELLO",
        "CLIENT",
        "RESET",
        "QUIT",
        "ASKING",
        "READONLY",
        "READWRITE",
    }
)
"""Commands that change the connection; each ``execute`` has, so to speak, a client of its own."""
REFUSED = frozenset({"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "SYNC", "PSYNC"})
"""Commands that turn the connection into a stream."""
SPECIAL = BLOCKING | STATEFUL | REFUSED


class Keyspace:
    """Redis as the worker uses it.

    Args:
        url: Address of Redis.
        hold: Asks the proxy to keep other clients' commands back; returns when it does.
        release: Ends that.
    """

    def __init__(
        self,
        url: str,
        hold: Callable[[], str] | None = None,
        release: Callable[[str], None] | None = None,
    ) -> None:
        self.address = Address.parse(url)
        self.gate = Gate()
        self._hold, self._release = hold, release
        self._local = threading.local()
        self._depth = 0
        self._token: str | None = None
        self._arities: dict[bytes, int | None] = {}
        self._spare: list[Connection] = []
        self.node_id: str | None = None
        """Its ID, if it is a node of a cluster."""
        self.marks = True
        """Whether Redis took the last command that was sent behind another."""
        self.plain: dict[str, bytes] = {}
        """Names, as functions have spelled them, of commands with which nothing is special, each
        with itself in capitals."""
        self.script_way = 0
        """Which of the ways to run the reading script the server knows, see ``pages``."""

    # -- connections ----------------------------------------------------------------------------

    def connection(self) -> Connection:
        """The connection of the current thread."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or not connection.usable():
            if connection is not None:
                connection.close()
            connection = self._local.connection = Connection(self.address)
        return connection

    def discard(self) -> None:
        """Close the current thread's connection; the next use opens a new one."""
        connection: Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()

    def borrow(self) -> Connection:
        """A connection for something that keeps it for longer, such as a reader."""
        while True:
            try:
                connection = self._spare.pop()
            except IndexError:
                return Connection(self.address)
            if connection.usable():
                return connection
            connection.close()

    def give_back(self, connection: Connection) -> None:
        """Return a borrowed connection on which nothing is under way."""
        if len(self._spare) < SPARE_CONNECTIONS:
            self._spare.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the connections that nobody uses; those of threads close with them."""
        while self._spare:
            self._spare.pop().close()
        self.discard()

    def call(self, words: Sequence[bytes]) -> Any:
        """Send one command on the thread's connection, reply as :meth:`Connection.read`.

        An error in between costs the connection, whose reply would otherwise be taken for that
        of the next command.
        """
        with Shield():
            return self._call(words)

    def _call(self, words: Sequence[bytes]) -> Any:
        try:
            self.gate.enter()
            return self.connection().call(words)
        except BaseException:
            self.discard()
            raise
        finally:
            self.gate.leave()

    def call_all(self, commands: Sequence[Sequence[bytes]], keep_errors: bool = False) -> list[Any]:
        """Send commands in one go, see :meth:`call` and :meth:`Connection.call_all`."""
        with Shield():
            try:
                self.gate.enter()
                return self.connection().call_all(commands, keep_errors)
            except BaseException:
                self.discard()
                raise
            finally:
                self.gate.leave()

    # -- execute --------------------------------------------------------------------------------

    def plainly(self, words: Sequence[bytes]) -> Any:
        """Run a command whose name is :attr:`plain`, as :meth:`execute`, within a ``Shield``."""
        reply = self._call(words)
        if type(reply) is ErrorReply:
            raise GearsError(self._refusal(words, reply) or str(reply))
        return reply

    def execute(self, words: Sequence[bytes], behind: Sequence[bytes] | None = None) -> Any:
        """Run a command for a function.

        Args:
            words: The command and its arguments.
            behind: Another command, to be sent behind it.

        Returns:
            The reply: ``str`` (``bytearray`` if not UTF-8), ``int``, ``None`` or lists of these.

        Raises:
            GearsError: Redis answered with an error, or would not run the command at all.
        """
        name = words[0].upper().decode("latin-1")
        if name in BLOCKING:
            reply = self._execute_without_waiting(words)
        elif name in STATEFUL:
            reply = self._execute_apart(name, words)
        elif name in REFUSED:
            raise GearsError(f"ERR {name} isn't allowed for a DENY BLOCKING client")
        elif behind is not None:
            reply, answer = self.call_all([words, behind])
            self.marks = type(answer) is not ErrorReply
            behind = None
        else:
            reply = self.call(words)
        if behind is not None:
            self.marks = type(self.call(behind)) is not ErrorReply
        if type(reply) is ErrorReply:
            raise GearsError(self._refusal(words, reply) or str(reply))
        return reply

    def _execute_without_waiting(self, words: Sequence[bytes]) -> Any:
        """Run a command that may block inside a transaction, where it never does."""
        _, queued, done = self.call_all([(b"MULTI",), words, (b"EXEC",)], keep_errors=True)
        if type(queued) is ErrorReply:
            return queued
        reply = done[0] if type(done) is list else done
        return without_errors(reply) if type(reply) is list else reply

    def _execute_apart(self, name: str, words: Sequence[bytes]) -> Any:
        """Run a command that changes its connection on one that is thrown away."""
        if name == "CLIENT" and len(words) > 1 and words[1].upper() == b"REPLY":
            return "OK"  # would leave nothing to read
        with Shield():
            connection = Connection(self.address)
            try:
                self.gate.enter()
                reply = connection.call(words)
            finally:
                self.gate.leave()
                connection.close()
        return _flattened(reply) if isinstance(reply, dict) else reply

    def _refusal(self, words: Sequence[bytes], error: str) -> str | None:
        """The text for a command that the server's call interface refuses before it runs."""
        if error.startswith("ERR unknown command"):
            return NO_SUCH_COMMAND
        if error.startswith("ERR wrong number of arguments for") and not self._fits(words):
            return BAD_ARITY
        return None

    def _fits(self, words: Sequence[bytes]) -> bool:
        """Tell whether the number of words suits the command's declared arity.

        A command that runs may complain about its arguments in the same words (HSET with an odd
        number); then they are an error reply like any other.
        """
        name = words[0].lower()
        if name not in self._arities:
            info = self.call((b"COMMAND", b"INFO", name))
            known = type(info) is list and info and type(info[0]) is list
            self._arities[name] = info[0][1] if known else None
        arity = self._arities[name]
        if arity is None:
            return False
        if arity == -2 and len(words) >= 2:
            return False  # a container (OBJECT, CONFIG ...): it was the subcommand's arity
        return len(words) == arity if arity >= 0 else len(words) >= -arity

    # -- atomic ---------------------------------------------------------------------------------

    @property
    def locked(self) -> bool:
        """Whether the current thread keeps everybody else out."""
        return self.gate.owner == threading.get_ident()

    @property
    def depth(self) -> int:
        """How often the current thread has locked it."""
        return self._depth if self.locked else 0

    def lock(self) -> None:
        """Keep everybody else out, see ``atomic()``; may be nested.

        Raises:
            GearsError: The server is shutting down.
        """
        with Shield():
            if self.locked:
                self._depth += 1
                return
            try:
                self.gate.claim()
                token = self._hold() if self._hold is not None else None
                try:
                    self.gate.take()
                except BaseException:
                    if self._release is not None and token is not None:
                        self._release(token)
                    raise
                self._token, self._depth = token, 1
            except BaseException:
                self.gate.release()
                raise

    def unlock(self) -> None:
        """Let everybody in again, if it was this thread that kept them out."""
        with Shield():
            if not self.locked:
                return
            self._depth -= 1
            if self._depth <= 0:
                self._let_in()

    def _let_in(self) -> None:
        token, self._token, self._depth = self._token, None, 0
        try:
            if self._release is not None and token is not None:
                self._release(token)
        finally:
            self.gate.release()

    def suspend(self) -> Callable[[], None]:
        """Let everybody in for a while; returns what ends that."""
        depth = self._depth
        self._let_in()

        def resume() -> None:
            self.lock()
            self._depth = depth

        return resume

    def begin_section(self) -> None:
        """Keep the other threads out, while the proxy keeps the clients back by itself."""
        with Shield():
            self.gate.take()
            self._token, self._depth = None, 1

    def end_section(self) -> None:
        """End that."""
        with Shield():
            if self.locked:
                self._let_in()


def _flattened(reply: dict[Any, Any]) -> list[Any]:
    """A RESP3 map (HELLO 3 gives one) as RESP2 would send it."""
    flat: list[Any] = []
    for key, value in reply.items():
        flat += [key, _flattened(value) if isinstance(value, dict) else value]
    return flat


def argument(value: Any) -> bytes:
    """An argument of ``execute`` as it is sent: bytes as they are, all else as its text."""
    if type(value) is bytes:
        return value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    text = str(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return text.encode("utf-8", "backslashreplace")
