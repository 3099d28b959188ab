"""Which servers there are behind a client: one, or those of a cluster."""

import contextlib
import inspect
import random
from typing import Any, Dict, Iterable, List, Optional, Sequence

from redis import exceptions as redis_errors

from redgrease.asking import Asks, Waiting, asking
from redgrease.connection import Link, PoolLink, exchange, exchange_together
from redgrease.convert import text
from redgrease.exceptions import classify

__all__ = ["ALONE", "Cluster", "OneOf", "Topology", "topology_of"]

# The setting in which redgrease's own servers say that they run functions each for itself alone.
ALONE = "redgrease-shard-alone"


class Topology(Waiting):
    """One server: what a plain client talks to.

    Args:
        client: A client of redis-py.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self._encoder: Any = None

    @property
    def identity(self) -> Any:
        """What stands for the server, and is the same for all clients that share connections."""
        return self.client.connection_pool

    @property
    def encoder(self) -> Any:
        """What the client makes of bytes and of texts."""
        if self._encoder is None:
            self._encoder = self.client.connection_pool.get_encoder()
        return self._encoder

    def primaries(self) -> List[Link]:
        """The ways to all servers that own keys."""
        return [PoolLink(self.client)]

    def all(self) -> List[Link]:
        """The ways to all servers."""
        return self.primaries()

    def any(self) -> Link:
        """The way to one of the primaries."""
        return PoolLink(self.client)

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

    def refresh(self) -> Any:
        """Find out anew which servers there are."""

    @asking
    def look_again(self) -> Asks[None]:
        """Find out anew which servers there are, if any of them can tell."""
        with contextlib.suppress(Exception):  # each client for clusters has errors of its own
            yield self.refresh()

    @asking
    def renewed(self, link: Link) -> Asks[List[Link]]:
        """The way to a server, of which there may be a new one since servers were looked for."""
        links = yield self.primaries()
        return [next((each for each in links if each.name == link.name), link)]

    def alone(self) -> bool:
        """Whether they form a cluster in which each runs functions for itself alone."""
        return False

    def exchange(
        self,
        link: Link,
        words: Sequence[Any],
        timeout: Optional[float] = None,
        again: bool = False,
        asking: bool = False,
    ) -> Any:
        """Send a command and get its reply, see :func:`redgrease.connection.exchange`."""
        return exchange(link, words, timeout, again, asking)

    def exchange_together(
        self, link: Link, commands: Sequence[Sequence[Any]], timeout: Optional[float] = None
    ) -> List[Any]:
        """Send several commands, see :func:`redgrease.connection.exchange_together`."""
        return exchange_together(link, commands, timeout)


class Cluster(Topology):
    """What the clients for clusters have in common."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._owners: Dict[str, str] = {}  # a server's id, and its name
        self._alone: Optional[bool] = None

    def _nodes(self, primaries: bool) -> Iterable[Any]:
        raise NotImplementedError

    def _link(self, node: Any) -> Link:
        raise NotImplementedError

    def primaries(self) -> List[Link]:
        return [self._link(node) for node in self._nodes(True)]

    def all(self) -> List[Link]:
        return [self._link(node) for node in self._nodes(False)]

    @asking
    def any(self) -> Asks[Link]:
        links = yield self.primaries()
        return random.choice(links)  # type: ignore[no-any-return]

    @asking
    def owner(self, server_id: str) -> Asks[Optional[Link]]:
        # What servers say about their addresses may not hold on the client's side of a network,
        # so each is asked for its id, on the connections that are known to work.
        links = {link.name: link for link in (yield self.primaries())}
        if self._owners.get(server_id) not in links:
            for name, link in links.items():
                try:
                    id = yield self.exchange(link, ("CLUSTER", "MYID"), again=True)
                except (
                    redis_errors.ConnectionError,
                    redis_errors.TimeoutError,
                    redis_errors.ResponseError,  # not all clusters, or not all users, may ask
                ):
                    continue  # not this one, unless it was before
                self._owners[text(id)] = name
        return links.get(self._owners.get(server_id, ""))

    @asking
    def alone(self) -> Asks[bool]:
        if self._alone is not None:
            return self._alone
        trouble: Optional[Exception] = None
        links = yield self.primaries()
        for link in links:
            try:
                reply = yield self.exchange(link, ("RG.CONFIGGET", ALONE), again=True)
            except (redis_errors.ConnectionError, redis_errors.TimeoutError):
                continue  # another one knows as well
            except redis_errors.ResponseError as error:
                if "unknown command" not in str(error).lower():
                    # Says nothing about the cluster, and may be over soon.
                    if not isinstance(error, redis_errors.NoPermissionError):
                        trouble = error
                    continue
                reply = []
            self._alone = bool(reply) and reply[0] == b"yes"
            return self._alone
        if trouble is not None:  # taken for a no, one server alone would get what is for all
            raise classify(trouble)
        return False

    @asking
    def among(self, targets: Any) -> Asks[List[Link]]:
        if isinstance(targets, str):
            if targets not in ("all", "replicas", "primaries"):
                link = yield self.any()
                return [link]
            links = yield (self.primaries() if targets == "primaries" else self.all())
            if targets == "replicas":
                primaries = {link.name for link in (yield self.primaries())}
                links = [link for link in links if link.name not in primaries]
            return links  # type: ignore[no-any-return]
        if isinstance(targets, dict):
            targets = targets.values()
        elif not isinstance(targets, (list, tuple)):
            targets = [targets]
        return [node if hasattr(node, "acquire") else self._link(node) for node in targets]


class OneOf(Topology):
    """One server of a cluster, as if there were no others.

    Args:
        cluster: The servers of the cluster.
        link: The way to that one.
    """

    def __init__(self, cluster: Cluster, link: Link) -> None:
        super().__init__(cluster.client)
        self._cluster = cluster
        self.link = link

    @property
    def encoder(self) -> Any:
        return self._cluster.encoder

    def primaries(self) -> List[Link]:
        return [self.link]

    def any(self) -> Link:
        return self.link

    def exchange(self, *args: Any, **options: Any) -> Any:
        return self._cluster.exchange(*args, **options)

    def exchange_together(self, *args: Any, **options: Any) -> Any:
        return self._cluster.exchange_together(*args, **options)


class RedisPyCluster(Cluster):
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

    def refresh(self) -> Any:
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


class OldCluster(Cluster):
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

    def refresh(self) -> Any:
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
        raise TypeError(
            "Gears() is for the clients of redis-py that do not use asyncio;"
            " for the others there is redgrease.aio.Gears()"
        )
    if getattr(client, "nodes_manager", None) is not None:
        return RedisPyCluster(client)
    pool = getattr(client, "connection_pool", None)
    if hasattr(pool, "get_connection_by_node"):
        return OldCluster(client)
    return Topology(client) if hasattr(pool, "get_connection") else None
