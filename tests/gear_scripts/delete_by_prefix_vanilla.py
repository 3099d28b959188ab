"""Delete all keys that begin with ``delete_me:``, and return how many there were."""

GB("KeysReader").map(lambda record: record["key"]).foreach(
    lambda key: execute("DEL", key)
).count().run("delete_me:*")
