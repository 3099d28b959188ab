"""How much a busy function slows other clients down: ``python tests/benchmarks/latency.py``.

Prints the median time of a GET through an embedded server while nothing else happens, while a
function computes for some seconds, and their ratio; all of it in one run.
"""

import argparse
import statistics
import time

import redis

from redgrease.engine import GearsServer

BUSY = """
import time
def compute(x):
    end = time.monotonic() + {seconds}
    n = 0
    while time.monotonic() < end:
        n += 1
    return n
GB('ShardsIDReader').map(compute).run()
"""


def median(client: redis.Redis, seconds: float) -> float:
    """The median time of a GET, in microseconds."""
    taken = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        client.get("key")
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the function computes")
    seconds = parser.parse_args().seconds
    with GearsServer() as server, redis.Redis(port=server.port) as client:
        client.set("key", "value")
        median(client, 0.5)
        idle = median(client, seconds)
        client.execute_command("RG.PYEXECUTE", BUSY.format(seconds=seconds + 1), "UNBLOCKING")
        busy = median(client, seconds)
        ((_, execution, _, status, _, _),) = client.execute_command("RG.DUMPEXECUTIONS")
        assert status == b"running", status
        client.execute_command("RG.ABORTEXECUTION", execution)
    print(f"idle {idle:.0f} us, busy {busy:.0f} us, ratio {busy / idle:.2f}")


if __name__ == "__main__":
    main()
