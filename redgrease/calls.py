"""One call of a Gears command: from its words to its reply, on the servers that it concerns."""

from typing import Any, Callable, Dict, List, Optional, Sequence, cast

from redis import exceptions as redis_errors

from redgrease.asking import Asks, Waiting, asking
from redgrease.commands import Command, Route, command_name, row_of, separate_words
from redgrease.connection import ATTEMPTS, Link, unreached
from redgrease.convert import text
from redgrease.exceptions import (
    ExecutionNotFoundError,
    NodeDownError,
    RegistrationNotFoundError,
    classify,
)
from redgrease.merging import first
from redgrease.topology import Cluster, Topology, topology_of

__all__ = ["Caller", "record_decoder"]

Record = Callable[[Any], Any]

# The error of redis-py's clients for clusters; those of redis-py 3 have others.
_NoTargets: Any = getattr(redis_errors, "RedisClusterException", redis_errors.RedisError)

# Where several servers are asked, so that the replies have to be put together.
_SEVERAL = (Route.PRIMARIES, Route.ALL)


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


def _encoded(words: Sequence[Any]) -> List[Any]:
    """The words with texts in UTF-8, which servers know, whatever encoding the client has.

    The client's own is for what belongs to the user: the keys and arguments of triggers.
    """
    end = 2 if words[0] in ("RG.TRIGGER", "RG.TRIGGERONKEY") else len(words)
    return [
        word.encode("utf-8") if type(word) is str and 0 < number < end else word
        for number, word in enumerate(words)
    ]


class Caller(Waiting):
    """Sends Gears commands on the connections of a client, each of them once.

    Args:
        redis: A client of redis-py.
        timeout: How many seconds to wait for replies; None is for ever.
    """

    def __init__(self, redis: Any, timeout: Optional[float] = None) -> None:
        self.redis = redis
        self.timeout = timeout
        self.topology = self._find_topology(redis)

    def _find_topology(self, redis: Any) -> Optional[Topology]:
        return topology_of(redis)

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
        topology = self.topology
        if type(topology) is not Topology:
            return self._ask(row, words, timeout, record, again, targets)
        # One server, and a client that waits: there is nothing to choose.
        timeout = self.timeout if timeout is None else timeout
        again = row.again if again is None else again
        try:
            reply = topology.exchange(topology.any(), _encoded(words), timeout, again)
        except redis_errors.ResponseError as error:
            typed = classify(error)
            if typed is error:
                raise
            raise typed from None  # the same text once more would tell nothing
        return row.parse(reply, record=record or record_decoder(topology.encoder))

    @asking
    def _ask(
        self,
        row: Command,
        words: Sequence[Any],
        timeout: Optional[float],
        record: Optional[Record],
        again: Optional[bool],
        targets: Any,
    ) -> Asks[Any]:
        try:
            if self.topology is None:  # replies come through redis-py's parsers, or none
                reply = yield self.redis.execute_command(*words)
                return row.parse(reply, record=record)
            call = _Call(
                self.topology,
                _encoded(words),
                self.timeout if timeout is None else timeout,
                row.again if again is None else again,
            )
            replies = yield from call.perform(row.route, targets)
            if record is None:
                record = record_decoder(self.topology.encoder)
        except redis_errors.ResponseError as error:
            typed = classify(error)
            if typed is error:
                raise
            raise typed from None
        results = {name: row.parse(reply, record=record) for name, reply in replies.items()}
        if len(results) == 1 and not (row.route in _SEVERAL and self.in_cluster):
            return next(iter(results.values()))
        # Whoever names several servers wants to know what each of them says.
        return results if targets is not None and row.merge is first else row.merge(results)

    def execute(self, *args: Any, **options: Any) -> Any:
        """Do what ``execute_command`` does, for a Gears command.

        Args:
            args: The command's words.
            options: ``timeout`` in seconds, ``target_nodes`` of a cluster; others are ignored.

        Returns:
            What the command's row makes of the reply.
        """
        words = separate_words(args)
        name = command_name(words[0])
        return self.call(
            row_of(name),
            (name, *words[1:]),
            timeout=options.get("timeout"),
            targets=options.get("target_nodes"),
        )

    @asking
    def together(
        self,
        rows: Sequence[Command],
        commands: Sequence[Sequence[Any]],
        timeout: Optional[float] = None,
        record: Optional[Record] = None,
    ) -> Asks[List[Any]]:
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
            replies = []
            for words in commands:
                reply = yield self._attempt(words)
                replies.append(reply)
        else:
            timeout = self.timeout if timeout is None else timeout
            link = yield self.topology.any()
            encoded = [_encoded(words) for words in commands]
            replies = yield self.topology.exchange_together(link, encoded, timeout)
            if record is None:
                record = record_decoder(self.topology.encoder)
        return [
            classify(reply) if isinstance(reply, Exception) else _parsed(row, reply, record)
            for row, reply in zip(rows, replies)
        ]

    @asking
    def _attempt(self, words: Sequence[Any]) -> Asks[Any]:
        try:
            reply = yield self.redis.execute_command(*words)
        except redis_errors.ResponseError as error:
            return error
        return reply

    @property
    def in_cluster(self) -> bool:
        """Whether the client is one for clusters."""
        return isinstance(self.topology, Cluster)


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

    def perform(self, route: Route, targets: Any = None) -> Asks[Dict[str, Any]]:
        """Send the command, and collect the replies, by the names of the servers."""
        topology = self.topology
        if targets is not None:
            replies = yield from self._each(lambda: topology.among(targets))
            if not replies:
                raise _NoTargets(f"No targets were found to execute {self.words[0]} command on")
        elif route is Route.PRIMARIES:
            replies = yield from self._each(topology.primaries)
        elif route is Route.ALL:
            replies = yield from self._each(topology.all)
        elif route is Route.SPREAD and (yield topology.alone()):
            replies = yield from self._each(topology.primaries, RegistrationNotFoundError)
        elif route is Route.KEY:
            replies = yield from self._following(lambda: topology.for_key(self.words[2]))
        elif route is Route.OWNER:
            shard_id = text(self.words[1]).rpartition("-")[0]
            link = yield topology.owner(shard_id)
            if link is None:
                replies = yield from self._search()
            else:
                replies = yield from self._each(lambda: topology.renewed(link))
        else:
            replies = yield from self._following(None)
        return replies

    def _one(self, link: Link, asking: bool = False) -> Any:
        return self.topology.exchange(link, self.words, self.timeout, self.again, asking)

    def _each(self, choose: Callable[[], Any], lacking: Any = ()) -> Asks[Dict[str, Any]]:
        """Send the command to several servers.

        Args:
            choose: Gives the ways to them.
            lacking: Errors that only count if all servers reply with one.
        """
        replies: Dict[str, Any] = {}
        lacks: Dict[str, Exception] = {}
        for is_last in (False, True):
            down: Dict[str, Exception] = {}
            for link in (yield choose()):
                if link.name in replies or link.name in lacks:
                    continue
                try:
                    replies[link.name] = yield self._one(link)
                except redis_errors.RedisError as error:
                    if isinstance(classify(error), lacking):
                        lacks[link.name] = error
                    elif self._is_unconnected(error):
                        down[link.name] = error
                    else:
                        raise
            if not down:
                break
            if is_last:
                raise self._down(down, replies)
            yield self.topology.look_again()  # another server may have taken its place
        if not replies and lacks:
            raise next(iter(lacks.values()))
        return replies

    def _search(self) -> Asks[Dict[str, Any]]:
        """Ask one server after the other for an execution, until one has it."""
        down: Dict[str, Exception] = {}
        missing: Any = None
        for link in (yield self.topology.primaries()):
            try:
                reply = yield self._one(link)
                return {link.name: reply}
            except redis_errors.RedisError as error:
                if self._is_unconnected(error):
                    down[link.name] = error
                elif isinstance(classify(error), ExecutionNotFoundError):
                    missing = error
                else:
                    raise
        raise self._down(down, ()) if down else missing

    def _following(self, choose: Optional[Callable[[], Any]]) -> Asks[Dict[str, Any]]:
        """Send the command to one server; go on where that refers to another.

        A server that refers to another one has not run the command; nor has one to which there
        is no connection.

        Args:
            choose: Gives the way to it; None for any.
        """
        topology, down = self.topology, cast(Dict[str, Exception], {})
        link, asking, attempt = (yield (choose or topology.any)()), False, 0
        while True:
            attempt += 1
            try:
                reply = yield self._one(link, asking)
                return {link.name: reply}
            except redis_errors.RedisError as error:
                # The old cluster package has classes of its own for this.
                kind, address = type(error).__name__, cast(Any, error)
                unconnected = self._is_unconnected(error)
                if unconnected:
                    down[link.name] = error
                if attempt > ATTEMPTS:
                    raise self._down(down, ()) if unconnected else error
                if kind == "AskError":
                    link, asking = (yield topology.at(address.host, address.port)), True
                    continue
                if kind != "MovedError" and not unconnected:
                    raise
                yield self.topology.look_again()
                link, asking = (yield (choose or topology.any)()), False
                if choose is None and link.name in down:
                    links = yield topology.primaries()
                    link = next((each for each in links if each.name not in down), link)

    def _is_unconnected(self, error: Exception) -> bool:
        """Whether a server of a cluster could not be reached, so that another one may be."""
        return isinstance(self.topology, Cluster) and unreached(error)

    def _down(self, down: Dict[str, Exception], done: Any) -> NodeDownError:
        """The error for servers that could not be reached."""
        command = str(self.words[0])
        what = ", ".join(f"{name} ({error})" for name, error in down.items())
        told = f"it was sent to {', '.join(done)} only" if done else "it was not sent"
        return NodeDownError(
            f"{command} needs servers of the cluster that cannot be reached: {what}; {told}",
            tuple(down),
        )
