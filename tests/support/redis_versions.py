"""What differs between the versions of redis-py that tests run with."""

import asyncio

import redis


def impatient():
    """Options of clients that do not try again, which those before redis-py 4.1 never do."""
    if int(redis.__version__.partition(".")[0]) < 4:
        return {}
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {"retry": Retry(NoBackoff(), 0)}


def speaking(protocol):
    """Options of clients that speak a version of the protocol: before redis-py 5 there is one."""
    if int(redis.__version__.partition(".")[0]) < 5:
        return {}
    return {"protocol": protocol}


async def hang_up(client):
    """Close a client of ``redis.asyncio``; the method got its name with redis-py 5.0.1."""
    await getattr(client, "aclose", client.close)()


async def settled():
    """Wait for what redis-py closes in the background: nodes that clients for clusters forget."""
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
