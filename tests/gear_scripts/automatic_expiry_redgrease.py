"""Let every key that is written live for an hour from then on."""

from redgrease import KeysReader, cmd

KeysReader().keys().foreach(lambda key: cmd.expire(key, 3600)).register(
    eventTypes=["set", "hset", "rpush", "sadd", "zadd"], mode="async_local"
)
