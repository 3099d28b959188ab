"""Scripts: their options, and the one thread on which their bodies run."""

from __future__ import annotations

import os
import queue
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .context import Context, entered
from .errors import error_text
from .replies import OK, Error, Status, results_and_errors
from .sessions import OptionError, Options, Session, Sessions

if TYPE_CHECKING:
    from .core import Engine
    from .executions import Execution, Plan
    from .registrations import Registration

__all__ = ["Background", "OptionError", "Options", "ScriptRun", "Scripts", "Session", "Sessions"]

BAD_ID = "ID must be compose of: ['A'-'Z' | 'a'-'z' | '0' - '9' | '-' | '_']"
_ID = re.compile(r"[A-Za-z0-9_-]*\Z")
SCRIPT_FILE = "<string>"


@dataclass
class ScriptRun:
    """One run of a script's body, and what it asked for."""

    session: Session
    plan: Plan | None = None
    replaces: Session | None = None
    registrations: list[Registration] = field(default_factory=list)
    ids: deque[str] = field(default_factory=deque)


def parse_options(words: list[str], **given: Any) -> Options:
    """Read the words behind the script.

    Args:
        words: These.
        given: Fields of the options that are known already.

    Raises:
        OptionError: They are wrong.
    """
    chosen = given
    values = {"ID": "id", "DESCRIPTION": "description", "REPLACE_WITH": "replace_with"}
    flags = {
        "UNBLOCKING": "unblocking",
        "UPGRADE": "upgrade",
        "FORCE_REINSTALL_REQUIREMENTS": "force_reinstall",
    }
    position = 0
    while position < len(words):
        word = words[position].upper()
        position += 1
        if word == "REQUIREMENTS":
            chosen["requirements"] = tuple(words[position:])
            break
        if word in flags:
            chosen[flags[word]] = True
        elif word in values:
            if position == len(words):
                raise OptionError(f"{word} is missing")
            chosen[values[word]] = words[position]
            position += 1
        else:
            raise OptionError(f"Unknown arguments were given: {words[position - 1]}")
    if not _ID.match(chosen.get("id", "")):
        raise OptionError(BAD_ID)
    return Options(**chosen)


class Scripts:
    """Runs the bodies of scripts, one at a time, on the thread that calls :meth:`serve`.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._base: dict[str, Any] = {}

    def set_globals(self, names: dict[str, Any]) -> None:
        """Say which names every script starts with."""
        self._base = names

    def serve(self) -> None:
        """Run scripts until :meth:`close`."""
        while True:
            job = self._queue.get()
            if job is None:
                return
            job()

    def close(self) -> None:
        """End :meth:`serve` after the script that is running."""
        self._queue.put(None)

    def submit(
        self, source: bytes, options: Options, answer: Callable[[Any], None], resp3: bool = False
    ) -> None:
        """Run a script.

        Args:
            source: Its text.
            options: The options of RG.PYEXECUTE.
            answer: Gets the reply.
            resp3: For which protocol results are encoded.
        """
        self._queue.put(lambda: self._run(source, options, answer, resp3))

    def _run(
        self, source: bytes, options: Options, answer: Callable[[Any], None], resp3: bool
    ) -> None:
        try:
            self._engine.sessions.check(options)  # again: scripts before it may have changed it
        except OptionError as error:
            answer(Error(str(error)))
            return
        session = Session(
            options.id if options.id is not None else os.urandom(20).hex(),
            options.description,
            requirements=options.requirements,
        )
        session.globals.update(self._base)
        session.globals["__name__"] = "not_main"
        if "loop" not in session.globals:
            session.globals["loop"] = self._engine.loop_name()
        old = options.replace_with if options.replace_with is not None else options.id
        replaced = self._engine.sessions.get(old) if old is not None else None
        run = ScriptRun(session, replaces=replaced, ids=deque(options.ids))
        ticket = self._engine.limited("the body of the script")
        try:
            # As a C string, which is what the original has: up to the first NUL.
            code = compile(source.partition(b"\0")[0], SCRIPT_FILE, "exec", dont_inherit=True)
            with entered(Context(session, script=run)):
                exec(code, session.globals)
        except BaseException as error:
            full = bool(self._engine.settings["PythonAttemptTraceback"])
            answer(Error(error_text(error, full, frameless=True)))
            return
        finally:
            if ticket is not None:
                ticket.cancel()
        if run.registrations:
            self._commit(run, answer, options.tells_ids)
            return
        if run.plan is None:
            answer(OK)
            return
        execution = self._engine.executions.create(run.plan)
        if options.unblocking:
            answer(execution.id)
        else:
            execution.when_done(lambda done: self._report(done, answer, resp3))
        self._engine.pool.submit(execution.run)

    def _commit(self, run: ScriptRun, answer: Callable[[Any], None], tells_ids: bool) -> None:
        """Let the script's registrations act; the result of a run is not told in that case."""
        try:
            self._engine.registrations.commit(run.session, run.registrations, run.replaces)
        except Exception as error:
            answer([Error(f"-ERR shard-{self._engine.shard.id}: {error}")])
            return
        self._engine.executions.skip()  # on the original, an execution does it
        ids = [registration.id for registration in run.registrations] if tells_ids else []
        answer(Status(f"OK {','.join(ids)}") if tells_ids else OK)
        if run.plan is not None:
            self._engine.pool.submit(self._engine.executions.create(run.plan).run)

    def _report(self, execution: Execution, answer: Callable[[Any], None], resp3: bool) -> None:
        """Answer with the results, and forget the execution."""
        self._engine.executions.drop(execution.id)
        answer(results_and_errors(execution.results, execution.errors, resp3))


class Background:
    """Runs something slow beside everything else, in a thread of its own."""

    @staticmethod
    def run(job: Callable[[], None], name: str) -> None:
        """Start it."""
        threading.Thread(target=job, name=f"redgrease-{name}", daemon=True).start()
