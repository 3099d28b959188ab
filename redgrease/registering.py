"""How functions are registered, and registered again.

Servers from 1.2.2 on have named sessions.  A function that ``replace=`` is given for gets one whose
name depends only on what the function is called (see :mod:`redgrease.shipping.identity`), and is
replaced by the server in one step: no event is lost, and an error leaves the old one in place.

Older servers cannot replace anything.  There

- a trigger is freed and taken again by two commands that are sent in one go; the new function has
  already been found sound, since the server only complains of a taken trigger after it has loaded
  the function, so between the two commands, for less than a millisecond, there is no such trigger;
- for other readers the new function is registered first, and then the old one is removed: an
  event in between is handled by both.
"""

import secrets
from typing import Any, Callable, Dict, List, Optional, Tuple

from redis import exceptions as redis_errors

from redgrease import data
from redgrease.asking import Asks, asking
from redgrease.commands import TABLE, words_of
from redgrease.everywhere import Everywhere
from redgrease.exceptions import (
    DuplicateTriggerError,
    RegistrationNotFoundError,
    SessionError,
)
from redgrease.placing import differs, is_stray
from redgrease.privatedata import read_signature, signed
from redgrease.registered import RegisteredFunction
from redgrease.results import ExecutionResult
from redgrease.spreading import Spreading
from redgrease.submission import Submission

__all__ = ["Registering"]

Options = Dict[str, Any]
Prepare = Callable[..., Submission]

# The first version that has named sessions.
_SESSIONS = (1, 2, 2)


class Registering(Spreading):
    """Registers functions, also in the place of others."""

    @asking
    def _has_sessions(self) -> Asks[bool]:
        try:
            version = yield self.gears_version()
        except redis_errors.ResponseError:  # not everybody may ask for the modules
            return False
        return version is not None and version >= _SESSIONS

    @asking
    def _register(
        self,
        prepare: Prepare,
        submission: Submission,
        options: Options,
        replace: Optional[bool],
        timeout: Optional[float],
    ) -> Asks[RegisteredFunction]:
        """Register a function.

        Args:
            prepare: Makes a submission, with a description of the registration if one is given.
            submission: What it makes without.
            options: The options of ``RG.PYEXECUTE``.
            replace: What to do if it is registered already.
            timeout: How many seconds to wait for replies.

        Returns:
            The function as it is registered.
        """
        attempt: _Attempt
        if (yield self._is_alone()):
            attempt = _OnEach(self, submission, options, replace, timeout)
        elif (yield self._has_sessions()):
            attempt = _InSession(self, submission, options, replace, timeout)
        else:
            identity = submission.identity
            if replace is not None and identity.desc is None:
                # There is no other place for the name.
                submission = prepare(desc=signed(identity.session, identity.fingerprint))
            attempt = _WithoutSession(self, submission, options, replace, timeout)
        try:
            registered = yield attempt.register()
        except DuplicateTriggerError as error:
            error.trigger = submission.trigger
            raise
        return registered  # type: ignore[no-any-return]

    @asking
    def _replace_at_once(
        self,
        old: data.Registration,
        submission: Submission,
        options: Options,
        timeout: Optional[float],
    ) -> Asks[None]:
        """Remove a registration and register a function, by two commands sent in one go."""
        rows = [TABLE["RG.UNREGISTER"], TABLE["RG.PYEXECUTE"]]
        commands = [words_of(rows[0], old.id), words_of(rows[1], submission.script, **options)]
        record = self._decoder(submission.pickled)
        replies = yield self._caller.together(rows, commands, timeout, record)
        removed, registered = replies
        if isinstance(registered, Exception):
            if isinstance(removed, Exception) and not isinstance(
                removed, RegistrationNotFoundError
            ):
                raise removed
            raise registered

    def _registered(
        self, submission: Submission, session: Optional[str] = None, id: Any = None
    ) -> RegisteredFunction:
        identity, pickles = submission.identity, submission.pickled
        value: Any = True
        if submission.trigger is not None:
            value = self._trigger_function(submission.trigger, pickles)
        elif pickles:
            self._memory.note(self._memory.encoders, identity.encoder)
        return RegisteredFunction(value, self, identity, session, id)


class _Attempt:
    """One function that is to be registered."""

    def __init__(
        self,
        gears: Registering,
        submission: Submission,
        options: Options,
        replace: Optional[bool],
        timeout: Optional[float],
    ) -> None:
        self.gears = gears
        self.submission = submission
        self.identity = submission.identity
        self.options = options
        self.replace = replace
        self.timeout = timeout

    def _run(self, steps: Asks[Any]) -> Any:
        return self.gears._run(steps)

    def register(self) -> RegisteredFunction:
        """Register the function."""
        raise NotImplementedError

    def named(self) -> str:
        """Give the session a name, and a description by which the function is known again."""
        identity, options = self.identity, self.options
        if options.get("id") is None:
            # Also a name that nobody else uses, to find the registration again.
            name = secrets.token_hex(20) if self.replace is None else identity.session
            options["id"] = name
        options["description"] = signed(options.get("description"), identity.fingerprint)
        return options["id"]  # type: ignore[no-any-return]

    def send(self, **changes: Any) -> ExecutionResult[Any]:
        options = dict(self.options, **changes)
        return self.gears._send_script(self.submission, options, self.timeout)

    @asking
    def holders(self) -> Asks[List[data.Registration]]:
        """What has the trigger."""
        if self.submission.trigger is None:
            return []
        found = yield self.gears.dumpregistrations(trigger=self.submission.trigger)
        return found  # type: ignore[no-any-return]

    @asking
    def remove(self, registration: data.Registration) -> Asks[None]:
        try:
            yield self.gears.unregister(registration)
        except RegistrationNotFoundError:  # somebody else was quicker
            pass


class _InSession(_Attempt):
    """On servers that have named sessions."""

    @asking
    def register(self) -> Asks[RegisteredFunction]:
        name = self.named()
        try:
            if self.replace:
                yield self._replace()
            else:
                strays = (yield self._strays()) if self.replace is False else []
                if strays:
                    return self.gears._registered(self.submission, self._same(strays[0]))
                yield self.send()
        except (DuplicateTriggerError, SessionError) as error:
            if self.replace is not False:
                raise
            name = yield self._accepted(error)
        return self.gears._registered(self.submission, name)

    @asking
    def _accepted(self, error: Exception) -> Asks[str]:
        """The session of the function that is registered already, if it is the same."""
        if isinstance(error, SessionError):
            session = yield self._session(self.options["id"])
            what = f"the session {self.options['id']!r}"
        else:
            what = f"the trigger {self.submission.trigger!r}"
            found = yield self._sessions_with_trigger()
            session = found[0][0] if found else None
        if session is None:
            raise error
        if session.fingerprint != self.identity.fingerprint:
            raise differs(what) from error
        return session.ID  # type: ignore[no-any-return]

    def _same(self, stray: data.Session) -> str:
        if stray.fingerprint != self.identity.fingerprint:
            raise differs(f"{self.identity.reader} {self.identity.prefix!r}")
        return stray.ID

    @asking
    def _session(self, name: str) -> Asks[Optional[data.Session]]:
        try:
            found = yield self.gears.pydumpsessions(name)
        except SessionError:
            return None
        return found[0] if found else None

    @asking
    def _sessions_with_trigger(self) -> Asks[List[Tuple[data.Session, data.Registration]]]:
        found = yield self.holders()
        holders = {registration.id: registration for registration in found}
        if not holders:
            return []
        sessions = yield self.gears.pydumpsessions()
        return [
            (session, holders[id])
            for session in sessions
            for id in session.registrations
            if id in holders
        ]

    # -- replacing

    @asking
    def _replace(self) -> Asks[None]:
        if self.options.get("replace_with") is not None:
            yield self.send()
            return
        # None of the same name: that would be the one to replace.
        strays = yield self._strays()
        if strays:
            yield self.send(replace_with=strays[0].ID)
            for session in strays[1:]:
                yield self.remove(session.registrations[0])
            return
        try:
            yield self.send(upgrade=True)
        except DuplicateTriggerError as error:
            yield self._take_trigger(error)

    @asking
    def _strays(self) -> Asks[List[data.Session]]:
        """Sessions with nothing but this function, registered without a name of its own."""
        if self.submission.trigger is not None:
            return []  # the server will tell
        sessions = yield self.gears.pydumpsessions(verbose=True)
        if any(self.options["id"] == session.ID for session in sessions):
            return []
        return [session for session in sessions if is_stray(session, self.identity)]

    @asking
    def _take_trigger(self, error: DuplicateTriggerError) -> Asks[None]:
        """Take the trigger from a session of another name."""
        found = yield self._sessions_with_trigger()
        if not found:
            raise error
        session, registration = found[0]
        same_name = yield self._session(self.options["id"])
        if len(session.registrations) == 1 and same_name is None:
            yield self.send(replace_with=session.ID)
            return
        # The session has more than that, which is to stay.
        options = dict(self.options, upgrade=True)
        yield self.gears._replace_at_once(registration, self.submission, options, self.timeout)


class _OnEach(_Attempt):
    """On servers in a cluster that do not tell each other; they have named sessions."""

    @asking
    def register(self) -> Asks[RegisteredFunction]:
        name = self.named()
        everywhere = Everywhere(
            self.gears, self.submission, self.options, self.replace, self.timeout
        )
        if self.replace is False:
            accepted = yield everywhere.accepted()
            if accepted is not None:
                return self.gears._registered(self.submission, accepted)
        yield everywhere.send()
        return self.gears._registered(self.submission, name)


class _WithoutSession(_Attempt):
    """On servers that have no named sessions."""

    @asking
    def register(self) -> Asks[RegisteredFunction]:
        if self.submission.trigger is not None:
            registered = yield self._register_trigger(self.submission.trigger)
            return registered  # type: ignore[no-any-return]
        before = yield self._alike()
        named = [] if self.replace is None else self._named(before)
        if self.replace is False and named:
            if self._found_in(named[0]) not in (None, self.identity.fingerprint):
                raise differs(f"{self.identity.reader} {self.identity.prefix!r}")
            return self.gears._registered(self.submission, id=named[0].id)
        yield self.send()
        old = {registration.id for registration in before}
        after = yield self._alike()
        new = [
            registration.id
            for registration in after
            if registration.id not in old
            and registration.RegistrationData.mode == self.identity.mode
        ]
        for registration in named:
            yield self.remove(registration)
        return self.gears._registered(self.submission, id=new[0] if len(new) == 1 else None)

    @asking
    def _register_trigger(self, trigger: str) -> Asks[RegisteredFunction]:
        try:
            yield self.send()
        except DuplicateTriggerError as error:
            if self.replace is None:
                raise
            holders = yield self.holders()
            if not holders and self.replace:
                raise
            if self.replace:
                old, options = holders[0], self.options
                yield self.gears._replace_at_once(old, self.submission, options, self.timeout)
            elif holders and self._found_in(holders[0]) not in (None, self.identity.fingerprint):
                raise differs(f"the trigger {trigger!r}") from error
        return self.gears._registered(self.submission)

    @asking
    def _alike(self) -> Asks[List[data.Registration]]:
        """All registrations of the same reader for the same keys."""
        identity = self.identity
        registrations = yield self.gears.dumpregistrations(reader=identity.reader)
        return [
            registration
            for registration in registrations
            for arguments in [registration.RegistrationData.args]
            if arguments.get("regex", arguments.get("stream")) in (identity.prefix, None)
        ]

    def _named(self, registrations: List[data.Registration]) -> List[data.Registration]:
        """Those which are called like the function."""
        name = self.identity.session if self.identity.desc is None else self.identity.desc
        return [
            registration
            for registration in registrations
            if read_signature(registration.desc)[0] == name
        ]

    @staticmethod
    def _found_in(registration: data.Registration) -> Optional[str]:
        """The digest of a registered function, if it is known."""
        fingerprint: Optional[str] = read_signature(registration.desc)[1]
        return fingerprint
