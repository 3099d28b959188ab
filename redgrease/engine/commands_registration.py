"""Functions that are commands of their own (RG.TRIGGER), or come before a command of Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hiredis

from .commands_info import CommandInfo
from .connection import decoded, text_or_bytes
from .context import current
from .errors import GearsError
from .executions import Execution
from .registrations import SYNC, Registration, Watches
from .replies import Error, record, records

if TYPE_CHECKING:
    from .core import Engine
    from .serial import Serial

NOT_NOW = (
    "ERR can not run a non-sync execution inside a MULTI/LUA (blocking is not allowed) or on "
    "loading."
)
ONE_RESULT = "Command hook must return exactly one result"
NOSCRIPT = "Can not override a command which are not allowed inside a script"
_NONE_SYNC = "Can not override a none sync registration"

Answer = Callable[[Any], None]


def command_options(engine: Engine, argument: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of ``register`` for CommandReader, see ``keys_options``."""
    trigger, hook = options.get("trigger"), options.get("hook")
    prefix, in_order = options.get("keyprefix"), options.get("inorder", False)
    if trigger is None and hook is None:
        raise GearsError("no trigger or hook argument was given")
    if trigger is not None and (hook is not None or prefix is not None):
        raise GearsError("trigger argument can not be given with keyprefix or hook")
    for name, value in (("trigger", trigger), ("hook", hook), ("keyprefix", prefix)):
        if value is not None and not isinstance(value, str):
            raise GearsError(f"{name} argument is not string")
    if not isinstance(in_order, bool):
        raise GearsError("inorder argument is be boolean")
    chosen = {"trigger": trigger, "inorder": in_order, "hook": hook, "keyprefix": prefix}
    if hook is not None:
        info = CommandInfo.of(engine.keyspace, hook)
        if info is None:
            raise GearsError("Can not override an unexisting command")
        if "noscript" in info.flags:
            raise GearsError(NOSCRIPT)
        if prefix is not None and info.movable:
            raise GearsError("Can not override a command with moveable keys by key prefix")
        if prefix is not None and info.first <= 0:
            raise GearsError(
                "Can not override a command by key prefix with none positive first key"
            )
        chosen["keys"] = [info.first, info.last, info.step]
    return chosen


class CommandRegistration(Registration):
    """A function that is called as a command."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        options = self.request.options
        self.trigger: str | None = options["trigger"]
        self.hook: str | None = options["hook"] and options["hook"].upper()
        self._prefix: str | None = options["keyprefix"]
        self._keys = CommandInfo(frozenset(), *options.get("keys", (0, 0, 0)))

    def watches(self) -> Watches:
        """A hooked command does not go to Redis."""
        info = self._keys
        keys = (info.first, info.last, info.step)
        trigger = self.trigger if self.mode == SYNC else None
        return Watches(trigger=trigger, hook=self.hook, prefix=self._prefix, keys=keys)

    def concerns(self, words: Sequence[bytes]) -> bool:
        """Whether the hook is for a command with these words."""
        if self._prefix is None:
            return True
        prefix = self._prefix.encode("utf-8", "surrogateescape")
        return any(key.startswith(prefix) for key in self._keys.keys(words))

    # -- calls ----------------------------------------------------------------------------------

    def _execution(
        self, words: Sequence[bytes], done: Callable[[Execution], None], **surroundings: Any
    ) -> Execution:
        def arguments() -> Iterable[Any]:
            # The original keeps them as C strings.
            yield [text_or_bytes(word.partition(b"\0")[0]) for word in words]

        execution = self.create(arguments, done, keep=False)
        execution.surroundings = surroundings
        return execution

    def run_for_client(
        self,
        words: Sequence[bytes],
        done: Callable[[Execution], None],
        may_wait: bool,
        release: Callable[[], None] | None = None,
        **surroundings: Any,
    ) -> Error | None:
        """Run for a client's command.

        Args:
            words: What becomes the record.
            done: Called when it has ended.
            may_wait: Whether the client may be kept waiting.
            release: Lets the others go on, if the proxy keeps them back already.
            surroundings: More attributes of the function's context.

        Returns:
            An error if it cannot run.
        """
        if self.mode != SYNC and not may_wait:
            return Error(NOT_NOW)
        execution = self._execution(words, done, may_wait=may_wait, **surroundings)
        if self.mode == SYNC:
            self._submit_alone(execution, release)
        elif self.request.options["inorder"]:
            self.lane.submit(execution.run)
        else:
            self.engine.pool.submit(
                execution.run, take=self.engine.run_here if self.pace.quick else None
            )
        return None

    def _submit_alone(self, execution: Execution, release: Callable[[], None] | None) -> None:
        """Run with everybody else kept out; where the proxy does so already, in this thread."""
        engine = self.engine
        if release is None:
            engine.main.submit(lambda: self._run_alone(execution, engine.main, None))
        elif not self.pace.quick or not engine.run_here(
            lambda: self._run_alone(execution, None, release)
        ):
            serial = engine.events.serial
            serial.submit(lambda: self._run_alone(execution, serial, release))

    def run_inside(self, words: Sequence[bytes], **surroundings: Any) -> Execution:
        """Run for ``execute()`` of a function, in its thread.

        Raises:
            GearsError: The mode does not allow that.
        """
        if self.mode != SYNC:
            raise GearsError(NOT_NOW)
        context = current()
        muted: frozenset[str] = context.muted if context is not None else frozenset()
        execution = self._execution(
            words, lambda done: None, may_wait=False, muted=muted, **surroundings
        )
        self.engine.keyspace.lock()
        try:
            execution.run()
        finally:
            self.engine.keyspace.unlock()
        return execution

    def _run_alone(
        self, execution: Execution, thread: Serial | None, release: Callable[[], None] | None
    ) -> None:
        """Run with everybody else kept out, until the function waits for something."""
        keyspace = self.engine.keyspace

        def suspend() -> None:
            context = current()
            if context is not None:
                context.suspend = None
            keyspace.suspend()
            if release is not None:
                release()
            if thread is not None:
                thread.hand_over(lambda: None)

        execution.surroundings["suspend"] = suspend
        if release is not None:
            keyspace.begin_section()
        else:
            keyspace.lock()
        try:
            execution.run()
        finally:
            keyspace.unlock()

    # -- description ----------------------------------------------------------------------------

    def data(self) -> list[Any]:
        """RegistrationData, see the base class."""
        options = self.request.options
        name = self.trigger if self.hook is None else options["hook"]
        return [*super().data(), "args", ["trigger", name, "inorder", int(options["inorder"])]]


@dataclass(frozen=True)
class Chain:
    """A hooked command on its way: what ``call_next`` goes on with.

    Attributes:
        engine: The engine.
        name: The command.
        rest: The hooks that it has not come to yet, the next one first.
    """

    engine: Engine
    name: bytes
    rest: tuple[CommandRegistration, ...]

    def go_on(self, words: Sequence[bytes]) -> Any:
        """Run the next hook, or the command itself.

        Returns:
            Its reply, as ``execute`` returns it.

        Raises:
            GearsError: It failed.
        """
        if not self.rest:
            return self.engine.events.around(words)
        following, *rest = self.rest
        chain = Chain(self.engine, self.name, tuple(rest))
        execution = following.run_inside(words, hook=chain)
        if execution.errors:
            raise GearsError(execution.errors[0])
        if len(execution.results) != 1:
            raise GearsError(ONE_RESULT)
        reader = hiredis.Reader(replyError=str)
        reader.feed(record(execution.results[0]))
        return decoded(reader.gets())


class Commands:
    """All triggers and hooks, by name.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._triggers: dict[str, CommandRegistration] = {}
        self._hooks: dict[str, tuple[CommandRegistration, ...]] = {}

    def update(self, registrations: Sequence[Registration]) -> None:
        """Say which registrations there are, the oldest first."""
        triggers: dict[str, CommandRegistration] = {}
        hooks: dict[str, tuple[CommandRegistration, ...]] = {}
        for one in registrations:
            if isinstance(one, CommandRegistration):
                if one.hook is not None:
                    hooks[one.hook] = (one, *hooks.get(one.hook, ()))
                elif one.trigger is not None:
                    triggers[one.trigger] = one
        self._triggers, self._hooks = triggers, hooks

    # -- new ones -------------------------------------------------------------------------------

    @staticmethod
    def check(
        new: CommandRegistration,
        others: Sequence[Registration],
        same_script: Sequence[Registration],
    ) -> None:
        """See whether a registration goes together with those there are.

        Args:
            new: The registration.
            others: Those there are, without the ones that will be replaced.
            same_script: Those that the same script has made before.

        Raises:
            GearsError: It does not.
        """
        for known, where in (
            (same_script, (" in this session", " which already created on this session")),
            (others, ("", "")),
        ):
            for one in known:
                if not isinstance(one, CommandRegistration):
                    continue
                if new.trigger is not None and one.trigger == new.trigger:
                    raise GearsError("trigger already registered" + where[0])
                if new.hook is not None and one.hook == new.hook and one.mode != SYNC:
                    raise GearsError(_NONE_SYNC + where[1])

    # -- calls ----------------------------------------------------------------------------------

    def call(
        self,
        words: Sequence[bytes],
        answer: Answer,
        may_wait: bool,
        resp3: bool,
        release: Callable[[], None] | None = None,
    ) -> Any:
        """RG.TRIGGER of a client.

        Args:
            words: Name and arguments.
            answer: Gets the reply, later.
            may_wait: Whether the client may be kept waiting.
            resp3: For which protocol results are encoded.
            release: Lets the others go on, if the proxy keeps them back already.

        Returns:
            An error that can be told at once, or None.
        """
        registration = self._triggers.get(words[0].decode("utf-8", "surrogateescape"))
        if registration is None:
            return Error("ERR subcommand not found")

        def done(execution: Execution) -> None:
            if execution.errors:
                answer(Error(execution.errors[0]))
            else:
                answer(records(execution.results, resp3))

        return registration.run_for_client(words, done, may_wait, release)

    def call_inside(self, words: Sequence[bytes]) -> Any:
        """RG.TRIGGER of a function; returns the reply, to be encoded."""
        registration = self._triggers.get(words[0].decode("utf-8", "surrogateescape"))
        if registration is None:
            return Error("ERR subcommand not found")
        execution = registration.run_inside(words)
        return Error(execution.errors[0]) if execution.errors else records(execution.results)

    def hooks(self, name: str) -> tuple[CommandRegistration, ...]:
        """The hooks of the commands of a name, which is in capitals."""
        return self._hooks.get(name, ())

    def chain(self, words: Sequence[bytes]) -> Chain | None:
        """The hooks of a command, if it has any."""
        hooks = self.hooks(words[0].decode("latin-1").upper())
        if not hooks:
            return None
        concerned = tuple(hook for hook in hooks if hook.concerns(words))
        return Chain(self._engine, words[0], concerned) if concerned else None

    def hooked(
        self,
        words: Sequence[bytes],
        answer: Callable[[bytes], None],
        may_wait: bool,
        resp3: bool,
        release: Callable[[], None] | None = None,
    ) -> Any:
        """A client's command that is hooked.

        Args:
            words: The command.
            answer: Gets the reply, encoded.
            may_wait: Whether the client may be kept waiting.
            resp3: For which protocol the result is encoded.
            release: Lets the others go on, if the proxy keeps them back already.

        Returns:
            An error that can be told at once, or None.
        """
        chain = self.chain(words)
        if chain is None:  # gone meanwhile
            self._engine.pool.submit(lambda: answer(self._plainly(words)))
            return None
        first, *rest = chain.rest

        def done(execution: Execution) -> None:
            if execution.errors:
                answer(b"-" + _line(execution.errors[0]) + b"\r\n")
            elif len(execution.results) != 1:
                answer(b"-" + _line(ONE_RESULT) + b"\r\n")
            else:
                answer(record(execution.results[0], resp3))

        following = Chain(self._engine, words[0], tuple(rest))
        return first.run_for_client(words, done, may_wait, release, hook=following)

    def _plainly(self, words: Sequence[bytes]) -> bytes:
        try:
            return record(self._engine.keyspace.execute(words))
        except GearsError as error:
            return b"-" + _line(str(error)) + b"\r\n"


def _line(text: str) -> bytes:
    return text.replace("\r", " ").replace("\n", " ").encode("utf-8", "backslashreplace")
