"""Names for the words that servers understand."""

import logging
from typing import Any, Callable

__all__ = ["FailurePolicy", "KeyType", "LogLevel", "ReaderType", "TriggerMode"]


class ReaderType:
    """The readers."""

    KeysReader = "KeysReader"
    KeysOnlyReader = "KeysOnlyReader"
    StreamReader = "StreamReader"
    PythonReader = "PythonReader"
    ShardsIDReader = "ShardsIDReader"
    CommandReader = "CommandReader"


class TriggerMode:
    """How a registered function runs (``mode`` of ``register``)."""

    Async = "async"
    AsyncLocal = "async_local"
    Sync = "sync"


_PYTHON_TYPES = {"string": str, "hash": dict, "list": list, "set": set}


class KeyType:
    """The types of Redis keys (``keyTypes`` of ``register``)."""

    String = "string"
    Hash = "hash"
    List = "list"
    Set = "set"
    ZSet = "zset"
    Stream = "stream"
    Module = "module"

    @staticmethod
    def of(value: Any) -> str:
        """The key type that holds values of a Python type.

        Args:
            value: A type, or a value.

        Returns:
            One of the key types.

        Raises:
            ValueError: No key holds such values.
        """
        kind = value if isinstance(value, type) else type(value)
        for name, python_type in _PYTHON_TYPES.items():
            if issubclass(kind, python_type):
                return name
        raise ValueError(f"no type of Redis keys corresponds to {kind.__name__!r}")

    @staticmethod
    def constructor(key_type: str) -> Callable[..., Any]:
        """The Python type of a key type's values; the reverse of :meth:`of`.

        Raises:
            KeyError: There is none.
        """
        return _PYTHON_TYPES[key_type]


class FailurePolicy:
    """What a stream's function does after an error (``onFailedPolicy`` of ``register``)."""

    Continue = "continue"
    Abort = "abort"
    Retry = "retry"


class LogLevel:
    """Levels of the server's log."""

    Debug = "debug"
    Verbose = "verbose"
    Notice = "notice"
    Warning = "warning"

    @staticmethod
    def to_logging_level(level: str) -> int:
        """The level of Python's ``logging`` for a level of the server's; INFO if unknown."""
        levels = {
            "debug": logging.DEBUG,
            "verbose": logging.INFO,
            "notice": logging.WARNING,
            "warning": logging.ERROR,
        }
        return levels.get(level, logging.INFO)
