"""Sends scripts that are none, and functions that were damaged under way."""

import base64
import random
import re
import zlib

import redis

from redgrease.gearialization import serialize
from redgrease.reader import KeysOnlyReader, ShardsIDReader

WORDS = (
    "GB ( ) . run register map lambda x : x 'KeysReader' [ ] 1 0 1/0 , '*' execute 'GET' \n import"
    ' os for in def f return raise None trigger= \'t\' count() await async yield ; = + -1 \\ """ #'
    " \0 é atomic with pass class A del globals() hashtag() log('x') gearsFuture() range(9)"
).split(" ")
OPTIONS = ["UNBLOCKING", "REQUIREMENTS", "ID", "UPGRADE", "DESCRIPTION", "REPLACE_WITH", "x", ""]
PLAN = re.compile(r"(zlib\.decompress\()?base64\.b64decode\('([^']*)'\)")


class Thing:
    """Something that travels."""

    def __init__(self, number):
        self.number = number

    def __call__(self, record):
        return [self.number, str(record)]


def _shipped():
    import sys

    version = sys.version_info[:2]
    offset = {"a": [1, 2.5, "x"], "b": Thing(3)}
    functions = [
        ShardsIDReader().map(lambda x: [len(x), offset["a"]]).run(),
        KeysOnlyReader().map(Thing(4)).filter(lambda x: bool(x)).count().run(),
        ShardsIDReader().flatmap(lambda x: [Thing(n)(x) for n in range(3)]).sort().run(),
    ]
    return [serialize(each, version).script for each in functions]


class Scripts:
    """Makes them.

    Args:
        seed: The same seed makes the same.
    """

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.shipped = _shipped()

    def script(self) -> bytes:
        kind = self.random.randrange(4)
        if kind == 0:
            return self.random.randbytes(self.random.randrange(300))
        if kind == 1:
            count = self.random.randrange(20)
            return " ".join(self.random.choices(WORDS, k=count)).encode()
        return self.damaged(inside=kind == 2)

    def damaged(self, inside: bool) -> bytes:
        """A function of redgrease's with some bytes changed: of the text, or of the pickle."""
        text = self.random.choice(self.shipped)
        if not inside:
            data = bytearray(text.encode())
            self._damage(data)
            return bytes(data)
        found = list(PLAN.finditer(text))[-1]
        data = base64.b64decode(found[2])
        plan = bytearray(zlib.decompress(data) if found[1] else data)
        self._damage(plan)
        packed = zlib.compress(plan) if found[1] else bytes(plan)
        start, end = found.span(2)
        return (text[:start] + base64.b64encode(packed).decode() + text[end:]).encode()

    def _damage(self, data: bytearray) -> None:
        for _ in range(self.random.randrange(1, 4)):
            position = self.random.randrange(len(data))
            if self.random.random() < 0.8:
                data[position] ^= 1 << self.random.randrange(8)
            else:
                del data[position : position + self.random.randrange(1, 9)]
                if not data:
                    data += b"x"

    def words(self):
        words = [self.script()]
        if self.random.random() < 0.3:
            words += self.random.choices(OPTIONS, k=self.random.randrange(1, 4))
        return words


def attempt(client, words):
    """Send a script; returns how it ended: ``ok``, ``error`` or ``died`` (of the worker)."""
    try:
        client.execute_command("RG.PYEXECUTE", *words)
    except redis.ResponseError as error:
        return "died" if "worker died" in str(error) else "error"
    return "ok"
