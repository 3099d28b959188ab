"""What outlives the worker: sessions with their registrations, and timers, in one SQLite file.

The functions of a session are pickled together, so that they share their objects again, and with
references to the session's dictionary of global names, to the names every script starts with and
to what is in the runtime modules, none of which is copied.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import sqlite3
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import cloudpickle

from redgrease.codes import with_file

from .errors import GearsError
from .sessions import Session
from .steps import Step

if TYPE_CHECKING:
    from .core import Engine
    from .registrations import Request

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""Pickled functions can be read by this version of Python only."""
_PROTOCOL = 4
_TRIES = 20
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    uid TEXT PRIMARY KEY, id TEXT NOT NULL, dead INTEGER NOT NULL, python TEXT NOT NULL,
    body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS registrations (
    id TEXT NOT NULL, session TEXT NOT NULL REFERENCES sessions (uid) ON DELETE CASCADE,
    PRIMARY KEY (session, id));
CREATE TABLE IF NOT EXISTS timers (
    key BLOB PRIMARY KEY, mark BLOB NOT NULL, python TEXT NOT NULL, session TEXT NOT NULL,
    uid TEXT NOT NULL, seconds REAL NOT NULL, body BLOB NOT NULL);
"""
_PLAIN = (str, bytes, int, float, bool, type(None), dict, list, tuple)
_STEP = tuple(field.name for field in fields(Step))
_log = logging.getLogger("redgrease.engine")


@dataclass(frozen=True)
class SavedTimer:
    """A timer that was saved: its key, session, interval, function and the value of its key."""

    key: bytes
    session: Session
    seconds: float
    function: Callable[[], Any]
    mark: bytes


# -- pickling ---------------------------------------------------------------------------------


def fresh_globals(engine: Engine) -> dict[str, Any]:
    """The global names of a script that has not begun yet."""
    names = dict(engine.script_names)
    names["__name__"] = "not_main"
    names.setdefault("loop", engine.loop_name())
    return names


def _native(engine: Engine) -> dict[str, dict[str, Any]]:
    """What is referred to by name, in groups."""
    runtime = {name: value for name, value in vars(engine.module).items() if name[:1] != "_"}
    return {"name": dict(engine.script_names), "runtime": {**runtime, "": engine.module}}


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes functions of one session."""

    dispatch_table = cloudpickle.Pickler.dispatch_table.new_child(
        {types.CodeType: with_file(cloudpickle.Pickler.dispatch_table[types.CodeType])}
    )

    def __init__(self, file: io.BytesIO, session: Session, engine: Engine) -> None:
        super().__init__(file, _PROTOCOL)
        self._named: dict[int, tuple[str, str]] = {}
        for kind, group in _native(engine).items():
            for name, value in group.items():
                if not isinstance(value, _PLAIN):
                    self._named.setdefault(id(value), (kind, name))
        if "loop" in session.globals:
            self._named.setdefault(id(session.globals["loop"]), ("name", "loop"))
        # Stands for the dictionary of the functions' global names; not empty, because
        # cloudpickle would put something into an empty one.
        self._marker = {"of": session.id}
        self.globals_ref[id(session.globals)] = self._marker
        self._named[id(self._marker)] = self._named[id(session.globals)] = ("globals", "")

    def persistent_id(self, item: Any) -> tuple[str, str] | None:
        if isinstance(item, Session):
            return ("session", item.id)
        return self._named.get(id(item))


class _Unpickler(pickle.Unpickler):
    """Reads functions into a session."""

    def __init__(self, body: bytes, session: Session, engine: Engine) -> None:
        super().__init__(io.BytesIO(body))
        self._session, self._engine = session, engine
        self._groups = _native(engine)
        self._groups["name"]["loop"] = session.globals.get("loop")

    def persistent_load(self, mark: Any) -> Any:
        kind, name = mark
        if kind == "globals":
            return self._session.globals
        if kind == "session":
            other = None if name == self._session.id else self._engine.sessions.get(name)
            return self._session if name == self._session.id else other or Session(name)
        try:
            return self._groups[kind][name]
        except KeyError:
            raise pickle.UnpicklingError(f"this server has no {name!r}") from None


def dumps(value: Any, session: Session, engine: Engine) -> bytes:
    """Pickle something that holds functions of a session.

    Raises:
        Exception: It cannot be pickled; whatever the objects in it raise.
    """
    for _ in range(_TRIES):
        file = io.BytesIO()
        try:
            _Pickler(file, session, engine).dump(value)
            break
        except RuntimeError as error:  # functions that run may change what is being pickled
            if "changed size during iteration" not in str(error):
                raise
    else:
        raise RuntimeError("what the functions use does not keep still")
    return file.getvalue()


def loads(body: bytes, session: Session, engine: Engine) -> Any:
    """Read what :func:`dumps` has written, into a session.

    Raises:
        Exception: It cannot be read, for instance because a module is missing.
    """
    return _Unpickler(body, session, engine).load()


def _name(part: Any) -> str:
    return str(getattr(part, "__name__", "<lambda>"))  # the original has the start in a lambda


def pickled(part: Any, session: Session, engine: Engine) -> bytes:
    """Pickle a function of a session, or what an aggregation starts with, to see if it can be.

    Raises:
        GearsError: It cannot be.
    """
    try:
        return dumps(part, session, engine)
    except Exception as error:
        raise GearsError(
            f"Error occured when serialized a python callback, callback={_name(part)} error={error}"
        ) from None


def parts(request: Request) -> Iterator[Any]:
    """What a registration is made of and scripts supply: functions, and starts of aggregations."""
    for step in request.steps:
        yield from (part for part in (*step.callbacks, step.zero) if part is not None)
    if request.on_registered is not None:
        yield request.on_registered


def _plain(request: Request) -> dict[str, Any]:
    """A registration as plain data and functions, which other releases can read too."""
    return {
        "id": request.id,
        "reader": request.reader,
        "description": request.description,
        "mode": request.mode,
        "options": dict(request.options),
        "steps": [{name: getattr(step, name) for name in _STEP} for step in request.steps],
        "on_registered": request.on_registered,
    }


def _request(plain: dict[str, Any]) -> Request:
    from .registrations import Request

    steps = tuple(
        Step(**{name: value for name, value in step.items() if name in _STEP})
        for step in plain.pop("steps")
    )
    return Request(**plain, steps=steps)


# -- the file -----------------------------------------------------------------------------------


class Store:
    """The file.

    Every method is one transaction, which is on the disk when the method returns.  It raises
    GearsError if the file cannot be used.

    Args:
        path: Where it is; it is made at the first need.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close it; it is opened again when it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        with suppress(OSError):  # of which SQLite tells
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # its other files follow
        connection = sqlite3.connect(
            self.path, timeout=30, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found > _VERSION:
                raise GearsError(f"{self.path} was written by a later release of redgrease")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                aside = self.path + ".damaged"
                _log.error("%s is damaged (%s); kept as %s", self.path, error, aside)
                os.replace(self.path, aside)
                self._connection = self._open()
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                connection = self._connected()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        except (sqlite3.Error, OSError) as error:
            raise GearsError(f"the server's file {self.path} cannot be used: {error}") from error

    # -- sessions -------------------------------------------------------------------------------

    def save(self, session: Session, engine: Engine, replaces: str | None = None) -> None:
        """Save a session and its registrations, in the place of what is there of it.

        Args:
            session: The session.
            engine: The engine.
            replaces: Name of a session that is removed in the same step; it may be the same.

        Raises:
            GearsError: A function cannot be pickled, or the file cannot be written.
        """
        requests = [registration.request for registration in session.registrations]
        content = {
            "description": session.description,
            "requirements": session.requirements,
            "registrations": [_plain(request) for request in requests],
        }
        try:
            body = dumps(content, session, engine)
        except Exception as error:
            for request in requests:
                for part in parts(request):
                    pickled(part, session, engine)  # says which one it is
            raise GearsError(f"Failed serializing session: {error}") from None
        try:
            with self._transaction() as connection:
                connection.execute(
                    "DELETE FROM sessions WHERE uid = ? OR id = ? OR (id = ? AND python != ?)",
                    (session.uid, replaces, session.id, PYTHON),
                )
                connection.execute(
                    "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
                    (session.uid, session.id, session.dead, PYTHON, body),
                )
                connection.executemany(
                    "INSERT INTO registrations VALUES (?, ?)",
                    [(request.id, session.uid) for request in requests],
                )
        except GearsError as error:
            raise GearsError(f"Failed serializing session: {error}") from error

    def remove_registration(self, ident: str) -> None:
        """Forget a registration; with the last one its session is forgotten."""
        with self._transaction() as connection:
            mine = "uid IN (SELECT session FROM registrations WHERE id = ?) AND python = ?"
            uids = connection.execute(f"SELECT uid FROM sessions WHERE {mine}", (ident, PYTHON))
            for (session,) in uids.fetchall():
                connection.execute(
                    "DELETE FROM registrations WHERE id = ? AND session = ?", (ident, session)
                )
                left = "SELECT 1 FROM registrations WHERE session = ?"
                if connection.execute(left, (session,)).fetchone() is None:
                    connection.execute("DELETE FROM sessions WHERE uid = ?", (session,))

    def remove_session(self, ident: str) -> None:
        """Forget a session and its registrations."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM sessions WHERE id = ?", (ident,))

    def next_number(self) -> int:
        """A number above those of all registrations in the file."""
        with self._transaction() as connection:
            idents = connection.execute("SELECT id FROM registrations").fetchall()
        numbers = [int(ident.rpartition("-")[2]) for (ident,) in idents]
        return max(numbers, default=-1) + 1

    def load(self, engine: Engine) -> list[tuple[Session, list[Request]]]:
        """Read all sessions, in the order in which they were saved, but dead ones last.

        What cannot be read stays in the file, and the log says why.

        Args:
            engine: The engine, with its modules installed.

        Returns:
            New sessions, which are not linked and whose registrations are yet to be made, and
            what these are made from.
        """
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT uid, id, python, body FROM sessions ORDER BY dead, rowid"
            ).fetchall()
            alive = set(connection.execute("SELECT session, id FROM registrations").fetchall())
        found: list[tuple[Session, list[Request]]] = []
        for uid, ident, python, body in rows:
            session = Session(ident, globals=fresh_globals(engine), uid=uid)
            content = self._read(f"session {ident}", python, body, session, engine)
            if content is None:
                continue
            session.description = content["description"]
            session.requirements = tuple(content["requirements"])
            plain = [one for one in content["registrations"] if (uid, one["id"]) in alive]
            found.append((session, [_request(one) for one in plain]))
        return found

    @staticmethod
    def _read(what: str, python: str, body: bytes, session: Session, engine: Engine) -> Any:
        if python != PYTHON:
            _log.warning(
                "%s was saved by Python %s and is not loaded by Python %s; it stays in the file",
                *(what, python, PYTHON),
            )
            return None
        try:
            return loads(body, session, engine)
        except Exception as error:
            _log.error("%s cannot be loaded and stays in the file: %r", what, error)
            return None

    # -- timers ---------------------------------------------------------------------------------

    def save_timer(self, timer: SavedTimer, engine: Engine) -> None:
        """Save a timer.

        Raises:
            GearsError: Its function cannot be pickled, or the file cannot be written.
        """
        session = timer.session
        pickled(timer.function, session, engine)
        content = (timer.function, session.description, session.requirements)
        body = dumps(content, session, engine)
        row = (timer.key, timer.mark, PYTHON, session.id, session.uid, timer.seconds, body)
        try:
            with self._transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO timers VALUES (?, ?, ?, ?, ?, ?, ?)", row
                )
        except GearsError as error:
            raise GearsError(f"Failed serializing time event: {error}") from error

    def remove_timer(self, key: bytes, mark: bytes) -> None:
        """Forget a timer, unless its key has been given to another one."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM timers WHERE key = ? AND mark = ?", (key, mark))

    def load_timers(self, engine: Engine, sessions: Iterable[Session]) -> list[SavedTimer]:
        """Read all timers, after the sessions.

        Args:
            engine: The engine.
            sessions: Those that :meth:`load` gave; timers go on with these where they can.
        """
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT key, mark, python, session, uid, seconds, body FROM timers ORDER BY rowid"
            ).fetchall()
        # A session that has been replaced since may have the same name, but not the same names
        # in it.
        known = {session.uid: session for session in sessions}
        found: list[SavedTimer] = []
        for key, mark, python, ident, uid, seconds, body in rows:
            session = known.get(uid)
            if session is None:
                session = Session(ident, globals=fresh_globals(engine), uid=uid)
            content = self._read(f"time event {key!r}", python, body, session, engine)
            if content is not None:
                function, description, requirements = content
                if uid not in known:
                    session.description, session.requirements = description, requirements
                    known[uid] = session
                found.append(SavedTimer(key, session, seconds, function, mark))
        return found
