"""Count the words of all strings."""

from redgrease import KeysReader

KeysReader().values(type="string").flatmap(str.split).countby().run()
