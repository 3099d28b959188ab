"""The consumer group of stream registrations, on a real Redis."""

import pytest

from redgrease.engine.keyspace import Keyspace
from redgrease.engine.stream_group import (
    CONSUMER,
    GROUP,
    Gone,
    InFlight,
    StreamGroup,
    Unavailable,
    record,
)

pytest_plugins = ["worker_fixtures"]


@pytest.fixture
def group(redis, redis_url):
    keyspace = Keyspace(redis_url)
    yield StreamGroup(keyspace)
    keyspace.close()


def add(redis, *numbers):
    for number in numbers:
        redis("XADD", "s", f"{number}-1", "n", number)


def ids(entries):
    return [ident for ident, _ in entries]


class TestReading:
    def test_what_was_delivered_comes_again_until_it_is_acknowledged(self, group, redis):
        add(redis, 1, 2, 3)
        assert group.delivered(b"s") == []
        assert ids(group.read(b"s", 2)) == [b"1-1", b"2-1"]
        assert ids(group.delivered(b"s")) == [b"1-1", b"2-1"]
        group.send(group.acknowledgement(b"s", [b"1-1"], False))
        assert ids(group.delivered(b"s")) == [b"2-1"]
        assert ids(group.read(b"s", 2)) == [b"3-1"]
        assert group.read(b"s", 2) == []

    def test_records(self, group, redis):
        redis("XADD", "s", "1-1", "a", "1", "b", b"\xff", "a", "2")
        (entry,) = group.read(b"s", 1)
        assert record(b"s", entry) == {
            "key": "s",
            "id": "1-1",
            "value": {"a": "2", "b": bytearray(b"\xff")},
        }
        redis("XDEL", "s", "1-1")
        (entry,) = group.delivered(b"s")
        assert record(b"s\xfe", entry) == {"key": bytearray(b"s\xfe"), "id": "1-1", "value": {}}

    def test_the_group_is_made_when_it_is_missing(self, group, redis):
        add(redis, 1)
        assert ids(group.read(b"s", 1)) == [b"1-1"]
        redis("XGROUP", "DESTROY", "s", GROUP)
        assert group.delivered(b"s") == []
        assert ids(group.read(b"s", 1)) == [b"1-1"]

    @pytest.mark.parametrize("value", [None, "text"])
    def test_no_stream(self, group, redis, value):
        if value is not None:
            redis("SET", "s", value)
        for read in (group.delivered, lambda key: group.read(key, 1)):
            with pytest.raises(Gone):
                read(b"s")
        assert redis("EXISTS", "s") == int(value is not None)

    def test_redis_refuses(self, group, redis):
        add(redis, 1)
        group.delivered(b"s")
        redis("ACL", "SETUSER", "default", "-xreadgroup", "-xack", "-scan")
        try:
            for refused in (
                lambda: group.delivered(b"s"),
                lambda: group.read(b"s", 1),
                lambda: group.send(group.acknowledgement(b"s", [b"1-1"], True)),
                lambda: list(group.streams("*")),
            ):
                with pytest.raises(Unavailable, match="NOPERM"):
                    refused()
        finally:
            redis("ACL", "SETUSER", "default", "+@all")


class TestAcknowledging:
    def test_exactly_these_are_deleted(self, group, redis):
        add(redis, 1, 2, 3)
        group.read(b"s", 2)
        group.send(group.acknowledgement(b"s", [b"2-1"], True))
        assert ids(redis("XRANGE", "s", "-", "+")) == ["1-1", "3-1"]
        assert redis("XPENDING", "s", GROUP)[0] == 1

    def test_many(self, group, redis):
        numbers = range(1, 25_001)
        redis.connection.call_all([(b"XADD", b"s", b"%d-1" % n, b"n", b"1") for n in numbers])
        group.read(b"s", len(numbers))
        group.send(group.acknowledgement(b"s", [b"%d-1" % n for n in numbers], True))
        assert redis("XLEN", "s") == 0
        assert redis("XPENDING", "s", GROUP)[0] == 0


class TestLooking:
    def test_waiting(self, group, redis):
        assert group.waiting(b"s", 5) == 0
        add(redis, 1, 2, 3)
        assert [group.waiting(b"s", limit) for limit in (2, 5)] == [2, 3]
        group.read(b"s", 2)
        assert group.waiting(b"s", 5) == 1
        redis("XREADGROUP", "GROUP", GROUP, CONSUMER, "STREAMS", "s", ">")
        assert group.waiting(b"s", 5) == 0

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("*", {b"s1", b"s2", b"t", b"s\xff"}),
            ("s*", {b"s1", b"s2", b"s\xff"}),
            ("s[12]", {b"s1", b"s2"}),
            ("t", {b"t"}),
            ("text", set()),
            ("none", set()),
        ],
    )
    def test_streams(self, group, redis, pattern, expected):
        for key in ("s1", "s2", "t", b"s\xff"):
            redis("XADD", key, "*", "n", 1)
        redis("SET", "text", 1)
        assert set(group.streams(pattern)) == expected


def test_in_flight():
    one, called = InFlight(), []
    entries = [(b"1-1", None), (b"2-1", None), (b"3-1", None)]
    assert one.take(b"s", entries[:2], 0) == entries[:2]
    assert one.take(b"s", entries, 0) == entries[2:]
    assert one.take(b"other", entries, 0) == entries
    assert one.free(b"s", entries, lambda: called.append("s")) == []
    assert one.free(b"none", entries, lambda: called.append("none")) == entries
    one.drop(b"other", entries)
    assert called == []
    one.drop(b"s", entries[1:])
    assert called == ["s"]
    assert one.take(b"s", entries, 0) == entries[1:]
    one.drop(b"s", entries)
    assert called == ["s"]


def test_what_somebody_has_finished_with_since_it_was_read_is_not_taken():
    one = InFlight()
    entries = [(b"1-1", None), (b"2-1", None)]
    with one.reading(b"s") as before:
        with one.reading(b"s") as other:
            assert one.take(b"s", entries[:1], other) == entries[:1]
        one.drop(b"s", entries[:1])
        assert one.take(b"s", entries, before) == entries[1:]
    with one.reading(b"s") as later:
        assert one.take(b"s", entries, later) == entries[:1]
