"""Sends what nobody should send, for some time: ``python -m tests.fuzz --seconds 60``."""

import argparse
import itertools
import random
import sys
import time

import redis

from redgrease.engine import GearsServer

from .scripts import script
from .wire import differences


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each kind")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    first = random.randrange(10**9) if options.seed is None else options.seed
    wrong = 0
    with GearsServer(redis_args=["--port", str(free := port())]) as server:
        end = time.monotonic() + options.seconds
        for seed in itertools.count(first):
            found = differences(server.port, free, seed)
            if found is not None:
                wrong += 1
                print(
                    f"seed {seed}: {found[0][:300]!r}\n  Redis: {found[1][-200:]!r}\n  proxy: {found[2][-200:]!r}"
                )
            if time.monotonic() > end:
                break
        print(f"wire: {seed - first + 1} streams, {wrong} answered otherwise than by Redis")
        deaths, pid = 0, None
        end = time.monotonic() + options.seconds
        with redis.Redis(port=server.port) as client, redis.Redis(port=server.port) as other:
            for seed in itertools.count(first):
                try:
                    client.execute_command("RG.PYEXECUTE", script(seed))
                except redis.TimeoutError:
                    wrong += 1
                    print(f"seed {seed}: nobody answers {script(seed)[:300]!r}")
                except redis.ResponseError as error:
                    if "worker died" in str(error):
                        deaths += 1
                        print(f"seed {seed}: the worker died")
                token = f"token {seed}".encode()
                assert other.echo(token) == token
                if time.monotonic() > end:
                    break
            assert client.ping()
        print(f"scripts: {seed - first + 1}, the worker died {deaths} times, the server never")
    sys.exit(bool(wrong))


def port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
