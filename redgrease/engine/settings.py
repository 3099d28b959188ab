"""The server's configuration: built-in keys with types and mutability, and the user's own keys.

RG.CONFIGGET and RG.CONFIGSET see both kinds; ``configGet`` inside a function sees only the keys
that the server does not know itself.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .replies import OK, Error, Status

SAVED_AS_EXTRA = Status("OK - value was saved in extra config dictionary")

_NUMBER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Key:
    """One built-in configuration key."""

    name: str
    default: Any
    runtime: bool = False
    """Whether RG.CONFIGSET may change it."""
    python: bool = False
    """Whether it belongs to the Python plugin, which words its answers differently."""
    minimum: int | None = None
    """The least number that is accepted; the core takes any for ``MaxExecutions``."""


MAX_TIME, PER_REGISTRATION = "ExecutionMaxTime", "ExecutionMaxTimePerRegistration"
"""Milliseconds that an execution may take, and one that a registration starts; 0 is no limit.

The original has no such limits.
"""

KEYS = (
    Key("MaxExecutions", 1000, runtime=True),
    Key("MaxExecutionsPerRegistration", 100, runtime=True, minimum=1),
    Key("ProfileExecutions", 0, runtime=True),
    Key("ExecutionThreads", 3),
    Key("ExecutionMaxIdleTime", 5000, runtime=True, minimum=1),
    Key(MAX_TIME, 0, runtime=True),
    Key(PER_REGISTRATION, 0, runtime=True),
    Key("SendMsgRetries", 3, runtime=True, minimum=0),
    Key("Plugin", []),
    Key("CreateVenv", 0, python=True),
    Key("DownloadDeps", 0, python=True),
    Key("ForeceDownloadDepsOnEnterprise", 0, python=True),
    Key("DependenciesUrl", "", python=True),
    Key("DependenciesSha256", "", python=True),
    Key("PythonInstallationDir", "/var/opt/redislabs/modules/rg", python=True),
    Key("PythonAttemptTraceback", 1, runtime=True, python=True),
    Key("OverridePythonAllocators", 1, python=True),
    Key("PythonInstallReqMaxIdleTime", 30000, runtime=True, python=True, minimum=1),
)


class Settings:
    """The configuration of one server.

    Args:
        initial: Values given when the server was started, as the module arguments of the
            original: names in any letter case; unknown ones become the user's own keys.
    """

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.Lock()
        self._keys = {key.name: key for key in KEYS}
        self._by_lower = {key.name.lower(): key for key in KEYS}
        self._values: dict[str, Any] = {
            key.name: list(key.default) if isinstance(key.default, list) else key.default
            for key in KEYS
        }
        self.extra: dict[str, str] = {}
        for name, value in (initial or {}).items():
            key = self._by_lower.get(str(name).lower())
            if key is None:
                self.extra[str(name)] = str(value)
            else:
                self._values[key.name] = self._converted(key, value)

    def __getitem__(self, name: str) -> Any:
        """The value of a built-in key."""
        return self._values[name]

    @staticmethod
    def _converted(key: Key, value: Any) -> Any:
        """The value in the type of the key.

        Raises:
            ValueError: It cannot be, or is out of range.
        """
        if isinstance(key.default, list):
            return list(value) if isinstance(value, (list, tuple)) else [str(value)]
        if isinstance(key.default, int):
            if not isinstance(value, int) and not _NUMBER.fullmatch(str(value)):
                raise ValueError(value)
            number = int(value)
            if not -(1 << 63) <= number < 1 << 63:
                raise ValueError(value)
            if key.minimum is not None and number < key.minimum:
                raise ValueError(value)
            return number
        return str(value)

    def get(self, names: Sequence[str]) -> list[Any]:
        """Answer RG.CONFIGGET: one entry for each name, an error entry for unknown ones."""
        return [self._get(name) for name in names]

    def _get(self, name: str) -> Any:
        if name in self._keys:
            return self._values[name]
        if name in self.extra:
            return self.extra[name]
        return Error(f"(error) Unsupported config parameter: {name}")

    def set(self, words: Sequence[str]) -> list[Any]:
        """Answer RG.CONFIGSET: one entry for each name and value."""
        answers: list[Any] = []
        for index in range(0, len(words), 2):
            if index + 1 == len(words):
                answers.append(Error(f"(error) Value was not given to {words[index]}"))
            else:
                answers.append(self._set(words[index], words[index + 1]))
        return answers

    def _set(self, name: str, value: str) -> Any:
        key = self._by_lower.get(name.lower())
        with self._lock:
            if key is None:
                self.extra[name] = value
                return SAVED_AS_EXTRA
            if not key.runtime:
                if key.python:
                    return Error(f"(error) {name} is not configurable at runtime")
                return Error(f"(error) Config value {name} not modifiable at runtime")
            try:
                self._values[key.name] = self._converted(key, value)
            except ValueError:
                return Error(f"(error) Failed setting config value {name}")
            if key.python:  # the original stores it in both places, and says so
                self.extra[name] = value
                return SAVED_AS_EXTRA
            return OK
