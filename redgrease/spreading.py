"""Scripts in a cluster whose servers do not tell each other what is registered.

A server of RedisGears tells the other shards of its cluster about a registration.  Those of
redgrease run functions each for itself alone, and leave it to the client: what registers something
goes to all of them (see :mod:`redgrease.everywhere`), with the ids that the registrations have got
from the first one, so that they have the same ones everywhere.
"""

import copy
from typing import Any, Dict, List, Optional

from redis import exceptions as redis_errors

from redgrease.administration import Administration
from redgrease.asking import Asks, asking
from redgrease.commands import TABLE, words_of
from redgrease.everywhere import Everywhere, located
from redgrease.exceptions import GearsTimeoutError, NodeDownError
from redgrease.registrations import Registrations
from redgrease.results import ExecutionResult
from redgrease.submission import Submission
from redgrease.topology import Cluster, OneOf

__all__ = ["Spreading"]


class Spreading(Registrations, Administration):
    """Sends scripts, in some clusters to all servers."""

    @asking
    def _is_alone(self) -> Asks[bool]:
        """Whether the servers are in a cluster, and do not tell each other."""
        topology = self._caller.topology
        alone = isinstance(topology, Cluster) and (yield topology.alone())
        return bool(alone)

    @asking
    def _send_script(
        self, submission: Submission, options: Dict[str, Any], timeout: Optional[float]
    ) -> Asks[ExecutionResult[Any]]:
        """Send a script, once to each server.

        Args:
            submission: The script.
            options: The options of ``RG.PYEXECUTE``.
            timeout: How many seconds to wait for each reply.

        Returns:
            The result.
        """
        if isinstance(self._caller.topology, Cluster) and (yield self._is_alone()):
            everywhere = Everywhere(self, submission, options, timeout=timeout)
            result = yield everywhere.send()
            return result  # type: ignore[no-any-return]
        row = TABLE["RG.PYEXECUTE"]
        words = words_of(row, submission.script, **options)
        record = self._decoder(submission.pickled)
        result = yield self._caller.call(row, words, timeout, record=record)
        return result  # type: ignore[no-any-return]

    def _on_node(self, link: Any, timeout: Optional[float] = None) -> "Spreading":
        """The same for one server of a cluster.

        Args:
            link: The way to it.
            timeout: How many seconds to wait for each reply, in the place of ``self.timeout``.
        """
        node = copy.copy(self)
        node._caller = copy.copy(self._caller)
        topology: Any = self._caller.topology
        node._caller.topology = OneOf(topology, link)
        if timeout is not None:
            node._caller.timeout = timeout
        return node

    @asking
    def _nodes(self, timeout: Optional[float]) -> Asks[List["Spreading"]]:
        """All primaries, in the order of their ids, which is the same for all clients.

        Raises:
            NodeDownError: Not all of them can be reached.
        """
        topology: Any = self._caller.topology
        for is_last in (False, True):
            failed: List[Exception] = []
            nodes = {}
            for link in (yield topology.primaries()):
                node = self._on_node(link, timeout)
                try:
                    info = yield node.infocluster()
                except GearsTimeoutError as error:
                    raise located(error, link.name) from None
                except redis_errors.RedisError as error:
                    failed.append(located(error, link.name))
                else:
                    nodes[info.my_id if info is not None else "", link.name] = node
            if not failed:
                return [nodes[key] for key in sorted(nodes)]
            if not is_last:
                yield topology.look_again()  # another server may have taken its place
        down = [error for error in failed if isinstance(error, NodeDownError)]
        if len(down) < len(failed):
            raise next(error for error in failed if error not in down)
        raise NodeDownError(
            "; ".join(str(error) for error in down),
            [name for error in down for name in error.nodes],
        )

    @asking
    def _settle(self) -> Asks[None]:
        """Take back what could not be taken back before."""
        leftovers = self._memory.leftovers
        if not leftovers:
            return
        topology: Any = self._caller.topology
        names = {link.name for link in (yield topology.primaries())}
        for leftover in list(leftovers):
            name, take_back = leftover
            if name in names:
                yield take_back()  # notes another one if it fails again
            if leftover in leftovers:
                leftovers.remove(leftover)
