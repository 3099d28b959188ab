"""``Gears`` for the clients of ``redis.asyncio``."""

from typing import Any, Optional

from redgrease.aio.running import Awaited
from redgrease.aio.topology import topology_of
from redgrease.calls import Caller
from redgrease.gears_client import Gears as WaitingGears
from redgrease.topology import Topology

__all__ = ["Gears"]


class AsyncCaller(Awaited, Caller):  # type: ignore[misc]
    """Sends Gears commands on the connections of a client for asyncio, each of them once."""

    def _find_topology(self, redis: Any) -> Optional[Topology]:
        return topology_of(redis)


class Gears(Awaited, WaitingGears):  # type: ignore[misc]
    """The commands of RedisGears, to be awaited.

    Its methods are those of :class:`redgrease.gears_client.Gears`; each returns a coroutine of
    what that one returns.

    Args:
        redis: A client of ``redis.asyncio``.
        timeout: How many seconds to wait for the reply to any command; None means forever.

    Attributes:
        config: The configuration of the server.
        timeout: The time limit, which can be changed.
    """

    def _make_caller(self, redis: Any, timeout: Optional[float]) -> Caller:
        return AsyncCaller(redis, timeout)
