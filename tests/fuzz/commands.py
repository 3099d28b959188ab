"""Sends all commands of Gears with arguments that make little sense."""

import random

from redgrease.engine.command_names import GEARS

FUNCTIONS = (
    "GB('CommandReader').map(lambda x: x).register(trigger='t')",
    "GB('CommandReader').map(lambda x: x[1]).register(trigger='u', mode='sync')",
    "GB('KeysReader').register('k*')",
    "GB('StreamReader').register('s*')",
)
WORDS = [
    *(
        b"",
        b"0",
        b"-1",
        b"9" * 30,
        b"1e5",
        b"nan",
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"a" * 10**5,
    ),
    *b"* [ t u k1 ../../x \r GET RESET STATS VERBOSE SESSIONS SHARD CLUSTER abortpending".split(
        b" "
    ),
    *b"UNBLOCKING ID UPGRADE REQUIREMENTS DESCRIPTION REPLACE_WITH MaxExecutions".split(),
    *b"MaxExecutionsPerRegistration ProfileExecutions PythonAttemptTraceback x=1".split(),
    *(b"GB().run()", b"GB('ShardsIDReader').run()", b"p @ file:///x", b"0" * 40 + b"-1"),
]


class Commands:
    """Makes them.

    Args:
        seed: The same seed makes the same.
        known: Names of executions and registrations.
    """

    def __init__(self, seed, known=()):
        self.random = random.Random(seed)
        self.words = [*WORDS, *known]

    def next(self) -> "list[bytes]":
        random = self.random
        words = [random.choice(sorted(GEARS))]
        for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4, 6))):
            given = random.random() < 0.85
            words.append(
                random.choice(self.words) if given else random.randbytes(random.randrange(30))
            )
        return words
