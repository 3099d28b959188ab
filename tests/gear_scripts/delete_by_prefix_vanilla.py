"""Delete all keys that begin with ``delete_me:``, and tell how many they were."""

GB("KeysReader").map(lambda record: record["key"]).foreach(
    lambda key: execute("DEL", key)
).count().run("delete_me:*")
