"""The RG.* commands: one row each, from name to handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import hiredis

from . import replies
from .connection import decoded
from .errors import GearsError
from .info import PLUGINS, info, memory
from .keyspace import NO_SUCH_COMMAND
from .replies import OK, Error
from .requirements import FAILED, RequirementError
from .script import Background, OptionError, parse_options

if TYPE_CHECKING:
    from .core import Engine

NO_EXECUTION = Error("execution plan does not exist")
NO_GEARS = "Can not run gears inside a multi exec, lua, or when blocking is not allowed"
IN_TRANSACTION = Error("ERR Blocking module command called from transaction")
IN_FUNCTION = Error("ERR can not run this command in a function (blocking is not allowed)")
DEFERRED = object()
"""What a handler returns when the answer comes later."""


@dataclass(frozen=True)
class Call:
    """One command that a client (or a function) has sent.

    Attributes:
        arguments: The words behind the command.
        resp3: Whether the client has switched to RESP3.
        multi: Whether it is in a transaction.
        inside: Whether a function sent it.
        answer: Takes the reply when it comes later.
        release: Lets the other clients go on, if they are kept back already.
    """

    arguments: list[bytes]
    resp3: bool = False
    multi: bool = False
    inside: bool = False
    answer: Callable[[Any], None] = lambda reply: None
    release: Callable[[], None] | None = None

    @property
    def words(self) -> list[str]:
        """The arguments as texts."""
        return [word.decode("utf-8", "replace") for word in self.arguments]


@dataclass(frozen=True)
class Row:
    """One command."""

    handler: Callable[[Call], Any]
    least: int = 0
    most: int | None = None
    blocks: bool = False

    def fits(self, given: int) -> bool:
        """Whether it takes so many arguments."""
        return given >= self.least and (self.most is None or given <= self.most)


class Dispatcher:
    """Answers RG.* commands.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.table: dict[str, Row] = {
            "RG.PYEXECUTE": Row(self.pyexecute, 1),
            "RG.GETRESULTS": Row(self.getresults, 1),
            "RG.GETRESULTSBLOCKING": Row(self.getresultsblocking, 1, blocks=True),
            "RG.DROPEXECUTION": Row(self.dropexecution, 1),
            "RG.ABORTEXECUTION": Row(self.abortexecution, 1, blocks=True),
            "RG.DUMPEXECUTIONS": Row(lambda call: engine.executions.dump()),
            "RG.GETEXECUTION": Row(self.getexecution, 1, 2),
            "RG.DUMPREGISTRATIONS": Row(lambda call: engine.registrations.dump()),
            "RG.UNREGISTER": Row(self.unregister, 1),
            "RG.TRIGGER": Row(self.trigger, 1),
            "RG.TRIGGERONKEY": Row(self.triggeronkey, 2),
            "RG.CONFIGGET": Row(lambda call: engine.settings.get(call.words)),
            "RG.CONFIGSET": Row(lambda call: engine.settings.set(call.words)),
            "RG.INFOCLUSTER": Row(lambda call: engine.shard.describe()),
            "RG.REFRESHCLUSTER": Row(self.refreshcluster, blocks=True),
            "RG.NETWORKTEST": Row(lambda call: OK),
            "RG.PYSTATS": Row(lambda call: memory()),
            "RG.PYDUMPREQS": Row(lambda call: engine.requirements.dump()),
            "RG.PYEXPORTREQ": Row(self.pyexportreq, 1),
            "RG.PYIMPORTREQ": Row(self.pyimportreq, 1, blocks=True),
            "RG.PAUSEREGISTRATIONS": Row(self.pauseregistrations, 1),
            "RG.UNPAUSEREGISTRATIONS": Row(partial(self.pauseregistrations, unpause=True), 1),
            "RG.CLEARREGISTRATIONSSTATS": Row(self.clearregistrationsstats),
            "RG.PYDUMPSESSIONS": Row(lambda call: engine.sessions.dump(call.words)),
            "RG.PYPROFILE": Row(lambda call: engine.profiles.command(call.words), 2),
            "RG.DUMPPLUGINS": Row(lambda call: [list(plugin) for plugin in PLUGINS]),
            "RG.PYEXECUTEREMOTE": Row(lambda call: "Execute remote is not longer supported"),
            "RG.PYFREEINTERPRETER": Row(lambda call: "Free interpreter is not longer supported"),
            "INFO": Row(lambda call: info(engine, call.words)),  # the proxy puts it behind Redis's
        }

    # -- entrances ------------------------------------------------------------------------------

    def call(
        self,
        words: list[bytes],
        reply: Callable[[bytes], None],
        resp3: bool = False,
        multi: bool = False,
        release: Callable[[], None] | None = None,
    ) -> None:
        """Run a command of a client.

        Args:
            words: The command and its arguments.
            reply: Gets the encoded reply, at once or later, from whatever thread.
            resp3: Whether the client has switched to RESP3.
            multi: Whether it is in a transaction, where nothing may wait.
            release: Lets the other clients go on, if the proxy keeps them back already.
        """

        def answer(value: Any) -> None:
            reply(replies.encode(value, resp3))

        value = self._run(words, Call(words[1:], resp3, multi, answer=answer, release=release))
        if value is not DEFERRED:
            answer(value)

    def hook(
        self,
        words: list[bytes],
        reply: Callable[[bytes], None],
        resp3: bool = False,
        multi: bool = False,
        release: Callable[[], None] | None = None,
    ) -> None:
        """Run a client's command that is hooked, see :meth:`call`."""
        commands = self._engine.registrations.commands
        error = commands.hooked(words, reply, not multi, resp3, release)
        if error is not None:
            reply(replies.encode(error, resp3))

    def call_inside(self, words: list[bytes]) -> Any:
        """Run a command for ``execute()`` of a function.

        Returns:
            The reply, as execute() maps it.

        Raises:
            GearsError: The reply is an error.
        """

        row = self.table.get(words[0].decode("latin-1").upper())
        if row is None:
            raise GearsError(NO_SUCH_COMMAND)
        # To Redis, modules' commands take any number of arguments: they themselves complain.
        value = self._run(words, Call(words[1:], inside=True))
        if isinstance(value, Error):
            raise GearsError(str(value))
        reader = hiredis.Reader(replyError=str)
        reader.feed(replies.encode(value))
        return decoded(reader.gets())

    def _run(self, words: list[bytes], call: Call) -> Any:
        name = words[0].decode("latin-1").upper()
        row = self.table.get(name)
        if row is None:
            return _unknown(words)
        if not row.fits(len(call.arguments)):
            return Error(f"ERR wrong number of arguments for '{name}' command")
        if row.blocks and call.multi:
            return IN_TRANSACTION
        if row.blocks and call.inside:
            return IN_FUNCTION
        return row.handler(call)

    # -- scripts --------------------------------------------------------------------------------

    def pyexecute(self, call: Call) -> Any:
        """RG.PYEXECUTE script [options]."""
        engine = self._engine
        try:
            words, given = engine.shard.take_given(call.words[1:])
            options = parse_options(words, **given)
            if call.multi or call.inside:
                return Error(NO_GEARS)
            engine.sessions.check(options)
        except OptionError as error:
            return Error(str(error))
        source = call.arguments[0]
        missing = engine.requirements.missing(options.requirements, options.force_reinstall)
        if not missing:
            engine.scripts.submit(source, options, call.answer, call.resp3)
            return DEFERRED
        refused = engine.requirements.policy.refused(missing)
        if refused is not None:
            return Error(refused)

        def install() -> None:
            if engine.requirements.install(missing, options.force_reinstall):
                engine.scripts.submit(source, options, call.answer, call.resp3)
            else:
                call.answer(Error(FAILED))

        Background.run(install, "requirements")
        return DEFERRED

    # -- the cluster ----------------------------------------------------------------------------

    def refreshcluster(self, call: Call) -> Any:
        """RG.REFRESHCLUSTER."""
        self._engine.shard.look()
        return OK

    # -- executions -----------------------------------------------------------------------------

    def getresults(self, call: Call) -> Any:
        """RG.GETRESULTS id."""
        execution = self._engine.executions.get(call.words[0])
        if execution is None:
            return NO_EXECUTION
        if not execution.done:
            return Error("execution is still running")
        return replies.results_and_errors(execution.results, execution.errors, call.resp3)

    def getresultsblocking(self, call: Call) -> Any:
        """RG.GETRESULTSBLOCKING id."""
        execution = self._engine.executions.get(call.words[0])
        if execution is None:
            return NO_EXECUTION
        execution.when_done(
            lambda done: call.answer(
                replies.results_and_errors(done.results, done.errors, call.resp3)
            )
        )
        return DEFERRED

    def dropexecution(self, call: Call) -> Any:
        """RG.DROPEXECUTION id."""
        execution = self._engine.executions.get(call.words[0])
        if execution is None:
            return NO_EXECUTION
        if not execution.done:
            return Error("can not drop a not yet finished execution, abort it first.")
        self._engine.executions.drop(execution.id)
        return OK

    def abortexecution(self, call: Call) -> Any:
        """RG.ABORTEXECUTION id; answers when it has stopped."""
        execution = self._engine.executions.get(call.words[0])
        if execution is None:
            return Error("execution does not exist")
        if execution.done:
            return OK

        def abort() -> None:
            if execution.abort():
                call.answer(OK)
            else:
                self._engine.resisted(execution, lambda: call.answer(OK))

        Background.run(abort, "abort")
        return DEFERRED

    def getexecution(self, call: Call) -> Any:
        """RG.GETEXECUTION id [SHARD | CLUSTER]."""
        scope = call.words[1].upper() if len(call.arguments) > 1 else "SHARD"
        if scope not in ("SHARD", "CLUSTER"):
            return Error("unknown subcommand")
        if scope == "CLUSTER" and not self._engine.shard.clustered:
            return Error("no cluster detected - use `RG.GETEXECUTION <id> [SHARD]` instead")
        execution = self._engine.executions.get(call.words[0])
        return NO_EXECUTION if execution is None else [execution.describe()]

    # -- registrations --------------------------------------------------------------------------

    def unregister(self, call: Call) -> Any:
        """RG.UNREGISTER id [abortpending]."""
        words = call.words
        pending = len(words) > 1 and words[1].lower() == "abortpending"
        try:
            self._engine.registrations.remove(words[0], pending)
        except KeyError:
            return Error("execution is not registered")
        except GearsError as error:
            return Error(f"ERR {error}")
        return OK

    def triggeronkey(self, call: Call) -> Any:
        """RG.TRIGGERONKEY name key [arg ...]; the node that has the key runs it."""
        elsewhere = self._engine.shard.misses(call.arguments[1])
        return self.trigger(call) if elsewhere is None else Error(elsewhere)

    def trigger(self, call: Call) -> Any:
        """RG.TRIGGER name [arg ...]."""
        commands = self._engine.registrations.commands
        if call.inside:
            return commands.call_inside(call.arguments)
        error = commands.call(call.arguments, call.answer, not call.multi, call.resp3, call.release)
        return DEFERRED if error is None else error

    def pauseregistrations(self, call: Call, unpause: bool = False) -> Any:
        """RG.PAUSEREGISTRATIONS id and RG.UNPAUSEREGISTRATIONS id.

        Of several IDs, and of ABORTPENDING, only the original's documentation knows; nothing that
        has not begun is left anyway.
        """
        verb = "unpause" if unpause else "pause"
        found = []
        idents = [word for word in call.words if word.upper() != "ABORTPENDING"]
        for ident in idents or call.words:
            registration = self._engine.registrations.get(ident)
            if registration is None:
                return Error(f"Execution {ident} does not exists on shard {self._engine.shard.id}")
            if not hasattr(registration, verb):
                reader = registration.request.reader
                return Error(f"Reader {reader} does not support {verb}")
            found.append(registration)
        self._engine.events.settle()
        for registration in found:
            getattr(registration, verb)()
        return OK

    def clearregistrationsstats(self, call: Call) -> Any:
        """RG.CLEARREGISTRATIONSSTATS."""
        self._engine.registrations.clear_statistics()
        return OK

    # -- Python ---------------------------------------------------------------------------------

    def pyexportreq(self, call: Call) -> Any:
        """RG.PYEXPORTREQ name; may have to fetch wheels."""

        requirements, name = self._engine.requirements, call.words[0]

        def export(fetch: bool) -> Any:
            try:
                return requirements.export(name, fetch)
            except RequirementError as error:
                return Error(str(error))

        if call.multi or call.inside or not requirements.waits(name):
            return export(False)
        Background.run(lambda: call.answer(export(True)), "requirements")
        return DEFERRED

    def pyimportreq(self, call: Call) -> Any:
        """RG.PYIMPORTREQ chunk ...; answers when it is installed."""

        def install() -> None:
            try:
                self._engine.requirements.import_(call.arguments)
                call.answer("OK")
            except RequirementError as error:
                call.answer(Error(str(error)))

        Background.run(install, "requirements")
        return DEFERRED


def _unknown(words: list[bytes]) -> Error:
    """Redis's own answer to a command it does not know."""
    name, *rest = (word.decode("utf-8", "replace") for word in words)
    shown = "".join(f"'{word[:128]}' " for word in rest)[:128]
    return Error(f"ERR unknown command '{name[:128]}', with args beginning with: {shown}")
