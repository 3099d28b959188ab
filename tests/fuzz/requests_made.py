"""Makes what clients might send: requests, good and bad, from random numbers."""

import random

COUNTS = (-1, 0, 1, 2, 1024, 1024 * 1024, 1024 * 1024 + 1, 2**31 - 1, 2**31, 2**63, 10**30)
SIZES = (-2, -1, 0, 1, 512, 2**29, 2**29 + 1, 2**31, 2**63, 10**30)
NAMES = b"GET SET INCR APPEND LPUSH RPUSH LRANGE HSET HGET SADD ECHO PING STRLEN DEL EXISTS".split()
ODD = b"NOSUCH get sEt MULTI EXEC DISCARD WATCH UNWATCH EVAL SUBSCRIBE UNSUBSCRIBE RESET".split()
VALUES = (
    b"",
    b"0",
    b"-1",
    b"x",
    b"\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"+OK\r\n",
    b"\x00\xff",
    b"'",
    b'"',
)


class Maker:
    """Makes bytes for one connection.

    Args:
        seed: The same seed makes the same bytes.
        tag: Begins all its keys, and stands in its values.
    """

    def __init__(self, seed: int, tag: bytes) -> None:
        self.random = random.Random(seed)
        self.tag = tag

    def word(self) -> bytes:
        pick = self.random.random()
        if pick < 0.35:
            return self.tag + b"%d" % self.random.randrange(4)
        if pick < 0.7:
            return self.random.choice(VALUES)
        if pick < 0.97:
            return self.random.randbytes(self.random.randrange(60))
        return self.tag * self.random.choice((100, 1000, 10_000))

    def words(self) -> "list[bytes]":
        random = self.random
        name = random.choice(NAMES if random.random() < 0.85 else ODD)
        if name == b"EVAL":
            return [name, b"return {1, {ARGV[1], {KEYS[1]}}}", b"1", self.word(), self.word()]
        if name == b"LRANGE":
            return [name, self.tag, b"0", b"-1"]
        arguments = {b"GET": 1, b"SET": 2, b"INCR": 1, b"ECHO": 1, b"PING": 0, b"HSET": 3}
        count = arguments.get(name, random.randrange(4))
        if random.random() < 0.1:
            count = random.randrange(5)
        if name == b"UNSUBSCRIBE":
            count = count or 1  # of all channels, each Redis takes its own in another order
        words = [name, *(self.word() for _ in range(count))]
        if count and name not in (b"ECHO", b"SUBSCRIBE"):
            words[1] = self.tag + words[1][:20]
        return words

    def request(self) -> bytes:
        """One request as clients of Redis send it."""
        words = self.words()
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)

    def inline(self) -> bytes:
        random, words = self.random, [word[:1000] for word in self.words()]
        kind = random.random()
        if kind < 0.5:
            words = [word.replace(b"\r", b"").replace(b"\n", b"") for word in words]
        elif kind < 0.75:
            words = [b'"' + b"".join(b"\\x%02x" % byte for byte in w) + b'"' for w in words]
        end = random.choice((b"\r\n", b"\n", b"\r\n\r\n", b" \n"))
        return b" ".join(words) + end

    def broken(self) -> bytes:
        random = self.random
        data = bytearray(self.request())
        kind = random.randrange(8)
        if kind == 0:
            del data[random.randrange(len(data)) :]
        elif kind == 1:
            data[random.randrange(len(data))] = random.randrange(256)
        elif kind == 2:
            return b"*%d\r\n" % random.choice(COUNTS) + bytes(data)
        elif kind == 3:
            return b"*1\r\n$%d\r\n" % random.choice(SIZES) + bytes(data)
        elif kind == 4:
            return b"*%d\r\n" % random.randrange(1, 5) * random.randrange(1, 6) + bytes(data)
        elif kind == 5:
            return random.choice(
                (b"*\r\n", b"$\r\n", b"*1\n$4\nPING\n", b"*+1\r\n$4\r\nPING\r\n", b"* 1\r\n",
                 b"*1\r\n$ 4\r\nPING\r\n", b"*1\r\n$04\r\nPING\r\n", b"*01\r\n$4\r\nPING\r\n",
                 b"*1\r\n$4\r\nPINGxx", b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", b"\r\n", b"\x00",
                 b"*1\r$4\r\nPING\r\n", b"POST / HTTP/1.1\r\n", b"*0\r\n*-1\r\n", b"*1\r\n:4\r\n")
            )  # fmt: skip
        elif kind == 6:
            return random.randbytes(random.randrange(1, 200))
        else:
            return self.random.choice((b"x", b"*", b"$", b"*1\r\n$", b" ")) * random.choice(
                (1, 1000, 60_000)
            )
        return bytes(data)

    def stream(self) -> bytes:
        """What one connection sends."""
        random, parts = self.random, []
        broken = random.random() < 0.4
        for _ in range(random.randrange(1, 12)):
            parts.append(self.request() if random.random() < 0.8 else self.inline())
        if broken:
            parts.insert(random.randrange(len(parts) + 1), self.broken())
        return b"".join(parts)

    def chunks(self, data: bytes) -> "list[bytes]":
        """The data in pieces of random sizes."""
        random = self.random
        if random.random() < 0.3:
            return [data]
        most = random.choice((1, 2, 7, 100, 5000, 70_000))
        if len(data) // most > 300:
            most = len(data) // 300 + 1
        pieces, position = [], 0
        while position < len(data):
            size = random.randint(1, most)
            pieces.append(data[position : position + size])
            position += size
        return pieces
