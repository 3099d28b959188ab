"""Delete all keys that begin with ``delete_me:``, and return how many there were."""

from redgrease import KeysReader, cmd

KeysReader().keys().foreach(cmd.delete).count().run("delete_me:*")
