"""A server that answers as it was told to: a stand-in for the Gears module, on a real socket."""

import socket
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

Words = Tuple[bytes, ...]


class Status(str):
    """A simple string of the protocol, such as OK."""


class Error(str):
    """An error of the protocol."""


class Raw(bytes):
    """Bytes that are sent as they are."""


class Drop:
    """In the place of a reply: the connection is closed."""


class Wait:
    """A reply that is sent when something has happened."""

    def __init__(self, event: threading.Event, reply: Any) -> None:
        self.event = event
        self.reply = reply


def encode(value: Any, protocol: int = 2) -> bytes:
    """A value in the wire protocol."""
    if isinstance(value, Raw):
        return bytes(value)
    if value is None:
        return b"_\r\n" if protocol == 3 else b"$-1\r\n"
    if isinstance(value, Status):
        return b"+" + value.encode() + b"\r\n"
    if isinstance(value, Error):
        return b"-" + value.encode() + b"\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, float):
        if protocol == 3:
            return b",%r\r\n" % value
        value = repr(value)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"$%d\r\n%s\r\n" % (len(value), value)
    if isinstance(value, dict):
        items = [encode(part, protocol) for pair in value.items() for part in pair]
        head = b"%%%d\r\n" % len(value) if protocol == 3 else b"*%d\r\n" % len(items)
        return head + b"".join(items)
    items = [encode(item, protocol) for item in value]
    return b"*%d\r\n" % len(items) + b"".join(items)


class ScriptedServer:
    """Answers commands.

    Attributes:
        received: All commands that were received, but for those that clients send by themselves.
        everything: Really all.
    """

    def __init__(self, replies: Optional[Dict[str, Any]] = None) -> None:
        self.replies: Dict[str, List[Any]] = {}
        self.received: List[Words] = []
        self.everything: List[Words] = []
        self.connections: List[socket.socket] = []
        self.arrived = threading.Condition()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(20)
        self.host, self.port = self._listener.getsockname()
        for name, reply in (replies or {}).items():
            self.on(name, reply)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "ScriptedServer":
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()

    def stop(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.drop_all()

    def drop_all(self) -> None:
        """Close all connections."""
        connections, self.connections = self.connections, []
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}"

    def on(self, name: str, *replies: Union[Any, Callable[[Words], Any]]) -> None:
        """Say what is replied to a command: one after the other, the last one again and again."""
        self.replies[name.upper()] = list(replies)

    def sent(self, name: str) -> List[Words]:
        """All that was received of a command."""
        return [words for words in self.received if words[0].upper() == name.upper().encode()]

    def wait_for(self, name: str, count: int = 1, timeout: float = 10) -> None:
        """Wait until a command was received."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.sent(name)) >= count, timeout)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        protocol = 2
        transaction: Optional[List[Words]] = None
        try:
            while True:
                words = self._read(stream)
                if not words:
                    return
                name = words[0].upper().decode()
                reply: Any
                with self.arrived:
                    self.everything.append(words)
                    if name not in ("HELLO", "CLIENT", "SELECT", "AUTH"):
                        self.received.append(words)
                    self.arrived.notify_all()
                if name == "HELLO" and "HELLO" not in self.replies:
                    protocol = int(words[1])
                    reply = {"server": "redis", "version": "7.2.0", "proto": protocol}
                elif name == "MULTI":
                    transaction, reply = [], Status("OK")
                elif name == "EXEC":
                    reply, transaction = [self._reply(each) for each in transaction or ()], None
                elif transaction is not None:
                    transaction.append(words)
                    reply = Status("QUEUED")
                else:
                    reply = self._reply(words)
                if isinstance(reply, Wait):
                    reply.event.wait(10)
                    reply = reply.reply
                if isinstance(reply, Drop):
                    return
                connection.sendall(encode(reply, protocol))
        except (OSError, ValueError):
            pass
        finally:
            stream.close()
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _reply(self, words: Words) -> Any:
        name = words[0].upper().decode()
        both = b" ".join(words[:2]).upper().decode("latin-1")
        replies = self.replies.get(both) or self.replies.get(name)
        if replies is None:
            if name in ("CLIENT", "SELECT", "AUTH", "SET", "READONLY"):
                return Status("OK")
            if name == "PING":
                return Status("PONG")
            return Error(f"ERR unknown command '{name}', with args beginning with: ")
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply(words) if callable(reply) else reply

    @staticmethod
    def _read(stream: Any) -> Words:
        head = stream.readline()
        if not head:
            return ()
        words = []
        for _ in range(int(head[1:])):
            length = int(stream.readline()[1:])
            words.append(stream.read(length + 2)[:-2])
        return tuple(words)
