"""The clients for asyncio: those of ``redis.asyncio``, with Gears.

::

    from redgrease.aio import RedisGears

    async with RedisGears(port=30001) as client:
        await client.gears.pyexecute("GB().count().run()")
        await KeysReader().count().run(on=client)

Everything that is to be asked of a server is awaited, also what are attributes of the clients that
wait: ``await registered.registration``, ``await client.gears.config.MaxExecutions``.

Needs Python 3.10 and redis-py 4.3, or later ones.
"""

try:
    import redis.asyncio.cluster  # noqa: F401
except ModuleNotFoundError as error:
    if not str(error.name).startswith("redis"):
        raise  # one that redis-py needs
    raise ModuleNotFoundError(
        "redgrease.aio needs redis-py 4.3 or later, which brings redis.asyncio",
        name="redis.asyncio",
    ) from error

from redgrease.aio.client import (
    Redis,
    RedisCluster,
    RedisGears,
    RedisGearsCluster,
    RedisGearsModule,
)
from redgrease.aio.gears import Gears
from redgrease.aio.pipelines import GearsPipeline

__all__ = [
    "Gears",
    "GearsPipeline",
    "Redis",
    "RedisCluster",
    "RedisGears",
    "RedisGearsCluster",
    "RedisGearsModule",
]
