"""``Gears``: the commands of RedisGears as methods, for any redis-py client."""

from typing import Any, Dict, List, Optional, Union

from redgrease import data
from redgrease.asking import Asks, asking
from redgrease.commands import id_word
from redgrease.convert import text
from redgrease.registering import Registering
from redgrease.registrations import RegistrationID
from redgrease.results import ExecutionResult
from redgrease.submission import Submission, is_shipped, prepare
from redgrease.views import ExecutionRows

__all__ = ["ExecutionID", "Gears", "RegistrationID"]

ExecutionID = Union[bytes, str, data.ExecID, data.ExecutionInfo, ExecutionResult[Any]]


class Gears(Registering):
    """The commands of RedisGears.

    Every client of redgrease has one as its attribute ``gears``; ``Gears(client)`` makes one for
    any other synchronous client of redis-py.  Commands that run code are sent once, and waited
    for without a time limit, whatever ``socket_timeout`` and retries the client has.

    Args:
        redis: The client.
        timeout: How many seconds to wait for the reply to any command; None means forever.

    Attributes:
        config: The configuration of the server.
        timeout: The time limit, which can be changed.
    """

    @asking
    def pyexecute(
        self,
        gear_function: Any = "",
        unblocking: bool = False,
        requirements: Any = None,
        enforce_redgrease: Any = None,
        replace: Optional[bool] = None,
        id: Optional[str] = None,
        description: Optional[str] = None,
        upgrade: bool = False,
        replace_with: Optional[str] = None,
        force_reinstall_requirements: bool = False,
        timeout: Optional[float] = None,
    ) -> Asks[ExecutionResult[Any]]:
        """Run or register a function.  Sends ``RG.PYEXECUTE``, once.

        Args:
            gear_function: A function made with redgrease, a ``GearsBuilder``, a script, or the
                path of a file with one.
            unblocking: Do not wait for the results, but return the id of the execution.
            requirements: Packages to be installed on the server.
            enforce_redgrease: Which redgrease is to be installed there: see
                :func:`redgrease.requirements.resolve_requirements`.
            replace: What to do if the function is registered already.  True replaces it: on
                servers from 1.2.2 on in one step, so that a failure leaves the old one in place;
                on older ones in two commands.  False accepts it if it does the
                same.  None raises an error if the trigger is taken; without a trigger, the
                function is registered once more.  Scripts are replaced only if they have an
                ``id``.
            id: The name of the session (1.2.2), of letters, digits, ``-`` and ``_``.  By default
                one that is made, with ``replace``, of the trigger, or else of reader, prefix,
                and description or names of functions; without, it is random.
            description: A description of the session (1.2.2).
            upgrade: Replace the session of the same name (1.2.2).
            replace_with: The name of another session to be replaced (1.2.2).
            force_reinstall_requirements: Install requirements anew (1.2.4).
            timeout: How many seconds to wait for the reply.

        Returns:
            The result: the records and errors of a run, the ``ExecID`` of what runs unblocking,
            ``True`` for a script that runs nothing.  For a function that registers, a
            :class:`redgrease.registered.RegisteredFunction`, which equals ``True``, and can be
            called if it has a trigger; a decorated function with its own arguments.

        Raises:
            PythonVersionMismatch: The server has another version of Python; nothing was sent.
            DuplicateTriggerError: The trigger is taken, or with ``replace=False``: by another
                function.
            ScriptError: The script raised an exception.
            ServerError: Another error of the server.
        """
        if hasattr(type(gear_function), "command_on"):  # a decorated function
            command = gear_function.command_on(self)
            given = {
                "unblocking": unblocking or None,
                "requirements": requirements,
                "enforce_redgrease": enforce_redgrease,
                "replace": replace,
                "id": id,
                "description": description,
                "upgrade": upgrade or None,
                "replace_with": replace_with,
                "force_reinstall_requirements": force_reinstall_requirements or None,
                "timeout": timeout,
            }
            yield command.register(gear_function.options_with(given))
            return command.as_result()  # type: ignore[no-any-return]
        named = id is not None or description is not None or replace_with is not None
        special = unblocking or requirements or enforce_redgrease or force_reinstall_requirements
        if type(gear_function) is str and not (named or special or upgrade):
            # The usual script, to which nothing of what follows applies.
            result = yield self._send_script(prepare(gear_function), {}, timeout)
            return result  # type: ignore[no-any-return]
        wanted = self._wanted(requirements)
        if is_shipped(gear_function):
            version = yield self._short_python_version()

        def prepared(desc: Optional[str] = None) -> Submission:
            return prepare(gear_function, lambda: version, wanted, desc)

        submission = prepared()
        options = {
            "unblocking": unblocking,
            "requirements": self._requirements(submission, wanted, enforce_redgrease),
            "id": id,
            "description": description,
            "upgrade": upgrade,
            "replace_with": replace_with,
            "force_reinstall_requirements": force_reinstall_requirements,
        }
        if submission.identity is not None:
            registered = yield self._register(prepared, submission, options, replace, timeout)
            return registered  # type: ignore[no-any-return]
        if replace and id is not None:
            options["upgrade"] = True
        result = yield self._send_script(submission, options, timeout)
        if submission.pickled and isinstance(result.value, data.ExecID):
            self._memory.note(self._memory.executions, bytes(result.value))
        return result  # type: ignore[no-any-return]

    @staticmethod
    def _wanted(requirements: Any) -> List[Any]:
        if not requirements:
            return []
        from redgrease.requirements import resolve_requirements

        return sorted(resolve_requirements(requirements), key=str)

    @staticmethod
    def _requirements(submission: Submission, wanted: List[Any], enforce: Any) -> List[str]:
        if not wanted and not submission.requirements and enforce in (None, False):
            return []
        from redgrease.requirements import as_sent, resolve_requirements

        everything = [*wanted, *submission.requirements]
        return sorted(set(map(as_sent, resolve_requirements(everything, enforce))))

    def getresults(self, id: ExecutionID, unpickle: Optional[bool] = None) -> ExecutionResult[Any]:
        """Get the results of an execution that has finished.  Sends ``RG.GETRESULTS``.

        Args:
            id: The execution.
            unpickle: Whether redgrease has pickled the results.  By default they are unpickled
                if this client started the execution, or registered the function that did, and
                its results are; for the latter, the server is asked for the plan.

        Returns:
            The results and errors.

        Raises:
            ExecutionNotFoundError: The server does not know the execution.
            ExecutionRunningError: It has not finished.
        """
        return self._results("RG.GETRESULTS", id, unpickle)

    def getresultsblocking(
        self, id: ExecutionID, unpickle: Optional[bool] = None, timeout: Optional[float] = None
    ) -> ExecutionResult[Any]:
        """Wait for the results of an execution.  Sends ``RG.GETRESULTSBLOCKING``.

        Args:
            id: The execution.
            unpickle: As for :meth:`getresults`.
            timeout: How many seconds to wait; the execution itself goes on.

        Returns:
            The results and errors.

        Raises:
            ExecutionNotFoundError: The server does not know the execution.
            GearsTimeoutError: It took longer.
        """
        return self._results("RG.GETRESULTSBLOCKING", id, unpickle, timeout)

    @asking
    def _results(
        self,
        command: str,
        id: ExecutionID,
        unpickle: Optional[bool],
        timeout: Optional[float] = None,
    ) -> Asks[ExecutionResult[Any]]:
        if unpickle is None:
            unpickle = yield self._is_pickled(id)
        record = self._decoder(bool(unpickle))
        result = yield self.send(command, id, timeout=timeout, record=record)
        return result  # type: ignore[no-any-return]

    @asking
    def _is_pickled(self, id: ExecutionID) -> Asks[bool]:
        """Whether a function of this client's has pickled the results of an execution."""
        word, memory = id_word(id), self._memory
        if word not in memory.executions:
            if not memory.encoders:
                return False
            plans = yield self.getexecution(id, data.ExecLocality.Shard)
            shown = [step.arg for plan in plans.values() for step in plan.steps]
            # Servers show a function by its name, or as Python prints it.
            found = any(name in arg for arg in shown for name in memory.encoders)
            memory.note(memory.executions, word, found)
        return memory.executions[word]

    def getexecution(
        self, id: ExecutionID, locality: Optional[Union[str, data.ExecLocality]] = None
    ) -> Dict[str, data.ExecutionPlan]:
        """Get the plan of an execution.  Sends ``RG.GETEXECUTION``.

        Args:
            id: The execution.
            locality: Whether to ask only one shard, or the whole cluster.

        Returns:
            The plan of each shard, by the shard's id.

        Raises:
            ExecutionNotFoundError: The server does not know the execution.
        """
        plans: Dict[str, data.ExecutionPlan] = self.send("RG.GETEXECUTION", id, locality)
        return plans

    @asking
    def dumpexecutions(
        self,
        status: Optional[Union[str, bytes, data.ExecutionStatus]] = None,
        registered: Optional[bool] = None,
    ) -> Asks[List[data.ExecutionInfo]]:
        """List executions; of a cluster, all servers'.  Sends ``RG.DUMPEXECUTIONS``.

        Args:
            status: Only those in that state.
            registered: Only those that were, or were not, started by a registration.

        Returns:
            The executions.
        """
        executions = yield self.send("RG.DUMPEXECUTIONS")
        return ExecutionRows(
            execution
            for execution in executions
            if (status is None or str(execution.status) == text(status).lower())
            and (registered is None or execution.registered == bool(registered))
        )

    def abortexecution(self, id: ExecutionID) -> bool:
        """Stop an execution.  Sends ``RG.ABORTEXECUTION``.

        Args:
            id: The execution.

        Returns:
            True (also if it has finished already).

        Raises:
            ExecutionNotFoundError: The server does not know the execution.
        """
        done: bool = self.send("RG.ABORTEXECUTION", id)
        return done

    @asking
    def dropexecution(self, id: ExecutionID) -> Asks[bool]:
        """Let the server forget an execution.  Sends ``RG.DROPEXECUTION``.

        Args:
            id: The execution.

        Returns:
            True.

        Raises:
            ExecutionNotFoundError: The server does not know the execution.
            ExecutionRunningError: It has not finished.
        """
        done = yield self.send("RG.DROPEXECUTION", id)
        self._memory.executions.pop(id_word(id), None)
        return bool(done)
