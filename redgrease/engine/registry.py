"""The list of registrations: how they come into it, and leave it."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .commands_registration import CommandRegistration, Commands, command_options
from .context import Context
from .errors import GearsError
from .keys_registration import KeysRegistration, keys_options
from .registrations import Registration, Request, take_mode
from .steps import Step
from .store import parts, pickled
from .streams import StreamRegistration, stream_options

if TYPE_CHECKING:
    from .core import Engine
    from .sessions import Session

Check = Callable[["Engine", Any, Mapping[str, Any]], dict[str, Any]]

KINDS: dict[str, tuple[type[Registration], Check]] = {
    "KeysReader": (KeysRegistration, keys_options),
    "StreamReader": (
        StreamRegistration,
        lambda engine, argument, options: stream_options(argument, options),
    ),
    "CommandReader": (CommandRegistration, command_options),
}
_log = logging.getLogger("redgrease.engine")


class Registrations:
    """All registrations of the server, the oldest first.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._all: dict[str, Registration] = {}
        self.commands = Commands(engine)

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> list[Registration]:
        """All of them."""
        with self._lock:
            return list(self._all.values())

    def get(self, ident: str) -> Registration | None:
        """The one of this ID."""
        return self._all.get(ident)

    # -- come -----------------------------------------------------------------------------------

    def add(
        self,
        context: Context,
        ident: str,
        reader: str,
        description: str | None,
        steps: tuple[Step, ...],
        argument: Any,
        options: Mapping[str, Any],
    ) -> str:
        """Note a registration that a script makes; it acts when the whole script has succeeded.

        Args:
            context: The script, or the function that makes it: then it acts at once.
            ident: The registration's ID.
            reader: Name of the reader.
            description: Free text.
            steps: What the function does.
            argument: The first argument of ``register``.
            options: Its keyword arguments.

        Returns:
            The ID.

        Raises:
            GearsError: An argument is wrong.
        """
        if reader not in KINDS:
            raise GearsError("reader does not support register")
        mode = take_mode(dict(options))
        function = options.get("onRegistered")
        if function is not None and (
            not isinstance(function, FunctionType) or inspect.iscoroutinefunction(function)
        ):
            raise GearsError("OnRegistered argument must be a function")
        kind, check = KINDS[reader]
        chosen = check(self._engine, argument, {**options, "mode": mode})
        request = Request(ident, reader, description, steps, mode, chosen, function)
        for part in parts(request):
            pickled(part, context.session, self._engine)
        registration = kind(self._engine, context.session, request)
        script = context.script
        if isinstance(registration, CommandRegistration):
            replaced = script.replaces if script is not None else None
            others = [one for one in self.all() if one.session is not replaced or replaced is None]
            made = script.registrations if script is not None else []
            Commands.check(registration, others, made)
        if script is not None:
            script.registrations.append(registration)
        else:
            self.commit(context.session, [registration], None)
        return ident

    def commit(
        self, session: Session, new: Sequence[Registration], replaced: Session | None
    ) -> None:
        """Let the registrations of a script act, all or none.

        Args:
            session: The script's session.
            new: What it has registered.
            replaced: The session in whose place it comes; its registrations end to act.

        Raises:
            GearsError: They cannot be kept, or clash with others.
        """
        engine = self._engine
        with self._lock:
            old = list(replaced.registrations) if replaced is not None else []
            staying = [one for one in self._all.values() if one not in old]
            taken = {one.id for one in staying}
            for registration in new:
                if registration.id in taken:
                    raise GearsError(f"the ID {registration.id} is that of another registration")
                if isinstance(registration, CommandRegistration):
                    Commands.check(registration, staying, [])
            if any(registration.takes_events for registration in new):
                engine.events.notifications.start()  # before anything is kept that needs it
            session.registrations += new
            try:
                engine.store.save(session, engine, replaced.id if replaced is not None else None)
            except BaseException:
                del session.registrations[-len(new) :]
                raise
            self._begin(session, new, replaced, old)
        for registration in new:
            registration.announce()

    def _begin(
        self,
        session: Session,
        new: Sequence[Registration],
        replaced: Session | None,
        old: Sequence[Registration],
    ) -> None:
        for registration in old:
            self._all.pop(registration.id, None)
            registration.deactivate()
        for registration in new:
            self._all[registration.id] = registration
        self._engine.sessions.link(session, replaced)
        if replaced is not None:
            replaced.registrations.clear()
        self._update()
        for registration in new:
            registration.activate()

    def _update(self) -> None:
        listed = list(self._all.values())
        self.commands.update(listed)
        self._engine.events.update(listed)
        self._engine.keyspace.plain = {}

    def load(self) -> None:
        """Let the registrations act which the store has kept."""
        for session, requests in self._engine.store.load(self._engine):
            new = [KINDS[request.reader][0](self._engine, session, request) for request in requests]
            with self._lock:
                session.registrations += new
                self._begin(session, new, None, [])
            for registration in new:
                registration.announce()

    # -- go -------------------------------------------------------------------------------------

    def remove(self, ident: str, abort_pending: bool = False) -> None:
        """Unregister one.

        Args:
            ident: Its ID.
            abort_pending: Whether executions that have not begun are aborted.

        Raises:
            KeyError: There is none of this ID.
            GearsError: That cannot be written down; it goes on to act.
        """
        self._engine.events.settle()
        with self._lock:
            registration = self._all[ident]
            self._engine.store.remove_registration(ident)
            del self._all[ident]
            registration.deactivate(abort_pending)
            self._engine.sessions.leave(registration)
            self._update()

    def close(self) -> None:
        """End them all; they stay in the store."""
        for registration in self.all():
            registration.active = False

    # -- description ----------------------------------------------------------------------------

    def dump(self) -> list[Any]:
        """The reply to RG.DUMPREGISTRATIONS."""
        self._engine.events.settle()
        return [registration.dump() for registration in self.all()]

    def clear_statistics(self) -> None:
        """Set the counters of all to zero."""
        self._engine.events.settle()
        for registration in self.all():
            registration.stats.clear()
