"""The methods of ``Gears`` that are about registered functions."""

from fnmatch import fnmatchcase
from typing import Any, Callable, List, Optional, Union

from redgrease import data
from redgrease.asking import Asks, asking
from redgrease.commands import id_word
from redgrease.convert import text
from redgrease.exceptions import RedGreaseError
from redgrease.registered import RegisteredFunction
from redgrease.results import ExecutionResult
from redgrease.sender import Sender
from redgrease.views import RegistrationRows

__all__ = ["RegistrationID", "Registrations"]

RegistrationID = Union[bytes, str, data.ExecID, data.Registration]
Condition = Callable[[data.Registration], bool]


def _matches(pattern: Any, name: str) -> bool:
    """Whether a registration's pattern covers a key, as the server sees it."""
    pattern = text(pattern)
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _conditions(
    reader: Any, desc: Any, mode: Any, key: Any, stream: Any, trigger: Any
) -> List[Condition]:
    """What a registration must meet, of what the caller has asked for."""

    def covers(argument: str, name: Any) -> Condition:
        def condition(registration: data.Registration) -> bool:
            pattern = registration.RegistrationData.args.get(argument)
            return pattern is not None and _matches(pattern, text(name))

        return condition

    conditions: List[Condition] = []
    if reader is not None:
        conditions.append(lambda registration: registration.reader == text(reader))
    if desc is not None:
        conditions.append(
            lambda registration: (
                registration.desc is not None and fnmatchcase(registration.desc, text(desc))
            )
        )
    if mode is not None:
        conditions.append(lambda registration: registration.RegistrationData.mode == text(mode))
    if key is not None:
        conditions.append(covers("regex", key))
    if stream is not None:
        conditions.append(covers("stream", stream))
    if trigger is not None:
        conditions.append(
            lambda registration: registration.RegistrationData.args.get("trigger") == text(trigger)
        )
    return conditions


class Registrations(Sender):
    """Triggers, and the list of what is registered."""

    def trigger(
        self,
        trigger_name: Any,
        *args: Any,
        unpickle: Optional[bool] = None,
        timeout: Optional[float] = None,
    ) -> ExecutionResult[Any]:
        """Run the function that is registered for a trigger.  Sends ``RG.TRIGGER``, once.

        Args:
            trigger_name: The trigger.
            args: What the function is given.
            unpickle: Whether redgrease has pickled the results.  By default they are unpickled
                if this client has registered the trigger, with a function whose results are.
            timeout: How many seconds to wait for the reply.

        Returns:
            The results.

        Raises:
            TriggerNotFoundError: Nothing is registered for the trigger.
            ScriptError: The function raised an exception.
        """
        name = text(trigger_name)
        record = self._trigger_decoder(name, unpickle)
        result: ExecutionResult[Any] = self.send(
            "RG.TRIGGER", name, *args, timeout=timeout, record=record
        )
        return result

    def triggeronkey(
        self,
        trigger_name: Any,
        key: Any,
        *args: Any,
        unpickle: Optional[bool] = None,
        timeout: Optional[float] = None,
    ) -> ExecutionResult[Any]:
        """Run a function on the server that has a key.  Sends ``RG.TRIGGERONKEY`` (1.2), once.

        Args:
            trigger_name: The trigger.
            key: The key, which is also the first thing that the function is given.
            args: What else it is given.
            unpickle: As for :meth:`trigger`.
            timeout: How many seconds to wait for the reply.

        Returns:
            The results.

        Raises:
            TriggerNotFoundError: Nothing is registered for the trigger.
            ScriptError: The function raised an exception.
        """
        name = text(trigger_name)
        record = self._trigger_decoder(name, unpickle)
        result: ExecutionResult[Any] = self.send(
            "RG.TRIGGERONKEY", name, key, *args, timeout=timeout, record=record
        )
        return result

    def _trigger_decoder(
        self, name: str, unpickle: Optional[bool]
    ) -> Optional[Callable[[Any], Any]]:
        return self._decoder(name in self._memory.triggers if unpickle is None else unpickle)

    def _trigger_function(
        self, trigger: str, pickles: bool = False
    ) -> Callable[..., ExecutionResult[Any]]:
        """A function that triggers, and knows whether results are pickled."""
        if pickles:
            self._memory.note(self._memory.triggers, trigger)
        else:
            self._memory.triggers.pop(trigger, None)

        def trigger_function(*args: Any) -> ExecutionResult[Any]:
            return self.trigger(trigger, *args, unpickle=pickles)

        trigger_function.__name__ = trigger_function.__qualname__ = trigger
        trigger_function.__doc__ = f"Run the function that is registered for {trigger!r}."
        return trigger_function

    @asking
    def dumpregistrations(
        self,
        reader: Optional[str] = None,
        desc: Optional[str] = None,
        mode: Optional[str] = None,
        key: Optional[Union[str, bytes]] = None,
        stream: Optional[Union[str, bytes]] = None,
        trigger: Optional[Union[str, bytes]] = None,
    ) -> Asks[List[data.Registration]]:
        """List registrations.  Sends ``RG.DUMPREGISTRATIONS``.

        In a cluster, the counters of all servers are added up.

        Args:
            reader: Only those of that reader.
            desc: Only those with a description that matches, ``*`` and ``?`` standing for
                anything.
            mode: Only those of that mode.
            key: Only those of the KeysReader that events of that key trigger.
            stream: Only those of the StreamReader that read that stream.
            trigger: Only that with that trigger.

        Returns:
            The registrations.
        """
        registrations = yield self.send("RG.DUMPREGISTRATIONS")
        conditions = _conditions(reader, desc, mode, key, stream, trigger)
        return RegistrationRows(
            registration
            for registration in registrations
            if all(condition(registration) for condition in conditions)
        )

    @asking
    def registration(
        self, id: Optional[RegistrationID] = None, **filters: Any
    ) -> Asks[Optional[data.Registration]]:
        """Find one registration.  Sends ``RG.DUMPREGISTRATIONS``.

        Args:
            id: Its id.
            filters: Conditions that it must meet, as for :meth:`dumpregistrations`.

        Returns:
            The registration; None if there is none.

        Raises:
            RedGreaseError: There are several.
        """
        found = yield self.dumpregistrations(**filters)
        if id is not None:
            wanted = yield self._id_text(id)
            found = [registration for registration in found if str(registration.id) == wanted]
        if len(found) > 1:
            ids = ", ".join(str(registration.id) for registration in found)
            raise RedGreaseError(f"there are several such registrations: {ids}")
        return found[0] if found else None

    @asking
    def unregister(self, id: RegistrationID, abortpending: bool = False) -> Asks[bool]:
        """Remove a registration, in a cluster everywhere.  Sends ``RG.UNREGISTER``.

        Args:
            id: The registration.
            abortpending: Abort its executions that have not started yet.

        Returns:
            True.

        Raises:
            RegistrationNotFoundError: The server does not know the registration.
        """
        word = yield self._id_text(id)
        done = yield self.send("RG.UNREGISTER", word, abortpending)
        return bool(done)

    @asking
    def _id_text(self, id: Any) -> Asks[str]:
        """The text of an id; that of a registered function may have to be asked for."""
        if isinstance(id, RegisteredFunction):
            id = yield id.id
        return text(id_word(id))

    @asking
    def pauseregistrations(self, *ids: RegistrationID) -> Asks[bool]:
        """Let StreamReader registrations pause.  Sends ``RG.PAUSEREGISTRATIONS`` (1.2.3).

        Args:
            ids: The registrations; they are sent one by one, since servers take only one.

        Returns:
            True.
        """
        done = True
        for id in ids:
            word = yield self._id_text(id)
            this_one = yield self.send("RG.PAUSEREGISTRATIONS", word)
            done = done and this_one
        return done

    @asking
    def unpauseregistrations(self, *ids: RegistrationID) -> Asks[bool]:
        """Let StreamReader registrations go on.  Sends ``RG.UNPAUSEREGISTRATIONS`` (1.2.3).

        Args:
            ids: The registrations.

        Returns:
            True.
        """
        done = True
        for id in ids:
            word = yield self._id_text(id)
            this_one = yield self.send("RG.UNPAUSEREGISTRATIONS", word)
            done = done and this_one
        return done

    def clearregistrationsstats(self) -> bool:
        """Set the counters of all registrations to 0.  Sends ``RG.CLEARREGISTRATIONSSTATS`` (1.2).

        Returns:
            True.
        """
        done: bool = self.send("RG.CLEARREGISTRATIONSSTATS")
        return done
