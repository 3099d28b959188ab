"""Helps to test gear functions: fixtures for pytest, and what can be used without it.

The plugin comes with redgrease: see :mod:`redgrease.testing.plugin` for its fixtures ``gears``,
``gears_server`` and ``gears_log``, and its options.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redgrease.testing.evaluation import evaluate
    from redgrease.testing.logs import ServerLog
    from redgrease.testing.waiting import eventually, wait_for_executions

__all__ = ["ServerLog", "evaluate", "eventually", "wait_for_executions"]

_HOMES = {
    "ServerLog": "logs",
    "evaluate": "evaluation",
    "eventually": "waiting",
    "wait_for_executions": "waiting",
}


def __getattr__(name: str) -> Any:
    # Loaded when used: pytest imports this package in every run, before coverage begins.
    if name not in _HOMES:
        raise AttributeError(f"module 'redgrease.testing' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"redgrease.testing.{_HOMES[name]}"), name)
