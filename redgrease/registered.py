"""What registering a function returns: the function as it is registered on a server."""

from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from redgrease import data
from redgrease.asking import Asks, asking
from redgrease.exceptions import RegistrationNotFoundError, SessionError
from redgrease.results import ExecutionResult

if TYPE_CHECKING:
    from redgrease.registrations import Registrations
    from redgrease.shipping.identity import Identity

__all__ = ["RegisteredFunction"]


class RegisteredFunction(ExecutionResult[Any]):
    """A function that has been registered on a server, with its registration.

    It is always true, and equals ``True``, as what a server replies.  One that has a trigger can
    be called: that triggers it.

    Attributes:
        session: The name of its session; None on servers before 1.2.2.
        trigger: What triggers it; for a hook, the command.
        value: True; of one that has a trigger, the function that triggers it.
    """

    __slots__ = ("_found", "_gears", "_id", "_identity", "_session")

    _gears: "Registrations"
    _identity: "Identity"
    _session: Optional[str]
    _id: Any
    _found: Optional[data.Registration]

    def __init__(
        self,
        value: Any,
        gears: "Registrations",
        identity: "Identity",
        session: Optional[str] = None,
        id: Any = None,
    ) -> None:
        super().__init__(value)
        object.__setattr__(self, "_gears", gears)
        object.__setattr__(self, "_identity", identity)
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_id", id)
        object.__setattr__(self, "_found", None)

    def _run(self, steps: Asks[Any]) -> Any:
        return self._gears._run(steps)

    def calling(self, function: Any) -> "RegisteredFunction":
        """The same registration, with another function that is called in the place of it."""
        return RegisteredFunction(function, self._gears, self._identity, self._session, self._id)

    # -- what does not change

    @property
    def session(self) -> Optional[str]:
        """The name of its session; None on servers before 1.2.2."""
        return self._session

    @property
    def reader(self) -> str:
        """The name of its reader."""
        return self._identity.reader

    @property
    def trigger(self) -> Optional[str]:
        """What triggers it."""
        return self._identity.trigger

    @property
    @asking
    def id(self) -> Asks[data.ExecID]:
        """The id of its registration.  The server is asked the first time.

        Raises:
            RegistrationNotFoundError: It is no longer registered, or others were registered
                for the same by others at the same time, and the server is too old to tell them
                apart.
        """
        if self._id is None:
            found = yield self._find()
            object.__setattr__(self, "_id", found)
        return self._id  # type: ignore[no-any-return]

    # -- what the server knows; with asyncio, all of these are to be awaited

    @property
    @asking
    def registration(self) -> Asks[data.Registration]:
        """Its registration, as it was when the server was asked last (see :meth:`refresh`).

        Raises:
            RegistrationNotFoundError: It is no longer registered.
        """
        if self._found is None:
            yield self.refresh()
        found: Any = self._found
        return found  # type: ignore[no-any-return]

    @property
    @asking
    def statistics(self) -> Asks[data.RegData]:
        """The figures of :attr:`registration`: how often it was triggered, and how that went."""
        registration = yield self.registration
        return registration.RegistrationData  # type: ignore[no-any-return]

    @asking
    def refresh(self) -> "Asks[RegisteredFunction]":
        """Ask the server again.  Sends ``RG.DUMPREGISTRATIONS``.

        Returns:
            This very object.

        Raises:
            RegistrationNotFoundError: It is no longer registered.
        """
        object.__setattr__(self, "_found", None)
        wanted = yield self.id
        registrations = yield self._gears.dumpregistrations()
        for registration in registrations:
            if registration.id == wanted:
                object.__setattr__(self, "_found", registration)
                return self
        raise self._gone()

    @property
    @asking
    def is_registered(self) -> Asks[bool]:
        """Whether it is registered now.  The server is asked."""
        try:
            yield self.refresh()
        except RegistrationNotFoundError:
            return False
        return True

    @asking
    def unregister(self, abortpending: bool = False) -> Asks[bool]:
        """Remove the registration, in a cluster everywhere.  Sends ``RG.UNREGISTER``.

        Args:
            abortpending: Abort its executions that have not started yet.

        Returns:
            True.

        Raises:
            RegistrationNotFoundError: It is no longer registered.
        """
        id = yield self.id
        done = yield self._gears.unregister(id, abortpending)
        return bool(done)

    # -- finding it

    def _gone(self) -> RegistrationNotFoundError:
        return RegistrationNotFoundError(f"{self._described()} is not registered any more")

    def _described(self) -> str:
        identity = self._identity
        if identity.trigger is not None:
            return f"the function for {identity.trigger!r}"
        return f"the function of the {identity.reader} for {identity.prefix!r}"

    @asking
    def _find(self) -> Asks[Any]:
        if self._session is not None:
            id = yield self._find_in_session(self._session)
            return id
        identity = self._identity
        if identity.trigger is not None:
            found = yield self._gears.registration(trigger=identity.trigger)
            if found is None:
                raise self._gone()
            return found.id
        raise RegistrationNotFoundError(
            f"{self._described()} cannot be told from others that were registered at the same"
            " time; give each a desc of its own"
        )

    @asking
    def _find_in_session(self, name: str) -> Asks[Any]:
        try:
            (session,) = yield self._gears.send("RG.PYDUMPSESSIONS", [name])
        except (SessionError, ValueError):
            raise self._gone() from None
        replaced = session.fingerprint != self._identity.fingerprint
        if replaced or not session.registrations:
            raise self._gone()
        return session.registrations[0]

    # -- being a result

    def __bool__(self) -> bool:
        return True

    __hash__ = None

    def __eq__(self, other: object) -> Any:
        return other is True or super().__eq__(other)

    def __repr__(self) -> str:
        return f"<{self._described()}, registered>"

    __str__ = __repr__  # "True" would tell nobody anything

    def __dir__(self) -> List[str]:
        own = [name for name in vars(RegisteredFunction) if not name.startswith("_")]
        return sorted({*super().__dir__(), *own})

    def __copy__(self) -> "RegisteredFunction":
        return self

    def __deepcopy__(self, memo: Any) -> "RegisteredFunction":
        return self

    def __reduce_ex__(self, protocol: Any) -> Tuple[Any, ...]:
        return ExecutionResult, (True,)  # connections do not travel
