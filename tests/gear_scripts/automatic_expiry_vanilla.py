"""Let every key that is written live for an hour from then on."""


def is_update(record):
    # The function's own EXPIRE is an event, too.
    return record["event"] != "expire"


GB("KeysReader").filter(is_update).foreach(
    lambda record: execute("EXPIRE", record["key"], 3600)
).register(mode="async_local", readValue=False)
