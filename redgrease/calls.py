"""One call of a Gears command: from its words to its reply, on the servers that it concerns."""

from typing import Any, Callable, Dict, List, Optional, Sequence, cast

from redis import exceptions as redis_errors

from redgrease.commands import Command, Route, command_name, row_of
from redgrease.connection import ATTEMPTS, Link, exchange, exchange_together
from redgrease.convert import text
from redgrease.exceptions import ExecutionNotFoundError, classify
from redgrease.topology import Topology, topology_of

__all__ = ["Caller", "record_decoder"]

Record = Callable[[Any], Any]


def record_decoder(encoder: Any) -> Optional[Record]:
    """What is done to the records of results that are not redgrease's own.

    Args:
        encoder: The encoder of a client.

    Returns:
        A function that makes texts of bytes, where these are texts; None if the client does not
        decode replies.
    """
    if not getattr(encoder, "decode_responses", False):
        return None

    def decode(record: Any) -> Any:
        if isinstance(record, list):
            return [decode(item) for item in record]
        if isinstance(record, bytes):
            try:
                return encoder.decode(record)
            except UnicodeDecodeError:  # a function may well return an image
                return record
        return record

    return decode


class Caller:
    """Sends Gears commands on the connections of a client, each of them once.

    Args:
        redis: A client of redis-py.
        timeout: How many seconds to wait for replies; None is for ever.
    """

    def __init__(self, redis: Any, timeout: Optional[float] = None) -> None:
        self.redis = redis
        self.timeout = timeout
        self.topology = topology_of(redis)

    def call(
        self,
        row: Command,
        words: Sequence[Any],
        timeout: Optional[float] = None,
        record: Optional[Record] = None,
        again: Optional[bool] = None,
        targets: Any = None,
    ) -> Any:
        """Call a command.

        Args:
            row: Its row in the table.
            words: All its words.
            timeout: How many seconds to wait for the reply, in the place of ``self.timeout``.
            record: What to do to records of results; by default, what the client does to texts.
            again: Whether it may be sent again, in the place of what the row says.
            targets: Nodes of a cluster, in the place of what the row says.

        Returns:
            What the row makes of the reply.

        Raises:
            ServerError: The server replied with an error.
        """
        try:
            if self.topology is None:  # replies come through redis-py's parsers, or none
                return row.parse(self.redis.execute_command(*words), record=record)
            call = _Call(
                self.topology,
                words,
                self.timeout if timeout is None else timeout,
                row.again if again is None else again,
            )
            replies = call.perform(row.route, targets)
            if record is None:
                record = record_decoder(self.topology.encoder)
        except redis_errors.ResponseError as error:
            typed = classify(error)
            if typed is error:
                raise
            raise typed from None  # the same text once more would tell nothing
        results = {name: row.parse(reply, record=record) for name, reply in replies.items()}
        if len(results) > 1 or (row.route in (Route.PRIMARIES, Route.ALL) and self.in_cluster):
            return row.merge(results)
        return next(iter(results.values()))

    def execute(self, *args: Any, **options: Any) -> Any:
        """Do what ``execute_command`` does, for a Gears command.

        Args:
            args: The command's words.
            options: ``timeout`` in seconds, ``target_nodes`` of a cluster; others are ignored.

        Returns:
            What the command's row makes of the reply.
        """
        name = command_name(args[0])
        return self.call(
            row_of(name),
            (name, *args[1:]),
            timeout=options.get("timeout"),
            targets=options.get("target_nodes"),
        )

    def together(
        self,
        rows: Sequence[Command],
        commands: Sequence[Sequence[Any]],
        timeout: Optional[float] = None,
        record: Optional[Record] = None,
    ) -> List[Any]:
        """Send several commands to one server in one go, once.

        Args:
            rows: Their rows in the table.
            commands: All words of each.
            timeout: How many seconds to wait for each reply, in the place of ``self.timeout``.
            record: What to do to records of results; by default, what the client does to texts.

        Returns:
            What the rows make of the replies; where a reply is an error, its exception.
        """
        if self.topology is None:
            replies = [self._attempt(words) for words in commands]
        else:
            timeout = self.timeout if timeout is None else timeout
            replies = exchange_together(self.topology.any(), commands, timeout)
            if record is None:
                record = record_decoder(self.topology.encoder)
        return [
            classify(reply) if isinstance(reply, Exception) else _parsed(row, reply, record)
            for row, reply in zip(rows, replies)
        ]

    def _attempt(self, words: Sequence[Any]) -> Any:
        try:
            return self.redis.execute_command(*words)
        except redis_errors.ResponseError as error:
            return error

    @property
    def in_cluster(self) -> bool:
        """Whether the client is one for clusters."""
        return self.topology is not None and type(self.topology) is not Topology


def _parsed(row: Command, reply: Any, record: Optional[Record]) -> Any:
    """What a row makes of a reply; also an exception that it raises."""
    try:
        return row.parse(reply, record=record)
    except redis_errors.ResponseError as error:
        return error


class _Call:
    """Sends one command where it should go."""

    def __init__(
        self, topology: Topology, words: Sequence[Any], timeout: Optional[float], again: bool
    ) -> None:
        self.topology = topology
        self.words = words
        self.timeout = timeout
        self.again = again

    def perform(self, route: Route, targets: Any = None) -> Dict[str, Any]:
        """Send the command, and collect the replies, by the names of the servers."""
        topology = self.topology
        if targets is not None:
            return self._each(topology.among(targets))
        if route is Route.PRIMARIES:
            return self._each(topology.primaries())
        if route is Route.ALL:
            return self._each(topology.all())
        if route is Route.KEY:
            return self._following(lambda: topology.for_key(self.words[2]))
        if route is Route.OWNER:
            shard_id = text(self.words[1]).rpartition("-")[0]
            link = topology.owner(shard_id)
            return self._search(topology.primaries()) if link is None else self._each([link])
        return self._following(topology.any)

    def _one(self, link: Link, asking: bool = False) -> Any:
        return exchange(link, self.words, self.timeout, self.again, asking)

    def _each(self, links: List[Link]) -> Dict[str, Any]:
        return {link.name: self._one(link) for link in links}

    def _search(self, links: List[Link]) -> Dict[str, Any]:
        """Ask one server after the other for an execution, until one has it."""
        for link in links[:-1]:
            try:
                return self._each([link])
            except redis_errors.ResponseError as error:
                if not isinstance(classify(error), ExecutionNotFoundError):
                    raise
        return self._each(links[-1:])

    def _following(self, choose: Callable[[], Link]) -> Dict[str, Any]:
        """Send the command to one server; go on where that refers to another.

        A server that refers to another one has not run the command; nor has one to which there
        is no connection.
        """
        link, asking = choose(), False
        for _ in range(ATTEMPTS):
            try:
                return {link.name: self._one(link, asking)}
            except redis_errors.RedisError as error:
                # The old cluster package has classes of its own for this.
                kind, address = type(error).__name__, cast(Any, error)
                if kind == "AskError":
                    link, asking = self.topology.at(address.host, address.port), True
                elif kind == "MovedError" or self._is_unconnected(error):
                    self.topology.refresh()
                    link, asking = choose(), False
                else:
                    raise
        return {link.name: self._one(link, asking)}

    def _is_unconnected(self, error: Exception) -> bool:
        """Whether a server of a cluster could not be reached, so that another one may be."""
        return type(error) is redis_errors.ConnectionError and type(self.topology) is not Topology
