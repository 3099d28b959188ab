"""What a function is registered in the place of, on one server that has named sessions."""

import re
from typing import Any, Dict, List, NamedTuple, Optional

from redgrease import data
from redgrease.exceptions import DuplicateTriggerError
from redgrease.submission import Submission

__all__ = ["RANDOM", "Found", "Way", "Wish", "differs", "ids_of", "is_stray"]

# The names of sessions that nobody has named.
RANDOM = re.compile(r"[0-9a-f]{40}")


def differs(what: str) -> DuplicateTriggerError:
    """The error for a function that is registered already, and is another one."""
    return DuplicateTriggerError(f"another function is registered for {what}")


def ids_of(session: data.Session) -> List[str]:
    """The ids of a session's registrations."""
    return [str(getattr(one, "id", one)) for one in session.registrations]


def is_stray(session: data.Session, identity: Any) -> bool:
    """Whether a session, listed verbosely, has nothing but a function, and no name of its own."""
    if not RANDOM.fullmatch(session.ID) or len(session.registrations) != 1:
        return False
    if session.fingerprint == identity.fingerprint:
        return True
    registration = session.registrations[0]
    arguments = registration.RegistrationData.args
    return (
        identity.desc is not None
        and registration.desc == identity.desc
        and registration.reader == identity.reader
        and arguments.get("regex", arguments.get("stream")) == identity.prefix
    )


class Found(NamedTuple):
    """What a server has.

    Attributes:
        same: The session of the function's name.
        others: Other sessions with what is to be replaced.
    """

    same: Optional[data.Session]
    others: List[data.Session]

    @property
    def holder(self) -> Optional[data.Session]:
        """The session that has the function."""
        return self.same or next(iter(self.others), None)

    @property
    def state(self) -> List[Any]:
        """What is equal as long as nobody has changed these sessions."""
        found = [self.same, *self.others]
        return [(session.ID, ids_of(session)) for session in found if session is not None]


class Way(NamedTuple):
    """How to register so that it succeeds only if nobody has changed what was found.

    Attributes:
        options: Options of ``RG.PYEXECUTE``.
        taken: The ids of registrations that are to be removed in the same go.
        rest: The ids of those that are to be removed afterwards.
    """

    options: Dict[str, Any]
    taken: List[str]
    rest: List[str]

    @property
    def replaces(self) -> bool:
        """Whether there is an earlier one."""
        options = self.options
        return bool(self.taken or options.get("upgrade") or options.get("replace_with"))


class Wish(NamedTuple):
    """What somebody wants to register, and in the place of what.

    Attributes:
        submission: The script.
        options: The options of ``RG.PYEXECUTE``, among them the session's name.
        replace: For functions: True to replace the earlier one, False to do so if it is the same.
    """

    submission: Submission
    options: Dict[str, Any]
    replace: Optional[bool] = None

    @property
    def replaces(self) -> bool:
        """Whether there is anything that may be replaced."""
        options = self.options
        upgrades = options.get("upgrade") or options.get("replace_with") is not None
        return bool(upgrades) or self.replace is not None

    def find(self, sessions: List[data.Session]) -> Found:
        """Find what is to be replaced.

        Args:
            sessions: All sessions of a server, listed verbosely.

        Raises:
            DuplicateTriggerError: It is another function, and only the same may be replaced.
        """
        name, instead = self.options["id"], self.options.get("replace_with")
        same = next((session for session in sessions if name == session.ID), None)
        rest = [session for session in sessions if session is not same]
        if instead is not None:
            others = [session for session in rest if instead == session.ID]
        elif self.replace is None:
            others = []
        elif self.submission.trigger is not None:
            others = [session for session in rest if self._with_trigger(session)]
        else:
            identity = self.submission.identity
            others = [] if same else [each for each in rest if is_stray(each, identity)]
        found = Found(same, others)
        if self.replace is False:
            self._compare(found)
        return found

    def way(self, found: Found, is_known: bool) -> Way:
        """Choose a way.

        Args:
            found: What the server has.
            is_known: Whether any server has, or had, the session of the option ``replace_with``.
        """
        same, others, instead = found.same, found.others, self.options.get("replace_with")
        if instead is not None and (others or not is_known):
            return Way({}, [], [])  # as it was asked for
        taken = [id for session in others for id in self._with_trigger(session)]
        if same is not None:
            ids = ",".join(ids_of(same))
            return Way({"upgrade": True, "replace_with": None, "instead_of": ids}, taken, [])
        if others and len(others[0].registrations) == 1:
            rest = [id for session in others[1:] for id in ids_of(session)]
            return Way({"upgrade": False, "replace_with": others[0].ID}, [], rest)
        # A session of which only a part is to be replaced keeps the rest.
        return Way({"upgrade": False, "replace_with": None}, taken, [])

    def _with_trigger(self, session: data.Session) -> List[str]:
        """The ids of a session's registrations that have the trigger."""
        trigger = self.submission.trigger
        return [
            str(one.id)
            for one in session.registrations
            if trigger is not None and one.RegistrationData.args.get("trigger") == trigger
        ]

    def _compare(self, found: Found) -> None:
        identity, trigger = self.submission.identity, self.submission.trigger
        for session in filter(None, [found.same, *found.others]):
            if session.fingerprint == identity.fingerprint:
                continue
            if session is found.same:
                raise differs(f"the session {session.ID!r}")
            if trigger is not None:
                raise differs(f"the trigger {trigger!r}")
            raise differs(f"{identity.reader} {identity.prefix!r}")
