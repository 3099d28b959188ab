"""A command of your own: ``cache_get url`` returns a web resource, from a cache in Redis.

Run it against the embedded server::

    redgrease serve --port 0 -- python examples/cache_get_command.py [URL ...]

or against a Gears server that is already running (at localhost:6379, or at REDGREASE_URL).  At its
end it removes ALL registered functions and executions of that server, and the keys of the cache.

The function runs on the server, which installs `requests` and redgrease's runtime for it if they
are missing.  What one call is downloading is not downloaded again by other calls: they wait until
it is there, the download has failed, or their timeout has passed.

Calls wait with ``await``, so even many waiting calls do not occupy any threads of the server.
RedisGears 1.0 does not support ``await``.  There, each call occupies a thread (of three, unless
ExecutionThreads says otherwise) until it ends, and when all threads are taken, further calls
queue.  Calls that wait never block the call they wait for, since that has its thread already.

In a cluster each shard has a cache of its own, since a function reaches only keys of its shard.
"""

import asyncio
import os
import sys
import time
import timeit
import uuid

import redgrease

URLS = [
    "https://www.python.org/static/img/python-logo.png",
    "https://redis.io/robots.txt",
    "https://github.com/robots.txt",
    "https://pypi.org/robots.txt",
]

# A lock is renewed as long as its owner lives; if the server dies, it expires after this time.
LOCK_SECONDS = 5
RELEASE = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1])"

r = redgrease.RedisGears.from_url(os.environ.get("REDGREASE_URL", "redis://localhost:6379"))


def download(url, timeout):
    """Get a resource from the web."""
    import requests  # only the server needs it

    response = requests.get(url, timeout=timeout)
    response.raise_for_status()
    return response.content


async def download_with(lock, url, seconds):
    """Get a resource from the web in another thread, and keep renewing a lock.

    Raises:
        Exception: The download failed, or took too long.
    """
    deadline = time.monotonic() + seconds
    future = asyncio.get_running_loop().run_in_executor(None, download, url, seconds)
    while not future.done():
        left = deadline - time.monotonic()
        if left <= 0:
            future.cancel()
            raise TimeoutError(f"not complete after {seconds} s")
        await asyncio.wait({future}, timeout=min(left, LOCK_SECONDS / 4))
        redgrease.cmd.expire(lock, LOCK_SECONDS)
    return future.result()


async def is_released(lock, owner, deadline):
    """Wait until a lock has another owner, or none; return whether that happened in time."""
    pause = 0.002
    while redgrease.cmd.get(lock) == owner:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(1.5 * pause, 0.05)
    return True


@redgrease.trigger(on=r, replace=True, requirements=["requests"], mode="async_local")
async def cache_get(url, expiry=3600, timeout=10):
    """The content of a resource.

    Args:
        url (str): Where it is.
        expiry (float): For how many seconds it stays in the cache.
        timeout (float): How many seconds it may take.

    Returns:
        bytes: The content; None if it is not available, or not in time.
    """
    expiry, timeout = float(expiry), float(timeout)  # other clients pass strings
    deadline = time.monotonic() + timeout
    shard = "cache:" + redgrease.hashtag3()
    key, lock, failure = (f"{shard}:{kind}:{url}" for kind in ("content", "lock", "failure"))
    number = redgrease.cmd.incr(f"{shard}:requests")
    redgrease.log(f"Cache request #{number} {url}")

    me = uuid.uuid4().hex
    while True:
        content = redgrease.cmd.get(key)
        if content is not None:
            return content.encode() if isinstance(content, str) else bytes(content)
        if redgrease.cmd.set(lock, me, nx=True, ex=LOCK_SECONDS):
            if not redgrease.cmd.exists(key):
                break
            redgrease.cmd.eval(RELEASE, 1, lock, me)  # the content arrived in the meantime
            continue
        owner = redgrease.cmd.get(lock)
        if owner is not None:
            in_time = await is_released(lock, owner, deadline)
            if not in_time or redgrease.cmd.get(failure) == owner:
                return None

    redgrease.log(f"Cache miss #{number} {url}")
    try:
        content = await download_with(lock, url, deadline - time.monotonic())
        redgrease.cmd.set(key, content, px=max(1, int(1000 * expiry)))
        redgrease.log(f"Cache update #{number} {url}: {len(content)} bytes")
        return content
    except Exception as error:
        redgrease.log(f"Cache failure #{number} {url}: {error}", "warning")
        redgrease.cmd.set(failure, me, ex=LOCK_SECONDS)  # for the calls that wait
        return None
    finally:
        redgrease.cmd.eval(RELEASE, 1, lock, me)  # unless another call owns it by now


def get_all(urls):
    """Ask for every resource, once."""
    for url in urls:
        content = cache_get(url)
        print(f"   {url}:", "nothing" if content is None else f"{len(content)} bytes")


def clean_up():
    """Leave the server as it was: no functions, no executions, no keys."""
    for registration in r.gears.dumpregistrations():
        r.gears.unregister(registration.id)
    for execution in r.gears.dumpexecutions():
        r.gears.abortexecution(execution)
        r.gears.dropexecution(execution)
    for key in r.scan_iter("cache:{*}:*"):
        r.delete(key)


def main(urls):
    """Get resources twice, and compare how long that takes."""
    print("Not in the cache:")
    miss = timeit.timeit(lambda: get_all(urls), number=1)
    print(f"   took {miss:.3f} s")
    print("In the cache:")
    hit = timeit.timeit(lambda: get_all(urls), number=1)
    print(f"   took {hit:.3f} s")
    print(f"The cache is {miss / hit:.1f} times faster.")
    # Any other client can use the command, too: RG.TRIGGER cache_get https://...


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or URLS)
    finally:
        clean_up()
