"""Delete all keys that begin with ``delete_me:``, and tell how many they were."""

from redgrease import KeysReader, cmd

KeysReader().keys().foreach(cmd.delete).count().run("delete_me:*")
