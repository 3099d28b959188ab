"""Add every change of a person to a stream, before the client's command is answered."""

from redgrease import KeysReader, cmd

KeysReader().foreach(
    lambda record: cmd.xadd(
        "notifications-stream", {"key": record["key"], "event": record["event"]}
    )
).register(prefix="person:*", eventTypes=["hset", "hmset"], mode="sync")
