"""The exceptions that redgrease raises.

::

    RedGreaseError
    ├── GearsConnectionError        also redis ConnectionError: the connection broke during the call
    ├── GearsTimeoutError           also redis TimeoutError: no reply within the caller's limit
    ├── NodeDownError               also redis ConnectionError: a server of a cluster is down
    ├── PythonVersionMismatch       the Python of client or server is too old
    ├── NotShippableError           also TypeError: a function cannot be sent to a server
    ├── NotInServerError            also RuntimeError: it works only inside a Gears server
    ├── ExecutionFailedError        by ``raise_for_errors()``: an execution had errors
    └── ServerError                 also redis ResponseError: the server replied with an error
        ├── GearsNotAvailableError      the server has no Gears
        ├── ScriptError                 Python raised on the server (has its traceback)
        │   └── DuplicateTriggerError       the trigger name is already in use
        ├── ExecutionNotFoundError      unknown execution id
        ├── ExecutionRunningError       the execution has not finished
        ├── RegistrationNotFoundError   unknown registration id
        ├── TriggerNotFoundError        nothing is registered for the trigger
        ├── RequirementError            a requirement could not be installed or found
        ├── SessionError                session names: taken, unknown, or not allowed
        ├── ArgumentsError              the server does not understand the arguments
        ├── WorkerDiedError             the worker process died; the call may have run
        ├── BlockingNotAllowedError     not possible in a transaction, in Lua, in a function
        ├── ClusterNotReadyError        no cluster, or the server does not know it yet
        ├── UnknownConfigError          also KeyError: no configuration setting of that name
        └── ConfigValueError            a setting that cannot be changed, or not to that value

Where an error comes from a reply, ``text`` (and ``args[0]``) is the exact text of the reply.
This module works without redis-py; its classes then derive from ``Exception``.
"""

import ast
import re
from typing import TYPE_CHECKING, Any, List, Optional, Pattern, Sequence, Tuple, Type, Union

if TYPE_CHECKING:
    from redis.exceptions import ConnectionError as _RedisConnectionError
    from redis.exceptions import ResponseError as _RedisResponseError
    from redis.exceptions import TimeoutError as _RedisTimeoutError
else:
    try:
        from redis.exceptions import ConnectionError as _RedisConnectionError
        from redis.exceptions import ResponseError as _RedisResponseError
        from redis.exceptions import TimeoutError as _RedisTimeoutError
    except ImportError:  # nothing is lost: without redis-py nobody can catch its classes
        _RedisConnectionError = _RedisResponseError = _RedisTimeoutError = Exception

__all__ = [
    "ArgumentsError",
    "BlockingNotAllowedError",
    "ClusterNotReadyError",
    "ConfigValueError",
    "DuplicateTriggerError",
    "ExecutionFailedError",
    "ExecutionNotFoundError",
    "ExecutionRunningError",
    "GearsConnectionError",
    "GearsNotAvailableError",
    "GearsTimeoutError",
    "NodeDownError",
    "NotInServerError",
    "NotShippableError",
    "PythonVersionMismatch",
    "RedGreaseError",
    "RegistrationNotFoundError",
    "RequirementError",
    "ScriptError",
    "ServerError",
    "SessionError",
    "TriggerNotFoundError",
    "UnknownConfigError",
    "WorkerDiedError",
    "classify",
    "readable",
    "traceback_lines",
]


class RedGreaseError(Exception):
    """The base of every exception class of redgrease."""

    def __repr__(self) -> str:
        # redis-py has a __repr__ of its own, which would hide the class.
        arguments = ", ".join(map(repr, self.args))
        return f"{type(self).__name__}({arguments})"


class GearsConnectionError(RedGreaseError, _RedisConnectionError):
    """The connection was lost after a command was sent, so the command may or may not have run."""


class GearsTimeoutError(RedGreaseError, _RedisTimeoutError):
    """The time limit that the caller gave has passed; the command may still be running."""


class NodeDownError(RedGreaseError, _RedisConnectionError):
    """Servers of a cluster cannot be reached, and so did not receive a command.

    Attributes:
        nodes: The names of the servers, as ``host:port``.
    """

    def __init__(self, message: str = "", nodes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.nodes = tuple(nodes)


class PythonVersionMismatch(RedGreaseError):
    """A function cannot be sent, since the server runs another version of Python."""


class NotShippableError(RedGreaseError, TypeError):
    """A function refers to something that cannot be sent to a server."""


class NotInServerError(RedGreaseError, RuntimeError):
    """Something that works only inside a Gears server was used outside of one."""


class ExecutionFailedError(RedGreaseError):
    """An execution had errors.  Raised by ``ExecutionResult.raise_for_errors()``.

    Attributes:
        errors: The error messages of the server.
        value: The results that the execution had before.
    """

    def __init__(self, errors: Sequence[str] = (), value: Any = None) -> None:
        super().__init__(list(errors), value)
        self.errors = list(errors)
        self.value = value

    def __str__(self) -> str:
        count = len(self.errors)
        head = "the execution had 1 error" if count == 1 else f"the execution had {count} errors"
        return "\n".join([head + ":", *(readable(text) for text in self.errors)])


class ServerError(RedGreaseError, _RedisResponseError):
    """The server replied with an error.

    Attributes:
        text: The exact text of the reply.
        errors: If the reply listed several errors, all of their messages.
        hint: What to do about it; printed after the text.
        note: In a cluster: where it happened, and what is left there; printed at the end.
    """

    hint = ""
    note = ""

    def __init__(self, text: str = "", errors: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.errors = list(errors) or [text]

    def __str__(self) -> str:
        return self._noted(self._hinted(str(self.args[0])))

    def _noted(self, text: str) -> str:
        return f"{text} ({self.note})" if self.note else text

    def _hinted(self, text: str) -> str:
        return f"{text} ({self.hint})" if self.hint else text


class GearsNotAvailableError(ServerError):
    """The server does not know the command: it has no Gears, or an older version."""

    hint = (
        "this server has no RedisGears, or a version without that command; `redgrease serve`"
        " starts one that has it"
    )


class ScriptError(ServerError):
    """Python code raised an exception on the server.

    Printing this error shows the server's traceback in its usual form.

    Attributes:
        lines: The lines of the server's traceback.
        traceback: The traceback as a single string.
    """

    @property
    def lines(self) -> List[str]:
        """The lines of the traceback, without newlines."""
        return [line for chunk in traceback_lines(self.text) for line in chunk.splitlines()]

    @property
    def traceback(self) -> str:
        """The traceback as Python would print it."""
        return readable(self.text)

    def __str__(self) -> str:
        lines = self.lines
        if len(lines) < 2:
            return self._noted(self._hinted(self.traceback))
        # The last line says what happened; a reader wants that first.
        return f"{self._noted(self._hinted(lines[-1]))}\n{self.traceback}"


class DuplicateTriggerError(ScriptError):
    """The trigger name is already in use by another registration.

    Attributes:
        trigger: The trigger, if it is known: servers do not name it.
    """

    trigger: Optional[str] = None
    hint = "gears.dumpregistrations(trigger=…) finds the function that has it, to be unregistered"

    def _hinted(self, text: str) -> str:
        if "replace=" in self.text:
            return text
        if self.trigger is None:  # of a script, which cannot be told what to replace
            return super()._hinted(text)
        name = repr(self.trigger)
        named = text if name in text else f"{text}: {name}"
        return f"{named} (replace=True would replace it, replace=False accepts the same one)"


class ExecutionNotFoundError(ServerError):
    """The server does not know, or no longer knows, the execution."""

    hint = "servers keep only the last ones, see MaxExecutions; gears.dumpexecutions() lists them"


class ExecutionRunningError(ServerError):
    """The execution has not finished yet."""

    hint = "gears.getresultsblocking() waits for it, gears.abortexecution() ends it"


class RegistrationNotFoundError(ServerError):
    """The server does not know the registration."""


class TriggerNotFoundError(ServerError):
    """No function is registered for the trigger."""

    hint = "no function is registered for that trigger; gears.dumpregistrations() lists all"


class RequirementError(ServerError):
    """A requirement could not be installed, or is unknown."""


class SessionError(ServerError):
    """A session name is taken, unknown, or not allowed."""


class ArgumentsError(ServerError):
    """The server does not understand the arguments of the command (it may be too old)."""

    hint = "gears.gears_version() tells whether the server is too old for an argument"

    def _hinted(self, text: str) -> str:
        is_option = re.search("unkn?own (arguments|option)", self.text, re.IGNORECASE)
        return super()._hinted(text) if is_option else text


class BlockingNotAllowedError(ServerError):
    """The command cannot be used in a transaction, in Lua, or inside a Gears function."""


class WorkerDiedError(ServerError):
    """The worker process died, and the call may or may not have run; the next gets a new one."""


class ClusterNotReadyError(ServerError):
    """The server is not in a cluster, or does not know its cluster yet (``refreshcluster()``)."""


class UnknownConfigError(ServerError, KeyError):
    """There is no configuration setting of that name."""


class ConfigValueError(ServerError):
    """The configuration setting cannot be changed, or not to that value."""


def traceback_lines(text: str) -> List[str]:
    """Split the server's message for a Python error into lines.

    Servers print a traceback as the text of a Python list, on one line.

    Args:
        text: The message of an error reply, or of an error in a list of results.

    Returns:
        The elements of the list; the text itself, if it is something else.
    """
    text = text.rstrip("\0")  # 1.0 sends the end mark of its C strings along
    if text.startswith("["):
        try:
            lines = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return [text]
        if isinstance(lines, list) and lines and all(isinstance(line, str) for line in lines):
            return [line.rstrip("\0") for line in lines]
    return [text]


def readable(text: str) -> str:
    """Format the server's message for a Python error as a traceback.

    Args:
        text: The message of an error reply, or of an error in a list of results.

    Returns:
        A traceback as Python prints it; other messages unchanged.
    """
    return "".join(traceback_lines(text)).rstrip("\n")


# Which words in a reply make which error.  The first that matches decides, so the more special
# ones come first; the texts are those of 1.0.6 to 1.2.13, with their misspellings.
_TEXTS: Sequence[Tuple[str, Type[ServerError]]] = (
    (r"^(?!\[).*trigger already registered", DuplicateTriggerError),
    (r"^\[['\"]", ScriptError),
    (r"^Error type: .*, Value: ", ScriptError),
    (r"^failed running the given script", ScriptError),
    (r"^(ERR )?unknown command [`'\"]?RG\.", GearsNotAvailableError),
    (r"Execution \S+ does not exists? on shard", RegistrationNotFoundError),
    (r"^execution (is not|does not) registered", RegistrationNotFoundError),
    (r"^execution( plan)? does not exist", ExecutionNotFoundError),
    (r"^execution is still running", ExecutionRunningError),
    (r"^can not drop a not yet finished execution", ExecutionRunningError),
    (r"subcommand not found", TriggerNotFoundError),
    (r"[Cc]ould not satisfy requirements", RequirementError),
    (r"[Ff]ailed installing requirements", RequirementError),
    (r"requirement does not exist", RequirementError),
    (r"^Session \S+ (already|does not) exist", SessionError),
    (r"^session does not exist", SessionError),
    (r"^Can not replace ", SessionError),
    (r"^ID must be compose", SessionError),
    (r"^Failed serializing session", SessionError),
    (r"unkn?own arguments? w", ArgumentsError),
    (r"Unknown option ", ArgumentsError),
    (r"^(REPLACE_WITH|ID|DESCRIPTION) is missing", ArgumentsError),
    (r"wrong number of arguments", ArgumentsError),
    (r"^unknown subcommand", ArgumentsError),
    (r"^Wrong subcommand", ArgumentsError),
    (r"^(ERR )?can not run .*\bmulti\b", BlockingNotAllowedError),
    (r"Blocking module command called from", BlockingNotAllowedError),
    (r"^(ERR )?the Gears worker died", WorkerDiedError),
    (r"^ERRCLUSTER\b", ClusterNotReadyError),
    (r"no cluster detected", ClusterNotReadyError),
    (r"Unsupported config parameter", UnknownConfigError),
    (r"not (modifiable|configurable) at runtime", ConfigValueError),
    (r"Failed setting config value", ConfigValueError),
    (r"Value was not given to", ConfigValueError),
)

_RULES: List[Tuple[Pattern[str], Type[ServerError]]] = [
    (re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in _TEXTS
]


def classify(error: Union[str, bytes, Exception], errors: Optional[Sequence[str]] = None) -> Any:
    """Turn an error reply into an exception of the matching class.

    Args:
        error: The error, as redis-py raises it or as a string.
        errors: If the reply was a list of errors, all of their messages.

    Returns:
        An exception to raise.  An exception that already has a class of its own, such as
        redis-py's ``NoPermissionError`` or one of this module, comes back unchanged.
    """
    if isinstance(error, bytes):
        error = error.decode("utf-8", "replace")
    if isinstance(error, Exception):
        if type(error) not in (_RedisResponseError, Exception):
            return error
        error = str(error)
    for pattern, kind in _RULES:
        if pattern.search(error):
            # In a traceback only the last line counts, the others quote somebody's code.
            if kind is ScriptError and "trigger already registered" in traceback_lines(error)[-1]:
                kind = DuplicateTriggerError
            return kind(error, errors or ())
    return ServerError(error, errors or ())
