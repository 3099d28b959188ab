"""Python functions that run inside Redis.

``redgrease`` is a drop-in extension of redis-py for RedisGears 1.x, with an embedded Gears server
of its own.  The names below are loaded when they are first used, so ``import redgrease`` costs
next to nothing, and works with no third-party package at all: building functions needs only the
standard library, while ``RedisGears``, ``Gears`` and ``cmd`` need the ``client`` extra.
"""

import importlib
import importlib.util
import sys
import types
from typing import TYPE_CHECKING, Any, Dict, List

from redgrease._version import __version__

if TYPE_CHECKING:
    from redgrease import utils
    from redgrease.client import (
        Gears,
        Redis,
        RedisCluster,
        RedisGears,
        RedisGearsCluster,
        RedisMods,
    )
    from redgrease.func import command, trigger
    from redgrease.gears import ClosedGearFunction, GearFunction, OpenGearFunction
    from redgrease.loader import GearsLoader
    from redgrease.reader import (
        CommandReader,
        GearReader,
        KeysOnlyReader,
        KeysReader,
        PythonReader,
        ShardsIDReader,
        StreamReader,
    )
    from redgrease.registered import RegisteredFunction
    from redgrease.requirements import (
        Requirement,
        Version,
        read_requirements,
        resolve_requirements,
    )
    from redgrease.runtime import (
        GB,
        GEARS_RUNTIME,
        GearsBuilder,
        atomic,
        call_next,
        configGet,
        execute,
        flat_error,
        gearsConfigGet,
        gearsFuture,
        get_command,
        hashtag,
        hashtag3,
        isAsyncAllow,
        isInAtomicBlock,
        log,
        override_reply,
    )
    from redgrease.runtime_client import cmd
    from redgrease.sugar import FailurePolicy, KeyType, LogLevel, ReaderType, TriggerMode
    from redgrease.visualizing import visualize

__all__ = [
    "GB",
    "GEARS_RUNTIME",
    "ClosedGearFunction",
    "CommandReader",
    "FailurePolicy",
    "GearFunction",
    "GearReader",
    "Gears",
    "GearsBuilder",
    "GearsLoader",
    "KeyType",
    "KeysOnlyReader",
    "KeysReader",
    "LogLevel",
    "OpenGearFunction",
    "PythonReader",
    "ReaderType",
    "Redis",
    "RedisCluster",
    "RedisGears",
    "RedisGearsCluster",
    "RedisMods",
    "RegisteredFunction",
    "Requirement",
    "ShardsIDReader",
    "StreamReader",
    "TriggerMode",
    "Version",
    "__version__",
    "atomic",
    "call_next",
    "cmd",
    "command",
    "configGet",
    "execute",
    "flat_error",
    "gearsConfigGet",
    "gearsFuture",
    "get_command",
    "hashtag",
    "hashtag3",
    "isAsyncAllow",
    "isInAtomicBlock",
    "log",
    "override_reply",
    "read_requirements",
    "resolve_requirements",
    "trigger",
    "utils",
    "visualize",
]

# Where each public name lives.
_HOMES: Dict[str, str] = {
    name: home
    for home, names in {
        "client": "Gears Redis RedisCluster RedisGears RedisGearsCluster RedisMods",
        "func": "command trigger",
        "gears": "ClosedGearFunction GearFunction OpenGearFunction",
        "loader": "GearsLoader",
        "reader": "CommandReader GearReader KeysOnlyReader KeysReader PythonReader"
        " ShardsIDReader StreamReader",
        "registered": "RegisteredFunction",
        "requirements": "Requirement Version read_requirements resolve_requirements",
        "runtime": "GB GEARS_RUNTIME GearsBuilder atomic call_next configGet execute flat_error"
        " gearsConfigGet gearsFuture get_command hashtag hashtag3 isAsyncAllow isInAtomicBlock log"
        " override_reply",
        "runtime_client": "cmd",
        "sugar": "FailurePolicy KeyType LogLevel ReaderType TriggerMode",
        "visualizing": "visualize",
    }.items()
    for name in names.split()
}

# The package that a module needs.  Without it, `import *` goes without the module's names.
_NEEDED = {
    "client": "redis",
    "loader": "attr",
    "registered": "attr",
    "requirements": "packaging",
    "runtime_client": "redis",
}
for _name, _home in _HOMES.items():
    if _home in _NEEDED and importlib.util.find_spec(_NEEDED[_home]) is None:
        __all__.remove(_name)

# Submodules that are reachable as attributes without an import of their own.
_SUBMODULES = [
    "aio",
    "client",
    "config",
    "data",
    "engine",
    "exceptions",
    "formatting",
    "func",
    "gearialization",
    "gears",
    "hysteresis",
    "loader",
    "reader",
    "requirements",
    "runtime",
    "runtime_client",
    "sugar",
    "typing",
    "utils",
]


def _load(name: str) -> Any:
    """Find a public name when it is first asked for, and keep it."""
    if name in _SUBMODULES:
        return importlib.import_module("redgrease." + name)
    if name not in _HOMES:
        raise AttributeError(f"module 'redgrease' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module("redgrease." + _HOMES[name]), name)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package in ("redgrease", ""):
            raise
        raise ModuleNotFoundError(
            f"redgrease.{name} needs the package {package!r}, which is not installed; "
            "`pip install redgrease[client]` brings all that the client needs",
            name=missing.name,
        ) from missing
    globals()[name] = value
    return value


def _names() -> List[str]:
    return sorted(set(globals()) | set(__all__) | set(_SUBMODULES))


if sys.version_info >= (3, 7):

    def __getattr__(name: str) -> Any:
        return _load(name)

    def __dir__() -> List[str]:
        return _names()

else:  # module-level __getattr__ came with Python 3.7

    class _LazyModule(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            return _load(name)

        def __dir__(self) -> List[str]:
            return _names()

    sys.modules[__name__].__class__ = _LazyModule
