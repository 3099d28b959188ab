"""Sends a command once.

redis-py waits five seconds for a reply (8.0 and later), and sends a command again, up to ten
times, when none came or when the connection broke.  That is fine for ``GET``; a function that
takes eight seconds, though, ran eleven times that way.  Here a command is sent one time, and then
waited for.  Only what certainly has not reached the server whole is sent again.

All of redis-py from 3.5 on is used through the few calls that every version has; what differs
between versions is found out by looking at the objects, since pools and connections may come
from other packages.
"""

import inspect
import socket
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type

from redis import exceptions as redis_errors

from redgrease.exceptions import GearsConnectionError, GearsTimeoutError

__all__ = [
    "Link",
    "PoolLink",
    "exchange",
    "exchange_together",
    "is_connected",
    "is_outdated",
    "read_undecoded",
    "reply_lost",
    "sending_lost",
    "timed_out",
    "too_late",
    "unreached",
    "watch_lost",
    "without_time_limit",
]

# How often a command that may be sent again is sent at most.
ATTEMPTS = 3


class Link:
    """A way to one server: hands out connections and takes them back."""

    name = ""

    def acquire(self, command: str) -> Any:
        """Get a connection that is connected."""
        raise NotImplementedError

    def release(self, connection: Any) -> None:
        """Give the connection back."""
        raise NotImplementedError

    def locked(self) -> Any:
        """A context in which nobody else uses the connection."""
        return _UNLOCKED


class _Unlocked:
    """A context in which nothing is different."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


_UNLOCKED = _Unlocked()


class PoolLink(Link):
    """The way a plain client takes: by its pool, or on its only connection.

    Args:
        client: A ``redis.Redis``, or a pipeline that holds a connection.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def acquire(self, command: str) -> Any:
        connection = getattr(self.client, "connection", None)
        if connection is None:
            return pool_connection(self.client.connection_pool, command)
        if getattr(self.client, "watching", False):
            if not _is_kept(connection):
                connection.disconnect()
                raise watch_lost(self.client)
            return connection
        # Nobody has looked after this one since its last use.
        if _is_closed(connection):
            connection.disconnect()
        connection.connect()
        return connection

    def release(self, connection: Any) -> None:
        if getattr(self.client, "connection", None) is None:
            self.client.connection_pool.release(connection)

    def locked(self) -> Any:
        lock = getattr(self.client, "single_connection_lock", None)
        if lock is None or getattr(self.client, "connection", None) is None:
            return _UNLOCKED
        return lock


# -- differences between the versions of redis-py

_TAKES: Dict[Tuple[Type[Any], str, str], bool] = {}


def _takes(function: Callable[..., Any], owner: Any, name: str, required: bool = False) -> bool:
    """Whether a method has a parameter of that name (and no default for it)."""
    key = (type(owner), function.__name__, name)
    if key not in _TAKES:
        try:
            parameter = inspect.signature(function).parameters.get(name)
        except (TypeError, ValueError):  # not written in Python
            parameter = None
        _TAKES[key] = parameter is not None and not (
            required and parameter.default is not inspect.Parameter.empty
        )
    return _TAKES[key]


def pool_connection(pool: Any, command: str) -> Any:
    """Get a connection from a pool.  Newer ones no longer want to know for which command."""
    if _takes(pool.get_connection, pool, "command_name", required=True):
        return pool.get_connection(command)
    return pool.get_connection()


def _socket(connection: Any) -> Optional[socket.socket]:
    """The socket of a connection, also of one that another (for caching) is wrapped around."""
    connection = getattr(connection, "_conn", connection)
    return getattr(connection, "_sock", None)


def _is_closed(connection: Any) -> bool:
    """Whether the other side has closed the connection, as far as one can tell without sending."""
    sock = _socket(connection)
    if sock is None:
        return False
    try:
        with without_time_limit(connection, 0):  # no time at all: do not wait
            return sock.recv(1, socket.MSG_PEEK) == b""
    except (BlockingIOError, ValueError):  # nothing to read; TLS cannot peek
        return False
    except OSError:
        return True


def is_connected(connection: Any) -> bool:
    """Whether a connection has a socket, which the other side may have closed."""
    return _socket(connection) is not None


def is_outdated(connection: Any) -> bool:
    """Whether redis-py wants it made anew, such as after changes in the cluster."""
    return hasattr(connection, "should_reconnect") and connection.should_reconnect()


def _is_kept(connection: Any) -> bool:
    """Whether a connection is still the one that it was when it was last used."""
    sock = _socket(connection)
    if sock is None or _is_closed(connection):
        return False
    try:
        connection.check_health()  # here, for it connects anew where it finds fault
    except (redis_errors.ConnectionError, redis_errors.TimeoutError):
        return False
    return _socket(connection) is sock


WATCH_LOST = "the connection broke while keys were watched, so they may have been changed"


def watch_lost(pipeline: Any) -> redis_errors.WatchError:
    """The error for a pipeline whose connection, and with it WATCH, is gone; resets it."""
    pipeline.watching = False  # there is nothing left to be told to the server
    pipeline.reset()
    return redis_errors.WatchError(WATCH_LOST)


class without_time_limit:
    """Lets a connection wait for its reply, for ever or for a time of the caller's choice.

    A context manager.

    Args:
        connection: A connection that is connected.
        timeout: Seconds; None to wait for ever.
    """

    __slots__ = ("_before", "_socket", "_timeout")

    def __init__(self, connection: Any, timeout: Optional[float] = None) -> None:
        self._socket, self._timeout = _socket(connection), timeout

    def __enter__(self) -> None:
        if self._socket is not None:
            self._before = self._socket.gettimeout()
            if self._before != self._timeout:
                self._socket.settimeout(self._timeout)

    def __exit__(self, *_: object) -> None:
        if self._socket is not None and self._before != self._timeout:
            try:
                self._socket.settimeout(self._before)
            except OSError:  # closed meanwhile
                pass


def read_undecoded(connection: Any) -> Any:
    """Read one reply, with texts left as bytes whatever the connection's settings are."""
    if _takes(connection.read_response, connection, "disable_decoding"):
        return connection.read_response(disable_decoding=True)
    encoder = getattr(getattr(connection, "_parser", None), "encoder", None)
    reader = getattr(getattr(connection, "_parser", None), "_reader", None)
    if not getattr(connection.encoder, "decode_responses", False):
        return connection.read_response()
    # redis-py 3: the parser in Python asks the encoder each time, hiredis was told once.
    encoder = encoder or connection.encoder
    encoder.decode_responses = False
    if reader is not None:
        reader.set_encoding(None)
    try:
        return connection.read_response()
    finally:
        encoder.decode_responses = True
        if reader is not None:
            reader.set_encoding(encoder.encoding, encoder.encoding_errors)


# -- sending


def _send(connection: Any, words: Sequence[Any], asking: bool) -> None:
    """Send the command.  When this fails, the server has not got all of it, so it did not run."""
    try:
        if asking:
            connection.send_command("ASKING")
            connection.read_response()
        connection.send_command(*words)
    except (redis_errors.ConnectionError, redis_errors.TimeoutError):
        connection.disconnect()
        raise


# How embedded servers say that their Redis is gone.  Errors of functions begin otherwise.
_NO_REDIS = "Redis cannot be reached"


def unreached(error: BaseException) -> bool:
    """Whether an error says that there was no connection, so that nothing was sent.

    An embedded server may be there while its Redis is not.  It says so in the place of any reply,
    before it reads what it is sent.
    """
    kinds = (redis_errors.ConnectionError, redis_errors.TimeoutError)
    return type(error) in kinds or str(error).startswith(_NO_REDIS)


def timed_out(error: BaseException) -> bool:
    """Whether an error of redis-py says that the time was up."""
    if isinstance(error, redis_errors.TimeoutError):
        return True
    # Before Python 3.10, redis-py 6 takes Python's error for its own, when hiredis is there, and
    # makes a lost connection of it.  One of the operating system has a number.
    cause = error.__context__
    if isinstance(cause, BlockingIOError):  # there is no time at all to wait
        return True
    return type(cause) is TimeoutError and cause.errno is None


def too_late(command: str, timeout: Optional[float]) -> GearsTimeoutError:
    """The error for a command whose reply has not come in time."""
    return GearsTimeoutError(
        f"no reply to {command} within {timeout} s; it may still be running on the server,"
        " and has not been sent again"
    )


def reply_lost(command: str, error: Exception) -> GearsConnectionError:
    """The error for a command whose reply cannot come any more."""
    return GearsConnectionError(
        f"the connection was lost while waiting for the reply to {command}: {error}; it may"
        " have run, or be running, and has not been sent again"
    )


def sending_lost(error: Exception) -> GearsConnectionError:
    """The error for several commands of which not all could be sent."""
    return GearsConnectionError(
        f"the connection was lost while sending: {error}; some of the commands may"
        " have reached the server, and were not sent again"
    )


def _receive(connection: Any, command: str, timeout: Optional[float]) -> Any:
    """Wait for the reply; from here on, nobody knows whether the command has run."""
    try:
        with without_time_limit(connection, timeout):
            return read_undecoded(connection)
    except (redis_errors.TimeoutError, redis_errors.ConnectionError) as error:
        connection.disconnect()
        if timed_out(error):
            raise too_late(command, timeout) from error
        if type(error) is not redis_errors.ConnectionError:
            raise  # an error reply that redis-py counts among these: NOAUTH, LOADING, …
        raise reply_lost(command, error) from error
    except redis_errors.ResponseError:
        raise
    except BaseException:  # a stop by the user: the reply is yet to come, so do not use it again
        connection.disconnect()
        raise


def exchange(
    link: Link,
    words: Sequence[Any],
    timeout: Optional[float] = None,
    again: bool = False,
    asking: bool = False,
) -> Any:
    """Send a command, and wait for its reply.

    Args:
        link: The way to the server.
        words: The command and its arguments.
        timeout: How many seconds to wait for the reply; None is for ever.
        again: Whether the command may be sent again when the connection broke meanwhile.
        asking: Whether to tell a cluster node first that it was named by another node.

    Returns:
        The reply, texts as bytes.

    Raises:
        redis.exceptions.ResponseError: The server replied with an error.
        redis.exceptions.ConnectionError: There is no connection; nothing was sent.
        GearsConnectionError: The connection broke while waiting for the reply.
        GearsTimeoutError: No reply came in time.
    """
    command = str(words[0])
    sends = lost = 0
    while True:
        with link.locked():
            connection = link.acquire(command)
            try:
                try:
                    sends += 1
                    _send(connection, words, asking)
                except (redis_errors.ConnectionError, redis_errors.TimeoutError):
                    if sends >= ATTEMPTS:
                        raise
                    continue
                try:
                    return _receive(connection, command, timeout)
                except GearsConnectionError:
                    lost += 1
                    if not again or lost >= ATTEMPTS:
                        raise
            finally:
                if is_outdated(connection):
                    connection.disconnect()
                link.release(connection)


def exchange_together(
    link: Link, commands: Sequence[Sequence[Any]], timeout: Optional[float] = None
) -> List[Any]:
    """Send several commands in one go, once, and wait for all replies.

    Args:
        link: The way to the server.
        commands: The commands and their arguments.
        timeout: How many seconds to wait for each reply; None is for ever.

    Returns:
        The replies, errors among them, texts as bytes.

    Raises:
        GearsConnectionError: The connection broke; nobody knows what has been done.
        GearsTimeoutError: No reply came in time.
    """
    with link.locked():
        connection = link.acquire(str(commands[0][0]))
        try:
            try:
                connection.send_packed_command(connection.pack_commands(commands))
            except (redis_errors.ConnectionError, redis_errors.TimeoutError) as error:
                connection.disconnect()
                raise sending_lost(error) from error
            replies: List[Any] = []
            for words in commands:
                try:
                    replies.append(_receive(connection, str(words[0]), timeout))
                except redis_errors.ResponseError as error:
                    replies.append(error)
            return replies
        finally:
            link.release(connection)
