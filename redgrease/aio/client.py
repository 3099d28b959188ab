"""The clients of ``redis.asyncio``, with Gears."""

from typing import Any, Dict, Optional, Type

from redis import asyncio as redis_asyncio
from redis.asyncio import cluster as redis_cluster

from redgrease.aio.gears import Gears
from redgrease.aio.pipelines import GearsPipeline
from redgrease.client import cluster_pipeline, start_nodes
from redgrease.commands import is_gears_command
from redgrease.results import unwrapped
from redgrease.sender import install
from redgrease.unpickling import ANY, NOTE, checked_mode

__all__ = [
    "Redis",
    "RedisCluster",
    "RedisGears",
    "RedisGearsCluster",
    "RedisGearsModule",
]


class RedisGearsModule:
    """What makes a client of ``redis.asyncio`` one with Gears, to be mixed into its class."""

    _gears: Optional[Gears] = None
    unpickle = ANY

    @property
    def gears(self) -> Gears:
        """The Gears commands."""
        if self._gears is None:
            self._gears = Gears(self)
        return self._gears

    async def execute_command(self, *args: Any, **options: Any) -> Any:
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
            return await self.gears.execute(*words, **options)
        return await super().execute_command(*words, **options)  # type: ignore[misc]


class RedisGears(RedisGearsModule, redis_asyncio.Redis):  # type: ignore[misc]
    """The client of ``redis.asyncio``, with Gears.

    It takes the arguments of ``redis.asyncio.Redis``, and can be used in its place: ``from_url``,
    ``from_pool``, pipelines, Sentinel's ``redis_class``.  Clusters have a class of their own,
    :class:`RedisGearsCluster`.

    Args:
        unpickle: How results are read, as for ``redgrease.RedisGears``.

    Attributes:
        gears: The Gears commands, as coroutine functions.
        unpickle: How results are read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.unpickle = checked_mode(kwargs.pop("unpickle", None))
        super().__init__(*args, **kwargs)
        install(self)

    @classmethod
    def from_url(cls, url: str, **kwargs: Any) -> "RedisGears":  # type: ignore[override]
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
        client: Any = super().client()
        client.unpickle = self.unpickle
        return client  # type: ignore[no-any-return]

    def pipeline(self, transaction: bool = True, shard_hint: Optional[str] = None) -> GearsPipeline:
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


_PIPELINES: Dict[Type[Any], Type[Any]] = {}


class RedisGearsCluster(RedisGearsModule, redis_cluster.RedisCluster):  # type: ignore[misc]
    """The client for clusters of ``redis.asyncio``, with Gears.

    It takes the arguments of ``redis.asyncio.cluster.RedisCluster``; ``startup_nodes`` may also be
    a list of dicts with ``host`` and ``port``.

    Attributes:
        gears: The Gears commands, as coroutine functions.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.unpickle = checked_mode(kwargs.pop("unpickle", None))
        super().__init__(*args, **start_nodes(kwargs, redis_cluster))
        install(self)
        # Nodes can have no attributes of ours, but share this with their client.
        self.response_callbacks[NOTE] = self.unpickle

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        """Make a pipeline, as redis-py does.  Gears commands cannot be put into it."""
        pipeline: Any = super().pipeline(*args, **kwargs)
        base = type(pipeline)
        if base not in _PIPELINES:
            _PIPELINES[base] = cluster_pipeline(base)
        pipeline.__class__ = _PIPELINES[base]
        return pipeline


Redis = RedisGears
RedisCluster = RedisGearsCluster
