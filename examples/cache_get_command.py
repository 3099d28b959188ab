"""A command of our own: ``cache_get url`` answers with a web resource, out of a cache in Redis.

Run it against the embedded server::

    redgrease serve --port 0 -- python examples/cache_get_command.py [URL ...]

or against a Gears server that listens already (localhost:6379, or what REDGREASE_URL says).

The function runs on the server, where `requests` and redgrease's runtime are installed for it.  A
resource that one call is downloading is not downloaded again by the calls that come meanwhile: they
wait until it is there, the download has failed, or their time is up.  Waiting is done with
``await``, so it keeps no thread of the server busy.
"""

import os
import sys
import timeit

import redgrease

URLS = sys.argv[1:] or [
    "https://www.python.org/static/img/python-logo.png",
    "https://redis.io/robots.txt",
    "https://github.com/robots.txt",
    "https://pypi.org/robots.txt",
]

r = redgrease.RedisGears.from_url(os.environ.get("REDGREASE_URL", "redis://localhost:6379"))


@redgrease.trigger(on=r, replace=True, requirements=["requests"], mode="async_local")
async def cache_get(url, expiry=3600, timeout=10):
    """The content of a resource.

    Args:
        url (str): Where it is.
        expiry (float): For how many seconds it stays in the cache.
        timeout (float): How many seconds it may take.

    Returns:
        bytes: The content; None if it cannot be had in time.
    """
    import asyncio
    import time
    import uuid

    import requests

    expiry, timeout = float(expiry), float(timeout)
    started = time.monotonic()
    key, lock, failure = f"cache:{url}", f"cache-lock:{url}", f"cache-failure:{url}"
    number = redgrease.cmd.incr("cache-requests")
    redgrease.log(f"Cache request #{number} {url}")

    def download():
        response = requests.get(url, timeout=timeout)
        response.raise_for_status()
        return response.content

    # The text of the lock tells whose it is; it ends by itself if the server dies meanwhile.
    mine = uuid.uuid4().hex
    while True:
        content = redgrease.cmd.get(key)
        if content is not None:
            return content if isinstance(content, bytes) else bytes(content, "utf-8")
        if redgrease.cmd.set(lock, mine, nx=True, px=int(1000 * timeout) + 1000):
            break
        theirs = redgrease.cmd.get(lock)
        while theirs is not None and redgrease.cmd.get(lock) == theirs:
            if time.monotonic() - started > timeout:
                return None
            await asyncio.sleep(0.005)
        if theirs is not None and redgrease.cmd.get(failure) == theirs:
            return None

    if redgrease.cmd.exists(key):  # somebody was quicker than our look
        redgrease.cmd.delete(lock)
        return await cache_get(url, expiry, timeout)
    redgrease.log(f"Cache miss #{number} {url}")
    try:
        content = await asyncio.get_running_loop().run_in_executor(None, download)
    except requests.RequestException as error:
        redgrease.log(f"Cache failure #{number} {url}: {error}", "warning")
        redgrease.cmd.set(failure, mine, px=int(1000 * timeout) + 1000)
        content = None
    else:
        redgrease.cmd.set(key, content, px=max(1, int(1000 * expiry)))
        redgrease.log(f"Cache update #{number} {url}: {len(content)} bytes")
    if redgrease.cmd.get(lock) == mine:
        redgrease.cmd.delete(lock)
    return content


def get_all():
    """Ask for every resource, once."""
    for url in URLS:
        content = cache_get(url)
        size = "nothing" if content is None else f"{len(content)} bytes"
        print(f"   {url}: {size}")


def clean_up():
    """Leave the server as it was: no functions, no executions, no keys."""
    for registration in r.gears.dumpregistrations():
        r.gears.unregister(registration.id)
    for execution in r.gears.dumpexecutions():
        r.gears.abortexecution(execution)
        r.gears.dropexecution(execution)
    for key in r.scan_iter("cache*"):
        r.delete(key)


if __name__ == "__main__":
    print("Not in the cache:")
    miss = timeit.timeit(get_all, number=1)
    print(f"   took {miss:.3f} s")
    print("In the cache:")
    hit = timeit.timeit(get_all, number=1)
    print(f"   took {hit:.3f} s")
    print(f"The cache is {miss / hit:.1f} times faster.")
    # Any other client can use the command, too: RG.TRIGGER cache_get https://...
    clean_up()
