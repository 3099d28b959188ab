"""Reading the replies of executions, under the names of older releases."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redgrease.results import ExecutionResult

__all__ = ["parse_execute_response", "parse_trigger_response"]


def parse_execute_response(response: Any, pickled: bool = False) -> "ExecutionResult[Any]":
    """Read the reply of ``RG.PYEXECUTE``, ``RG.GETRESULTS`` or ``RG.GETRESULTSBLOCKING``.

    Args:
        response: The reply.
        pickled: Whether redgrease has pickled the results; nothing else is unpickled.

    Returns:
        The result.
    """
    from redgrease.commands import parse_execution

    return parse_execution(response, record=_unpickler(pickled))


def parse_trigger_response(response: Any, pickled: bool = False) -> "ExecutionResult[Any]":
    """Read the reply of ``RG.TRIGGER`` or ``RG.TRIGGERONKEY``.

    Args:
        response: The reply.
        pickled: Whether redgrease has pickled the results; nothing else is unpickled.

    Returns:
        The result.
    """
    from redgrease.commands import parse_trigger

    return parse_trigger(response, record=_unpickler(pickled))


def _unpickler(pickled: bool) -> Any:
    from redgrease.unpickling import record_reader

    return record_reader(None) if pickled else None
