"""Capture the names of expired keys in a stream of this shard, and process that in batches."""

from redgrease import KeysReader, StreamReader, cmd, hashtag, log

STREAM = "expired:{%s}" % hashtag()


def process(key):
    log("expired: %s" % key)
    cmd.rpush("processed", key)


KeysReader().keys().foreach(lambda key: cmd.xadd(STREAM, {"key": key})).register(
    mode="sync", eventTypes=["expired"], readValue=False
)
StreamReader().values().map(lambda fields: fields["key"]).foreach(process).register(
    prefix="expired:*", batch=100, duration=1
)
