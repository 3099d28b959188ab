"""Functions that are registered for what happens to keys: KeysReader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .commands_info import CommandInfo
from .connection import text_or_bytes
from .errors import GearsError
from .registrations import SYNC, Event, Registration, Watches
from .single import event_record, kind_of

if TYPE_CHECKING:
    from .core import Engine

KEY_TYPES = {
    "string": "string",
    "list": "list",
    "hash": "hash",
    "set": "set",
    "zset": "zset",
    "stream": "stream",
    "none": "empty",
}
"""What ``TYPE`` says, and how scripts call it; every other type is a module's."""
MODULE_TYPE = "module"


def prefix_of(options: Mapping[str, Any], argument: Any, name: str = "regex") -> str:
    """The argument that says which keys a registration is for.

    Raises:
        GearsError: It is no text.
    """
    prefix = options.get("regex", argument)
    if not isinstance(prefix, str):
        raise GearsError(f"{name} argument must be a string")
    return prefix


def _texts(options: Mapping[str, Any], name: str, item: str) -> list[str] | None:
    """A list of texts among the options; None if it is not given."""
    values = options.get(name)
    if values is None:
        return None
    try:
        listed = list(values)
    except TypeError:
        raise GearsError(f"given {name} is not iterable") from None
    if not all(isinstance(value, str) for value in listed):
        raise GearsError(f"given {item} type is not string")
    return listed


def keys_options(engine: Engine, argument: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of ``register`` for KeysReader.

    Args:
        engine: The engine.
        argument: The prefix.
        options: The keyword arguments.

    Returns:
        All that the registration needs to know, as plain data.

    Raises:
        GearsError: An argument is wrong.
    """
    prefix = prefix_of(options, argument)
    event_types = _texts(options, "eventTypes", "event")
    key_types = _texts(options, "keyTypes", "key")
    if key_types is not None:
        for name in key_types:
            if name not in KEY_TYPES.values() and name != MODULE_TYPE:
                raise GearsError("unknown key type")
    read_value = options.get("readValue", True)
    if not isinstance(read_value, bool):
        raise GearsError("readValue is not boolean")
    commands = _texts(options, "commands", "command")
    for name in commands or ():
        info = CommandInfo.of(engine.keyspace, name)
        if info is None:
            raise GearsError("bad reply on COMMAND command")
        if "noscript" in info.flags:
            raise GearsError("Can not hook a command which are not allowed inside a script")
        if info.movable and prefix != "*":
            raise GearsError("Can not hook a command with moveable keys by key prefix")
    return {
        "prefix": prefix,
        "eventTypes": event_types,
        "keyTypes": key_types,
        "readValue": read_value,
        "commands": commands,
    }


class KeysRegistration(Registration):
    """A function that is called for events of keys."""

    takes_events = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        options = self.request.options
        events, commands = options["eventTypes"], options["commands"]
        self.pattern = options["prefix"]
        self._events = None if events is None else frozenset(name.lower() for name in events)
        self._commands = frozenset(name.upper() for name in commands or ())
        self._types: list[str] | None = options["keyTypes"]
        self._read_value: bool = options["readValue"]

    def watches(self) -> Watches:
        """Sync functions concern every command that may raise their events.

        So do functions for certain commands: the events of others must have been handled before,
        or they would pass for those of the command that comes next.
        """
        if self.mode != SYNC and not self._commands:
            return Watches()
        reads = self._events is None or bool(self._events & {"keymiss", "expired"})
        return Watches(commands=self._commands, writes=True, reads=reads, pattern=self.pattern)

    # -- events ---------------------------------------------------------------------------------

    def wants(self, event: str) -> bool:
        """Whether an event of this name may concern it."""
        return self._events is None or event.lower() in self._events

    def _concerned(self, event: Event) -> bool:
        if not self.wants(event.name):
            return False
        if self._commands and (event.command is None or not self._commands & event.command.names):
            return False
        return self._types is None or self._type(event.key) in self._types

    def _type(self, key: bytes) -> str:
        return KEY_TYPES.get(kind_of(self.engine.keyspace, key), MODULE_TYPE)

    def on_event(self, event: Event) -> None:
        """Run the function if the event is one that it is for."""
        if not self._concerned(event):
            return
        if self.mode == SYNC:
            execution = self.create(lambda: self._records(event))
            self.engine.events.run_sync(self, execution, event, link=bool(self._commands))
            return
        execution = self.create(lambda: self._records(event))
        command = event.command if self._commands else None
        if command is not None and command.linked and command.waits:
            command.take()
            execution.surroundings = {"command": command}
            execution.when_done(lambda done: command.drop())
        self.lane.submit(execution.run)

    def _records(self, event: Event) -> Iterable[Any]:
        """The record of an event; the value is the one that the key has when it is asked for."""
        if self._read_value:
            yield event_record(self.engine.keyspace, event.key, event.name)
        else:
            yield {"event": event.name, "key": text_or_bytes(event.key)}

    # -- description ----------------------------------------------------------------------------

    def data(self) -> list[Any]:
        """RegistrationData, see the base class."""
        options = self.request.options
        arguments = ["regex", options["prefix"], "eventTypes", options["eventTypes"]]
        arguments += ["keyTypes", options["keyTypes"], "hookCommands", options["commands"]]
        return [*super().data(), "args", arguments]
