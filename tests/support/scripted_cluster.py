"""Two scripted servers that say they are a cluster: a stand-in for one of RedisGears itself."""

from redgrease.client import RedisGears
from support.scripted import ScriptedServer

# Of the servers.
IDS = ["a" * 40, "b" * 40]


class ScriptedCluster:
    """Two servers that say they are a cluster."""

    def __init__(self):
        self.servers = [ScriptedServer(), ScriptedServer()]
        nodes = [[server.host, server.port, id] for server, id in zip(self.servers, IDS)]
        for number, server in enumerate(self.servers):
            server.on("CLUSTER SLOTS", [[0, 8191, nodes[0]], [8192, 16383, nodes[1]]])
            server.on("CLUSTER MYID", IDS[number])
            server.on("INFO", b"cluster_enabled:1\r\nredis_version:7.2.0\r\n")
            server.on("COMMAND", [["get", 2, ["readonly", "fast"], 1, 1, 1]])
            server.on("CONFIG", ["cluster-require-full-coverage", "no"])
            server.on("GET", b"%d" % number)

    def on(self, name, *replies):
        for server in self.servers:
            server.on(name, *replies)

    def sent(self, name):
        return [len(server.sent(name)) for server in self.servers]

    def client(self, **options):
        nodes = [{"host": self.servers[0].host, "port": str(self.servers[0].port)}]
        return RedisGears(startup_nodes=nodes, **options)

    def stop(self):
        for server in self.servers:
            server.stop()
