"""Framing of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redgrease.engine.resp import Framer, Passage, ProtocolError, bulk, command, reply_end

REQUESTS = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=5), max_size=6)


@given(REQUESTS)
def test_requests_are_found_one_after_the_other(requests):
    data = b"".join(map(command, requests))
    framer, position, found = Framer(), 0, []
    while position < len(data):
        position = framer.next(data, position)
        found.append(framer.words)
    assert found == requests


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.data())
def test_incomplete_requests_are_told(words, data):
    whole = command(words)
    cut = data.draw(st.integers(0, len(whole) - 1))
    framer = Framer()
    assert framer.next(whole[:cut], 0) == -1
    assert framer.words == words[: len(framer.words)]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.data())
def test_large_requests_are_followed_in_any_pieces(words, data):
    whole = command(words)
    behind = b"*1\r\n$4\r\nPING\r\n"
    first = data.draw(st.integers(len(b"*1\r\n"), len(whole)))
    passage = Passage(whole[:first], 0)
    taken = passage.taken
    rest = (whole + behind)[taken:]
    while not passage.done:
        size = data.draw(st.integers(1, 20))
        step = passage.take(memoryview(rest[:size]))
        taken += step
        rest = rest[step:]
    assert taken == len(whole)


def test_inline_requests():
    framer = Framer()
    assert framer.next(b"PING  a\r\nrest", 0) == 9 and framer.words == [b"PING", b"a"]
    assert framer.next(b"\r\n", 0) == 2 and framer.words == []
    assert framer.next(b"PIN", 0) == -1


@pytest.mark.parametrize(
    "line, words",
    [
        (b'a "b c" d', [b"a", b"b c", b"d"]),
        (rb'"\x41\xfF\n\r\t\b\a\"\\\q"', [b'A\xff\n\r\t\b\a"\\q']),
        (rb"'it\'s' 'a\n' 'b\\c'", [b"it's", rb"a\n", rb"b\\c"]),
        (b'a"b" \'\' ""', [b"ab", b"", b""]),
        (b"  a\t'b'\r", [b"a", b"b"]),
        (b"\"a\"b 'c'd", [b"ab", b"cd"]),  # Valkey takes that, Redis itself does not
    ],
)
def test_quotes_in_inline_requests(line, words):
    framer = Framer()
    assert framer.next(line + b"\n", 0) == len(line) + 1
    assert framer.words == words


@pytest.mark.parametrize("line", [b'"a', b"'a", b'a "', rb"'a\'", rb'"a\"'])
def test_unbalanced_quotes(line):
    with pytest.raises(ProtocolError):
        Framer().next(line + b"\n", 0)


@pytest.mark.parametrize(
    "data",
    [
        b"*x\r\n",
        b"*1\r\n+PING\r\n",
        b"*1\r\n$x\r\n",
        b"*1\r\n$-1\r\n",
        b"*" + b"1" * 70000,
        b"*1\r\n$" + b"1" * 70000,
        b"x" * 70000,
    ],
)
def test_what_is_no_request(data):
    with pytest.raises(ProtocolError):
        Framer().next(data, 0)


def test_a_broken_large_request():
    passage = Passage(b"*2\r\n$3\r\nSET\r\n", 0)
    with pytest.raises(ProtocolError):
        passage.take(memoryview(b"+x\r\n"))
    for size in (b"-1", b"-2", b"-4", b"-9999999999"):  # which would go back
        passage = Passage(b"*2\r\n$3\r\nSET\r\n", 0)
        with pytest.raises(ProtocolError):
            passage.take(memoryview(b"$%b\r\nx\r\n" % size))


def test_writing():
    assert bulk(b"ab") == b"$2\r\nab\r\n"
    assert command([b"GET", b"k"]) == b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"


REPLIES = [
    b"+OK\r\n",
    b"-ERR no\r\n",
    b":1\r\n",
    b"$0\r\n\r\n",
    b"$-1\r\n",
    b"$4\r\na\r\nb\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"*2\r\n*1\r\n:1\r\n$2\r\n\r\n\r\n",
    b"_\r\n",
    b"%1\r\n+a\r\n*1\r\n,1.5\r\n",
    b"~2\r\n#t\r\n(12\r\n",
    b"=5\r\ntxt:a\r\n",
    b"!3\r\nERR\r\n",
    b"|1\r\n+a\r\n+b\r\n:7\r\n",
    b">2\r\n+message\r\n+x\r\n",
]


@pytest.mark.parametrize("reply", REPLIES)
def test_where_a_reply_ends(reply):
    for behind in (b"", b"+OK\r\n"):
        assert reply_end(b"xyz" + reply + behind, 3) == 3 + len(reply)
    for cut in range(len(reply)):
        with pytest.raises(ValueError):
            reply_end(reply[:cut], 0)
