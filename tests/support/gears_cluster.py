"""A Redis Cluster of three nodes, with an embedded Gears server in front of each."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time

import redis

from redgrease.engine import GearsServer
from redgrease.engine.redis_server import find_redis

from .ports import free_port

SLOTS = 16384


class GearsCluster:
    """The cluster.

    The nodes announce the ports of the Gears servers, so that is where clients go.

    Args:
        nodes: How many nodes.
        options: For ``GearsServer``.
    """

    def __init__(self, nodes=3, **options):
        self._stack = contextlib.ExitStack()
        self._folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.ports, self.redis_ports, self._bus_ports = (
            [free_port() for _ in range(nodes)] for _ in range(3)
        )
        self._options = options
        self.processes = []
        self.servers = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def _start(self):
        for number in range(len(self.ports)):
            self.processes.append(self._start_node(number))
        nodes = [redis.Redis(port=port) for port in self.redis_ports]
        for number, node in enumerate(nodes):
            wait(lambda: answers(node))
            first, last = (SLOTS * (number + end) // len(nodes) for end in (0, 1))
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last - 1)
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number in range(1, len(nodes)):
            where = ("127.0.0.1", self.redis_ports[number], self._bus_ports[number])
            nodes[0].execute_command("CLUSTER", "MEET", *where)
        for node, port in zip(nodes, self.redis_ports):
            wait(lambda: self._is_formed(node, port))
            node.close()
        self.servers += [self._start_server(number) for number in range(len(self.ports))]

    def _start_server(self, number):
        url = f"redis://127.0.0.1:{self.redis_ports[number]}"
        server = GearsServer(port=self.ports[number], redis=url, **self._options)
        return self._stack.enter_context(server)

    def restart(self, number):
        """Stop a Gears server, and start another one in its place."""
        self.servers[number].stop()
        self.servers[number] = self._start_server(number)

    def _start_node(self, number):
        folder = os.path.join(self._folder, str(number))
        os.makedirs(folder, exist_ok=True)
        settings = {
            "port": self.redis_ports[number],
            "bind": "127.0.0.1",
            "save": "",
            "dir": folder,
            "cluster-enabled": "yes",
            "cluster-port": self._bus_ports[number],
            "cluster-announce-ip": "127.0.0.1",
            "cluster-announce-port": self.ports[number],
            "cluster-announce-bus-port": self._bus_ports[number],
            "cluster-node-timeout": 15000,
            "cluster-require-full-coverage": "no",
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        process = subprocess.Popen([find_redis(), *words], stdout=subprocess.DEVNULL)
        self._stack.callback(end, process)
        return process

    def _is_formed(self, node, port):
        state = node.execute_command("CLUSTER", "INFO")
        text = state.decode() if isinstance(state, bytes) else str(state)
        if "cluster_state:ok" not in text and "'cluster_state': 'ok'" not in text:
            return False
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"CLUSTER SLOTS\r\nQUIT\r\n")
            slots = b"".join(iter(lambda: raw.recv(65536), b""))
        return all(b":%d\r\n" % port in slots for port in self.ports)

    def node(self, number, **options):
        """A client of one Gears server alone."""
        return self.servers[number].client(**options)

    def client(self, **options):
        """A client of the cluster."""
        from redgrease.client import RedisGears

        nodes = [{"host": "127.0.0.1", "port": port} for port in self.ports]
        return RedisGears(startup_nodes=nodes, **options)

    @property
    def ids(self):
        """The ids of the nodes, in the order of their slots."""
        found = []
        for number in range(len(self.ports)):
            with contextlib.closing(redis.Redis(port=self.redis_ports[number])) as node:
                id = node.execute_command("CLUSTER", "MYID")
                found.append(id.decode() if isinstance(id, bytes) else id)
        return found


def answers(client):
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


def end(process):
    process.kill()
    process.wait()


def wait(condition, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)
