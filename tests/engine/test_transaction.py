"""What a client has queued: whether Redis has taken it, by its replies alone."""

import pytest

from redgrease.engine import transaction as transactions
from redgrease.engine.resp import command
from redgrease.engine.transaction import Transaction

TOKEN = b"rg.~abc"
MARKER = b"-ERR unknown command 'rg.~abc'\r\n"
OK, QUEUED, ERROR = b"+OK\r\n", b"+QUEUED\r\n", b"-ERR x\r\n"


def judged(names, *seen, ahead=0):
    transaction = Transaction(watching=False)
    for name in names:
        transaction.add(name, command([name]))
    for data in seen:
        transaction.see(data)
    transaction.judge(TOKEN, ahead)
    return transaction.refused, transaction.unsure


@pytest.mark.parametrize(
    "before", [b"", ERROR, b"$9\r\n\r\n-ERR\r\n\r\n\r\n", b"half of a line\r\n"]
)
def test_all_was_queued(before):
    seen = before, OK, QUEUED + QUEUED[:3], QUEUED[3:] + OK + MARKER
    assert judged([b"GET", b"SET", b"GET"], before, OK, QUEUED, QUEUED, *seen[2:][1:]) == (
        False,
        True,
    )
    assert judged([b"GET", b"SET"], *seen) == (False, False)


@pytest.mark.parametrize("position", range(3))
def test_something_was_refused(position):
    lines = [QUEUED, QUEUED, QUEUED]
    lines[position] = ERROR
    assert judged(3 * [b"GET"], OK, *lines, OK, MARKER) == (True, False)


def test_nested_ones_are_for_redis_to_judge():
    assert judged([b"GET", b"MULTI"], OK, QUEUED, ERROR, OK, MARKER) == (False, True)


def test_push_messages_make_it_unsure():
    push = b">2\r\n+invalidate\r\n*1\r\n+k\r\n"
    assert judged([b"GET", b"SET"], OK, QUEUED, push, QUEUED, OK, MARKER) == (False, True)


def test_one_that_redis_has_not_been_sent():
    assert judged([b"GET", b"RG.TRIGGER"], OK, QUEUED, OK, MARKER, ahead=1) == (False, False)


def test_it_is_judged_in_pieces():
    transaction = Transaction(watching=False)
    transaction.add(b"GET", b"")
    transaction.add(b"RG.TRIGGER", b"", gears=True)
    transaction.see(OK + QUEUED + OK + MARKER)
    transaction.judge(TOKEN, ahead=1)
    transaction.add(b"NOSUCH", b"")
    transaction.see(OK + QUEUED + ERROR + OK + MARKER)
    transaction.judge(TOKEN)
    assert (transaction.refused, transaction.unsure) == (True, False)


def test_not_all_that_comes_is_kept():
    transaction = Transaction(watching=False)
    for _ in range(100):
        transaction.see(b"x" * 1_000_000)
    assert len(transaction.seen) < 10_000
    for _ in range(1000):
        transaction.add(b"GET", b"")
        transaction.see(QUEUED)
    transaction.judge(TOKEN)
    assert transaction.unsure


def test_a_huge_one_is_not_kept(monkeypatch):
    monkeypatch.setattr(transactions, "MOST_KEPT", 1000)
    transaction = Transaction(watching=False)
    transaction.add(b"SET", b"x" * 600)
    assert not transaction.unfit and transaction.queue[0].raw
    transaction.more(b"x" * 600)
    assert transaction.too_large and b"1000 bytes" in transaction.unfit
    assert transaction.queue[0].raw == b""
    transaction.more(b"x" * 600)
    for name in (b"SET", b"GET", b"SET", b"RG.TRIGGER"):
        transaction.add(name, b"x" * 600, gears=name == b"RG.TRIGGER")
    assert [one.name for one in transaction.queue] == [b"SET", b"GET", b"RG.TRIGGER"]
    assert transaction.calls and not any(one.raw for one in transaction.queue)


def test_a_request_in_pieces():
    transaction = Transaction(watching=False)
    request = command([b"set", b"k", b"v" * 100])
    transaction.add(b"SET", request[:20])
    transaction.more(request[20:50])
    transaction.more(request[50:])
    (one,) = transaction.queue
    assert one.raw == request and one.words == [b"set", b"k", b"v" * 100]
