"""Let every key that is written live for an hour from then on."""

from redgrease import KeysReader, cmd


def is_update(record):
    # The function's own EXPIRE is an event, too.
    return record["event"] != "expire"


KeysReader().filter(is_update).foreach(lambda record: cmd.expire(record["key"], 3600)).register(
    mode="async_local", readValue=False
)
