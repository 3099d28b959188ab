"""The arguments of ``register`` for StreamReader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import GearsError
from .keys_registration import prefix_of
from .registrations import SYNC

POLICIES = ("continue", "abort", "retry")
LARGEST = 2**31


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int):
        raise GearsError(f"{name} argument must be a number")
    return int(value)


def stream_options(argument: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of ``register`` for StreamReader.

    Args:
        argument: The prefix.
        options: The keyword arguments, with ``mode``.

    Returns:
        All that the registration needs to know, as plain data.

    Raises:
        GearsError: An argument is wrong.
    """
    prefix = prefix_of(options, argument)
    batch = _number(options.get("batch", 1), "batch")
    if batch < 1:
        raise GearsError("batch argument must be a positive number")
    duration = _number(options.get("duration", 0), "duration")
    policy = options.get("onFailedPolicy", "continue")
    if not isinstance(policy, str):
        raise GearsError("onFailedPolicy must be a string (Continue/Abort/Retry)")
    if policy.lower() not in POLICIES:
        raise GearsError("onFailedPolicy must be Continue/Abort/Retry")
    if options.get("mode") == SYNC and policy.lower() != "continue":
        raise GearsError("ExecutionMode sync can only be combined with OnFailedPolicy Continue")
    interval = _number(options.get("onFailedRetryInterval", 1), "retryInterval")
    trim = options.get("trimStream", True)
    if not isinstance(trim, bool):
        raise GearsError("pyTrimmStream argument must be a boolean")
    return {
        "prefix": prefix,
        "batch": min(batch, LARGEST),
        "duration": max(0, duration),
        "onFailedPolicy": policy.lower(),
        "onFailedRetryInterval": max(0, interval),
        "trimStream": trim,
    }
