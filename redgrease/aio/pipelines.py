"""Pipelines with Gears commands, with asyncio; see :mod:`redgrease.pipelines`."""

from typing import Any, List

from redis import exceptions as redis_errors
from redis.asyncio.client import Pipeline

from redgrease.aio.connection import drop, read_undecoded, watch_lost, without_time_limit
from redgrease.aio.gears import Gears
from redgrease.commands import is_gears_command
from redgrease.connection import pool_connection
from redgrease.pipelines import PipelineReplies, SentOnce, lost, refused

__all__ = ["GearsPipeline"]


class GearsPipeline(PipelineReplies, Pipeline):  # type: ignore[misc]
    """A pipeline that is sent once if there are Gears commands in it."""

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command at once, as all are between WATCH and MULTI."""
        if not is_gears_command(args[0]):
            await self._check_watch()
            return await super().immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]
        if self.connection is None:
            self.connection = await pool_connection(self.connection_pool, args[0])
        return await Gears(self).execute(*args, **options)

    async def execute(self, raise_on_error: bool = True) -> List[Any]:
        """Send all commands, and get their replies.

        Args:
            raise_on_error: Whether to raise an error among the replies.

        Returns:
            The replies.
        """
        await self._check_watch()
        try:
            return list(await super().execute(raise_on_error))
        except SentOnce as once:
            raise once.error from once.error.__cause__

    async def _check_watch(self) -> None:
        """See that a call that failed has not ended WATCH; redis-py would just connect again."""
        if self.watching and self.connection and not self.connection.is_connected:
            raise await watch_lost(self)

    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read one reply; that to a Gears command with its bytes left as they are."""
        is_exec = command_name == "_" and self._queued is not None
        if not is_exec and not is_gears_command(command_name):
            return await super().parse_response(connection, command_name, **options)
        reply = await read_undecoded(connection)
        if is_exec:
            return self._decoded(reply, self._queued or ())
        return self._parsed(reply, command_name, **options)

    async def _execute_transaction(
        self, connection: Any, commands: Any, *args: Any, **kwargs: Any
    ) -> Any:
        send = super()._execute_transaction
        if not any(is_gears_command(words[0]) for words, _ in commands):
            return await send(connection, commands, *args, **kwargs)
        commands = self._begin_transaction(commands)
        try:
            return await self._once(send, connection, commands, *args, **kwargs)
        finally:
            self._queued = None

    async def _execute_pipeline(self, *args: Any, **kwargs: Any) -> Any:
        return await self._once(super()._execute_pipeline, *args, **kwargs)

    async def _once(
        self, send: Any, connection: Any, commands: Any, *args: Any, **kwargs: Any
    ) -> Any:
        names = [str(words[0]) for words, _ in commands if is_gears_command(words[0])]
        if not names:
            return await send(connection, commands, *args, **kwargs)
        await connection.connect()
        try:
            with without_time_limit(connection):
                replies = await send(connection, commands, *args, **kwargs)
        except (redis_errors.ConnectionError, redis_errors.TimeoutError) as error:
            await drop(connection)
            raise SentOnce(lost(error, names)) from error
        except redis_errors.ResponseError as error:
            raise refused(error) from None
        except redis_errors.RedisError:
            raise
        except BaseException:  # a cancellation: there are replies yet to come
            await drop(connection)
            raise
        self._type_errors(commands, replies)
        return replies
