"""Which servers there are behind a client: one, or those of a cluster."""

import inspect
import random
from typing import Any, Dict, Iterable, List, Optional

from redgrease.connection import Link, PoolLink, exchange
from redgrease.convert import text

__all__ = ["Topology", "topology_of"]


class Topology:
    """One server: what a plain client talks to.

    Args:
        client: A client of redis-py.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def identity(self) -> Any:
        """What stands for the server, and is the same for all clients that share connections."""
        return self.client.connection_pool

    @property
    def encoder(self) -> Any:
        """What the client makes of bytes and of texts."""
        return self.client.connection_pool.get_encoder()

    def primaries(self) -> List[Link]:
        """The ways to all servers that own keys."""
        return [PoolLink(self.client)]

    def all(self) -> List[Link]:
        """The ways to all servers."""
        return self.primaries()

    def any(self) -> Link:
        """The way to one of the primaries."""
        return random.choice(self.primaries())

    def for_key(self, key: Any) -> Link:
        """The way to the primary that has a key."""
        return self.any()

    def at(self, host: str, port: int) -> Link:
        """The way to the server at an address which another server gave."""
        return self.any()

    def owner(self, server_id: str) -> Optional[Link]:
        """The way to the primary that has an id; None if it is not known."""
        return self.any()

    def among(self, targets: Any) -> List[Link]:
        """The ways to what redis-py calls target nodes: nodes, or words such as ``"all"``."""
        return self.primaries()

    def refresh(self) -> None:
        """Find out anew which servers there are."""


class _Cluster(Topology):
    """What the clients for clusters have in common."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._owners: Dict[str, str] = {}  # a server's id, and its name

    def _nodes(self, primaries: bool) -> Iterable[Any]:
        raise NotImplementedError

    def _link(self, node: Any) -> Link:
        raise NotImplementedError

    def primaries(self) -> List[Link]:
        return [self._link(node) for node in self._nodes(True)]

    def all(self) -> List[Link]:
        return [self._link(node) for node in self._nodes(False)]

    def owner(self, server_id: str) -> Optional[Link]:
        # What servers say about their addresses may not hold on the client's side of a network,
        # so each is asked for its id, on the connections that are known to work.
        links = {link.name: link for link in self.primaries()}
        if self._owners.get(server_id) not in links:
            self._owners = {
                text(exchange(link, ("CLUSTER", "MYID"), again=True)): name
                for name, link in links.items()
            }
        return links.get(self._owners.get(server_id, ""))

    def among(self, targets: Any) -> List[Link]:
        if isinstance(targets, str):
            if targets in ("all", "replicas"):
                links = self.all()
                if targets == "replicas":
                    primaries = {link.name for link in self.primaries()}
                    links = [link for link in links if link.name not in primaries]
                return links
            return self.primaries() if targets == "primaries" else [self.any()]
        if isinstance(targets, dict):
            targets = targets.values()
        elif not isinstance(targets, (list, tuple)):
            targets = [targets]
        return [self._link(node) for node in targets]


class RedisPyCluster(_Cluster):
    """The servers behind redis-py's own ``RedisCluster``, of redis-py 4.1 and later."""

    @property
    def identity(self) -> Any:
        return self.client.nodes_manager

    @property
    def encoder(self) -> Any:
        return self.client.get_encoder()

    def _nodes(self, primaries: bool) -> Iterable[Any]:
        return list(self.client.get_primaries() if primaries else self.client.get_nodes())

    def _link(self, node: Any) -> Link:
        link = PoolLink(self.client.get_redis_connection(node))
        link.name = node.name
        return link

    def for_key(self, key: Any) -> Link:
        return self._link(self.client.get_node_from_key(key))

    def at(self, host: str, port: int) -> Link:
        node = self.client.get_node(host=host, port=port)
        return self.any() if node is None else self._link(node)

    def refresh(self) -> None:
        self.client.nodes_manager.initialize()


class _NodeLink(Link):
    """The way to one node of a redis-py-cluster client."""

    def __init__(self, pool: Any, node: Any) -> None:
        self.pool = pool
        self.node = node
        self.name = node["name"]

    def acquire(self, command: str) -> Any:
        connection = self.pool.get_connection_by_node(self.node)
        connection.connect()
        return connection

    def release(self, connection: Any) -> None:
        self.pool.release(connection)


class OldCluster(_Cluster):
    """The servers behind the ``RedisCluster`` of redis-py-cluster, for redis-py 3."""

    def _nodes(self, primaries: bool) -> Iterable[Any]:
        nodes = self.client.connection_pool.nodes
        return list(nodes.all_masters() if primaries else nodes.all_nodes())

    def _link(self, node: Any) -> Link:
        return _NodeLink(self.client.connection_pool, node)

    def for_key(self, key: Any) -> Link:
        nodes = self.client.connection_pool.nodes
        return self._link(nodes.node_from_slot(nodes.keyslot(key)))

    def at(self, host: str, port: int) -> Link:
        name = f"{host}:{port}"
        return self._link({"host": host, "port": port, "name": name, "server_type": "master"})

    def refresh(self) -> None:
        self.client.connection_pool.nodes.initialize()


def topology_of(client: Any) -> Optional[Topology]:
    """Find out what kind of client it is.

    Args:
        client: Any synchronous client of redis-py.

    Returns:
        The servers behind it; None if it has no connections of its own, but only a method
        ``execute_command``, as the client that is used inside a Gears server.

    Raises:
        TypeError: It is no client, or one for asyncio.
    """
    execute = getattr(client, "execute_command", None)
    if execute is None:
        raise TypeError(f"not a client of redis-py: {client!r}")
    if inspect.iscoroutinefunction(execute):
        raise TypeError("Gears() is for the clients of redis-py that do not use asyncio")
    if getattr(client, "nodes_manager", None) is not None:
        return RedisPyCluster(client)
    pool = getattr(client, "connection_pool", None)
    if hasattr(pool, "get_connection_by_node"):
        return OldCluster(client)
    return Topology(client) if hasattr(pool, "get_connection") else None
