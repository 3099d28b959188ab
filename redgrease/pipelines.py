"""Pipelines with Gears commands: sent once, replies undecoded, errors typed."""

from typing import Any, List, Optional, Sequence

from redis import exceptions as redis_errors
from redis.client import EMPTY_RESPONSE, Pipeline

from redgrease.calls import record_decoder
from redgrease.commands import command_name, is_gears_command, separate_words
from redgrease.connection import (
    is_connected,
    pool_connection,
    read_undecoded,
    timed_out,
    watch_lost,
    without_time_limit,
)
from redgrease.exceptions import GearsConnectionError, GearsTimeoutError, classify
from redgrease.gears_client import Gears
from redgrease.results import unwrapped

__all__ = ["GearsPipeline", "PipelineReplies", "SentOnce", "lost", "refused"]


class SentOnce(Exception):
    """Wraps what went wrong in a pipeline, so that redis-py does not try again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class PipelineReplies:
    """What pipelines with Gears commands make of replies; the same with and without asyncio."""

    # While a transaction with Gears commands is under way: what has been queued.
    _queued: Optional[Sequence[Any]] = None
    response_callbacks: Any
    connection_pool: Any

    def pipeline_execute_command(self, *args: Any, **options: Any) -> Any:
        """Queue a command."""
        if is_gears_command(args[0]):
            name, *words = separate_words(args)
            args = (command_name(name), *words)
        return super().pipeline_execute_command(*args, **options)  # type: ignore[misc]

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Queue a command, or send it at once after WATCH, as redis-py does."""
        return super().execute_command(*unwrapped(args), **options)  # type: ignore[misc]

    def _parsed(self, reply: Any, command_name: Any, **options: Any) -> Any:
        """The value of the reply to a Gears command."""
        parse = self.response_callbacks.get(command_name)
        if parse is None:
            return reply
        return parse(reply, record=record_decoder(self.connection_pool.get_encoder()), **options)

    def _begin_transaction(self, commands: Any) -> Any:
        """The commands as they are to be sent; notes them for :meth:`_decoded`."""
        record = record_decoder(self.connection_pool.get_encoder())
        commands = [
            (words, dict(options, record=record) if is_gears_command(words[0]) else options)
            for words, options in commands
        ]
        self._queued = [command for command in commands if EMPTY_RESPONSE not in command[1]]
        return commands

    def annotate_exception(self, exception: Any, number: Any, command: Any) -> None:
        """Add the number of a command to its error; not of Gears commands, which stay verbatim."""
        if not is_gears_command(command[0]):
            super().annotate_exception(exception, number, command)  # type: ignore[misc]

    def raise_first_error(self, commands: Any, response: Any) -> None:
        """Raise the first error among the replies; of a Gears command, as the typed one."""
        self._type_errors(commands, response)
        super().raise_first_error(commands, response)  # type: ignore[misc]

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

    @staticmethod
    def _type_errors(commands: Any, replies: Any) -> None:
        for index, ((args, _), reply) in enumerate(zip(commands, replies)):
            if isinstance(reply, Exception) and is_gears_command(args[0]):
                replies[index] = classify(reply)


class GearsPipeline(PipelineReplies, Pipeline):
    """A pipeline that is sent once if there are Gears commands in it."""

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command at once, as all are between WATCH and MULTI."""
        if not is_gears_command(args[0]):
            self._check_watch()
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
        self._check_watch()
        try:
            return list(super().execute(raise_on_error))
        except SentOnce as once:
            raise once.error from once.error.__cause__

    def _check_watch(self) -> None:
        """See that a call that failed has not ended WATCH; redis-py would just connect again."""
        if self.watching and self.connection and not is_connected(self.connection):
            raise watch_lost(self)

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read one reply; that to a Gears command with its bytes left as they are."""
        if command_name == "_" and self._queued is not None:
            return self._decoded(read_undecoded(connection), self._queued)
        if not is_gears_command(command_name):
            return super().parse_response(  # type: ignore[no-untyped-call]
                connection, command_name, **options
            )
        return self._parsed(read_undecoded(connection), command_name, **options)

    def _execute_transaction(
        self, connection: Any, commands: Any, *args: Any, **kwargs: Any
    ) -> Any:
        send = super()._execute_transaction
        if not any(is_gears_command(words[0]) for words, _ in commands):
            return send(connection, commands, *args, **kwargs)
        commands = self._begin_transaction(commands)
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
            raise SentOnce(lost(error, names)) from error
        except redis_errors.ResponseError as error:
            raise refused(error) from None
        self._type_errors(commands, replies)
        return replies


def _texts(value: Any, decode: Any) -> Any:
    """A reply with all bytes in it decoded."""
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, (list, tuple, set)):
        return type(value)(_texts(item, decode) for item in value)
    if isinstance(value, dict):
        return {_texts(key, decode): _texts(item, decode) for key, item in value.items()}
    return value


def lost(error: Exception, names: List[str]) -> Exception:
    """The error for a pipeline whose fate is unknown."""
    if type(error) not in (redis_errors.ConnectionError, redis_errors.TimeoutError):
        return error  # an error reply that redis-py counts among these: NOAUTH, LOADING, …
    kind = GearsTimeoutError if timed_out(error) else GearsConnectionError
    typed = kind(
        f"{error}; the pipeline with {', '.join(names)} may have run, and has not been sent again"
    )
    typed.__cause__ = error
    return typed


def refused(error: Exception) -> Exception:
    """The error for a command that was refused when it was queued."""
    # Errors of other commands are annotated, and not ours.
    if str(error).startswith("Command # "):
        return error
    typed: Exception = classify(error)
    return typed
