"""Requests on the wire: where one ends and the next begins.

A proxy must know that without reading ahead: what is foreign passes untouched, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

INLINE_LIMIT = 64 * 1024
"""How long an inline request, or the header of one, may be (as in Redis)."""


BULK_LIMIT = 512 * 1024 * 1024
"""How large an argument may be, unless Redis is configured otherwise (proto-max-bulk-len)."""


LARGEST = 2**31 - 1
"""How many words a request may have, at most."""
_NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
"""A number as Redis reads it: no sign but a minus, and no zeros ahead."""


class ProtocolError(Exception):
    """The bytes are no request; Redis itself knows best what to answer to them."""


def number(line: bytes) -> int:
    """The number after the first character of a header line.

    Raises:
        ProtocolError: It is none.
    """
    digits = line[1:]
    if _NUMBER.fullmatch(digits) is None:
        raise ProtocolError(f"invalid length {digits[:16]!r}")
    value = int(digits)
    if value > LARGEST:
        raise ProtocolError(f"invalid length {value}")
    return value


def _line_end(data: bytes | bytearray, start: int) -> int:
    """Where a header line ends; -1 if it is incomplete.

    Raises:
        ProtocolError: It is too long, or a carriage return stands alone.
    """
    end = data.find(b"\r", start)
    if end < 0 or end + 1 == len(data):
        if len(data) - start > INLINE_LIMIT:
            raise ProtocolError("too big count string")
        return -1
    if data[end + 1] != 0x0A:
        raise ProtocolError("invalid CRLF in request")
    return end


_QUOTED = {
    0x22: re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL),
    0x27: re.compile(rb"'((?:[^'\\]|\\'|\\(?!'))*)'"),
}
"""What stands in quotes in an inline request, by the quote."""
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def inline_words(line: bytes) -> list[bytes]:
    """The words of an inline request, as Redis splits them.

    Raises:
        ProtocolError: Quotes do not match.
    """
    if b'"' not in line and b"'" not in line:
        return line.split()
    words: list[bytes] = []
    line, position = line.strip(), 0
    while position < len(line):
        word = bytearray()
        while position < len(line) and not line[position : position + 1].isspace():
            quote = line[position]
            if quote not in _QUOTED:
                word.append(quote)
                position += 1
                continue
            found = _QUOTED[quote].match(line, position)
            if found is None:
                raise ProtocolError("unbalanced quotes in request")
            if quote == 0x22:
                word += _ESCAPE.sub(_unescaped, found[1])
            else:
                word += found[1].replace(b"\\'", b"'")
            position = found.end()
        words.append(bytes(word))
        while position < len(line) and line[position : position + 1].isspace():
            position += 1
    return words


def _unescaped(found: re.Match[bytes]) -> bytes:
    text = found[1]
    return bytes([int(text[1:], 16)]) if len(text) == 3 else _CONTROL.get(text, text)


class Framer:
    """Finds the requests in a buffer, one after the other.

    Attributes:
        words: The words of the request so far (of an incomplete one, those that are complete).
    """

    def __init__(self) -> None:
        self.words: list[bytes] = []

    def next(self, data: bytes | bytearray, start: int) -> int:
        """Find the end of a request; :attr:`words` are its words then.

        Args:
            data: The buffer.
            start: Where the request begins.

        Returns:
            The index behind it; -1 if it is incomplete.

        Raises:
            ProtocolError: The bytes are no request.
        """
        self.words = []
        if data[start : start + 1] != b"*":
            return self._inline(data, start)
        line_end = _line_end(data, start)
        if line_end < 0:
            return -1
        count = number(bytes(data[start:line_end]))
        position = line_end + 2
        for _ in range(count):
            if position >= len(data):
                return -1
            if data[position] != 0x24:
                raise ProtocolError(f"expected '$', got {chr(data[position])!r}")
            line_end = _line_end(data, position)
            if line_end < 0:
                return -1
            size = number(bytes(data[position:line_end]))
            if size < 0 or size > BULK_LIMIT:
                raise ProtocolError("invalid bulk length")
            position = line_end + 2 + size + 2
            if position > len(data):
                return -1
            self.words.append(bytes(data[line_end + 2 : position - 2]))
        return position

    def _inline(self, data: bytes | bytearray, start: int) -> int:
        end = data.find(b"\n", start)
        if end < 0:
            if len(data) - start > INLINE_LIMIT:
                raise ProtocolError("too big inline request")
            return -1
        line = bytes(data[start:end])
        if b"\0" in line:  # behind which Redis looks for no end of the line
            raise ProtocolError("a null byte in an inline request")
        self.words = inline_words(line)
        return end + 1


class Passage:
    """Follows a request that is too large to wait for, while its bytes pass.

    Args:
        data: The buffer; it holds the beginning of the request, and not all of it.
        start: Where the request begins.
    """

    def __init__(self, data: bytes | bytearray, start: int) -> None:
        line_end = data.find(b"\r\n", start)
        self._words = number(bytes(data[start:line_end]))
        self._skip = 0
        self._header = b""
        #: How many bytes of the buffer, from ``start``, belong to the request.
        self.taken = line_end + 2 - start
        self.taken += self.take(memoryview(data)[line_end + 2 :])

    @property
    def done(self) -> bool:
        """Whether the request is complete."""
        return not self._words and not self._skip

    def take(self, data: memoryview) -> int:
        """How many of the bytes that come next belong to the request.

        Raises:
            ProtocolError: The bytes are no request.
        """
        position = 0
        while position < len(data) and not self.done:
            if self._skip:
                step = min(self._skip, len(data) - position)
                self._skip -= step
                position += step
                continue
            self._header += bytes(data[position : position + 1])
            position += 1
            if self._header[:1] != b"$" or len(self._header) > INLINE_LIMIT:
                raise ProtocolError("expected '$'")
            if self._header.endswith(b"\r\n"):
                size = number(self._header[:-2])
                if size < 0:
                    raise ProtocolError("invalid bulk length")
                self._skip = size + 2
                self._header = b""
                self._words -= 1
        return position


def bulk(data: bytes) -> bytes:
    """A bulk string."""
    return b"$%d\r\n%b\r\n" % (len(data), data)


def command(words: Iterable[bytes]) -> bytes:
    """A request."""
    packed = [bulk(word) for word in words]
    return b"*%d\r\n%b" % (len(packed), b"".join(packed))


_BULKS, _ARRAYS, _MAPS = b"$=!", b"*~>", b"%|"


def reply_end(data: bytes | bytearray, start: int) -> int:
    """Where a reply ends.

    Args:
        data: Whole replies, of RESP2 or RESP3.
        start: Where it begins.

    Raises:
        ValueError: It is not whole, or there is none.
    """
    left = 1
    while left:
        end = data.index(b"\r\n", start)
        kind = data[start : start + 1]
        left -= 1
        if kind in _BULKS:
            size = int(data[start + 1 : end])
            start = end + 2 + (size + 2 if size >= 0 else 0)
            continue
        if kind in _ARRAYS:
            left += max(int(data[start + 1 : end]), 0)
        elif kind in _MAPS:
            left += 2 * int(data[start + 1 : end]) + (kind == b"|")
        start = end + 2
    if start > len(data):
        raise ValueError("the reply is not whole")
    return start
