"""Sends a command once, with asyncio.  See :mod:`redgrease.connection`, whose twin this is.

A call that is cancelled, or that takes too long, closes its connection: the reply that is yet to
come would otherwise be taken for that to the next command.
"""

import asyncio
import sys
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Optional, Sequence

from redis import exceptions as redis_errors

from redgrease.connection import (
    ATTEMPTS,
    WATCH_LOST,
    is_outdated,
    pool_connection,
    reply_lost,
    sending_lost,
    too_late,
)
from redgrease.exceptions import GearsConnectionError, GearsTimeoutError

if sys.version_info >= (3, 11, 3):
    from asyncio import timeout as time_limit  # type: ignore[attr-defined]
else:  # redis-py brings it
    from async_timeout import timeout as time_limit

__all__ = [
    "Link",
    "NodeLink",
    "PoolLink",
    "drop",
    "exchange",
    "exchange_together",
    "give_back",
    "read_undecoded",
    "watch_lost",
    "without_time_limit",
]


class Link:
    """A way to one server: hands out connections and takes them back."""

    name = ""

    async def acquire(self, command: str) -> Any:
        """Get a connection that is connected."""
        raise NotImplementedError

    async def release(self, connection: Any) -> None:
        """Give the connection back; not to be cancelled half-way."""
        raise NotImplementedError


class PoolLink(Link):
    """The way a plain client takes: by its pool, or on its only connection.

    Args:
        client: A ``redis.asyncio.Redis``, or a pipeline that holds a connection.
        lock: Keeps others away from the only connection, if redis-py does not.
    """

    def __init__(self, client: Any, lock: Callable[[], asyncio.Lock]) -> None:
        self.client = client
        self._make_lock = lock
        self._lock: Any = None

    async def acquire(self, command: str) -> Any:
        client = self.client
        if getattr(client, "single_connection_client", False):
            await client.initialize()
        connection = getattr(client, "connection", None)
        if connection is None:
            connection = await pool_connection(client.connection_pool, command)
            if _is_closed(connection):  # redis-py 8 does not look if it expects pushes
                try:
                    await drop(connection)
                    await connection.connect()
                except BaseException:
                    await give_back(client.connection_pool, connection)
                    raise
            return connection
        if getattr(client, "single_connection_client", False):
            lock = getattr(client, "_single_conn_lock", None) or self._make_lock()
            await lock.acquire()
            self._lock = lock
        try:
            if getattr(client, "watching", False):
                if not await _is_kept(connection):
                    await drop(connection)
                    raise await watch_lost(client)
            else:
                await _ensure(connection)
        except BaseException:
            self._unlock()
            raise
        return connection

    async def release(self, connection: Any) -> None:
        if getattr(self.client, "connection", None) is not connection:
            await give_back(self.client.connection_pool, connection)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


class NodeLink(Link):
    """The way to one node of a cluster.

    Args:
        node: A ``redis.asyncio.cluster.ClusterNode``.
    """

    def __init__(self, node: Any) -> None:
        self.node = node
        self.name = node.name

    async def acquire(self, command: str) -> Any:
        connection = self.node.acquire_connection()
        try:
            await _ensure(connection)
        except BaseException:
            await drop(connection)
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: Any) -> None:
        if is_outdated(connection):
            await drop(connection)
        release = getattr(self.node, "release", None)  # since 7.2
        if release is not None:
            release(connection)
        else:
            self.node._free.append(connection)


async def give_back(pool: Any, connection: Any) -> None:
    """Release a connection to its pool, wholly, also while the caller is being cancelled."""
    lock = getattr(pool, "_condition", None) or getattr(pool, "_lock", None)
    lock = getattr(lock, "_lock", lock)
    if lock is None or not (lock.locked() or getattr(lock, "_waiters", None)):
        await pool.release(connection)  # nothing in it to wait for
        return
    await asyncio.shield(asyncio.ensure_future(pool.release(connection)))


async def _ensure(connection: Any) -> None:
    """Connect a connection, anew if it is no longer good, or the other side has closed it."""
    if getattr(connection, "is_connected", False) and (
        is_outdated(connection) or not await _is_idle(connection)
    ):
        await drop(connection)
    await connection.connect()


async def _is_idle(connection: Any) -> bool:
    """Whether the other side has neither closed a connection, nor sent what is not expected."""
    look = getattr(connection, "can_read", None)
    if look is None:  # redis-py 4.5 to 7; what it reads does not matter
        look = connection.can_read_destructive
    try:
        return not await look()
    except (redis_errors.ConnectionError, redis_errors.TimeoutError, OSError):
        return False


async def _is_kept(connection: Any) -> bool:
    """Whether a connection is still the one that it was when it was last used."""
    transport = _transport(connection)
    if transport is None or not await _is_idle(connection):
        return False
    try:
        await connection.check_health()  # here, for it connects anew where it finds fault
    except (redis_errors.ConnectionError, redis_errors.TimeoutError):
        return False
    return _transport(connection) is transport


async def watch_lost(pipeline: Any) -> redis_errors.WatchError:
    """The error for a pipeline whose connection, and with it WATCH, is gone; resets it."""
    pipeline.watching = False  # there is nothing left to be told to the server
    await pipeline.reset()
    return redis_errors.WatchError(WATCH_LOST)


def _is_closed(connection: Any) -> bool:
    """Whether the other side has closed the connection, as far as one knows."""
    reader = getattr(connection, "_reader", None)
    return reader is not None and reader.at_eof()


def _transport(connection: Any) -> Any:
    """asyncio's side of a connection; None if it is not connected."""
    return getattr(getattr(connection, "_writer", None), "transport", None)


async def drop(connection: Any, transport: Any = None) -> None:
    """Close a connection at once, and forget what has not been sent yet.

    Args:
        connection: The connection.
        transport: What :func:`_transport` gave, if redis-py may have closed the connection since.
    """
    transport = transport or _transport(connection)
    if transport is not None:  # asyncio would send the rest even after a close
        transport.abort()
    try:
        await connection.disconnect(nowait=True)
    except TypeError:  # before redis-py 4.5
        await connection.disconnect()


@contextmanager
def without_time_limit(connection: Any) -> Iterator[None]:
    """Let a connection wait for ever for its reply."""
    parser = getattr(connection, "_parser", None)
    changed = []
    # Before redis-py 4.5 the parser, or what it reads from, had the limit as well.
    for owner, name in (
        (connection, "socket_timeout"),
        (parser, "_socket_timeout"),
        (getattr(parser, "_buffer", None), "socket_timeout"),
    ):
        before = getattr(owner, name, None)
        if before is not None:
            setattr(owner, name, None)
            changed.append((owner, name, before))
    try:
        yield
    finally:
        for owner, name, before in changed:
            setattr(owner, name, before)


async def read_undecoded(connection: Any) -> Any:
    """Read one reply, with texts left as bytes whatever the connection's settings are."""
    reader = getattr(getattr(connection, "_parser", None), "_reader", None)
    if reader is None or not connection.encoder.decode_responses:
        return await connection.read_response(disable_decoding=True)
    reader.set_encoding(None)  # before redis-py 4.4, hiredis is not told each time
    try:
        return await connection.read_response(disable_decoding=True)
    finally:
        encoder = connection.encoder
        reader.set_encoding(encoder.encoding, encoder.encoding_errors)


async def _write(connection: Any, packed: Any) -> None:
    """Give the bytes away, without redis-py, which closes a connection if this is stopped.

    asyncio goes on sending after that, so one could neither tell what arrives, nor prevent it.
    """
    writer = connection._writer
    if writer is None or writer.is_closing():  # Python 3.12 and 3.13 fail oddly then
        raise redis_errors.ConnectionError("the connection was closed")
    try:
        for data in packed:  # after writelines, some releases of Python 3.12 do not wait
            writer.write(data)
        await writer.drain()
    except OSError as error:
        raise redis_errors.ConnectionError(f"{error} while writing to socket") from error


def _is_sent(connection: Any) -> bool:
    """Whether all that was written may have left, so that the server may have got it."""
    size = getattr(_transport(connection), "get_write_buffer_size", None)
    return size is None or size() == 0


async def _send(connection: Any, packed: Any, command: str, asking: bool = False) -> None:
    """Send what is packed.

    redis-py limits the time with ``asyncio.wait_for``, which loses a cancellation that comes when
    all is sent, before Python 3.12.  So this sets the limit.

    Raises:
        redis.exceptions.ConnectionError, redis.exceptions.TimeoutError: The server has not got all
            of it, and will not, so it did not run.
        GearsTimeoutError: The time was up just when all had left.
    """
    written = False
    try:
        await connection.check_health()
        limit = connection.socket_timeout
        with without_time_limit(connection):
            async with time_limit(limit):
                if asking:
                    await connection.send_command("ASKING", check_health=False)
                    await connection.read_response()
                written = True
                await _write(connection, packed)
    except asyncio.TimeoutError as error:
        is_sent = written and _is_sent(connection)
        await drop(connection)
        if is_sent:
            raise too_late(command, limit) from error
        raise redis_errors.TimeoutError("Timeout writing to socket") from error
    except BaseException:
        await drop(connection)
        raise


async def _receive(connection: Any, command: str, timeout: Optional[float]) -> Any:
    """Wait for the reply; from here on, nobody knows whether the command has run."""
    transport = _transport(connection)
    try:
        with without_time_limit(connection):
            async with time_limit(timeout):
                return await read_undecoded(connection)
    except (redis_errors.TimeoutError, asyncio.TimeoutError) as error:
        await drop(connection, transport)
        raise too_late(command, timeout) from error
    except redis_errors.ConnectionError as error:
        await drop(connection, transport)
        if type(error) is not redis_errors.ConnectionError:
            raise  # an error reply that redis-py counts among these: NOAUTH, LOADING, …
        raise reply_lost(command, error) from error
    except redis_errors.ResponseError:
        raise
    except BaseException:  # a cancellation: the reply is yet to come, so do not use it again
        await drop(connection, transport)
        raise


async def exchange(
    link: Link,
    words: Sequence[Any],
    timeout: Optional[float] = None,
    again: bool = False,
    asking: bool = False,
) -> Any:
    """Send a command, and wait for its reply; see :func:`redgrease.connection.exchange`."""
    command = str(words[0])
    sends = lost = 0
    while True:
        connection = await link.acquire(command)
        try:
            try:
                sends += 1
                await _send(connection, connection.pack_command(*words), command, asking)
            except GearsTimeoutError:
                raise
            except (redis_errors.ConnectionError, redis_errors.TimeoutError):
                if sends >= ATTEMPTS:
                    raise
                continue
            try:
                return await _receive(connection, command, timeout)
            except GearsConnectionError:
                lost += 1
                if not again or lost >= ATTEMPTS:
                    raise
        finally:
            await link.release(connection)


async def exchange_together(
    link: Link, commands: Sequence[Sequence[Any]], timeout: Optional[float] = None
) -> List[Any]:
    """Send several commands in one go; see :func:`redgrease.connection.exchange_together`."""
    first = str(commands[0][0])
    connection = await link.acquire(first)
    try:
        try:
            await _send(connection, connection.pack_commands(commands), first)
        except GearsTimeoutError:
            raise
        except (redis_errors.ConnectionError, redis_errors.TimeoutError) as error:
            raise sending_lost(error) from error
        replies: List[Any] = []
        for words in commands:
            try:
                replies.append(await _receive(connection, str(words[0]), timeout))
            except redis_errors.ResponseError as error:
                replies.append(error)
        return replies
    finally:
        await link.release(connection)
