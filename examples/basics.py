"""A first tour of redgrease: ordinary commands, Gears commands, and functions on the server.

Run it against the embedded server::

    redgrease serve --port 0 -- python examples/basics.py

or against a Gears server that is already running (at localhost:6379, or at REDGREASE_URL).
"""

import operator
import os

import redgrease

# `redgrease.RedisGears()` alone connects to localhost:6379.
r = redgrease.RedisGears.from_url(os.environ.get("REDGREASE_URL", "redis://localhost:6379"))

# --- Ordinary Redis commands work as they do in redis-py.
fighters = {"Foo-fighter": 2021, "Bar-fighter": 63, "Baz-fighter": -747}
r.delete("noodle", "transactions:0", *fighters)
for name, power in fighters.items():
    r.set(name, power)
r.hset("noodle", "spam", "eggs")
r.hset("noodle", "meaning", 8)
r.hincrby("noodle", "meaning", 34)
r.xadd("transactions:0", {"from": "alice", "to": "bob", "amount": 27})

# --- Gears commands are methods of `r.gears`.
print("Memory of the Python interpreter:", r.gears.pystats())
print("Registered functions:", r.gears.dumpregistrations())

# --- Functions can be strings. An empty one does nothing, and succeeds.
print("Result of nothing:", r.gears.pyexecute())

everything = r.gears.pyexecute("GearsBuilder('KeysReader').run()")
print("Every key, as a record:")
for record in sorted(everything):
    print("  ", record.decode())

counted = r.gears.pyexecute("GearsBuilder('KeysReader').count().run()")
print("Number of keys, counted by a text:", int(counted))

# --- They can also be built from readers and operations, out of ordinary Python functions.
count_keys = redgrease.KeysReader().count().run()
print("Number of keys, counted by", count_keys, "is", r.gears.pyexecute(count_keys))

# --- With `on=`, a function runs at once: here, it turns strings into numbers and adds them up.
total = redgrease.KeysReader("*-fighter").values().map(int).aggregate(0, operator.add).run(on=r)
print("Sum of '-fighter'-keys values:", total)
