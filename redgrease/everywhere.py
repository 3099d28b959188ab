"""Registers a script on all servers of a cluster that do not tell each other.

All clients take the servers in the same order, that of their ids, so that the first one decides
between clients that register the same at the same time.  It gives the ids of the registrations,
and what the others get is what it has: a client that wants to replace something on another server

1. looks what that server has,
2. looks whether the first server still has this client's registrations, and gives up if it does
   not, for then another client has replaced them, and comes to the other servers as well,
3. replaces exactly what it has seen: the server refuses if that has changed, and the client starts
   again with 1.

So a later server never ends with an older version than the first one has: whoever has replaced that
on the first server after step 2 looks at the later one after that, and comes last.
"""

import random
import re
import secrets
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from redis import exceptions as redis_errors

from redgrease.asking import Asks, asking
from redgrease.commands import TABLE, parse_execution, words_of
from redgrease.connection import timed_out, unreached
from redgrease.convert import text
from redgrease.exceptions import (
    DuplicateTriggerError,
    NodeDownError,
    RegistrationNotFoundError,
    ServerError,
    SessionError,
)
from redgrease.placing import RANDOM, Way, Wish, ids_of
from redgrease.results import ExecutionResult
from redgrease.submission import Submission

if TYPE_CHECKING:
    from redgrease.spreading import Spreading

__all__ = ["Everywhere", "located", "name_of"]

# How often one starts again because others are registering the same.
_TRIES = 100
# How many seconds a server has to take something back.
_PATIENCE = 3.0
_REGISTERS = re.compile(r"\bregister\b")


def name_of(node: "Spreading") -> str:
    """The name of the only server behind some gears, ``host:port``."""
    topology: Any = node._caller.topology
    return str(topology.link.name)


def located(error: Exception, name: str) -> Exception:
    """An error, that tells on which server it happened."""
    if unreached(error):
        return NodeDownError(
            f"a server of the cluster cannot be reached: {name} ({error}); nothing was sent to it",
            (name,),
        )
    _note(error, f"on {name}")
    return error


def _note(error: BaseException, note: str) -> None:
    if isinstance(error, ServerError):  # whose text is that of the server
        error.note = "; ".join(filter(None, [error.note, note]))
        return
    first, rest = (error.args[0], error.args[1:]) if error.args else ("", ())
    error.args = (f"{first} ({note})".strip(), *rest)


def _with_ids(reply: Any, **options: Any) -> Tuple[ExecutionResult[Any], List[str]]:
    """The result of a script, and the ids of what it has registered."""
    result = parse_execution(reply, **options)
    words = text(reply).split() if result.value is True else []
    return result, words[1].split(",") if len(words) > 1 else []


_EXECUTE = TABLE["RG.PYEXECUTE"]._replace(parse=_with_ids)


class Everywhere:
    """One script that is sent to all servers, if it registers something.

    Args:
        gears: The cluster.
        submission: The script.
        options: The options of ``RG.PYEXECUTE``.
        replace: For functions: whether to replace, or to accept, an earlier one.
        timeout: How many seconds to wait for each reply.
    """

    def __init__(
        self,
        gears: "Spreading",
        submission: Submission,
        options: Dict[str, Any],
        replace: Optional[bool] = None,
        timeout: Optional[float] = None,
    ) -> None:
        if options.get("id") is None:
            options = dict(options, id=secrets.token_hex(20))
        self.gears = gears
        self.name = options["id"]
        self.wish = Wish(submission, options, replace)
        self.timeout = timeout
        # Of scripts that is a guess, and seen afterwards.
        self.registers = self.wish.replaces or (
            submission.identity is not None
            if submission.made
            else _REGISTERS.search(submission.script) is not None
        )
        self.nodes: List["Spreading"] = []
        self.ids: List[str] = []
        # Where it is by now, and where it may be.
        self.done: List["Spreading"] = []
        self.doubtful: Optional["Spreading"] = None
        self.replaced = False

    def _run(self, steps: Asks[Any]) -> Any:
        return self.gears._run(steps)

    @asking
    def accepted(self) -> Asks[Optional[str]]:
        """The session of the same function, if all servers have that."""
        self.nodes = yield self.gears._nodes(self.timeout)
        found = []
        for node in self.nodes:
            sessions = yield self._sessions(node)
            found.append(self.wish.find(sessions).holder)
        states = [(each.ID, ids_of(each)) for each in found if each is not None]
        is_same = len(states) == len(found) and all(state == states[0] for state in states)
        return states[0][0] if is_same else None

    @asking
    def send(self) -> Asks[ExecutionResult[Any]]:
        """Send the script.

        Returns:
            The result.
        """
        yield self.gears._settle()
        try:
            result = yield self._send()
        except GeneratorExit:  # nobody is there to wait
            raise
        except BaseException as error:  # a cancellation, too
            yield self.gears._guarded(self._undo(error))
            raise
        return result  # type: ignore[no-any-return]

    @asking
    def _send(self) -> Asks[ExecutionResult[Any]]:
        if self.registers:
            if not self.nodes:
                self.nodes = yield self.gears._nodes(self.timeout)
            result = yield self._place(self.nodes[0])
        else:  # any server can run it
            result = yield self._send_to_any()
        if not self.ids:
            return result  # type: ignore[no-any-return]
        for node in self.nodes:
            if node not in self.done:
                yield self._place(node)
        first = self.done[0]
        if not (yield self._ids_at(first)):  # somebody has unregistered it in the meantime
            for node in self.done[1:]:
                yield self._remove(node)
        return result  # type: ignore[no-any-return]

    @asking
    def _send_to_any(self) -> Asks[ExecutionResult[Any]]:
        topology: Any = self.gears._caller.topology
        links, tried = (yield topology.primaries()), set()
        while True:
            link = random.choice(links)
            node = self.gears._on_node(link, self.timeout)
            try:
                result = yield self._place(node)
                break
            except NodeDownError:  # it did not get the script; the next one may
                tried.add(link.name)
                yield topology.look_again()
                links = [each for each in (yield topology.primaries()) if each.name not in tried]
                if not links:
                    raise
        if self.ids:
            others = yield self.gears._nodes(self.timeout)
            self.nodes = [node, *(each for each in others if name_of(each) != link.name)]
        return result  # type: ignore[no-any-return]

    # -- one server

    @asking
    def _place(self, node: "Spreading") -> Asks[Optional[ExecutionResult[Any]]]:
        """Register on a server, in the place of what it has."""
        before: Any = None
        for _ in range(_TRIES):
            way, state = Way({}, [], []), None
            if self.wish.replaces:
                sessions = yield self._sessions(node)
                found = self.wish.find(sessions)
                if self.ids and (yield self._ids_at(self.nodes[0])) != self.ids:
                    return None  # another version, and its client, are on their way here
                way = self.wish.way(found, (yield self._is_known()))
                state = found.state
            try:
                result = yield self._attempt(node, way)
            except (DuplicateTriggerError, SessionError) as error:
                # Others have been quicker; or not, and it is so for good.
                if state is None or state == before:
                    raise
                before, last = state, error
                continue
            for id in way.rest:
                yield self._unregister(node, id, self.timeout)
            return result  # type: ignore[no-any-return]
        raise last

    @asking
    def _attempt(self, node: "Spreading", way: Way) -> Asks[ExecutionResult[Any]]:
        replaced, self.doubtful = self.replaced, (node if self.registers or self.ids else None)
        self.replaced = replaced or way.replaces or self._asks_to_replace(way)
        try:
            result, ids = yield self._execute(node, way)
        except (NodeDownError, redis_errors.ResponseError):  # it has not run
            self.replaced, self.doubtful = replaced, None
            raise
        self.doubtful = None
        self.ids = self.ids or ids
        if self.ids:
            self.done.append(node)
        return result  # type: ignore[no-any-return]

    def _asks_to_replace(self, way: Way) -> bool:
        return not way.options and self.wish.options.get("replace_with") is not None

    @asking
    def _execute(self, node: "Spreading", way: Way) -> Asks[Any]:
        options = dict(self.wish.options, registration_ids=",".join(self.ids) or "?")
        options.update(way.options)
        script, pickled = self.wish.submission.script, self.wish.submission.pickled
        row = TABLE["RG.UNREGISTER"]
        rows = [row for _ in way.taken] + [_EXECUTE]
        commands = [words_of(row, id) for id in way.taken]
        commands.append(words_of(_EXECUTE, script, **options))
        record, caller = node._decoder(pickled), node._caller
        try:
            if way.taken:
                answers = yield caller.together(rows, commands, self.timeout, record)
            else:
                answer = yield caller.call(_EXECUTE, commands[0], self.timeout, record=record)
                answers = [answer]
            if isinstance(answers[-1], Exception):
                # The first one that failed tells why; but what is gone need not be removed.
                raise next(
                    answer
                    for answer in answers
                    if isinstance(answer, Exception)
                    and not isinstance(answer, RegistrationNotFoundError)
                )
        except redis_errors.RedisError as error:
            is_reply = isinstance(error, redis_errors.ResponseError) and not unreached(error)
            if is_reply and not self.ids:
                raise  # the others would say the same
            raise located(error, name_of(node)) from None
        return answers[-1]

    @asking
    def _is_known(self) -> Asks[bool]:
        """Whether some server has, or had, the session that is to be replaced."""
        wanted = self.wish.options.get("replace_with")
        if wanted is None or self.ids:
            return True
        for node in self.nodes:
            if (yield self._ids_at(node, wanted)):
                return True
        return False

    @asking
    def _ask(
        self, node: "Spreading", command: str, *args: Any, timeout: Optional[float], **options: Any
    ) -> Asks[Any]:
        row = TABLE[command]
        try:
            answer = yield node._caller.call(row, words_of(row, *args, **options), timeout)
        except redis_errors.RedisError as error:
            raise located(error, name_of(node)) from None
        return answer

    @asking
    def _sessions(self, node: "Spreading") -> Asks[Any]:
        found = yield self._ask(node, "RG.PYDUMPSESSIONS", verbose=True, timeout=self.timeout)
        return found

    @asking
    def _ids_at(self, node: "Spreading", name: Optional[str] = None) -> Asks[List[str]]:
        """The ids of what a session has registered."""
        names = [self.name if name is None else name]
        try:
            found = yield self._ask(node, "RG.PYDUMPSESSIONS", names, timeout=self.timeout)
        except SessionError:
            return []
        return [id for session in found for id in ids_of(session)]

    # -- taking back

    @asking
    def _undo(self, error: BaseException) -> Asks[None]:
        """Take back what has been done; the error tells what remains."""
        done, doubtful = self.done, self.doubtful
        left = [name_of(node) for node in done]
        if not self.replaced:
            # Those which have answered before.
            left = []
            for node in done:
                if not (yield self._remove(node)):
                    left.append(name_of(node))
        if left and self.replaced:
            _note(error, f"replaced on {', '.join(left)}; register again to have it everywhere")
        elif left:
            _note(error, f"may still be registered on {', '.join(left)}")
        if doubtful is None:
            return
        if not self.replaced:
            if isinstance(error, Exception) and timed_out(error):
                self._remember(doubtful)  # it will not answer now
            elif (yield self._remove(doubtful, True)):
                return
        _note(error, f"may or may not be registered on {name_of(doubtful)}")

    @asking
    def _remove(self, node: "Spreading", is_doubtful: bool = False) -> Asks[bool]:
        """Unregister on a server; if that fails now, before the next registration.

        Returns:
            Whether it is certain that nothing is left there.
        """
        if not self.ids and not RANDOM.fullmatch(self.name):
            return False  # what has this name may be somebody else's
        try:
            yield self.gears._within(_PATIENCE, self._remove_now(node, is_doubtful))
        except Exception:  # the first error tells more
            self._remember(node)
            return False
        # Where requirements are being installed, the script may be yet to come.
        return not (is_doubtful and self.wish.options.get("requirements"))

    @asking
    def _remove_now(self, node: "Spreading", is_doubtful: bool) -> Asks[None]:
        if is_doubtful:
            # A server runs one script after the other: with this one, ours has come to an end.
            yield self._ask(node, "RG.PYEXECUTE", "", timeout=_PATIENCE)
        ids = self.ids or (yield self._ids_at(node))
        for id in ids:
            yield self._unregister(node, id, _PATIENCE)

    @asking
    def _unregister(self, node: "Spreading", id: str, timeout: Optional[float]) -> Asks[None]:
        try:
            yield self._ask(node, "RG.UNREGISTER", id, timeout=timeout)
        except RegistrationNotFoundError:
            pass

    def _remember(self, node: "Spreading") -> None:
        leftover = (name_of(node), lambda: self._remove(node, True))
        self.gears._memory.leftovers.append(leftover)
