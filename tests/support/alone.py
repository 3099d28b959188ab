"""What three servers have that do not tell each other, and what a client sends to them."""

import pytest

from redgrease import CommandReader
from redgrease.testing.cleaning import clean

from .gears_cluster import GearsCluster

NODES = range(3)


@pytest.fixture(scope="module")
def cluster():
    with GearsCluster() as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """The machine may be busy."""
    monkeypatch.setattr("redgrease.everywhere._PATIENCE", 30.0)


@pytest.fixture
def order(cluster):
    """The servers' numbers, in the order of their ids; nothing is registered on them."""
    for number in NODES:
        with cluster.node(number) as node:
            clean(node)
    return sorted(NODES, key=cluster.ids.__getitem__)


def sessions(cluster):
    """What each server has: the sessions, and what they have registered."""
    found = []
    for number in NODES:
        with cluster.node(number) as node:
            listed = node.gears.pydumpsessions()
        found.append(sorted((each.ID, [str(id) for id in each.registrations]) for each in listed))
    return found


def counts(cluster):
    return [sum(len(ids) for _, ids in each) for each in sessions(cluster)]


def values(cluster, trigger="t"):
    found = []
    for number in NODES:
        with cluster.node(number) as node:
            found.append(node.gears.trigger(trigger, unpickle=True).value)
    return found


def forget(cluster, number):
    """Let a server lose its registrations, as one that takes over after a failure."""
    with cluster.node(number) as node:
        for registration in node.gears.dumpregistrations():
            node.gears.unregister(registration)


def constant(value, **options):
    return CommandReader().map(lambda _: value).register(trigger="t", **options)


class Watched:
    """Watches what a client sends to its cluster's servers, and gets into the way.

    Args:
        client: The client.
        cluster: The cluster.

    Attributes:
        sent: Of each script: the number of the server.
        before, after: What is to happen then, for the number of a server; once.
    """

    def __init__(self, client, cluster):
        self.topology = client.gears._caller.topology
        self.ports = [str(port) for port in cluster.ports]
        self.exchange = self.topology.exchange
        self.topology.exchange = self.watched
        self.sent = []
        self.before, self.after = {}, {}

    def server(self, link, words):
        """The number of the server that gets a script."""
        number = self.ports.index(link.name.rpartition(":")[2])
        if words[0] != "RG.PYEXECUTE" or words[1] == b"":
            return None
        self.sent.append(number)
        return number

    def watched(self, link, words, *args, **options):
        """What is called in the place of ``exchange``."""
        number = self.server(link, words)
        self.before.pop(number, lambda: None)()
        reply = self.exchange(link, words, *args, **options)
        self.after.pop(number, lambda: None)()
        return reply


class AsyncWatched(Watched):
    """The same for clients of asyncio."""

    async def watched(self, link, words, *args, **options):
        async def nothing():
            pass

        number = self.server(link, words)
        await self.before.pop(number, nothing)()
        reply = await self.exchange(link, words, *args, **options)
        await self.after.pop(number, nothing)()
        return reply
