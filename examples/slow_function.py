"""A function that takes its time: the client waits for it, and it runs once.

redis-py 8 stops waiting for a reply after 5 seconds, and repeats a command up to ten times. A
function with side effects must not run again just because it is slow, so Gears commands are sent
only once.

Run it against the embedded server::

    redgrease serve --port 0 -- python examples/slow_function.py
"""

import os
import sys
import time

import redgrease
from redgrease import execute

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0

r = redgrease.RedisGears.from_url(os.environ.get("REDGREASE_URL", "redis://localhost:6379"))
r.delete("slow:runs")


def slow(shard_id):
    """Count the run, then sleep; on the server, which needs no redgrease for `execute`."""
    execute("INCR", "slow:runs")
    time.sleep(SECONDS)
    return "slept"


start = time.monotonic()
answer = redgrease.ShardsIDReader().map(slow).run(on=r)
print(f"{answer} after {time.monotonic() - start:.1f} s; runs: {int(r.get('slow:runs'))}")
