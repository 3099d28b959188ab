"""Capture the names of expired keys in a stream of their shard, and process it in batches."""

from redgrease import KeysReader, StreamReader, cmd, hashtag, log


def capture(key):
    # Here rather than above: in a cluster, this runs on every shard, the script only on one.
    cmd.xadd("expired:{%s}" % hashtag(), {"key": key})


def process(key):
    log("expired: %s" % key)
    cmd.rpush("processed:{%s}" % hashtag(), key)


KeysReader().keys().foreach(capture).register(mode="sync", eventTypes=["expired"], readValue=False)
StreamReader().values().map(lambda fields: fields["key"]).foreach(process).register(
    prefix="expired:*", batch=100, duration=1
)
