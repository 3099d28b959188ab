"""Load on a server from many connections: by redis-benchmark, or by a generator of our own."""

from __future__ import annotations

import argparse
import json
import select
import shutil
import socket
import subprocess
import sys
import time

TOOLS = ("valkey-benchmark", "redis-benchmark")
COMMANDS = {
    "SET": (b"*3\r\n$3\r\nSET\r\n$16\r\nkey:__rand_int__\r\n$3\r\nxxx\r\n", b"+OK\r\n"),
    "GET": (b"*2\r\n$3\r\nGET\r\n$16\r\nkey:__rand_int__\r\n", b"$3\r\nxxx\r\n"),
}


def rates(port: int, clients: int, pipeline: int, total: int) -> dict[str, float]:
    """Requests per second of SET and GET, from another process."""
    tool = next(filter(None, map(shutil.which, TOOLS)), None)
    if tool is None:
        words = [sys.executable, "-m", __name__, str(port), str(clients), str(pipeline), str(total)]
        out = subprocess.run(words, capture_output=True, check=True, text=True).stdout
        return {name: float(rate) for name, rate in json.loads(out).items()}
    words = [tool, "-p", str(port), "-c", str(clients), "-P", str(pipeline), "-n", str(total)]
    out = subprocess.run(
        [*words, "-t", "set,get", "--csv"], capture_output=True, check=True, text=True
    ).stdout
    lines = (line.replace('"', "").split(",") for line in out.splitlines())
    return {line[0]: float(line[1]) for line in lines if line[0] in COMMANDS}


def generate(port: int, clients: int, pipeline: int, total: int, command: str) -> float:
    """Send a command again and again on many connections; returns requests per second."""
    request, reply = (part * pipeline for part in COMMANDS[command])
    poll = select.epoll()
    sockets, missing = {}, {}
    for _ in range(clients):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
    left = total // pipeline
    start = time.perf_counter()
    for number, connection in sockets.items():
        connection.send(request)
        missing[number] = len(reply)
    while left > 0:
        for number, _ in poll.poll():
            connection = sockets[number]
            missing[number] -= len(connection.recv(65536))
            if not missing[number]:
                left -= 1
                connection.send(request)
                missing[number] = len(reply)
    taken = time.perf_counter() - start
    for connection in sockets.values():
        connection.close()
    return total / taken


def main() -> None:
    """Generate load with both commands, and print the rates as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("port", "clients", "pipeline", "total"):
        parser.add_argument(name, type=int)
    given = parser.parse_args()
    arguments = (given.port, given.clients, given.pipeline, given.total)
    print(json.dumps({command: generate(*arguments, command) for command in COMMANDS}))


if __name__ == "__main__":
    main()
