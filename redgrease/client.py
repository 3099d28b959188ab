"""The clients: redis-py's, with Gears.

``RedisGears`` is a ``redis.Redis`` in every respect, and has the Gears commands as methods of its
attribute ``gears``.  Gears commands are sent once, and waited for (see ``redgrease.connection``),
also when they are given to ``execute_command`` or put into a pipeline.
"""

from typing import Any, Dict, Optional, Type

import redis

from redgrease.commands import is_gears_command
from redgrease.exceptions import RedGreaseError
from redgrease.gears_client import ExecutionID, Gears, RegistrationID
from redgrease.pipelines import GearsPipeline
from redgrease.results import unwrapped
from redgrease.sender import install
from redgrease.unpickling import ANY, checked_mode

__all__ = [
    "ExecutionID",
    "Gears",
    "GearsPipeline",
    "Redis",
    "RedisCluster",
    "RedisGears",
    "RedisGearsCluster",
    "RedisGearsModule",
    "RedisModules",
    "RedisMods",
    "RegistrationID",
]


class RedisGearsModule:
    """What makes a client of redis-py one with Gears, to be mixed into its class."""

    _gears: Optional[Gears] = None
    unpickle = ANY

    @property
    def gears(self) -> Gears:
        """The Gears commands."""
        if self._gears is None:
            self._gears = Gears(self)
        return self._gears

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command: a Gears command once, others as redis-py does.

        Args:
            args: The command and its arguments.
            options: redis-py's; for Gears commands ``timeout`` in seconds, and ``target_nodes``
                of a cluster.

        Returns:
            What redis-py, or redgrease for a Gears command, makes of the reply.
        """
        words = unwrapped(args)
        if words and is_gears_command(words[0]):
            return self.gears.execute(*words, **options)
        return super().execute_command(*words, **options)  # type: ignore[misc]


RedisModules = RedisGearsModule


def _refuse_to_queue(args: Any) -> None:
    if args and is_gears_command(args[0]):
        raise RedGreaseError(
            f"{args[0]} cannot be put into the pipeline of a cluster, which sends commands again"
            " when a connection breaks; use execute_command of the client"
        )


# -- clients


class RedisGears(RedisGearsModule, redis.Redis):
    """redis-py's client, with Gears.

    It takes the arguments of ``redis.Redis``, and can be used in its place: ``from_url``,
    ``from_pool``, pipelines, Sentinel's ``redis_class``.  With ``startup_nodes=[…]`` it is the
    client for clusters instead, a :class:`RedisGearsCluster`.

    Args:
        unpickle: How results that redgrease has pickled on the server are read: ``"any"`` (the
            default), as pickle does, which runs whatever the server puts into them; ``"safe"``,
            plain data only; ``"off"``, not at all.

    Attributes:
        gears: The Gears commands.
        unpickle: How results are read.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("startup_nodes") is not None:
            return RedisGearsCluster(*args, **kwargs)
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.unpickle = checked_mode(kwargs.pop("unpickle", None))
        single = {name: value for name, value in kwargs.items() if name not in _FOR_CLUSTERS}
        super().__init__(*args, **_modern(single))
        install(self)

    @classmethod
    def from_url(cls, url: str, **kwargs: Any) -> "RedisGears":
        """Make a client for a URL.

        Args:
            url: The URL, such as ``redis://localhost:6379/0``.
            kwargs: More arguments, as for the class.

        Returns:
            The client.
        """
        unpickle = checked_mode(kwargs.pop("unpickle", None))
        client: Any = super().from_url(url, **kwargs)
        client.unpickle = unpickle
        return client  # type: ignore[no-any-return]

    def client(self) -> "RedisGears":
        """Make a client that keeps one connection of the pool for itself, as redis-py does."""
        client: Any = super().client()  # type: ignore[no-untyped-call]
        client.unpickle = self.unpickle
        return client  # type: ignore[no-any-return]

    def pipeline(self, transaction: Any = True, shard_hint: Any = None) -> "GearsPipeline":
        """Make a pipeline.

        Args:
            transaction: Whether to execute the commands as a transaction.
            shard_hint: As for redis-py.

        Returns:
            The pipeline.
        """
        pipeline: Any = super().pipeline(transaction, shard_hint)
        # Versions differ in what they give to a pipeline, so theirs is made, and then extended.
        pipeline.__class__ = GearsPipeline
        pipeline.unpickle = self.unpickle
        return pipeline  # type: ignore[no-any-return]


# Arguments that redgrease 0.3 took for any server, and left out where it found no cluster.
_FOR_CLUSTERS = frozenset(
    [
        "startup_nodes",
        "max_connections_per_node",
        "init_slot_cache",
        "readonly_mode",
        "reinitialize_steps",
        "skip_full_coverage_check",
        "nodemanager_follow_cluster",
        "connection_class",
        "read_from_replicas",
        "cluster_down_retry_attempts",
        "host_port_remap",
    ]
)


def _modern(kwargs: Dict[str, Any]) -> Dict[str, Any]:
    """Arguments as all versions of redis-py understand them.

    ``charset`` and ``errors`` are old names; where None stands for the default of an argument
    which has another one, it is left out.
    """
    kwargs = dict(kwargs)
    for old, new in (("charset", "encoding"), ("errors", "encoding_errors")):
        value = kwargs.pop(old, None)
        if value is not None:
            kwargs.setdefault(new, value)
    defaults = ("host", "port", "db", "encoding", "encoding_errors")
    return {
        name: value for name, value in kwargs.items() if value is not None or name not in defaults
    }


def _cluster_base() -> Any:
    """The class to build the client for clusters on; None if there is none."""
    try:
        from redis.cluster import RedisCluster as Base
    except ImportError:
        pass
    else:
        return Base
    try:
        from rediscluster import RedisCluster as OldBase
    except ImportError:
        return None
    return OldBase


_ClusterBase: Any = _cluster_base()


def cluster_pipeline(base: Type[Any]) -> Type[Any]:
    """A class for the pipelines of a cluster that refuses what must not be sent again."""

    class GearsClusterPipeline(base):  # type: ignore[misc]
        def execute_command(self, *args: Any, **options: Any) -> Any:
            _refuse_to_queue(args)
            return super().execute_command(*unwrapped(args), **options)

    return GearsClusterPipeline


_PIPELINES: Dict[Type[Any], Type[Any]] = {}


def start_nodes(kwargs: Dict[str, Any], cluster: Any) -> Dict[str, Any]:
    """Arguments for redis-py's own cluster clients, from those of the older package as well.

    Args:
        kwargs: The arguments.
        cluster: The module that has the client.
    """
    make_node: Any = cluster.ClusterNode
    kwargs = _modern(kwargs)
    nodes = kwargs.pop("startup_nodes", None)
    if nodes is not None:
        kwargs["startup_nodes"] = [
            make_node(node["host"], int(node["port"])) if isinstance(node, dict) else node
            for node in nodes
        ]
    if kwargs.pop("readonly_mode", False):
        strategies = getattr(cluster, "LoadBalancingStrategy", None)
        if strategies is None:  # before 5.3
            kwargs["read_from_replicas"] = True
        else:
            kwargs.setdefault("load_balancing_strategy", strategies.ROUND_ROBIN)
    skip = kwargs.pop("skip_full_coverage_check", None)
    if skip is not None:
        kwargs.setdefault("require_full_coverage", not skip)
    attempts = kwargs.pop("cluster_down_retry_attempts", None)
    if attempts is not None:
        kwargs.setdefault("cluster_error_retry_attempts", attempts)
    for dropped in ("init_slot_cache", "nodemanager_follow_cluster", "max_connections_per_node"):
        kwargs.pop(dropped, None)  # have no counterpart, and need none
    return kwargs


class _NoCluster:
    """Stands in where redis-py has no client for clusters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ModuleNotFoundError(
            "there is no client for clusters: redis-py brings one from 4.1 on, and for older"
            " versions the package redis-py-cluster",
            name="rediscluster",
        )


class RedisGearsCluster(RedisGearsModule, _ClusterBase or _NoCluster):  # type: ignore[misc]
    """redis-py's client for clusters, with Gears.

    It takes the arguments of ``redis.cluster.RedisCluster``; ``startup_nodes`` may also be a list
    of dicts with ``host`` and ``port``.

    Attributes:
        gears: The Gears commands.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _ClusterBase is not None and _ClusterBase.__module__.startswith("redis."):
            from redis import cluster

            kwargs = start_nodes(kwargs, cluster)
        self.unpickle = checked_mode(kwargs.pop("unpickle", None))
        super().__init__(*args, **kwargs)
        install(self)

    def get_redis_connection(self, node: Any) -> Any:
        """Get the client of one node, as redis-py does; it reads results as this one does."""
        client = super().get_redis_connection(node)
        client.unpickle = self.unpickle
        return client

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        """Make a pipeline, as redis-py does.  Gears commands cannot be put into it."""
        pipeline = super().pipeline(*args, **kwargs)
        base = type(pipeline)
        if base not in _PIPELINES:
            _PIPELINES[base] = cluster_pipeline(base)
        pipeline.__class__ = _PIPELINES[base]
        return pipeline


Redis = RedisGears
RedisMods = RedisGears
RedisCluster = RedisGearsCluster
