"""From what redis-py hands over (bytes or str, lists or maps, as it is set) to Python values."""

from typing import Any, Dict, Mapping, Optional

__all__ = [
    "decimal",
    "maybe_decimal",
    "maybe_number",
    "maybe_text",
    "maybe_truth",
    "number",
    "pairs",
    "plain",
    "text",
    "truth",
]


def text(value: Any) -> str:
    """Make a text of what a server sent: bytes are decoded, None is empty."""
    if value is None:
        return ""
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    return str(value)


def plain(value: Any) -> Any:
    """Decode all bytes within a value; flat name/value lists are left as lists."""
    if isinstance(value, bytes):
        return text(value)
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    return value


def truth(value: Any) -> bool:
    """Understand the ways in which servers say yes: 1, true, yes, OK."""
    if isinstance(value, (bytes, str)):
        return text(value).strip().lower() in ("1", "true", "t", "yes", "y", "ok")
    return bool(value)


def pairs(reply: Any) -> Dict[str, Any]:
    """Turn alternating names and values, or a map, into a dict with names of type str."""
    if isinstance(reply, Mapping):
        return {text(name): value for name, value in reply.items()}
    items = list(reply or ())
    return {text(name): value for name, value in zip(items[::2], items[1::2])}


def number(value: Any) -> int:
    """Make a whole number; 0 of what is none."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return int(decimal(value))


def decimal(value: Any) -> float:
    """Make a float; 0 of what is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def maybe_text(value: Any) -> Optional[str]:
    """A text, or None."""
    return None if value is None else text(value)


def maybe_truth(value: Any) -> Optional[bool]:
    """Yes or no, or None."""
    return None if value is None else truth(value)


def maybe_number(value: Any) -> Optional[int]:
    """A whole number, or None."""
    return None if value is None else number(value)


def maybe_decimal(value: Any) -> Optional[float]:
    """A float, or None."""
    return None if value is None else decimal(value)
