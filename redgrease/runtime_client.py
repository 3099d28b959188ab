"""``cmd``: a client of redis-py whose commands run inside the Gears server, in the local shard.

It has the methods of ``redis.Redis``, and gives what these give with ``decode_responses=True``;
texts that are not UTF-8 are bytes.  It never opens a connection: commands go through
``redgrease.runtime.execute``, so outside a server they raise ``NotInServerError``.  There is
nothing in it that threads would have to wait for.

It needs redis-py, any version from 3.5 on, and nothing else.
"""

import functools
import sys
from typing import Any, Dict, FrozenSet, List, Optional, Tuple, Type

import redis
from redis.exceptions import ResponseError

from redgrease import runtime
from redgrease.exceptions import BlockingNotAllowedError, NotInServerError, classify

__all__ = ["RuntimeClient", "RuntimePipeline", "cmd", "get_runtime_client"]


def _words(text: str) -> FrozenSet[str]:
    return frozenset(text.split())


_BLOCKING = _words("BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF")
_OF_CONNECTIONS = _words(
    "SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR SYNC PSYNC"
    " MULTI EXEC DISCARD WATCH UNWATCH AUTH HELLO SELECT QUIT RESET READONLY READWRITE ASKING"
)


def _refuse(name: str, args: Tuple[Any, ...] = ()) -> None:
    """Raise an error for commands that make no sense inside a function."""
    name = name.upper()
    blocks = name in _BLOCKING
    if name in ("XREAD", "XREADGROUP"):
        options = [arg.upper() for arg in args]
        blocks = b"BLOCK" in options[: options.index(b"STREAMS") if b"STREAMS" in options else None]
    if blocks:
        raise BlockingNotAllowedError(
            f"{name} may wait, which is not possible inside a Gears function: it would hold up"
            " the server; use the form that does not wait"
        )
    if name in _OF_CONNECTIONS:
        raise BlockingNotAllowedError(
            f"{name} is about a connection, and there is none inside a Gears function;"
            " for several commands at once, use `with redgrease.atomic():` or cmd.pipeline()"
        )


def _gears_error() -> Type[Exception]:
    """The server's class for failed commands."""
    found: Any = getattr(sys.modules.get("redisgears"), "GearsError", None)
    return found if isinstance(found, type) else ResponseError


_ERROR_WORDS = {"NOSCRIPT": "NoScriptError", "READONLY": "ReadOnlyError", "OOM": "OutOfMemoryError"}


def _redis_error(word: str) -> Type[Exception]:
    """redis-py's class for an error that begins with a word."""
    kind: Type[Exception] = getattr(redis.exceptions, _ERROR_WORDS.get(word, ""), ResponseError)
    return kind


@functools.lru_cache(maxsize=None)
def _also_native(kind: Type[Exception], native: Any) -> Type[Exception]:
    """An exception class that is the server's as well."""
    return kind if issubclass(kind, native) else type(kind.__name__, (kind, native), {})


# What servers say of commands that they do not even try to run.
_REFUSALS = {
    "No such file or directory": "the server has no such command",
    "Invalid argument": "wrong number of arguments",
    "Operation not permitted": "not allowed here, such as for keys of another shard",
}


def _plain(reply: Any) -> Any:
    """A reply of the server as redis-py gives it: bytes in the place of bytearrays."""
    if isinstance(reply, list):
        return [_plain(item) for item in reply]
    return bytes(reply) if isinstance(reply, bytearray) else reply


def _undecoded(reply: Any) -> Any:
    """A reply of the server with bytes in the place of texts."""
    if isinstance(reply, list):
        return [_undecoded(item) for item in reply]
    return reply.encode("utf-8") if isinstance(reply, str) else reply


class _Shard:
    """The server as something that executes commands; replies are not parsed."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command.

        Args:
            args: The command and its arguments.
            options: Ignored.

        Returns:
            The reply.

        Raises:
            redis.exceptions.ResponseError: The command failed.  For a Gears command, it is also
                redgrease's own class for what went wrong.
        """
        native: Any = _gears_error()
        try:
            return _plain(runtime.execute(*args))
        except NotInServerError:
            otherwise = "on a client, RedisGears() has the same methods; "
            raise runtime.not_in_server("redgrease.cmd", otherwise) from None
        except native as error:
            text = str(error).rstrip("\r\n\0")
            if str(args[0]).upper().startswith("RG."):
                kind: Any = type(classify(text))
            else:
                kind = _redis_error(text.partition(" ")[0])
            error_class: Any = _also_native(kind, native)
            if text in _REFUSALS:
                text = f"{args[0]}: {_REFUSALS[text]} ({text})"
            # redis-py leaves out the word that says nothing.
            raise error_class(text[4:] if text.startswith("ERR ") else text) from error


class RuntimeClient(redis.Redis):
    """A client of redis-py for use in functions on a server."""

    def __init__(self) -> None:
        # Nothing connects before a command is sent, and none is.
        super().__init__(decode_responses=True, **_protocol())
        self._shard = _Shard()
        self._gears: Any = None

    def __repr__(self) -> str:
        return "<redgrease.cmd: commands in the local shard>"

    def __reduce__(self) -> Tuple[Any, ...]:
        return get_runtime_client, ()

    @property
    def gears(self) -> Any:
        """The Gears commands, as on other clients."""
        if self._gears is None:
            from redgrease.client import Gears

            self._gears = Gears(self._shard)
        return self._gears

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command in the local shard.

        Args:
            args: The command and its arguments.
            options: What redis-py's parser of the reply wants to know.

        Returns:
            The reply, parsed.

        Raises:
            NotInServerError: This is no Gears server.
            redis.exceptions.ResponseError: The command failed; the server's own class as well.
            BlockingNotAllowedError: The command could wait, or is about a connection.
        """
        name = args[0].decode() if isinstance(args[0], bytes) else str(args[0])
        words = name.split()  # redis-py has commands of two words
        # The server wants the command as a text, and values as bytes (no memoryviews either).
        encode: Any = self.connection_pool.get_encoder().encode
        values = tuple(bytes(encode(arg)) for arg in args[1:])
        _refuse(words[0], values)
        reply = self._shard.execute_command(*words, *values)
        return self._parsed(name, reply, options)

    def _parsed(self, name: str, reply: Any, options: Dict[str, Any]) -> Any:
        parse = dict.get(self.response_callbacks, name.upper())
        if parse is None:
            return _undecoded(reply) if "NEVER_DECODE" in options else reply
        settings = {key: value for key, value in options.items() if key not in _NOT_FOR_PARSERS}
        try:
            return parse(reply, **settings)
        except (TypeError, ValueError, AttributeError, LookupError):
            # The parser expects another form than servers give inside.
            return reply

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """Collect commands, to be run together.

        Args:
            transaction: Whether no other client's command may run in between.
            shard_hint: Ignored.

        Returns:
            A client whose commands are queued until ``execute()``.
        """
        return RuntimePipeline(transaction)

    def transaction(self, func: Any, *watches: Any, **kwargs: Any) -> Any:
        """Let a function read, and queue commands, and run these; nothing runs in between.

        Args:
            func: Called with a pipeline.
            watches: Keys that the function reads before it calls ``multi()``, as in redis-py.
            kwargs: ``value_from_callable``, as in redis-py.

        Returns:
            The replies; or what the function returned.
        """
        with self.pipeline() as pipeline:
            if watches:
                pipeline.watch(*watches)
            value = func(pipeline)
            replies = pipeline.execute()
        return value if kwargs.get("value_from_callable") else replies

    def client(self) -> Any:
        """Another client, with a connection of its own in redis-py; here there are none."""
        return self

    def pubsub(self, **kwargs: Any) -> Any:
        """Not possible inside a function."""
        _refuse("SUBSCRIBE")

    def monitor(self) -> Any:
        """Not possible inside a function."""
        _refuse("MONITOR")


_NOT_FOR_PARSERS = frozenset(["NEVER_DECODE", "EMPTY_RESPONSE", "keys"])


def _protocol() -> Dict[str, Any]:
    """Replies inside a server have the form of RESP2, whatever redis-py's default is."""
    return {"protocol": 2} if int(redis.__version__.partition(".")[0]) >= 5 else {}


class _Alone:
    """``atomic()``, unless this is in such a block already."""

    def __init__(self) -> None:
        self._block: Optional[Any] = None

    def __enter__(self) -> None:
        try:
            block = runtime.atomic()
            block.__enter__()
        except _gears_error():
            return
        self._block = block

    def __exit__(self, *exception: Any) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(None, None, None)


class RuntimePipeline(RuntimeClient):
    """Commands that are queued, and then run together.

    Args:
        transaction: Whether no other client's command may run in between.
    """

    def __init__(self, transaction: bool = True) -> None:
        super().__init__()
        self._transaction = transaction
        self._queue: List[Tuple[Tuple[Any, ...], Dict[str, Any]]] = []
        self._alone: Optional[_Alone] = None
        self._at_once = False

    def __len__(self) -> int:
        return len(self._queue)

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> "RuntimePipeline":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.reset()

    def __del__(self) -> None:
        if getattr(self, "_alone", None) is not None:
            self.reset()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Queue a command, and return the pipeline; after ``watch``, run it at once."""
        if self._at_once:
            return super().execute_command(*args, **options)
        self._queue.append((args, options))
        return self

    def watch(self, *names: Any) -> bool:  # type: ignore[override]
        """Let no other client's command run from now on, until ``execute`` or ``reset``.

        Commands up to ``multi()`` run at once, as in redis-py.  Since nobody can change the keys,
        there is never a ``WatchError``.

        Args:
            names: The keys, which do not matter.

        Returns:
            True.
        """
        if self._alone is None:
            self._alone = _Alone()
            self._alone.__enter__()
        self._at_once = True
        return True

    def unwatch(self) -> bool:  # type: ignore[override]
        """Undo ``watch``."""
        self._at_once = False
        alone, self._alone = self._alone, None
        if alone is not None:
            alone.__exit__()
        return True

    def multi(self) -> None:
        """Queue commands again, after ``watch``."""
        self._at_once = False

    def reset(self) -> None:  # type: ignore[override]
        """Forget the queued commands, and undo ``watch``."""
        self._queue = []
        self.unwatch()

    def execute(self, raise_on_error: bool = True) -> List[Any]:
        """Run the queued commands.

        Args:
            raise_on_error: Whether to raise the first error, after all commands have run.

        Returns:
            The replies; errors are among them.
        """
        queue, self._queue = self._queue, []
        try:
            if self._transaction and self._alone is None:
                with _Alone():
                    replies = self._run(queue)
            else:
                replies = self._run(queue)
        finally:
            self.unwatch()
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return replies

    def _run(self, queue: List[Tuple[Tuple[Any, ...], Dict[str, Any]]]) -> List[Any]:
        replies: List[Any] = []
        for args, options in queue:
            try:
                replies.append(super().execute_command(*args, **options))
            except ResponseError as error:
                replies.append(error)
        return replies


@functools.lru_cache(maxsize=None)
def get_runtime_client() -> RuntimeClient:
    """The client for use in functions; there is one."""
    return RuntimeClient()


cmd = get_runtime_client()
