"""Scripts in a cluster whose servers do not tell each other what is registered.

A server of RedisGears tells the other shards of its cluster about a registration.  Those of
redgrease run functions each for itself alone, and leave it to the client: the script goes to one
of them, and if it has registered something, to all others, with the ids that the registrations
have got, so that they have the same ones everywhere.
"""

import random
import secrets
from typing import Any, Dict, List, Optional

from redis import exceptions as redis_errors

from redgrease.administration import Administration
from redgrease.asking import Asks, asking
from redgrease.commands import TABLE, words_of
from redgrease.exceptions import (
    NodeDownError,
    RedGreaseError,
    RegistrationNotFoundError,
    SessionError,
)
from redgrease.registrations import Registrations
from redgrease.results import ExecutionResult
from redgrease.submission import Submission
from redgrease.topology import Cluster

__all__ = ["Spreading"]

# The option of RG.PYEXECUTE that such servers know.
_IDS = "REGISTRATION_IDS"


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
            result = yield self._send_everywhere(submission, options, timeout)
            return result  # type: ignore[no-any-return]
        row = TABLE["RG.PYEXECUTE"]
        words = words_of(row, submission.script, **options)
        record = self._decoder(submission.pickled)
        result = yield self._caller.call(row, words, timeout, record=record)
        return result  # type: ignore[no-any-return]

    @asking
    def _send_everywhere(
        self, submission: Submission, options: Dict[str, Any], timeout: Optional[float]
    ) -> Asks[ExecutionResult[Any]]:
        topology: Any = self._caller.topology
        row = TABLE["RG.PYEXECUTE"]
        if options.get("id") is None:  # what it has registered is found by its session
            options = dict(options, id=secrets.token_hex(20))
        words = words_of(row, submission.script, **options)
        record = self._decoder(submission.pickled)
        links = yield topology.primaries()
        random.shuffle(links)
        for link in links:
            try:
                result = yield self._caller.call(row, words, timeout, record=record, targets=[link])
                break
            except NodeDownError:  # it did not get the script; the next one may
                if link is links[-1]:
                    raise
        if result.value is not True:
            return result  # type: ignore[no-any-return]
        ids = yield self._registered_in(options["id"], link)
        if not ids:
            return result  # type: ignore[no-any-return]
        words[2:2] = [_IDS, ",".join(ids)]
        at = words.index("ID", 4)
        words[4:4] = [words.pop(at), words.pop(at)]  # right behind, where it is looked for
        done = [link]
        for other in links:
            if other.name == link.name:
                continue
            try:
                yield self._caller.call(row, words, timeout, targets=[other])
            except redis_errors.RedisError as error:
                yield self._take_back(ids, done, options)
                error.args = (f"{error.args[0]} (on {other.name})", *error.args[1:])
                raise
            done.append(other)
        return result  # type: ignore[no-any-return]

    @asking
    def _registered_in(self, session: str, link: Any) -> Asks[List[str]]:
        """The ids of what a script has registered."""
        row = TABLE["RG.PYDUMPSESSIONS"]
        try:
            sessions = yield self._caller.call(row, words_of(row, [session]), targets=[link])
        except SessionError:
            return []
        return [str(id) for found in sessions for id in found.registrations]

    @asking
    def _take_back(self, ids: List[str], done: List[Any], options: Dict[str, Any]) -> Asks[None]:
        """Unregister what has been registered on some servers only; not what has replaced."""
        if options.get("upgrade") or options.get("replace_with"):
            return
        row = TABLE["RG.UNREGISTER"]
        for id in ids:
            try:
                yield self._caller.call(row, words_of(row, id), targets=done)
            except RegistrationNotFoundError:
                pass
            except (RedGreaseError, redis_errors.RedisError):
                return  # the first error tells more
