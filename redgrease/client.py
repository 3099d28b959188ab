"""The clients: redis-py's, with Gears.

``RedisGears`` is a ``redis.Redis`` in every respect, and has the Gears commands as methods of its
attribute ``gears``.  Gears commands are sent once, and waited for (see ``redgrease.connection``),
also when they are given to ``execute_command`` or put into a pipeline.
"""

from typing import Any, Dict, List, Optional, Sequence, Type

import redis
from redis import exceptions as redis_errors
from redis.client import EMPTY_RESPONSE, Pipeline

from redgrease.calls import record_decoder
from redgrease.commands import is_gears_command
from redgrease.connection import pool_connection, read_undecoded, without_time_limit
from redgrease.exceptions import (
    GearsConnectionError,
    GearsTimeoutError,
    RedGreaseError,
    classify,
)
from redgrease.gears_client import ExecutionID, Gears, RegistrationID
from redgrease.sender import install

__all__ = [
    "ExecutionID",
    "Gears",
    "GearsPipeline",
    "Redis",
    "RedisCluster",
    "RedisGears",
    "RedisGearsCluster",
    "RedisGearsModule",
    "RedisModules",
    "RedisMods",
    "RegistrationID",
]


class RedisGearsModule:
    """What makes a client of redis-py one with Gears, to be mixed into its class."""

    _gears: Optional[Gears] = None

    @property
    def gears(self) -> Gears:
        """The Gears commands."""
        if self._gears is None:
            self._gears = Gears(self)
        return self._gears

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command: a Gears command once, others as redis-py does.

        Args:
            args: The command and its arguments.
            options: redis-py's; for Gears commands ``timeout`` in seconds, and ``target_nodes``
                of a cluster.

        Returns:
            What redis-py, or redgrease for a Gears command, makes of the reply.
        """
        if args and is_gears_command(args[0]):
            return self.gears.execute(*args, **options)
        return super().execute_command(*args, **options)  # type: ignore[misc]


RedisModules = RedisGearsModule


# -- pipelines


class _SentOnce(Exception):
    """Wraps what went wrong in a pipeline, so that redis-py does not try again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class GearsPipeline(Pipeline):
    """A pipeline that is sent once if there are Gears commands in it."""

    # While a transaction with Gears commands is under way: what has been queued.
    _queued: Optional[Sequence[Any]] = None

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command at once, as all are between WATCH and MULTI."""
        if not is_gears_command(args[0]):
            return super().immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]
        if self.connection is None:
            self.connection = pool_connection(self.connection_pool, args[0])
        return Gears(self).execute(*args, **options)

    def execute(self, raise_on_error: bool = True) -> List[Any]:
        """Send all commands, and get their replies.

        Args:
            raise_on_error: Whether to raise an error among the replies.

        Returns:
            The replies.
        """
        try:
            return list(super().execute(raise_on_error))
        except _SentOnce as once:
            raise once.error from once.error.__cause__

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read one reply; that to a Gears command with its bytes left as they are."""
        if command_name == "_" and self._queued is not None:
            return self._decoded(read_undecoded(connection), self._queued)
        if not is_gears_command(command_name):
            return super().parse_response(  # type: ignore[no-untyped-call]
                connection, command_name, **options
            )
        reply = read_undecoded(connection)
        callbacks: Any = self.response_callbacks
        parse = callbacks.get(command_name)
        if parse is None:
            return reply
        return parse(reply, record=record_decoder(self.connection_pool.get_encoder()), **options)

    def annotate_exception(self, exception: Any, number: Any, command: Any) -> None:
        """Add the number of a command to its error; not of Gears commands, which stay verbatim."""
        if not is_gears_command(command[0]):
            super().annotate_exception(  # type: ignore[no-untyped-call]
                exception, number, command
            )

    def raise_first_error(self, commands: Any, response: Any) -> None:
        """Raise the first error among the replies; of a Gears command, as the typed one."""
        self._type_errors(commands, response)
        super().raise_first_error(commands, response)  # type: ignore[no-untyped-call]

    def _decoded(self, reply: Any, queued: Sequence[Any]) -> Any:
        """Decode a reply within a transaction; in that of EXEC, leave Gears commands' alone."""
        encoder = self.connection_pool.get_encoder()
        if not encoder.decode_responses:
            return reply
        if not isinstance(reply, list) or len(reply) != len(queued):
            return _texts(reply, encoder.decode)
        for index, (args, options) in enumerate(queued):
            if not is_gears_command(args[0]) and "NEVER_DECODE" not in options:
                reply[index] = _texts(reply[index], encoder.decode)
        return reply

    def _execute_transaction(
        self, connection: Any, commands: Any, *args: Any, **kwargs: Any
    ) -> Any:
        send = super()._execute_transaction
        if not any(is_gears_command(words[0]) for words, _ in commands):
            return send(connection, commands, *args, **kwargs)
        record = record_decoder(self.connection_pool.get_encoder())
        commands = [
            (words, dict(options, record=record) if is_gears_command(words[0]) else options)
            for words, options in commands
        ]
        self._queued = [command for command in commands if EMPTY_RESPONSE not in command[1]]
        try:
            return self._once(send, connection, commands, *args, **kwargs)
        finally:
            self._queued = None

    def _execute_pipeline(self, *args: Any, **kwargs: Any) -> Any:
        return self._once(super()._execute_pipeline, *args, **kwargs)

    def _once(self, send: Any, connection: Any, commands: Any, *args: Any, **kwargs: Any) -> Any:
        names = [str(args[0]) for args, _ in commands if is_gears_command(args[0])]
        if not names:
            return send(connection, commands, *args, **kwargs)
        connection.connect()
        try:
            with without_time_limit(connection):
                replies = send(connection, commands, *args, **kwargs)
        except (redis_errors.ConnectionError, redis_errors.TimeoutError) as error:
            connection.disconnect()
            raise _SentOnce(_lost(error, names)) from error
        except redis_errors.ResponseError as error:
            # Refused when queued.  Errors of other commands are annotated, and not ours.
            if str(error).startswith("Command # "):
                raise
            raise classify(error) from None
        self._type_errors(commands, replies)
        return replies

    @staticmethod
    def _type_errors(commands: Any, replies: Any) -> None:
        for index, ((args, _), reply) in enumerate(zip(commands, replies)):
            if isinstance(reply, Exception) and is_gears_command(args[0]):
                replies[index] = classify(reply)


def _texts(value: Any, decode: Any) -> Any:
    """A reply with all bytes in it decoded."""
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, (list, tuple, set)):
        return type(value)(_texts(item, decode) for item in value)
    if isinstance(value, dict):
        return {_texts(key, decode): _texts(item, decode) for key, item in value.items()}
    return value


def _lost(error: Exception, names: List[str]) -> Exception:
    """The error for a pipeline whose fate is unknown."""
    if type(error) not in (redis_errors.ConnectionError, redis_errors.TimeoutError):
        return error  # an error reply that redis-py counts among these: NOAUTH, LOADING, …
    timed_out = isinstance(error, redis_errors.TimeoutError)
    kind = GearsTimeoutError if timed_out else GearsConnectionError
    typed = kind(
        f"{error}; the pipeline with {', '.join(names)} may have run, and has not been sent again"
    )
    typed.__cause__ = error
    return typed


def _refuse_to_queue(args: Any) -> None:
    if args and is_gears_command(args[0]):
        raise RedGreaseError(
            f"{args[0]} cannot be put into the pipeline of a cluster, which sends commands again"
            " when a connection breaks; use execute_command of the client"
        )


# -- clients


class RedisGears(RedisGearsModule, redis.Redis):
    """redis-py's client, with Gears.

    It takes the arguments of ``redis.Redis``, and can be used in its place: ``from_url``,
    ``from_pool``, pipelines, Sentinel's ``redis_class``.  With ``startup_nodes=[…]`` it is the
    client for clusters instead, a :class:`RedisGearsCluster`.

    Attributes:
        gears: The Gears commands.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("startup_nodes") is not None:
            return RedisGearsCluster(*args, **kwargs)
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("startup_nodes", None)
        super().__init__(*args, **_modern(kwargs))
        install(self)

    @classmethod
    def from_url(cls, url: str, **kwargs: Any) -> "RedisGears":
        """Make a client for a URL.

        Args:
            url: The URL, such as ``redis://localhost:6379/0``.
            kwargs: More arguments, as for redis-py.

        Returns:
            The client.
        """
        client: Any = super().from_url(url, **kwargs)
        return client  # type: ignore[no-any-return]

    def pipeline(self, transaction: Any = True, shard_hint: Any = None) -> "GearsPipeline":
        """Make a pipeline.

        Args:
            transaction: Whether the commands are executed as one.
            shard_hint: As for redis-py.

        Returns:
            The pipeline.
        """
        pipeline = super().pipeline(transaction, shard_hint)
        # Versions differ in what they give to a pipeline, so theirs is made, and then extended.
        pipeline.__class__ = GearsPipeline
        return pipeline  # type: ignore[return-value]


def _modern(kwargs: Dict[str, Any]) -> Dict[str, Any]:
    """Arguments as all versions of redis-py understand them.

    ``charset`` and ``errors`` are old names; where None stands for the default of an argument
    which has another one, it is left out.
    """
    kwargs = dict(kwargs)
    for old, new in (("charset", "encoding"), ("errors", "encoding_errors")):
        value = kwargs.pop(old, None)
        if value is not None:
            kwargs.setdefault(new, value)
    defaults = ("host", "port", "db", "encoding", "encoding_errors")
    return {
        name: value for name, value in kwargs.items() if value is not None or name not in defaults
    }


def _cluster_base() -> Any:
    """The class to build the client for clusters on; None if there is none."""
    try:
        from redis.cluster import RedisCluster as Base
    except ImportError:
        pass
    else:
        return Base
    try:
        from rediscluster import RedisCluster as OldBase
    except ImportError:
        return None
    return OldBase


_ClusterBase: Any = _cluster_base()


def _cluster_pipeline(base: Type[Any]) -> Type[Any]:
    """A class for the pipelines of a cluster that refuses what must not be sent again."""

    class GearsClusterPipeline(base):  # type: ignore[misc]
        def execute_command(self, *args: Any, **options: Any) -> Any:
            _refuse_to_queue(args)
            return super().execute_command(*args, **options)

    return GearsClusterPipeline


_PIPELINES: Dict[Type[Any], Type[Any]] = {}


def _start_nodes(kwargs: Dict[str, Any]) -> Dict[str, Any]:
    """Arguments for redis-py's own cluster client, from those of the older package as well."""
    from redis import cluster

    make_node: Any = cluster.ClusterNode
    kwargs = _modern(kwargs)
    nodes = kwargs.pop("startup_nodes", None)
    if nodes is not None:
        kwargs["startup_nodes"] = [
            make_node(node["host"], int(node["port"])) if isinstance(node, dict) else node
            for node in nodes
        ]
    if kwargs.pop("readonly_mode", False):
        strategies = getattr(cluster, "LoadBalancingStrategy", None)
        if strategies is None:  # before 5.3
            kwargs["read_from_replicas"] = True
        else:
            kwargs.setdefault("load_balancing_strategy", strategies.ROUND_ROBIN)
    skip = kwargs.pop("skip_full_coverage_check", None)
    if skip is not None:
        kwargs.setdefault("require_full_coverage", not skip)
    attempts = kwargs.pop("cluster_down_retry_attempts", None)
    if attempts is not None:
        kwargs.setdefault("cluster_error_retry_attempts", attempts)
    for dropped in ("init_slot_cache", "nodemanager_follow_cluster", "max_connections_per_node"):
        kwargs.pop(dropped, None)  # have no counterpart, and need none
    return kwargs


class _NoCluster:
    """Stands in where redis-py has no client for clusters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ModuleNotFoundError(
            "there is no client for clusters: redis-py brings one from 4.1 on, and for older"
            " versions the package redis-py-cluster",
            name="rediscluster",
        )


class RedisGearsCluster(RedisGearsModule, _ClusterBase or _NoCluster):  # type: ignore[misc]
    """redis-py's client for clusters, with Gears.

    It takes the arguments of ``redis.cluster.RedisCluster``; ``startup_nodes`` may also be a list
    of dicts with ``host`` and ``port``.

    Attributes:
        gears: The Gears commands.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _ClusterBase is not None and _ClusterBase.__module__.startswith("redis."):
            kwargs = _start_nodes(kwargs)
        super().__init__(*args, **kwargs)
        install(self)

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        """Make a pipeline, as redis-py does.  Gears commands cannot be put into it."""
        pipeline = super().pipeline(*args, **kwargs)
        base = type(pipeline)
        if base not in _PIPELINES:
            _PIPELINES[base] = _cluster_pipeline(base)
        pipeline.__class__ = _PIPELINES[base]
        return pipeline


Redis = RedisGears
RedisMods = RedisGears
RedisCluster = RedisGearsCluster
