"""The module ``redisgears`` and the names that every script finds among its globals.

The functions are bound to an engine, so the module is made for each engine; it stands in
``sys.modules`` while the worker runs, for scripts and libraries that import it.
"""

from __future__ import annotations

import asyncio
import copy
import cProfile
import io
import logging
import pstats
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .builder import GearsBuilder, PyFlatExecution
from .connection import text_or_bytes
from .context import Context, Shield, current, set_current
from .errors import GearsError, GearsFlatError, GearsForceStopped
from .keyspace import SPECIAL, argument
from .pending import GearsFuture, supplier

if TYPE_CHECKING:
    from .core import Engine
    from .registrations import Command

LEVELS = {
    "debug": logging.DEBUG,
    "verbose": logging.DEBUG,
    "notice": logging.INFO,
    "warning": logging.WARNING,
}
MANY_NAMES = 1000
"""How many spellings of names are remembered; a function may make them up."""
_log = logging.getLogger("redgrease.engine.gears")


class PyAtomic:
    """``with atomic():`` keeps all other clients and functions out of the block."""

    _engine: Engine

    def __enter__(self) -> PyAtomic:
        context = _require(current(), "Can not lock redis outside of a session")
        if context.atomic:
            raise GearsError("Already inside an atomic block")
        self._engine.keyspace.lock()
        context.atomic = 1
        return self

    def __exit__(self, *_: object) -> None:
        context = current()
        if context is not None:
            context.atomic = 0
        self._engine.keyspace.unlock()


class GearsSession:
    """``with GearsSession(session):`` lets a thread of the user's work for a session."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._before: Context | None = None

    def __enter__(self) -> GearsSession:
        self._before = set_current(Context(self._session) if self._session is not None else None)
        return self

    def __exit__(self, *_: object) -> None:
        set_current(self._before)


def _require(context: Context | None, text: str) -> Context:
    if context is None:
        raise GearsError(text)
    return context


class Native:
    """The runtime functions, for one engine.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # -- Redis ----------------------------------------------------------------------------------

    def execute(self, *args: Any) -> Any:
        """Run a Redis command and return its reply."""
        if not args:
            return []
        name = args[0]
        if not isinstance(name, str):
            raise GearsError("the given command must be a string")
        words = [argument(word) for word in args]
        keyspace = self._engine.keyspace
        with Shield():
            plain = keyspace.plain
            if name not in plain and len(plain) < MANY_NAMES and self._plain(words[0]):
                plain[name] = words[0].upper()
            if name in plain and not self._engine.events.watch.concerns(plain[name], words):
                return keyspace.plainly(words)
            return self._executed(words)

    def _plain(self, word: bytes) -> bool:
        """Whether a command of this name is sent to Redis as it is, and that is all.

        Its events may have to be handled, though.
        """
        name = word.decode("latin-1").upper()
        engine = self._engine
        return not (
            name.startswith("RG.") or name in SPECIAL or engine.registrations.commands.hooks(name)
        )

    def _executed(self, words: list[bytes]) -> Any:
        if words[0][:3].upper() == b"RG.":
            return self._engine.dispatcher.call_inside(words)
        chain = self._engine.registrations.commands.chain(words)
        if chain is not None:
            context = current()
            inside = context.hook if context is not None else None
            if inside is not None and inside.name.upper() == words[0].upper():
                chain = inside  # a hook that runs its own command: as call_next does
            return chain.go_on(words)
        return self._engine.events.around(words)

    def hashtag(self) -> str:
        """A text that composes keys of this shard."""
        return self._engine.shard.hashtag()

    def call_next(self, *args: Any) -> Any:
        """Go on with the command that a hook has intercepted."""
        context = current()
        if context is None or context.hook is None:
            raise GearsError("Can not get CommandHook ctx")
        words = [context.hook.name, *map(argument, args)]
        with Shield():
            return context.hook.go_on(words)

    def get_command(self, *args: Any) -> Any:
        """The command to which a registration with ``commands`` is linked."""
        return [text_or_bytes(word) for word in self._command().words]

    @staticmethod
    def _command() -> Command:
        context = current()
        if context is None or context.command is None:
            raise GearsError("Can not get command ctx")
        return context.command

    def override_reply(self, *args: Any) -> Any:
        """Replace the reply of that command."""
        if len(args) != 1:
            raise GearsError("Override reply must get a single argument")
        self._command().override(args[0])

    def is_in_atomic_block(self) -> bool:
        """Whether the function is inside ``atomic()``."""
        context = current()
        return context is not None and context.atomic > 0

    # -- log and configuration ------------------------------------------------------------------

    def log(self, *args: Any, **kwargs: Any) -> None:
        """Write a message to the server's log."""
        words = dict(zip(("message", "level"), args), **kwargs)
        if "message" not in words:
            raise GearsError("log function must get a log message as input")
        message, level = words["message"], words.get("level", "notice")
        if len(args) > 1 and message in LEVELS and level not in LEVELS:
            message, level = level, message  # the old order of arguments
        if not isinstance(message, str):
            raise GearsError("Log message must be a string")
        if not isinstance(level, str):
            raise GearsError("Log level must be a sting (debug/verbose/notice/warning)")
        if level not in LEVELS:
            raise GearsError(
                "Log level should be one of the following : debug,verbose,notice,warning"
            )
        with Shield():
            _log.log(LEVELS[level], "GEARS: %s", message)

    def old_log(self, *args: Any, **kwargs: Any) -> None:
        """As log, under its old name."""
        _log.warning("GEARS: Log is deprecated, use log instead")
        self.log(*args, **kwargs)

    def config_get(self, key: Any = None) -> str | None:
        """The value of one of the user's own configuration keys."""
        if not isinstance(key, str):
            raise GearsError("get_config key must be a string")
        return self._engine.settings.extra.get(key)

    def gears_config_get(self, key: Any, default: Any = None) -> Any:
        """As config_get, with a default."""
        value = self.config_get(key)
        return default if value is None else value

    def old_config_get(self, key: Any) -> str | None:
        """As config_get, under its old name."""
        _log.warning("GEARS: ConfigGet is deprecated, use configGet instead")
        return self.config_get(key)

    def old_gears_config_get(self, key: Any, default: Any = None) -> Any:
        """As gears_config_get, under its old name."""
        _log.warning("GEARS: GearsConfigGet is deprecated, use gearsConfigGet instead")
        return self.gears_config_get(key, default)

    # -- errors and time ------------------------------------------------------------------------

    def flat_error(self, *args: Any) -> None:
        """Fail with a message that is reported without a traceback."""
        if not args:
            raise GearsError("not enough arguments for time flat error")
        raise GearsFlatError(str(args[0]))

    def register_time_event(self, *args: Any) -> Any:
        """Call a function every so many seconds."""
        return self._engine.timers.register(current(), args)

    # -- sessions and futures -------------------------------------------------------------------

    def get_session(self) -> Any:
        """The session for which the thread works."""
        context = current()
        return context.session if context is not None else None

    def set_session(self, session: Any) -> None:
        """Let the thread work for a session; None ends that."""
        set_current(Context(session) if session is not None else None)

    def is_async_allowed(self) -> bool:
        """Whether a step may return a result that comes later."""
        context = current()
        return context is not None and context.execution is not None and context.may_wait

    def gears_future(self, *args: Any, **kwargs: Any) -> GearsFuture:
        """A result which a step returns now, and any thread supplies later."""
        if args or kwargs:
            raise GearsError("Future gets no arguments")
        return self._engine.futures.created()

    def run_coroutine(self, coroutine: Any, f: Any = None, delay: float = 0, s: Any = None) -> None:
        """Run a coroutine on the event loop; ``f`` gets its result or error."""
        session = s if s is not None else self.get_session()
        then = supplier(f) if f is not None else None
        self._engine.futures.start(coroutine, Context(session, coroutine=True), delay, then)

    # -- the modules ----------------------------------------------------------------------------

    def module(self) -> ModuleType:
        """Make the module ``redisgears``."""
        module = ModuleType("redisgears", "What gear functions can do on the server.")
        bound = {"_engine": self._engine}
        atomic = type("PyAtomic", (PyAtomic,), bound)
        builder = type("GearsBuilder", (GearsBuilder,), bound)
        flat = type("PyFlatExecution", (PyFlatExecution,), bound)
        names: dict[str, Any] = {
            "executeCommand": self.execute,
            "callNext": self.call_next,
            "getCommand": self.get_command,
            "overrideReply": self.override_reply,
            "atomicCtx": atomic,
            "getMyHashTag": self.hashtag,
            "registerTimeEvent": self.register_time_event,
            "gearsCtx": flat,
            "PyFlatExecution": flat,
            "gearsFutureCtx": self.gears_future,
            "log": self.log,
            "config_get": self.config_get,
            "isAsyncAllow": self.is_async_allowed,
            "isInAtomicBlock": self.is_in_atomic_block,
            "flatError": self.flat_error,
            "setGearsSession": self.set_session,
            "getGearsSession": self.get_session,
            "registerGearsThread": lambda: None,
            "GearsError": GearsError,
            "GearsFlatError": GearsFlatError,
            "GearsForceStopped": GearsForceStopped,
            "in_server": self._engine.in_server,
        }
        scripts = self._script_names(atomic, builder, flat)
        vars(module).update({**scripts, **names})
        return module

    def _script_names(self, atomic: type, builder: type, flat: type) -> dict[str, Any]:
        futures = self._engine.futures
        return {
            "GearsBuilder": builder,
            "GB": builder,
            "PyFlatExecution": flat,
            "gearsCtx": flat,
            "execute": self.execute,
            "atomic": atomic,
            "hashtag": self.hashtag,
            "registerTE": self.register_time_event,
            "log": self.log,
            "Log": self.old_log,
            "configGet": self.config_get,
            "ConfigGet": self.old_config_get,
            "gearsConfigGet": self.gears_config_get,
            "GearsConfigGet": self.old_gears_config_get,
            "call_next": self.call_next,
            "get_command": self.get_command,
            "override_reply": self.override_reply,
            "gearsFuture": self.gears_future,
            "setGearsSession": self.set_session,
            "getGearsSession": self.get_session,
            "registerGearsThread": lambda: None,
            "isInAtomicBlock": self.is_in_atomic_block,
            "isAsyncAllow": self.is_async_allowed,
            "flat_error": self.flat_error,
            "GearsSession": GearsSession,
            "GearsFuture": GearsFuture,
            "createFuture": futures.create,
            "setFutureResults": futures.set_result,
            "setFutureException": futures.set_exception,
            "runCoroutine": self.run_coroutine,
        }

    def script_globals(self, module: ModuleType, redis_ai: ModuleType) -> dict[str, Any]:
        """The names that a script starts with."""
        names = {name: value for name, value in vars(module).items() if name in _SCRIPT_NAMES}
        profiler: dict[str, Callable[..., Any]] = {
            "profilerCreate": cProfile.Profile,
            "profileStart": lambda profile: profile.enable(),
            "profileStop": lambda profile: profile.disable(),
            "profileGetInfo": profile_info,
        }
        return {
            **names,
            **profiler,
            "redisgears": module,
            "rg": module,
            "redisAI": redis_ai,
            "Future": Future,
            "Thread": Thread,
            "asyncio": asyncio,
            "cProfile": cProfile,
            "copy": copy,
            "io": io,
            "pstats": pstats,
        }


_SCRIPT_NAMES = frozenset(
    {
        "GearsBuilder",
        "GB",
        "PyFlatExecution",
        "gearsCtx",
        "execute",
        "atomic",
        "hashtag",
        "registerTE",
        "log",
        "Log",
        "configGet",
        "ConfigGet",
        "gearsConfigGet",
        "GearsConfigGet",
        "call_next",
        "get_command",
        "override_reply",
        "gearsFuture",
        "setGearsSession",
        "getGearsSession",
        "registerGearsThread",
        "isInAtomicBlock",
        "isAsyncAllow",
        "flat_error",
        "GearsSession",
        "GearsFuture",
        "createFuture",
        "setFutureResults",
        "setFutureException",
        "runCoroutine",
    }
)


def profile_info(profile: Any, order: str = "tottime") -> str:
    """A profile as text, as RG.PYPROFILE STATS shows it."""
    text = io.StringIO()
    stats = pstats.Stats(profile, stream=text).sort_stats(order)
    stats.print_stats()
    stats.print_callers()
    stats.print_callees()
    return text.getvalue()


def redis_ai_stub() -> ModuleType:
    """The module ``redisAI``; whatever is called in it says that it is not there."""
    module = ModuleType("redisAI", "Stands in for RedisAI, which this server does not have.")

    def missing(name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            raise GearsError(f"RedisAI is not loaded, {name} is not available")

        return call

    module.__getattr__ = missing  # type: ignore[method-assign]
    return module
