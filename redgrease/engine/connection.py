"""A blocking connection of the worker to Redis: one per thread, speaking RESP2 through hiredis."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from .eager import EagerSocket
from .errors import GearsError

IDLE_SECONDS = 0.01
"""A connection unused for longer is looked at before it is trusted again."""
_CHUNK = 1 << 16


class ErrorReply(str):
    """The text of an error reply, as the parser delivers it."""

    __slots__ = ()


class Disconnected(GearsError):
    """The connection to Redis broke."""


Disconnected.__module__, Disconnected.__qualname__ = "gears", "error"


@dataclass(frozen=True)
class Address:
    """Where Redis is, taken from a URL."""

    host: str | None = None
    port: int = 6379
    path: str | None = None
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a ``redis://``, ``rediss://`` or ``unix://`` URL as redis-py understands it.

        Raises:
            ValueError: The scheme is none of these.
        """
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        username = unquote(parts.username) if parts.username else query.get("username")
        password = unquote(parts.password) if parts.password else query.get("password")
        if parts.scheme == "unix":
            return cls(
                path=unquote(parts.path),
                database=int(query.get("db", 0)),
                username=username,
                password=password,
            )
        if parts.scheme not in ("redis", "rediss"):
            # The URL itself may hold a password, which is not for logs.
            raise ValueError("a Redis URL begins with redis://, rediss:// or unix://")
        database = query.get("db") or parts.path.strip("/") or "0"
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or 6379,
            database=int(database),
            username=username,
            password=password,
            tls=parts.scheme == "rediss",
            ca_file=query.get("ssl_ca_certs"),
            cert_file=query.get("ssl_certfile"),
            key_file=query.get("ssl_keyfile"),
            verify=query.get("ssl_cert_reqs", "required") not in ("none", "optional"),
        )

    def without_login(self) -> Address:
        """The same place, for somebody without a name and password."""
        return replace(self, username=None, password=None, database=0)

    def context(self) -> ssl.SSLContext | None:
        """How TLS is spoken to it, if it is."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def connect(self) -> socket.socket:
        """Open a socket to it."""
        if self.path is not None:
            plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                plain.connect(self.path)
            except OSError:
                plain.close()
                raise
            return plain
        plain = socket.create_connection((self.host, self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = self.context()
        if context is None:
            return plain
        return context.wrap_socket(plain, server_hostname=self.host)


class Connection:
    """One connection; replies are texts where they are UTF-8, ``bytearray`` where not.

    Args:
        address: Where Redis is.

    Raises:
        Disconnected: Redis cannot be reached, or refuses the credentials.
    """

    def __init__(self, address: Address) -> None:
        try:
            self._socket = address.connect()
        except OSError as error:
            raise Disconnected(f"Redis cannot be reached: {error}") from None
        self._eager = EagerSocket(self._socket)
        self._used = time.monotonic()
        self.size = 0
        """Bytes of the last reply read."""
        self._renew_reader()
        self._greet(address)

    def _greet(self, address: Address) -> None:
        greetings: list[tuple[str, ...]] = []
        if address.password is not None:
            user = (address.username,) if address.username else ()
            greetings.append(("AUTH", *user, address.password))
        if address.database:
            greetings.append(("SELECT", str(address.database)))
        for greeting in greetings:
            answer = self.call([word.encode() for word in greeting])
            if isinstance(answer, ErrorReply):
                self.close()
                raise Disconnected(str(answer))

    def _renew_reader(self) -> None:
        self._errors = 0
        self._reader = hiredis.Reader(encoding="utf-8", errors="strict", replyError=self._error)

    def _error(self, text: str) -> ErrorReply:
        self._errors += 1
        return ErrorReply(text)

    def usable(self) -> bool:
        """Tell whether the connection may still be used; one left idle may have been closed."""
        now = time.monotonic()
        if now - self._used < IDLE_SECONDS:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)  # nothing was asked, so anything to read is the end

    def send(self, words: Sequence[bytes]) -> None:
        """Send one command without waiting for its reply."""
        self.send_all([words])

    def send_all(self, commands: Iterable[Sequence[bytes]]) -> None:
        """Send commands in one go."""
        try:
            self._socket.sendall(b"".join([hiredis.pack_command(tuple(c)) for c in commands]))
        except OSError as error:
            self.close()
            raise Disconnected(f"connection to Redis lost: {error}") from None

    def read(self) -> Any:
        """Read the reply to the only command that is under way.

        Returns:
            Texts, ints, None, lists of these; an :class:`ErrorReply` if the reply is an error.
            Errors inside lists are plain texts.

        Raises:
            Disconnected: The connection broke.
        """
        reader = self._reader
        chunks: list[bytes] = []
        while True:
            chunk = self._receive()
            chunks.append(chunk)
            reader.feed(chunk)
            try:
                reply = reader.gets()
            except UnicodeDecodeError:
                self._renew_reader()
                reply = self._read_binary(chunks)
                break
            if reply is not False:
                break
        self._used = time.monotonic()
        self.size = len(chunk) if len(chunks) == 1 else sum(map(len, chunks))
        if self._errors:
            self._errors = 0
            if type(reply) is list:
                return without_errors(reply)
        return reply

    def _receive(self) -> bytes:
        try:
            chunk = self._eager.receive(_CHUNK)
        except OSError as error:
            self.close()
            raise Disconnected(f"connection to Redis lost: {error}") from None
        if not chunk:
            self.close()
            raise Disconnected("connection to Redis lost")
        return chunk

    def _read_binary(self, chunks: Iterable[bytes]) -> Any:
        """Parse a reply again which is not text throughout."""
        reader = hiredis.Reader(replyError=self._error)
        for chunk in chunks:
            reader.feed(chunk)
        return decoded(reader.gets())

    def call(self, words: Sequence[bytes]) -> Any:
        """Send one command and read its reply, see :meth:`read`."""
        try:
            self._socket.sendall(hiredis.pack_command(tuple(words)))
        except OSError as error:
            self.close()
            raise Disconnected(f"connection to Redis lost: {error}") from None
        return self.read()

    def call_all(self, commands: Sequence[Sequence[bytes]], keep_errors: bool = False) -> list[Any]:
        """Send commands in one go and read all their replies, each as :meth:`read` does.

        Args:
            commands: The commands.
            keep_errors: Whether errors inside lists stay what they are.

        Raises:
            Disconnected: The connection broke.
        """
        self.send_all(commands)
        replies: list[Any] = []
        reader = hiredis.Reader(replyError=self._error)
        while len(replies) < len(commands):
            reply = reader.gets()
            if reply is False:
                reader.feed(self._receive())
                continue
            reply = decoded(reply)
            if type(reply) is list and not keep_errors:
                reply = without_errors(reply)
            replies.append(reply)
        self._errors = 0
        self._used = time.monotonic()
        return replies

    def asks_for_login(self) -> bool:
        """Whether nothing may be done here without a password."""
        answer = self.call((b"PING",))
        return isinstance(answer, ErrorReply) and answer.startswith(("NOAUTH", "DENIED"))

    def detach(self) -> socket.socket:
        """The socket, for somebody who reads from it in another way."""
        return self._socket

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def text_or_bytes(data: bytes) -> str | bytearray:
    """Bytes as the server hands them to functions: text if they are UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return bytearray(data)


def decoded(reply: Any) -> Any:
    """A reply of bytes as functions see it."""
    if type(reply) is bytes:
        return text_or_bytes(reply)
    if type(reply) is list:
        return [decoded(item) for item in reply]
    return reply


def without_errors(reply: list[Any]) -> list[Any]:
    """A list with plain texts in place of its errors."""
    return [
        str(item)
        if type(item) is ErrorReply
        else (without_errors(item) if type(item) is list else item)
        for item in reply
    ]
