"""Bytes of all kinds, sent through the proxy and to Redis itself: the replies must be the same."""

import random
import socket
from contextlib import closing

WORDS = [b"PING", b"ECHO", b"SET", b"GET", b"INCR", b"APPEND", b"STRLEN", b"MULTI", b"EXEC"]
WORDS += [b"DISCARD", b"nosuch", b"LPUSH", b"LRANGE", b"HSET", b"TYPE", b"EXISTS", b"get", b"EcHo"]
ARGUMENTS = [b"", b"a", b"k1", b"k2", b"0", b"-1", b"1.5", b"x y", b"\r\n", b"\x00\xff", b'"', b"'"]
PROTOCOL_ERROR = b"-ERR Protocol error"
NUMBERS = [b"0", b"-1", b"-2", b"1", b"3", b"99999", b"1048577", b"2147483648", b"9" * 30, b"x"]
NUMBERS += [b"", b"+1", b"01", b"1 ", b" 1", b"\xb9", b"1\x00"]


def command(words):
    """A request in its usual form."""
    words = list(words)
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Generator:
    """Makes requests, most of them right.

    Args:
        seed: Where the random numbers begin.
    """

    def __init__(self, seed):
        self.random = random.Random(seed)

    def words(self):
        choice = self.random.choice
        count = choice([1, 1, 2, 2, 2, 3, 3, 4])
        words = [choice(WORDS), *(choice(ARGUMENTS) for _ in range(count - 1))]
        if self.random.random() < 0.03:
            words.append(bytes(self.random.randbytes(choice([10, 1000, 70_000]))))
        return words

    def request(self):
        kind = self.random.random()
        if kind < 0.72:
            return command(self.words())
        if kind < 0.80:  # what is too long depends on how it is cut, so none of it is
            return b" ".join(word[:1000] for word in self.words()) + self.random.choice(
                [b"\r\n", b"\n", b"\r\r\n", b"\n\n"]
            )
        if kind < 0.86:
            return self.mutated(command(word[:1000] for word in self.words()))
        if kind < 0.89:
            return self.random.choice([b"\r\n", b"\n", b" \r\n", b"*0\r\n", b"*-1\r\n", b"*-5\r\n"])
        if kind < 0.93:
            return b"*" + self.random.choice(NUMBERS) + b"\r\n"
        if kind < 0.96:
            return b"*1\r\n$" + self.random.choice(NUMBERS) + b"\r\n"
        if kind < 0.98:
            return b"*2\r\n" * self.random.choice([1, 5, 500]) + b"$4\r\nECHO\r\n"
        return self.random.randbytes(self.random.choice([1, 5, 100]))

    def mutated(self, data):
        data = bytearray(data)
        for _ in range(self.random.choice([1, 1, 2])):
            at = self.random.randrange(len(data))
            kind = self.random.randrange(4)
            if kind == 0:
                data[at] = self.random.randrange(256)
            elif kind == 1:
                del data[at]
            elif kind == 2:
                data.insert(at, self.random.randrange(256))
            else:
                del data[at:]
            if not data:
                break
        return bytes(data)

    def stream(self):
        """What one connection sends."""
        return b"".join(self.request() for _ in range(self.random.randrange(1, 12)))

    def chunks(self, data):
        """The same, in pieces of random sizes."""
        pieces = []
        largest = self.random.choice([1, 3, 10, 100, 10**6])
        while data:
            size = self.random.randint(1, min(len(data), largest))
            pieces.append(data[:size])
            data = data[size:]
        return pieces[:2000] + ([b"".join(pieces[2000:])] if pieces[2000:] else [])


def answers(connection, chunks):
    """What is replied to bytes that are sent in pieces, until the end."""
    connection.settimeout(10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(command([b"FLUSHDB"]))
    assert connection.recv(100) == b"+OK\r\n"
    received = b""
    try:
        for chunk in chunks:
            connection.sendall(chunk)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # closed already, after an error of the protocol
    try:
        while data := connection.recv(1 << 16):
            received += data
    except ConnectionResetError:
        pass
    return received


def differences(proxy_port, redis_port, seed):
    """Send one stream both ways; returns it and both replies if they are not the same."""
    generator = Generator(seed)
    data = generator.stream()
    replies = []
    for port in (redis_port, proxy_port):
        with closing(socket.create_connection(("127.0.0.1", port))) as connection:
            replies.append(answers(connection, generator.chunks(data)))
    direct, through = replies
    # Redis hangs up after an error of the protocol, at which its last words may get lost.
    last_words = through.startswith(direct) and through[len(direct) :].startswith(PROTOCOL_ERROR)
    return None if direct == through or last_words else (data, direct, through)
