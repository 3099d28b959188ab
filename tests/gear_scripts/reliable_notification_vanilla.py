"""Add every change of a person to a stream, before the client's command is answered."""


def notify(record):
    execute("XADD", "notifications-stream", "*", "key", record["key"], "event", record["event"])


GB("KeysReader").foreach(notify).register(
    prefix="person:*", eventTypes=["hset", "hmset"], mode="sync"
)
