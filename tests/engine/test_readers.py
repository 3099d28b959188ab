"""The readers, on a real Redis."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redgrease.engine.connection import Address, Connection
from redgrease.engine.errors import GearsError, PlainError
from redgrease.engine.executions import Plan
from redgrease.engine.keyspace import Keyspace
from redgrease.engine.pages import FIRST_COUNT, Scripts
from redgrease.engine.readers import Reader, for_run, stream_id
from redgrease.engine.steps import Step

pytest_plugins = ["worker_fixtures"]


class Clock:
    read_seconds = 0.0


@pytest.fixture(params=["script", "old script", "pipeline"])
def keyspace(request, redis_url, monkeypatch):
    """A key space; with reading scripts of new and old servers, and where they are refused."""
    keyspace = Keyspace(redis_url)
    if request.param == "old script":
        monkeypatch.setattr(Scripts, "WAYS", ((b"NO", b""), (b"NO", b""), *Scripts.WAYS[2:]))
    elif request.param == "pipeline":
        monkeypatch.setattr(Scripts, "WAYS", ((b"NO", b""),) * 4)
    yield keyspace
    keyspace.close()


def read(keyspace, name, argument="*", **options):
    return list(for_run(name, argument, options).open(keyspace, Clock()))


def by_key(records):
    return {record["key"]: record for record in records}


def test_records_of_all_types(keyspace, redis):
    redis("SET", "string", "1")
    redis("SET", "binary", b"\xff\x00")
    redis("SET", b"\xfe", "x")
    redis("SET", "empty", "")
    redis("RPUSH", "list", "a", b"\xff", "c")
    redis("HSET", "hash", "spam", "eggs", "meaning", "42", "bin", b"\xff")
    redis("SADD", "set", "a")
    redis("ZADD", "zset", "1", "a")
    redis("XADD", "stream", "*", "a", "b")
    records = read(keyspace, "KeysReader")
    values = {
        "string": ("string", "1"),
        "binary": ("string", bytearray(b"\xff\x00")),
        "empty": ("string", ""),
        "list": ("list", ["a", bytearray(b"\xff"), "c"]),
        "hash": ("hash", {"bin": bytearray(b"\xff"), "meaning": "42", "spam": "eggs"}),
        "set": ("set", None),
        "zset": ("zset", None),
        "stream": ("unknown", None),
    }
    odd = next(record for record in records if isinstance(record["key"], bytearray))
    assert odd == {"event": None, "key": bytearray(b"\xfe"), "type": "string", "value": "x"}
    found = by_key(record for record in records if record is not odd)
    assert {key: (r["type"], r["value"]) for key, r in found.items()} == values
    assert list(found["hash"]["value"]) == ["meaning", "spam", "bin"]
    assert all(list(record) == ["event", "key", "type", "value"] for record in records)


def test_many_keys_of_several_pages(keyspace, redis):
    number = FIRST_COUNT * 9
    redis("EVAL", "for i = 1, ARGV[1] do redis.call('set', 'k' .. i, i) end", 0, number)
    redis("RPUSH", "l", "x")
    expected = {f"k{i}": str(i) for i in range(1, number + 1)}
    assert {r["key"]: r["value"] for r in read(keyspace, "KeysReader", "k*")} == expected
    assert set(read(keyspace, "KeysOnlyReader", "k*")) == set(expected)
    assert (
        sum(
            Reader("KeysReader", "*", {"noScan": False, "readValue": True}).open(
                keyspace, Clock(), counted=True
            )
        )
        == number + 1
    )


def test_patterns_and_literal_names(keyspace, redis):
    redis("MSET", "a", "1", "ab", "2", "a*", "3", "b", "4")

    def keys(pattern, **options):
        return sorted(r["key"] for r in read(keyspace, "KeysReader", pattern, **options))

    assert keys("a*") == ["a", "a*", "ab"]
    assert keys("a\\*") == ["a*"]
    assert keys("a") == ["a"]
    assert keys("[ab]") == ["a", "b"]
    assert keys("none") == []
    assert keys("a*", noScan=True) == ["a*"]


def test_one_key_by_name(keyspace, redis):
    redis("HSET", "h", "a", "1", "b", "2")
    (found,) = read(keyspace, "KeysReader", "h", noScan=True)
    assert found["value"] == {"b": "2", "a": "1"}
    (missing,) = read(keyspace, "KeysReader", "none", noScan=True)
    assert missing == {"event": None, "key": "none", "type": "empty", "value": None}


def test_without_values_only_event_and_key(keyspace, redis):
    redis("SET", "k", "v")
    for pattern, options in (("*", {}), ("k", {}), ("k", {"noScan": True})):
        assert read(keyspace, "KeysReader", pattern, readValue=False, **options) == [
            {"event": None, "key": "k"}
        ]


def test_keys_only(keyspace, redis):
    redis("MSET", "a", "1", "b*", "2")
    assert read(keyspace, "KeysOnlyReader", "b*", noScan=True) == ["b*"]
    assert read(keyspace, "KeysOnlyReader", "none", noScan=True) == []
    assert read(keyspace, "KeysOnlyReader", count="5", patternGenerator=lambda: ("a", False)) == [
        "a"
    ]
    with pytest.raises(GearsError, match="^ERR value is not an integer or out of range$"):
        read(keyspace, "KeysOnlyReader", count="many")


def test_a_reader_that_is_left_early_costs_nothing_but_its_connection(keyspace, redis):
    redis("EVAL", "for i = 1, 5000 do redis.call('set', 'k' .. i, i) end", 0)
    for name in ("KeysReader", "KeysOnlyReader"):
        records = iter(for_run(name, "*", {}).open(keyspace, Clock()))
        assert next(records)
        records.close()
        assert len(read(keyspace, name)) == 5000


def test_streams(keyspace, redis):
    redis("EVAL", "for i = 1, 2500 do redis.call('xadd', 's', i .. '-1', 'f', i, 'g', 'x') end", 0)
    records = read(keyspace, "StreamReader", "s")
    assert [record["id"] for record in records] == [f"{i}-1" for i in range(1, 2501)]
    assert records[0] == {"key": "s", "id": "1-1", "value": {"g": "x", "f": "1"}}
    assert list(records[0]) == ["key", "id", "value"]
    assert [r["id"] for r in read(keyspace, "StreamReader", "s", fromId="2499-1")] == ["2500-1"]
    assert read(keyspace, "StreamReader", "none") == []
    with pytest.raises(PlainError, match="Invalid stream ID"):
        read(keyspace, "StreamReader", "none", fromId="x")
    redis("SET", "k", "v")
    with pytest.raises(PlainError, match="^WRONGTYPE"):
        read(keyspace, "StreamReader", "k")


def test_a_stream_that_grows_while_it_is_read_ends(keyspace, redis):
    redis("EVAL", "for i = 1, 1500 do redis.call('xadd', 's', '*', 'f', i) end", 0)
    number = 0
    for _ in for_run("StreamReader", "s", {}).open(keyspace, Clock()):
        redis("XADD", "s", "*", "f", "more")
        number += 1
    assert number == 1500


def test_python_functions(keyspace):
    left = [3, 2, 1]
    assert read(keyspace, "PythonReader", lambda: (i for i in "ab")) == ["a", "b"]
    records = iter(for_run("PythonReader", lambda: left.pop(), {}).open(keyspace, Clock()))
    assert [next(records), next(records), next(records)] == [1, 2, 3]
    with pytest.raises(IndexError):
        next(records)
    assert read(keyspace, "ShardsIDReader", "ignored") == ["1"]


FIELDS = st.lists(st.text("abc", max_size=2) | st.integers(), min_size=0, max_size=9)


def test_stream_ids_compare_as_numbers():
    assert stream_id("9-1") < stream_id("10") < stream_id("10-2") < stream_id("10-11")


def plan(reader, *steps):
    return Plan(None, for_run(reader, "*", {}), tuple(steps))


def test_values_are_not_read_for_a_count_only():
    assert plan("KeysReader", Step("collect"), Step("count")).counted
    assert plan("KeysOnlyReader", Step("count")).counted
    assert not plan("KeysReader", Step("str"), Step("count")).counted
    assert not plan("StreamReader", Step("count")).counted


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.binary(min_size=1, max_size=6), st.binary(max_size=6), max_size=30))
def test_whatever_is_stored_is_read(redis_url, redis, data):
    redis("FLUSHALL")
    for key, value in data.items():
        redis("SET", key, value)
    keyspace = Keyspace(redis_url)

    def raw(text):
        return text.encode() if isinstance(text, str) else bytes(text)

    records = read(keyspace, "KeysReader")
    assert {raw(r["key"]): raw(r["value"]) for r in records} == data
    keyspace.close()


@pytest.mark.parametrize(
    "url, expected",
    [
        ("redis://", Address("localhost")),
        ("redis://host:7000/3", Address("host", 7000, database=3)),
        ("redis://u:p%40@host", Address("host", username="u", password="p@")),
        ("unix:///tmp/r.sock?db=2", Address(path="/tmp/r.sock", database=2)),
        ("unix://:pw@/tmp/r.sock", Address(path="/tmp/r.sock", password="pw")),
        ("rediss://host?ssl_cert_reqs=none", Address("host", tls=True, verify=False)),
    ],
)
def test_addresses(url, expected):
    assert Address.parse(url) == expected


def test_an_address_of_something_else():
    with pytest.raises(ValueError):
        Address.parse("http://host")


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(GearsError, match="cannot be reached"):
        Connection(Address(path=str(tmp_path / "none")))
