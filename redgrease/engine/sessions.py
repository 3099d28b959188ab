"""Sessions: what the functions of one script share, which of them live, and their descriptions."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .replies import Error

if TYPE_CHECKING:
    from .core import Engine
    from .registrations import Registration
    from .requirements import Package

PRIMARY, UNLINKED = "primary", "None"
"""Where a session is linked."""


class OptionError(Exception):
    """The options of a command are wrong; the message is the reply."""


@dataclass(frozen=True)
class Options:
    """The options of RG.PYEXECUTE; the last three are for clients of clusters, see shard.py."""

    id: str | None = None
    description: str | None = None
    upgrade: bool = False
    replace_with: str | None = None
    unblocking: bool = False
    force_reinstall: bool = False
    requirements: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    instead_of: tuple[str, ...] | None = None
    tells_ids: bool = False


@dataclass(eq=False)
class Session:
    """What the functions of one script share.

    Attributes:
        id: Its name.
        description: Free text.
        globals: The script's global names.
        requirements: Names of the packages it asked for.
        registrations: Its registrations; a session is linked as long as it has any.
        linked: ``primary`` if it is found under its name, otherwise ``None``; ``temprary``, on its
            way to the other shards of a cluster, does not occur here.
        dead: Whether it was linked once and is no longer.
        owner: The list of sessions.
        uid: Tells it from other sessions of the same name, also after a restart.
    """

    id: str
    description: str | None = None
    globals: dict[str, Any] = field(default_factory=dict, repr=False)
    requirements: tuple[str, ...] = ()
    registrations: list[Registration] = field(default_factory=list, repr=False)
    linked: str = UNLINKED
    dead: bool = False
    owner: Sessions | None = field(default=None, repr=False)
    uid: str = field(default_factory=lambda: os.urandom(16).hex(), repr=False)

    @property
    def ref_count(self) -> int:
        """How many things keep it: its name, its registrations, running executions, timers."""
        users = self.owner.users(self) if self.owner is not None else 0
        return int(self.linked != UNLINKED) + len(self.registrations) + users

    @property
    def packages(self) -> list[Package]:
        """The requirements it asked for."""
        return self.owner.packages(self) if self.owner is not None else []


class Sessions:
    """The sessions that have registrations.

    Args:
        engine: The engine, whose executions and timers keep sessions too.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._linked: dict[str, Session] = {}
        self._dead: list[Session] = []
        engine.requirements.users = self.users_of_requirement

    def check(self, options: Options) -> None:
        """See whether a session with these options may be made.

        Raises:
            OptionError: It may not.
        """
        ident, old = options.id, options.replace_with
        if ident is not None and ident in self._linked:
            if old is None and not options.upgrade:
                raise OptionError(f"Session {ident} already exists")
            if old is not None and old != ident:
                raise OptionError(f"Can not replace an existing session {ident} with {old}")
        if old is not None and old not in self._linked:
            raise OptionError(f"Can not replace with {old}, session does not exists.")
        if options.instead_of is not None:
            found = self._linked.get(ident or "")
            ids = [one.id for one in found.registrations] if found is not None else []
            if ids != list(options.instead_of):
                raise OptionError(f"Can not replace session {ident}, it has changed.")

    # -- life -----------------------------------------------------------------------------------

    def link(self, session: Session, replaces: Session | None = None) -> None:
        """Let a session be found under its name from now on.

        Args:
            session: The session, whose registrations have been made.
            replaces: The session in whose place it comes; it is unlinked in the same step.
        """
        with self._lock:
            session.owner = self
            for name in session.requirements:
                self._engine.requirements.note(name)
            if replaces is not None and replaces is not session:
                self.unlink(replaces)
            if self._linked.setdefault(session.id, session) is session:
                session.linked, session.dead = PRIMARY, False
            else:  # a function has registered something after its session was replaced
                session.dead = True
                self._dead.append(session)
            self._bury()

    def unlink(self, session: Session) -> None:
        """Let a session no longer be found; what still uses it may do so until it has ended."""
        with self._lock:
            if self._linked.get(session.id) is session:
                del self._linked[session.id]
            if session.linked == PRIMARY:
                session.linked, session.dead = UNLINKED, True
                self._dead.append(session)
            self._bury()

    def leave(self, registration: Registration) -> None:
        """A registration is gone; with the last one its session is unlinked."""
        session = registration.session
        with self._lock:
            if registration in session.registrations:
                session.registrations.remove(registration)
            if not session.registrations and session.linked == PRIMARY:
                self.unlink(session)

    def users(self, session: Session) -> int:
        """How many running executions and timers a session has."""
        engine = self._engine
        running = sum(
            1
            for execution in engine.executions.all()
            if execution.plan.session is session and not execution.done
        )
        return running + engine.timers.count(session)

    def _bury(self) -> None:
        """Forget the dead that nothing uses any more."""
        dead = dict.fromkeys(session for session in self._dead if session.dead)
        self._dead = [session for session in dead if session.ref_count]

    # -- look-up --------------------------------------------------------------------------------

    def get(self, ident: str) -> Session | None:
        """The session of this name."""
        return self._linked.get(ident)

    def all(self) -> list[Session]:
        """All that are linked, the oldest first."""
        with self._lock:
            return list(self._linked.values())

    def dead(self) -> list[Session]:
        """Those that were unlinked and are still used."""
        with self._lock:
            self._bury()
            return list(self._dead)

    def packages(self, session: Session) -> list[Package]:
        """The requirements a session asked for."""
        return [self._engine.requirements.note(name) for name in session.requirements]

    def users_of_requirement(self, name: str) -> int:
        """How many sessions use a requirement."""
        return sum(name in session.requirements for session in (*self.all(), *self.dead()))

    # -- description ----------------------------------------------------------------------------

    def dump(self, words: list[str]) -> Any:
        """The reply to RG.PYDUMPSESSIONS.

        Args:
            words: Its arguments: ``VERBOSE``, ``DEAD``, ``SESSIONS id ...``.
        """
        return list(self._dump(words)) if not (wrong := _unknown(words)) else Error(wrong)

    def _dump(self, words: list[str]) -> Iterator[Any]:
        options = [word.upper() for word in words]
        named = options.index("SESSIONS") if "SESSIONS" in options else None
        before = options[:named]
        verbose = "VERBOSE" in before
        if named is not None:
            for ident in words[named + 1 :]:
                found = self.get(ident)
                yield describe(found, verbose) if found else f"Session {ident} does not exists"
            return
        for session in self.dead() if "DEAD" in before else self.all():
            yield describe(session, verbose)


def _unknown(words: list[str]) -> str | None:
    """The complaint about the first option that does not exist."""
    for word in words:
        if word.upper() == "SESSIONS":
            break
        if word.upper() not in ("VERBOSE", "DEAD"):
            return f"Unknown option {word}"
    return None


def describe(session: Session, verbose: bool = False) -> list[Any]:
    """A session's entry in the reply to RG.PYDUMPSESSIONS.

    Args:
        session: The session.
        verbose: Whether requirements and registrations are described rather than named.
    """
    requirements: list[Any] = list(session.requirements)
    registrations: list[Any] = [registration.id for registration in session.registrations]
    if verbose:
        requirements = [
            package.describe(session.owner.users_of_requirement(package.name))
            for package in session.packages
            if session.owner is not None
        ]
        registrations = [registration.dump(private=False) for registration in session.registrations]
    return [
        *("ID", session.id, "sessionDescription", session.description),
        *("refCount", session.ref_count, "linked", session.linked),
        *("dead", _word(session.dead), "requirementInstallationNeeded", 0),
        *("requirements", requirements, "registrations", registrations),
    ]


def private_data(session: Session) -> str:
    """A session as text for people, ``PD`` in the reply to RG.DUMPREGISTRATIONS."""
    description = "null" if session.description is None else f"'{session.description}'"
    registrations = ", ".join(registration.id for registration in session.registrations)
    packages = ", ".join(package.private_data() for package in session.packages)
    members = {
        "sessionName": f"'{session.id}'",
        "sessionDescription": description,
        "refCount": session.ref_count,
        "linkedTo": session.linked,
        "dead": _word(session.dead),
        "isInstallationNeeded": _word(False),
        "registrationsList": f"[{registrations}]",
        "depsList": f"[{packages}]",
    }
    return "{" + ", ".join(f"'{name}':{value}" for name, value in members.items()) + "}"


def _word(value: bool) -> str:
    return "true" if value else "false"
