"""The Gears commands of RedisGears 1.0.6 to 1.2.13, one row each.

A row says how the words of a command are made, what its reply becomes, which servers of a cluster
are asked, how their replies are put together, and whether the command may be sent again when a
connection broke while waiting for the reply.  ``TABLE`` has them all; the clients read it.

The servers' own commands among each other (``RG.HELLO``, ``RG.INNERMSGCOMMAND``, …) are not here.
"""

import re
from enum import Enum
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

from redgrease import data
from redgrease.convert import number, pairs, plain, text
from redgrease.exceptions import classify
from redgrease.merging import first, merge_executions, merge_registrations
from redgrease.registered import RegisteredFunction
from redgrease.results import ExecutionResult, unwrapped

__all__ = [
    "TABLE",
    "Command",
    "Route",
    "command_name",
    "is_gears_command",
    "row_of",
    "separate_words",
    "words_of",
]

Words = List[Any]


class Route(Enum):
    """Which servers of a cluster a command goes to."""

    ANY = "one of the primaries, whichever"
    OWNER = "the primary that gave the id in the first argument"
    KEY = "the primary that has the key in the second argument"
    SPREAD = "one of the primaries, which tells the others; all, if it does not"
    PRIMARIES = "all primaries"
    ALL = "all servers"


# -- words


def id_word(value: Any) -> bytes:
    """The id of an execution or a registration, as it is sent.

    Args:
        value: Text, bytes, an ``ExecID``, or anything that has one: an ``ExecutionInfo``, a
            ``Registration``, what registering a function or an unblocking ``pyexecute`` returned.

    Returns:
        The id's text as bytes.

    Raises:
        ValueError: There is no id.
    """
    value = getattr(value, "executionId", value)
    if isinstance(value, (data.Registration, RegisteredFunction)):
        value = value.id
    if isinstance(value, bytes):
        return bytes(value)
    if value is None or str(value) == "":
        raise ValueError("no id given")
    return str(value).encode("utf-8")


def _only_id(id: Any) -> Words:
    return [id_word(id)]


def _nothing() -> Words:
    return []


def _as_given(*words: Any) -> Words:
    return list(unwrapped(words))


def _pyexecute(
    script: str,
    unblocking: bool = False,
    requirements: Sequence[str] = (),
    id: Optional[str] = None,
    description: Optional[str] = None,
    upgrade: bool = False,
    replace_with: Optional[str] = None,
    force_reinstall_requirements: bool = False,
    registration_ids: Optional[str] = None,
    instead_of: Optional[str] = None,
) -> Words:
    words: Words = [script]
    if registration_ids is not None:  # these two only for redgrease's own servers in clusters
        words += ["REGISTRATION_IDS", registration_ids]
    if instead_of is not None:
        words += ["INSTEAD_OF", instead_of]
    if unblocking:  # 1.0 wants it right after the script
        words.append("UNBLOCKING")
    if id is not None:
        words += ["ID", text(id)]
    if description is not None:
        words += ["DESCRIPTION", text(description)]
    if upgrade:
        words.append("UPGRADE")
    if replace_with is not None:
        words += ["REPLACE_WITH", text(replace_with)]
    if force_reinstall_requirements:
        words.append("FORCE_REINSTALL_REQUIREMENTS")
    if requirements:  # takes all the rest
        words += ["REQUIREMENTS", *map(str, requirements)]
    return words


def _getexecution(id: Any, locality: Optional[Union[str, data.ExecLocality]] = None) -> Words:
    return _only_id(id) + ([] if locality is None else [text(locality).upper()])


def _unregister(id: Any, abortpending: bool = False) -> Words:
    return _only_id(id) + (["abortpending"] if abortpending else [])


def _dumpsessions(
    sessions: Optional[Sequence[str]] = None, verbose: bool = False, dead: bool = False
) -> Words:
    words: Words = ["VERBOSE"] if verbose else []
    if dead:
        words.append("DEAD")
    if sessions:
        words += ["SESSIONS", *sessions]
    return words


def _configset(settings: Mapping[Any, Any]) -> Words:
    return [word for name, value in settings.items() for word in (text(name), _setting(value))]


def _setting(value: Any) -> Any:
    if value is None:
        return b""
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, (bytes, int, float, str)) else str(value)


# -- replies
# Parsers are called as redis-py calls its own: with the reply, and with options that they may
# not know.  Records of results stay as they came, unless the option `record` says what to do.


def ok(reply: Any, **_: Any) -> bool:
    """Whether a server says that all is well."""
    return isinstance(reply, (str, bytes)) and re.match(r"OK\b", text(reply), re.I) is not None


def _all_ok(reply: Any, **_: Any) -> bool:
    return all(ok(element) for element in reply)


def _config_values(reply: Any, **_: Any) -> List[Any]:
    return [classify(item) if isinstance(item, Exception) else plain(item) for item in reply]


def _records(records: Any, record: Optional[Callable[[Any], Any]]) -> Any:
    """Convert the records of a result; if it is only one, take it out of its list."""
    if not isinstance(records, (list, tuple)):
        return records
    converted = [_restored(item) for item in records]
    if record is not None:
        converted = [record(item) for item in converted]
    return converted[0] if len(converted) == 1 else converted


def _restored(record: Any) -> Any:
    """Give a text back its minus sign.

    Servers of 1.2 send a result like ``"-3"`` as if it were an error with the text ``3``.
    """
    if isinstance(record, list):
        return [_restored(item) for item in record]
    if isinstance(record, Exception) and type(record).__name__ == "ResponseError":
        return b"-" + str(record).encode("utf-8")
    return record


def _error_texts(errors: Any) -> Any:
    if not isinstance(errors, (list, tuple)):
        return errors
    return [text(error).rstrip("\0") for error in errors]


def _is_id(reply: Any) -> bool:
    shard, _, sequence = text(reply).partition("-")
    return bool(shard) and sequence.isdigit()


def parse_execution(
    reply: Any, record: Optional[Callable[[Any], Any]] = None, **_: Any
) -> ExecutionResult[Any]:
    """Read the reply of RG.PYEXECUTE, RG.GETRESULTS or RG.GETRESULTSBLOCKING.

    Args:
        reply: The reply.
        record: What to do with each record of the results.

    Returns:
        ``True`` if nothing was run, an ``ExecID`` if it runs unblocking; else the result and
        its errors, with the only record, if it is only one, taken out of its list.

    Raises:
        ServerError: The reply lists why a registration failed.
    """
    if isinstance(reply, (str, bytes)):
        if ok(reply):
            return ExecutionResult(True)
        return ExecutionResult(data.ExecID.parse(reply) if _is_id(reply) else reply)
    if isinstance(reply, (list, tuple)):
        if reply and all(isinstance(item, Exception) for item in reply):
            texts = [str(item) for item in reply]
            raise classify(texts[0], texts)
        if len(reply) == 2 and all(isinstance(item, (list, tuple)) for item in reply):
            return ExecutionResult(_records(reply[0], record), _error_texts(reply[1]))
    return ExecutionResult(reply)


def parse_trigger(
    reply: Any, record: Optional[Callable[[Any], Any]] = None, **_: Any
) -> ExecutionResult[Any]:
    """Read the reply of RG.TRIGGER or RG.TRIGGERONKEY: only records, no errors."""
    return ExecutionResult(_records(reply, record))


def _sessions(reply: Any, **_: Any) -> List[data.Session]:
    for entry in reply or ():
        if isinstance(entry, (str, bytes)):  # instead of a session: that there is none
            raise classify(text(entry))
    return data.Session.list_from_redis(reply)


def _profile(reply: Any, **_: Any) -> Any:
    return True if ok(reply) else text(reply)


def _module_versions(reply: Any, **_: Any) -> Dict[str, int]:
    """The loaded modules, name to version number, in either protocol's shape."""
    modules = [pairs(module) for module in reply or ()]
    return {text(module.get("name")): number(module.get("ver")) for module in modules}


def _without_options(parse: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda reply, **_: parse(reply)


# -- the table


class Command(NamedTuple):
    """One Gears command.

    Attributes:
        name: Its name.
        words: Makes the words after the name from Python arguments.
        parse: Makes a Python object from the reply.
        route: Which servers of a cluster it goes to.
        merge: Makes one object from those of several servers, a dict by the server's name.
        again: Whether it may be sent again when the connection broke before the reply came.
        since: The first version that knows it.
    """

    name: str
    words: Callable[..., Words] = _nothing
    parse: Callable[..., Any] = ok
    route: Route = Route.ANY
    merge: Callable[[Dict[str, Any]], Any] = first
    again: bool = False
    since: str = "1.0"


def _every(results: Dict[str, Any]) -> bool:
    return all(results.values())


def _by_server(results: Dict[str, Any]) -> Any:
    return results


_list_of = {
    kind: _without_options(kind.list_from_redis)
    for kind in (data.ExecutionInfo, data.Registration, data.PyRequirementInfo)
}

_ROWS = (
    # Runs code: never twice.
    Command("RG.PYEXECUTE", _pyexecute, parse_execution),
    Command("RG.TRIGGER", _as_given, parse_trigger),
    Command("RG.TRIGGERONKEY", _as_given, parse_trigger, Route.KEY, since="1.2"),
    # Executions live where they were started.
    Command("RG.GETRESULTS", _only_id, parse_execution, Route.OWNER, again=True),
    Command("RG.GETRESULTSBLOCKING", _only_id, parse_execution, Route.OWNER, again=True),
    Command(
        "RG.GETEXECUTION",
        _getexecution,
        _without_options(data.ExecutionPlan.parse),
        Route.OWNER,
        again=True,
    ),
    Command(
        "RG.DUMPEXECUTIONS",
        _nothing,
        _list_of[data.ExecutionInfo],
        Route.PRIMARIES,
        merge_executions,
        again=True,
    ),
    Command("RG.ABORTEXECUTION", _only_id, ok, Route.OWNER, again=True),
    Command("RG.DROPEXECUTION", _only_id, ok, Route.OWNER),  # the second time there is none
    # Registrations are the same on all primaries, but each counts for itself.
    Command(
        "RG.DUMPREGISTRATIONS",
        _nothing,
        _list_of[data.Registration],
        Route.PRIMARIES,
        merge_registrations,
        again=True,
    ),
    Command("RG.UNREGISTER", _unregister, ok, Route.SPREAD),
    Command("RG.PAUSEREGISTRATIONS", _only_id, ok, Route.SPREAD, since="1.2"),
    Command("RG.UNPAUSEREGISTRATIONS", _only_id, ok, Route.SPREAD, since="1.2"),
    Command("RG.CLEARREGISTRATIONSSTATS", _nothing, ok, Route.SPREAD, since="1.2"),
    Command("RG.PYDUMPSESSIONS", _dumpsessions, _sessions, again=True, since="1.2"),
    # Settings and figures are each server's own.
    Command("RG.CONFIGGET", _as_given, _config_values, again=True),
    Command("RG.CONFIGSET", _configset, _all_ok, Route.ALL, _every, again=True),
    Command("RG.REFRESHCLUSTER", _nothing, ok, Route.ALL, _every, again=True),
    Command("RG.INFOCLUSTER", _nothing, _without_options(data.ClusterInfo.parse), again=True),
    Command("RG.NETWORKTEST", _nothing, ok),
    Command(
        "RG.PYSTATS",
        _nothing,
        _without_options(data.PyStats.from_redis),
        Route.PRIMARIES,
        _by_server,
        again=True,
    ),
    Command("RG.PYPROFILE", _as_given, _profile, since="1.2"),
    Command(
        "RG.DUMPPLUGINS",
        _nothing,
        _without_options(data.Plugin.list_from_redis),
        again=True,
        since="1.2",
    ),
    # Requirements are installed on all.
    Command("RG.PYDUMPREQS", _nothing, _list_of[data.PyRequirementInfo], again=True),
    Command(
        "RG.PYEXPORTREQ",
        _as_given,
        _without_options(data.RequirementExport.from_redis),
        again=True,
    ),
    Command("RG.PYIMPORTREQ", _as_given, ok, Route.SPREAD),
    # Not a Gears command, but tells its version.
    Command("MODULE LIST", _nothing, _module_versions, again=True),
)

TABLE: Dict[str, Command] = {row.name: row for row in _ROWS}


def command_name(word: Any) -> str:
    """The name of a command in capital letters, of ``str`` or bytes."""
    return text(word).upper() if isinstance(word, (str, bytes)) else ""


def separate_words(args: Sequence[Any]) -> Sequence[Any]:
    """The words of a command, of which the first may hold several, as redis-py allows it."""
    first = args[0].split() if isinstance(args[0], (str, bytes)) else ()
    return args if len(first) < 2 else (*first, *args[1:])


def is_gears_command(word: Any) -> bool:
    """Whether a word is the name of a Gears command."""
    return command_name(word).startswith("RG.")


def row_of(name: str) -> Command:
    """The row of a command; a careful one for a Gears command of a version to come.

    Args:
        name: The name of the command, in capital letters.

    Returns:
        The row.
    """
    row = TABLE.get(name)
    return row or Command(name, _as_given, lambda reply, **_: reply)


def words_of(row: Command, *args: Any, **kwargs: Any) -> Words:
    """All words of a command: its name (in several words if it has), and its arguments."""
    return row.name.split(" ") + row.words(*args, **kwargs)
