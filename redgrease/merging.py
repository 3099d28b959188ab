"""Putting the replies of several servers of a cluster together."""

from typing import Any, Dict, List

import attr

from redgrease.data import ExecutionInfo, RegData, Registration

__all__ = ["first", "merge_executions", "merge_registrations"]

_COUNTERS = ("numTriggered", "numSuccess", "numFailures", "numAborted", "totalRunDurationMS")
_HIGHEST = ("lastRunDurationMS", "lastEstimatedLagMS", "avgEstimatedLagMS")


def first(results: Dict[str, Any]) -> Any:
    """The reply of whichever server was asked first."""
    return next(iter(results.values()))


def merge_executions(results: Dict[str, List[ExecutionInfo]]) -> List[ExecutionInfo]:
    """One entry for each execution; those that span the cluster are listed by every server."""
    merged: Dict[Any, ExecutionInfo] = {}
    for executions in results.values():
        for execution in executions:
            merged.setdefault(execution.executionId, execution)
    return list(merged.values())


def merge_registrations(results: Dict[str, List[Registration]]) -> List[Registration]:
    """One entry for each registration, with the counters of all servers added up.

    Args:
        results: The registrations of each server.

    Returns:
        The registrations of the cluster.
    """
    merged: Dict[Any, Registration] = {}
    for registrations in results.values():
        for registration in registrations:
            known = merged.get(registration.id)
            if known is not None:
                registration = attr.evolve(
                    known,
                    RegistrationData=_added(known.RegistrationData, registration.RegistrationData),
                )
            merged[registration.id] = registration
    return list(merged.values())


def _added(one: RegData, other: RegData) -> RegData:
    """The state of a registration on two servers together."""
    values: Dict[str, Any] = {}
    for name in _COUNTERS:
        figures = [value for value in (getattr(one, name), getattr(other, name)) if value]
        values[name] = sum(figures) if figures else getattr(one, name)
    for name in _HIGHEST:
        figures = [getattr(data, name) for data in (one, other)]
        figures = [value for value in figures if value is not None]
        values[name] = max(figures) if figures else None
    done = values["numSuccess"] + values["numFailures"] + values["numAborted"]
    if one.avgRunDurationMS is not None:
        values["avgRunDurationMS"] = (values["totalRunDurationMS"] or 0) / done if done else 0.0
    values["lastError"] = one.lastError if one.lastError is not None else other.lastError
    if one.status and other.status is False:  # what is wrong somewhere is worth knowing
        values["status"], values["state"] = other.status, other.state
    return attr.evolve(one, **values)
