"""What all the methods of ``Gears`` rest on: sending a command, and what is known of a server."""

import weakref
from collections import OrderedDict
from typing import Any, Callable, Dict, List, MutableMapping, Optional, Tuple

from redgrease.asking import Waiting
from redgrease.calls import Caller
from redgrease.commands import TABLE, Route, row_of, words_of
from redgrease.config import Config
from redgrease.unpickling import record_reader

__all__ = ["Memory", "Sender", "install"]

# Of how many executions, or triggers, is remembered whether redgrease pickles their results.
_REMEMBERED = 10000


class Memory:
    """What is known about a server, shared by all ``Gears`` that use the same connections.

    Attributes:
        python_version: The version of its Python.
        gears_version: The version of its RedisGears.
        executions: For executions, whether their results are pickled.
        triggers: Triggers whose results are.
        encoders: Names of the functions by which registrations pickle their results.
        leftovers: What could not be taken back: the name of a server, and what does so.
    """

    def __init__(self) -> None:
        self.python_version: Optional[Tuple[Any, ...]] = None
        self.gears_version: Optional[Tuple[int, int, int]] = None
        self.executions: "OrderedDict[bytes, bool]" = OrderedDict()
        self.triggers: "OrderedDict[str, bool]" = OrderedDict()
        self.encoders: "OrderedDict[str, bool]" = OrderedDict()
        self.leftovers: List[Tuple[str, Callable[[], Any]]] = []

    @staticmethod
    def note(known: "OrderedDict[Any, bool]", name: Any, value: bool = True) -> None:
        known[name] = value
        while len(known) > _REMEMBERED:
            known.popitem(last=False)


_MEMORIES: MutableMapping[Any, Memory] = weakref.WeakKeyDictionary()


def install(client: Any) -> None:
    """Let a client of redis-py know the Gears commands: replies, and where they go.

    Args:
        client: A client of redis-py.
    """
    flags = {Route.PRIMARIES: "primaries", Route.ALL: "all"}
    for name, row in TABLE.items():
        if not name.startswith("RG."):
            continue
        if hasattr(client, "set_response_callback"):
            client.set_response_callback(name, row.parse)
        if isinstance(getattr(client, "command_flags", None), dict):
            client.command_flags[name] = flags.get(row.route, "random")
            client.result_callbacks[name] = _merging(row.merge)


def _merging(merge: Callable[[Dict[str, Any]], Any]) -> Callable[..., Any]:
    return lambda command, results, **_: merge(results)


class Sender(Waiting):
    """Sends Gears commands on the connections of a client of redis-py."""

    def __init__(self, redis: Any, timeout: Optional[float] = None) -> None:
        self._redis = redis
        self._caller = self._make_caller(redis, timeout)
        self._memory = self._remembered()
        self.config = Config(redis, self)
        if self._caller.topology is not None:
            install(redis)

    def _make_caller(self, redis: Any, timeout: Optional[float]) -> Caller:
        return Caller(redis, timeout)

    def __repr__(self) -> str:
        return f"Gears({self._redis!r})"

    def _remembered(self) -> Memory:
        topology = self._caller.topology
        if topology is None:
            return Memory()
        try:
            return _MEMORIES.setdefault(topology.identity, Memory())
        except TypeError:  # a pool that cannot be referred to weakly
            return Memory()

    @property
    def timeout(self) -> Optional[float]:
        """How many seconds to wait for replies; None means forever."""
        return self._caller.timeout

    @timeout.setter
    def timeout(self, seconds: Optional[float]) -> None:
        self._caller.timeout = seconds

    def send(
        self,
        command: str,
        *args: Any,
        timeout: Optional[float] = None,
        record: Optional[Callable[[Any], Any]] = None,
        **options: Any,
    ) -> Any:
        """Send a Gears command, for which there may be no method yet.

        Args:
            command: Its name.
            args: Its arguments.
            timeout: How many seconds to wait for the reply.
            record: What to do to each record of a result.
            options: Further arguments by name, as far as the command's row has such.

        Returns:
            The reply, converted as the command's method does.

        Raises:
            ServerError: The server replied with an error.
        """
        row = row_of(command.upper())
        return self._caller.call(row, words_of(row, *args, **options), timeout, record)

    def execute(self, *args: Any, **options: Any) -> Any:
        """Do what ``execute_command`` does, for a Gears command: send it, once.

        Args:
            args: The command and its arguments.
            options: ``timeout`` in seconds, ``target_nodes`` of a cluster; others are ignored.

        Returns:
            The reply, converted as the command's method does.
        """
        return self._caller.execute(*args, **options)

    def _decoder(self, pickled: bool) -> Optional[Callable[[Any], Any]]:
        """What to do to records of results; None for what the client does to texts."""
        return record_reader(self._redis) if pickled else None
