"""Capture the names of expired keys in a stream of this shard, and process that in batches."""

STREAM = "expired:{%s}" % hashtag()


def capture(record):
    execute("XADD", STREAM, "*", "key", record["key"])


def process(message):
    log("expired: %s" % message["value"]["key"])
    execute("RPUSH", "processed", message["value"]["key"])


GB("KeysReader").foreach(capture).register(mode="sync", eventTypes=["expired"], readValue=False)
GB("StreamReader").foreach(process).register(prefix="expired:*", batch=100, duration=1)
