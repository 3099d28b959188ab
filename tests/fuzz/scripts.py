"""Scripts that are none, and shipped functions with bytes that are not theirs."""

import random
import re

import redgrease
from redgrease import gearialization


def garbage(generator):
    """Bytes that are sent as a script."""
    kind = generator.randrange(4)
    if kind == 0:
        return generator.randbytes(generator.choice([0, 1, 10, 1000]))
    if kind == 1:
        pieces = [
            "GB(",
            "'KeysReader'",
            ")",
            ".map(",
            "lambda x: x",
            ".run()",
            "\n",
            "(",
            "register",
        ]
        return "".join(generator.choices(pieces, k=generator.randrange(1, 12))).encode()
    if kind == 2:
        return ("(" * generator.choice([10, 150, 5000])).encode()
    return "".join(map(chr, generator.choices(range(1, 0x2FFF), k=50))).encode()


SHIPPED = redgrease.KeysReader().map(lambda record: [record["key"], {"a": (1, 2.5)}]).count().run()


def corrupted(generator):
    """A script of redgrease, with some of its pickle changed."""
    script = gearialization.serialize_gear_function(SHIPPED)
    begin, end = re.search(r"b64decode\('([^']+)'\)", script).span(1)
    letters = list(script)
    for _ in range(generator.choice([1, 2, 20])):
        at = generator.randrange(begin, end)
        letters[at] = generator.choice("ABCabc019+/=")
    if generator.random() < 0.2:
        del letters[generator.randrange(begin, end) : end]
    return "".join(letters).encode()


def script(seed):
    """Any of them."""
    generator = random.Random(seed)
    return garbage(generator) if generator.random() < 0.5 else corrupted(generator)
