"""Waits for what happens on a server by itself."""

import time
from typing import Any, Callable, List, Optional, Sequence, TypeVar

__all__ = ["eventually", "wait_for_executions"]

T = TypeVar("T")

UNFINISHED = ("created", "running")


def eventually(
    check: Callable[[], T], timeout: float = 5.0, interval: float = 0.01, message: str = ""
) -> T:
    """Wait until a condition holds.

    ::

        assert eventually(lambda: r.get("total")) == b"3"

    Args:
        check: Returns something true when the condition holds; until then, something false, or it
            raises an ``AssertionError``.  (If it only asserts, let it return True in the end.)
        timeout: For how many seconds to wait.
        interval: Seconds between two checks.
        message: What is waited for, shown in the error.

    Returns:
        The first true value that ``check`` has returned.

    Raises:
        AssertionError: The condition did not hold in time.
    """
    __tracebackhide__ = True  # what pytest shows ends in the test
    limit = time.monotonic() + timeout
    while True:
        failure: Optional[AssertionError] = None
        try:
            value = check()
            if value:
                return value
        except AssertionError as error:
            failure = error
        if time.monotonic() >= limit:
            what = message or "what was waited for"
            if failure is not None:
                raise AssertionError(f"{what}: not within {timeout:g} s: {failure}") from failure
            raise AssertionError(
                f"{what}: not within {timeout:g} s; {_name(check)} returned {value!r} at last"
            )
        time.sleep(interval)


def _name(function: Any) -> str:
    name = str(getattr(function, "__qualname__", function))
    return "it" if name.endswith("<lambda>") else name


def wait_for_executions(
    client: Any, count: int = 1, registration: Any = None, timeout: float = 5.0
) -> List[Any]:
    """Wait until events have been handled: nothing is running any more.

    ::

        r.set("user:1", "x")
        wait_for_executions(r)

    Args:
        client: A redgrease client.
        count: How many times functions must have been run by their registrations, as counted by
            these.  Events are noticed a little after the command that raises them, so with 0
            those may be missed that have been raised just now.
        registration: Only look at this one: its id, or what registering has returned.
        timeout: For how many seconds to wait.

    Returns:
        The registrations, with their counters.

    Raises:
        AssertionError: It took longer; the message says what was still missing.
    """
    __tracebackhide__ = True
    gears = client.gears
    wanted = None
    if registration is not None:
        wanted = str(getattr(registration, "id", registration))
    limit = time.monotonic() + timeout
    while True:
        found = [each for each in gears.dumpregistrations() if wanted in (None, str(each.id))]
        ended = sum(map(_ended, found))
        begun = sum(each.RegistrationData.numTriggered for each in found)
        running = [each for each in gears.dumpexecutions() if str(each.status) in UNFINISHED]
        busy = begun != ended or (wanted is None and bool(running))
        if ended >= count and not busy:
            return found
        if time.monotonic() >= limit:
            raise AssertionError(_missing(timeout, ended, count, wanted, found, running))
        time.sleep(0.005)


def _ended(registration: Any) -> int:
    data = registration.RegistrationData
    return int(data.numSuccess + data.numFailures + data.numAborted)


def _missing(
    timeout: float,
    ended: int,
    count: int,
    wanted: Optional[str],
    found: Sequence[Any],
    running: Sequence[Any],
) -> str:
    from redgrease.exceptions import readable

    lines = [f"after {timeout:g} s, {ended} of {count} executions of registrations have ended"]
    if running:
        lines.append("still running: " + ", ".join(str(each.executionId) for each in running))
    for each in found:
        data = each.RegistrationData
        about = f" ({each.desc})" if each.desc else ""
        lines.append(
            f"{each.reader} {each.id}{about}: triggered {data.numTriggered}, "
            f"done {data.numSuccess}, failed {data.numFailures}"
        )
        if data.lastError:
            error = readable(data.lastError).strip().replace("\n", "\n    ")
            lines.append(f"  its last error:\n    {error}")
    if not found:
        lines.append(f"there is no registration {wanted}" if wanted else "nothing is registered")
    return "\n".join(lines)
