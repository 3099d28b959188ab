"""Which node of a Redis Cluster the server stands in front of, if any.

Each server is a shard of its own: it names its executions and registrations after its node, and
knows the cluster, but exchanges no records with the other servers.
"""

from __future__ import annotations

import binascii
import itertools
import os
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .connection import ErrorReply
from .errors import GearsError

if TYPE_CHECKING:
    from .keyspace import Keyspace
    from .script import ScriptRun
    from .settings import Settings
    from .steps import Step

ALONE = "0" * 40
"""The ID of a server that is in no cluster."""
FIRST_HASHTAG = "06S"
"""A text whose hash slot is the first one."""
SETTING = "redgrease-shard-alone"
"""A setting that tells clients to register functions on every server of the cluster."""
IDS = "REGISTRATION_IDS"
"""An option of RG.PYEXECUTE in clusters: the IDs that the registrations have on other shards."""
INSTEAD_OF = "INSTEAD_OF"
"""Another: the IDs of the registrations that are to be replaced."""
SLOTS = 16384
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_GROUPS = {
    "repartition": "repartition",
    "groupby": "groupby",
    "batchgroupby": "batchgroupby",
    "aggregateby": "aggregateby",
    "countby": "countby",
}
_COLLECTS = {
    "aggregate": "aggregate",
    "count": "count",
    "sort": "sort",
    "distinct": "distinct",
    "average": "avg",
}


@dataclass(frozen=True)
class Node:
    """A primary of the cluster, with the first range of its slots."""

    id: str
    ip: str
    port: int
    first: int
    last: int


def slot_of(key: bytes) -> int:
    """The hash slot of a key."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1) if start >= 0 else -1
    return binascii.crc_hqx(key[start + 1 : end] if end > start + 1 else key, 0) % SLOTS


def text_in(slot: int) -> str:
    """A short text that hashes to a slot."""
    if slot == 0:
        return FIRST_HASHTAG
    for letters in itertools.product(_LETTERS, repeat=3):
        text = "".join(letters)
        if slot_of(text.encode()) == slot:
            return text
    raise AssertionError("three letters reach every slot")


class Shard:
    """What the server knows about the cluster.

    Args:
        keyspace: Redis.
        settings: The configuration, in which clients see that this is a cluster.
    """

    def __init__(self, keyspace: Keyspace, settings: Settings) -> None:
        self._keyspace, self._settings = keyspace, settings
        self._hashtag: str | None = None
        self.id = ALONE
        """The node's ID; forty zeros outside clusters."""
        self.run_id = ALONE

    @property
    def clustered(self) -> bool:
        """Whether Redis is a node of a cluster."""
        return self.id != ALONE

    def look(self) -> None:
        """Find out where the server is."""
        reply = self._keyspace.call((b"INFO", b"cluster"))
        if type(reply) is ErrorReply or "cluster_enabled:1" not in str(reply):
            return
        found = self._keyspace.call((b"CLUSTER", b"MYID"))
        if type(found) is ErrorReply:
            return
        self.id, self.run_id, self._hashtag = str(found), os.urandom(20).hex(), None
        self._keyspace.node_id = self.id
        self._settings.extra[SETTING] = "yes"

    def nodes(self) -> list[Node]:
        """The primaries, in the order of their first slots."""
        reply = self._keyspace.call((b"CLUSTER", b"SLOTS")) if self.clustered else []
        if type(reply) is ErrorReply:
            return []
        nodes: dict[str, Node] = {}
        for first, last, (ip, port, ident, *_), *_replicas in sorted(reply, key=lambda row: row[0]):
            nodes.setdefault(ident, Node(ident, ip or "", port, first, last))
        return list(nodes.values())

    def hashtag(self) -> str:
        """A text that composes keys of this shard: it hashes to the lowest of its slots."""
        if not self.clustered:
            return FIRST_HASHTAG
        if self._hashtag is None:
            own = [node.first for node in self.nodes() if node.id == self.id]
            if not own:
                return FIRST_HASHTAG
            self._hashtag = text_in(own[0])
        return self._hashtag

    def describe(self) -> Any:
        """The reply to RG.INFOCLUSTER."""
        if not self.clustered:
            return "no cluster mode"
        nodes = []
        for node in self.nodes():
            run_id = self.run_id if node.id == self.id else None
            entry = ["id", node.id, "ip", node.ip, "port", node.port, "unixSocket", "None"]
            entry += ["runid", run_id, "minHslot", node.first, "maxHslot", node.last]
            nodes.append([*entry, "pendingMessages", 0])
        return ["MyId", self.id, "MyRunId", self.run_id, nodes]

    def misses(self, key: bytes) -> ErrorReply | None:
        """What Redis says if another node has a key."""
        if not self.clustered:
            return None
        # Declares the key and touches nothing, so that there is no event.
        reply = self._keyspace.call((b"EVAL", b"return 1", b"1", key))
        if type(reply) is not ErrorReply:
            return None
        if str(reply).startswith("MOVED") and self._imports(slot_of(key)):
            # To send the client back would have it go in a circle.
            return ErrorReply("TRYAGAIN the slot of the key is being moved to this server")
        return reply

    def _imports(self, slot: int) -> bool:
        """Whether a slot is being moved here."""
        reply = self._keyspace.call((b"CLUSTER", b"NODES"))
        return type(reply) is not ErrorReply and f"[{slot}-<-" in str(reply)

    def first_number(self) -> int:
        """What new IDs of registrations begin with.

        A server that has lost its registrations must not give IDs that others of the cluster know
        from before, so it counts on from the time: microseconds since 2024.
        """
        return int((time.time() - 1704067200) * 1e6) if self.clustered else 0

    # -- IDs of registrations -------------------------------------------------------------------

    def take_given(self, words: list[str]) -> tuple[list[str], dict[str, Any]]:
        """Read what clients say in clusters, to register the same on every shard.

        - ``REGISTRATION_IDS ids``: the IDs that the registrations have on another shard; ``?``
          asks for those that they get, which then stand behind the ``OK``.
        - ``INSTEAD_OF ids``: the registrations of the session that is to be replaced; if it has
          others by now, somebody else has replaced it, and the script does not run.

        Args:
            words: The words behind a script.

        Returns:
            The words without these, and the fields of the options.
        """
        given: dict[str, Any] = {}
        while self.clustered and len(words) > 1 and words[0].upper() in (IDS, INSTEAD_OF):
            option, value, *words = words
            if option.upper() == INSTEAD_OF:
                given["instead_of"] = tuple(value.split(","))
            elif value == "?":
                given["tells_ids"] = True
            else:
                given["ids"] = tuple(value.split(","))
        return words, given

    def registration_id(self, script: ScriptRun | None, number: int) -> str:
        """The ID of a registration: that which a client gave, or else a new one."""
        if script is not None and script.ids:
            return script.ids.popleft()
        return f"{self.id}-{number}"

    # -- what cannot be done --------------------------------------------------------------------

    def check_run(self, steps: Sequence[Step], mode: Any) -> None:
        """Refuse to run what needs the records of all shards.

        Raises:
            GearsError: It does.
        """
        kinds = [step.kind for step in steps]
        while kinds and kinds[-1] in ("collect", "str"):  # those that run() adds
            kinds.pop()
        self._check(kinds, {**_GROUPS, **_COLLECTS, "collect": "collect"}, mode)

    def check_register(self, steps: Sequence[Step], mode: Any) -> None:
        """Refuse to register what needs other shards; an event's records are all on this one.

        Raises:
            GearsError: It does.
        """
        self._check([step.kind for step in steps], _GROUPS, mode)

    def _check(self, kinds: Sequence[str], refused: dict[str, str], mode: Any) -> None:
        if not self.clustered or mode in ("async_local", "sync"):
            return
        name = next((refused[kind] for kind in kinds if kind in refused), None)
        number = len(self.nodes()) if name is not None else 0
        if number > 1:
            raise GearsError(
                f"{name} needs the records of all {number} shards of the cluster, and the servers"
                " of redgrease exchange none; with mode='async_local' it works on those of the"
                " shard where it runs"
            )
