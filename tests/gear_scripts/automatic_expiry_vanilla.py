"""Let every key that is written live for an hour from then on."""

GB("KeysReader").filter(lambda record: record["type"] != "empty").foreach(
    lambda record: execute("EXPIRE", record["key"], 3600)
).register(eventTypes=["set", "hset", "rpush", "sadd", "zadd"], mode="async_local")
