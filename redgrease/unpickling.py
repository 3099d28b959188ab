"""Makes values of the results that functions have pickled, and of nothing else.

A pickle can run code where it is read.  Only what redgrease has asked to be pickled is ever read,
but whoever controls the server could answer with a pickle of his own.  So a client can be told to
accept plain data only, or to leave pickles unread.
"""

import enum
import importlib
import io
import pickle
from typing import Any, Callable, Dict, FrozenSet, Optional, Union

__all__ = ["ANY", "NOTE", "OFF", "SAFE", "checked_mode", "decode", "reader", "record_reader"]

ANY, SAFE, OFF = "any", "safe", "off"

# Where the nodes of a client for clusters, with asyncio, have what other clients have as an
# attribute: among the callbacks for replies, as if it were a command.
NOTE = "REDGREASE-UNPICKLE"

_MODES: Dict[Any, str] = {True: ANY, False: OFF, ANY: ANY, SAFE: SAFE, OFF: OFF}

# What pickles of plain data name.  None of these does anything but make a value of its kind.
_SAFE: Dict[str, FrozenSet[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "builtins": "bool bytearray bytes complex dict float frozenset int list object range set"
        " slice str tuple",
        "collections": "Counter OrderedDict deque",
        "datetime": "date datetime time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "uuid": "UUID SafeUUID",
        "ipaddress": "IPv4Address IPv6Address IPv4Network IPv6Network IPv4Interface IPv6Interface",
        "pathlib": "PurePosixPath PureWindowsPath",
        "zoneinfo": "ZoneInfo",
    }.items()
}
_EXCEPTIONS = frozenset(
    name
    for name, value in vars(importlib.import_module("builtins")).items()
    if isinstance(value, type) and issubclass(value, Exception)
)


def checked_mode(mode: Union[bool, str, None]) -> str:
    """How results are read.

    Args:
        mode: ``"any"`` (or True, or None), ``"safe"``, or ``"off"`` (or False).

    Raises:
        ValueError: It is something else.
    """
    if mode is None:
        return ANY
    if mode not in _MODES:
        raise ValueError(f"unpickle is 'any', 'safe' or 'off', not {mode!r}")
    return _MODES[mode]


class _Results(pickle.Unpickler):
    """Reads results; classes that came from here are looked up here."""

    def persistent_load(self, pid: Any) -> Any:
        module, name = pid
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except ImportError:
            home, _, private = module.rpartition(".")
            if not home or not private.startswith("_"):
                raise
            # Where packages keep their classes differs between versions of Python.
            return super().find_class(home, name)


def _refused(module: Any, name: Any) -> Exception:
    return pickle.UnpicklingError(
        f"the result refers to {module}.{name}, and this client reads plain data only"
        " (unpickle='safe'); let the function return such, or make the client with"
        " unpickle='any' if you trust the server"
    )


class _NeedsCare(Exception):
    """There is a class in it that pickles could change."""


class _SafeResults(_Results):
    """Reads plain data only."""

    def persistent_load(self, pid: Any) -> Any:
        raise _refused(*pid)

    def find_class(self, module: str, name: str) -> Any:
        if name not in _SAFE.get(module, ()) and (module != "builtins" or name not in _EXCEPTIONS):
            raise _refused(module, name)
        found = super().find_class(module, name)
        if found.__flags__ & (_HEAP | _IMMUTABLE) == _HEAP:
            raise _NeedsCare
        return found


_HEAP, _IMMUTABLE = 1 << 9, 1 << 8  # of Python's Py_TPFLAGS_…


_InPython: Any = vars(pickle)["_Unpickler"]


class _CarefulResults(_InPython):  # type: ignore[misc]
    """The same, slower: lets pickles set attributes of what they make, but not of classes."""

    dispatch = dict(_InPython.dispatch)
    persistent_load = _SafeResults.persistent_load

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _SafeResults(io.BytesIO()).find_class(module, name)
        except _NeedsCare:
            return super().find_class(module, name)

    def load_build(self) -> None:
        """Set attributes."""
        made = self.stack[-2]
        if isinstance(made, (type, enum.Enum)):
            raise _refused("attributes of", made)
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


def decode(data: bytes, mode: str = ANY) -> Any:
    """Make a value of a result.

    Unless the mode is safe, this runs what the pickle says, so it is only for results of functions
    which redgrease has sent so that their results are pickled.

    Args:
        data: The result.
        mode: ``"any"``; ``"safe"`` for plain data only; or ``"off"``, which leaves it as it is.

    Returns:
        The value.

    Raises:
        pickle.UnpicklingError: It is not a pickle, refers to what is not here, or is not safe.
    """
    if mode == OFF:
        return data
    try:
        if mode != SAFE:
            return _Results(io.BytesIO(data)).load()
        try:
            return _SafeResults(io.BytesIO(data)).load()
        except _NeedsCare:
            return _CarefulResults(io.BytesIO(data)).load()
    except (ImportError, AttributeError) as error:
        raise pickle.UnpicklingError(
            f"the result is of a class that this client does not have: {error}"
        ) from error
    except pickle.UnpicklingError:
        raise
    except Exception as error:
        raise pickle.UnpicklingError(f"the result is no pickle of redgrease: {error}") from error


def reader(client: Any) -> Callable[[bytes], Any]:
    """What reads results for a client.

    Args:
        client: Any client of redis-py; one of redgrease has an attribute ``unpickle``.
    """
    mode = getattr(client, "unpickle", None)
    if mode is None:
        mode = getattr(client, "response_callbacks", {}).get(NOTE)
    mode = checked_mode(mode)
    return lambda data: decode(data, mode)


def record_reader(client: Any) -> Optional[Callable[[Any], Any]]:
    """What reads records for a client; only bytes are read: the rest no function has pickled."""
    read = reader(client)
    return lambda record: read(record) if isinstance(record, bytes) else record
