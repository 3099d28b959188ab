"""Capture the names of expired keys in a stream of their shard, and process it in batches."""


def capture(record):
    # Here rather than above: in a cluster, this runs on every shard, the script only on one.
    execute("XADD", "expired:{%s}" % hashtag(), "*", "key", record["key"])


def process(message):
    log("expired: %s" % message["value"]["key"])
    execute("RPUSH", "processed:{%s}" % hashtag(), message["value"]["key"])


GB("KeysReader").foreach(capture).register(mode="sync", eventTypes=["expired"], readValue=False)
GB("StreamReader").foreach(process).register(prefix="expired:*", batch=100, duration=1)
