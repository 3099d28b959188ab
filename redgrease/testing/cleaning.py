"""Leaves nothing of one test to the next."""

import hashlib
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Iterator, List

__all__ = ["LeakError", "alone", "clean", "contents"]

PATIENCE = 10.0
"""Seconds that aborted executions have to end."""
AT_ONCE = 8
"""How many executions are aborted at the same time."""


class LeakError(AssertionError):
    """Something of a test could not be removed from the server."""


def contents(client: Any) -> List[str]:
    """What there is on a server, for people; an empty list if there is nothing."""
    found = []
    for name, figures in sorted(client.info("keyspace").items()):  # the clean-up is of all of them
        where = "" if name == "db0" else f" in database {name[2:]}"
        found.append(f"{figures['keys']} keys{where}")
    for each in client.gears.dumpregistrations():
        what = each.RegistrationData.args
        name = what.get("trigger") or what.get("hook") or what.get("regex") or what.get("stream")
        found.append(f"the registration {each.id} ({each.reader}, {name})")
    for each in client.gears.dumpexecutions():
        found.append(f"the execution {each.executionId} ({each.status})")
    return found


def clean(client: Any) -> None:
    """Remove keys, registrations and executions.

    Args:
        client: A redgrease client.

    Raises:
        LeakError: Something is still there; the message names it.
    """
    from redgrease.exceptions import WorkerDiedError

    reasons: List[str] = []
    limit, died = time.monotonic() + PATIENCE, False
    while True:
        reasons.clear()
        try:
            left = _removed(reasons, client)
        except WorkerDiedError as error:
            # As it does, by and by, of a function that resists its abort; the next one is clean.
            left = [str(error)]
            if not died:
                limit, died = time.monotonic() + PATIENCE, True
        if not left:
            return
        if time.monotonic() >= limit:
            break
        time.sleep(0.02)
    raise LeakError(
        "\n  ".join(["these could not be removed from the server:", *left, *dict.fromkeys(reasons)])
    )


def _removed(reasons: List[str], client: Any) -> List[str]:
    """Try once; returns what is left."""
    for each in client.gears.dumpregistrations():
        _try(reasons, client.gears.unregister, each.id, True)
    _end(reasons, client.gears, [each.executionId for each in client.gears.dumpexecutions()])
    client.flushall()
    return contents(client)


def _end(reasons: List[str], gears: Any, ids: List[Any]) -> None:
    """Abort executions and let the server forget them; all at once, as some may resist."""

    def end(id: Any) -> None:
        _try(reasons, gears.abortexecution, id)
        _try(reasons, gears.dropexecution, id)

    if ids:
        with ThreadPoolExecutor(min(len(ids), AT_ONCE)) as pool:
            list(pool.map(end, ids))


def _try(reasons: List[str], act: Any, *args: Any) -> None:
    from redgrease.exceptions import ServerError

    try:
        act(*args)
    except ServerError as error:  # it may just have ended by itself
        reasons.append(f"the server said: {error}")


@contextmanager
def alone(name: str) -> Iterator[None]:
    """A context that only one process on this machine is in at a time.

    Args:
        name: What it is about.
    """
    digest = hashlib.sha256(name.encode("utf-8")).hexdigest()[:16]
    path = os.path.join(tempfile.gettempdir(), f"redgrease-test-{os.getuid()}-{digest}.lock")
    import fcntl

    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
