"""Replies in the Redis protocol: of commands, and of the records a function results in.

A handler of a command answers with plain Python objects: ``str``/``bytes`` is a bulk string,
``int`` an integer, ``float`` a double, ``None`` nil, a list an array, and :class:`Status`,
:class:`Error` and :class:`Raw` are what their names say.  Result records follow the server's own
table instead (floats as text with six decimals, ``PY RECORD`` for what has no form, ...).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class Status(str):
    """A simple string reply, such as ``+OK``."""

    __slots__ = ()


class Error(str):
    """An error reply; the text is the whole line after the dash."""

    __slots__ = ()


class Raw(bytes):
    """A part of a reply that is already encoded."""

    __slots__ = ()


OK = Status("OK")
NO_FORM = b"$9\r\nPY RECORD\r\n"
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_LINE_BREAKS = str.maketrans({"\r": " ", "\n": " "})


def utf8(text: str) -> bytes:
    """Encode a text; lone surrogates, which have no UTF-8 form, appear as their escapes."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def bulk(data: bytes) -> bytes:
    """A bulk string."""
    return b"$%d\r\n%b\r\n" % (len(data), data)


def line(mark: bytes, text: str) -> bytes:
    """A status or an error; a line cannot hold line breaks, so they become spaces."""
    if "\n" in text or "\r" in text:
        text = text.translate(_LINE_BREAKS)
    return b"%b%b\r\n" % (mark, utf8(text))


def integer(value: int, resp3: bool) -> bytes:
    """An integer; beyond 64 bits a big number in RESP3, and its digits as text in RESP2."""
    if _INT_MIN <= value <= _INT_MAX:
        return b":%d\r\n" % value
    if resp3:
        return b"(%d\r\n" % value
    return bulk(b"%d" % value)


def encode(reply: Any, resp3: bool = False) -> bytes:
    """Encode the reply of a command.

    Args:
        reply: The reply; see the module's docstring.
        resp3: Whether the connection has switched to RESP3.

    Returns:
        The bytes to send.

    Raises:
        TypeError: The object has no form as a reply.
    """
    if isinstance(reply, Status):
        return line(b"+", reply)
    if isinstance(reply, Error):
        return line(b"-", reply)
    if isinstance(reply, Raw):
        return bytes(reply)
    if reply is None:
        return b"_\r\n" if resp3 else b"$-1\r\n"
    if isinstance(reply, int):
        return integer(int(reply), resp3)
    if isinstance(reply, str):
        return bulk(utf8(reply))
    if isinstance(reply, bytes):
        return bulk(reply)
    if isinstance(reply, float):
        text = b"%.17g" % reply
        return b",%b\r\n" % text if resp3 else bulk(text)
    if isinstance(reply, (list, tuple)):
        return b"*%d\r\n" % len(reply) + b"".join([encode(item, resp3) for item in reply])
    raise TypeError(f"{type(reply).__name__} has no form as a reply")


def record(value: Any, resp3: bool = False) -> bytes:
    """Encode a result record of a function, by the server's table of types.

    Args:
        value: Whatever the last step returned.
        resp3: Whether the connection has switched to RESP3.

    Returns:
        The bytes to send.  A text that begins with ``+`` or ``-`` becomes a status or an error,
        and an object without a form becomes the text ``PY RECORD``, as on the original.
    """
    try:
        return _record(value, resp3)
    except RecursionError:  # a list that contains itself
        return NO_FORM


def _record(value: Any, resp3: bool) -> bytes:
    if isinstance(value, str):
        if len(value) > 1 and value[0] in "+-":
            return line(value[0].encode(), value[1:])
        return bulk(utf8(value))
    if isinstance(value, bytes):
        return bulk(value)
    if isinstance(value, int):
        return integer(int(value), resp3)
    if isinstance(value, float):
        return bulk(b"%f" % value)
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join([_record(item, resp3) for item in value])
    return NO_FORM


def records(values: Sequence[Any], resp3: bool = False) -> Raw:
    """Encode an array of result records."""
    return Raw(b"*%d\r\n" % len(values) + b"".join([record(value, resp3) for value in values]))


def results_and_errors(
    results: Sequence[Any], errors: Iterable[str], resp3: bool = False
) -> list[Any]:
    """The reply of a finished execution: its results and its errors."""
    return [records(results, resp3), list(errors)]
