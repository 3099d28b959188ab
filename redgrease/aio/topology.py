"""Which servers there are behind a client for asyncio; see :mod:`redgrease.topology`."""

import asyncio
import inspect
import random
from typing import Any, List, Optional, Sequence

from redis.connection import Encoder  # type: ignore[attr-defined]

from redgrease.aio.connection import Link, NodeLink, PoolLink, exchange, exchange_together
from redgrease.aio.running import Awaited
from redgrease.topology import Cluster, Topology

__all__ = ["AsyncCluster", "AsyncNode", "AsyncTopology", "topology_of"]


class _Exchanging(Awaited):
    def exchange(
        self,
        link: Any,
        words: Sequence[Any],
        timeout: Optional[float] = None,
        again: bool = False,
        asking: bool = False,
    ) -> Any:
        """Send a command and get its reply."""
        return exchange(link, words, timeout, again, asking)

    def exchange_together(
        self, link: Any, commands: Sequence[Sequence[Any]], timeout: Optional[float] = None
    ) -> Any:
        """Send several commands."""
        return exchange_together(link, commands, timeout)


class AsyncTopology(_Exchanging, Topology):  # type: ignore[misc]
    """One server: what a plain client talks to.

    Args:
        client: A client of ``redis.asyncio``.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._lock: Optional[asyncio.Lock] = None

    def primaries(self) -> List[Any]:
        """The ways to all servers that own keys."""
        return [self.any()]

    def any(self) -> Any:
        """The way to the server."""
        return PoolLink(self.client, self._only_one)

    def _only_one(self) -> asyncio.Lock:
        if self._lock is None:  # not before, for it wants to have a loop (Python 3.8)
            self._lock = asyncio.Lock()
        return self._lock


class AsyncCluster(_Exchanging, Cluster):  # type: ignore[misc]
    """The servers behind a ``redis.asyncio.cluster.RedisCluster``."""

    @property
    def identity(self) -> Any:
        return self.client.nodes_manager

    @property
    def encoder(self) -> Any:
        return self.client.encoder

    async def primaries(self) -> List[Link]:  # type: ignore[override]
        await self.client.initialize()
        return [NodeLink(node) for node in self.client.get_primaries()]

    async def all(self) -> List[Link]:  # type: ignore[override]
        await self.client.initialize()
        return [NodeLink(node) for node in self.client.get_nodes()]

    async def any(self) -> Link:  # type: ignore[override]
        return random.choice(await self.primaries())

    async def for_key(self, key: Any) -> Link:  # type: ignore[override]
        await self.client.initialize()
        node = self.client.get_node_from_key(key)
        # Some versions of redis-py know it twice, and close only the other one.
        return NodeLink(self.client.get_node(node_name=node.name) or node)

    async def at(self, host: str, port: int) -> Link:  # type: ignore[override]
        node = self.client.get_node(host=host, port=port)
        return await self.any() if node is None else NodeLink(node)

    def _link(self, node: Any) -> Any:
        return NodeLink(node)

    async def refresh(self) -> None:
        await self.client.nodes_manager.initialize()


class AsyncNode(_Exchanging, Topology):  # type: ignore[misc]
    """One node of a cluster.

    Args:
        client: A ``redis.asyncio.cluster.ClusterNode``, which has connections as a client does.
    """

    @property
    def identity(self) -> Any:
        return self.client

    @property
    def encoder(self) -> Any:
        if self._encoder is None:
            options = self.client.connection_kwargs
            self._encoder = Encoder(  # type: ignore[no-untyped-call]
                options.get("encoding", "utf-8"),
                options.get("encoding_errors", "strict"),
                options.get("decode_responses", False),
            )
        return self._encoder

    def primaries(self) -> List[Any]:
        """The way to the node."""
        return [self.any()]

    def any(self) -> Any:
        """The way to the node."""
        return NodeLink(self.client)


def topology_of(client: Any) -> Optional[Topology]:
    """Find out what kind of client it is.

    Args:
        client: Any client of ``redis.asyncio``, or a node of one for clusters.

    Returns:
        The servers behind it; None if it has no connections of its own, but only a coroutine
        function ``execute_command``.

    Raises:
        TypeError: It is no client for asyncio.
    """
    if not is_async(client):
        raise TypeError(f"not a client of redis.asyncio: {client!r}")
    if getattr(client, "nodes_manager", None) is not None:
        return AsyncCluster(client)
    if hasattr(client, "acquire_connection"):
        return AsyncNode(client)
    pool = getattr(client, "connection_pool", None)
    return AsyncTopology(client) if hasattr(pool, "get_connection") else None


def is_async(client: Any) -> bool:
    """Whether something is a client for asyncio."""
    return inspect.iscoroutinefunction(getattr(client, "execute_command", None)) or (
        # A pipeline only collects commands, and is a client while it watches keys.
        inspect.iscoroutinefunction(getattr(client, "immediate_execute_command", None))
    )
