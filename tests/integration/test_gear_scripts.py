"""Scripts in pairs, one plain and one in redgrease's words, which do the same."""

import ast
import math
from pathlib import Path

import pytest
from support.waiting import eventually

SCRIPTS = Path(__file__).parent.parent / "gear_scripts"
PEOPLE = {"person:1": {"name": "Ann"}, "person:2": {"name": "Bob"}}


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def values(result):
    """Results, as Python values from whatever text they came."""
    found = []
    for value in result if isinstance(result, list) else [result]:
        value = text(getattr(value, "value", value))
        try:
            value = ast.literal_eval(value) if isinstance(value, str) else value
        except (SyntaxError, ValueError):
            pass
        found.append(value)
    return found


def word_count(r, run):
    r.mset({"line:1": "to be or not to be", "line:2": "that is", "line:3": "to"})
    r.hset("hash", "not", "a string")
    return sorted((found["key"], found["value"]) for found in values(run()))


def delete_by_prefix(r, run):
    r.mset({f"delete_me:{number}": 1 for number in range(20)})
    r.set("keep_me", 1)
    count = values(run())
    return count, sorted(map(text, r.keys()))


def stream_to_hash(r, run):
    run()
    for number in range(1, 4):
        r.xadd("mystream", {"n": number, "square": number * number}, id=f"{number}-1")
    eventually(lambda: len(r.keys("*-1")), 3)
    eventually(lambda: r.hlen("3-1"), 2)
    eventually(lambda: r.xlen("mystream"), 0)  # the next script gets messages of the same names
    return [
        {text(name): text(value) for name, value in r.hgetall(f"{number}-1").items()}
        for number in range(1, 4)
    ]


def automatic_expiry(r, run):
    run()
    r.set("string", 1, ex=10)
    r.incr("counter")
    r.hset("hash", "a", 1)
    r.rpush("list", 1)
    r.xadd("stream", {"a": 1})
    r.delete("string", "never there")
    r.set("string", 2)
    names = ("string", "counter", "hash", "list", "stream")
    eventually(lambda: [r.ttl(name) > 3590 for name in names], [True] * len(names))
    # Everything else that its own commands may have caused is over soon.
    eventually(lambda: {str(each.status) for each in r.gears.dumpexecutions()}, {"done"})
    return [r.ttl(name) <= 3600 for name in names], sorted(map(text, r.keys()))


def expired_events(r, run):
    run()
    for number in range(5):
        r.set(f"short:{number}", 1, px=1)
    r.set("long", 1)
    eventually(lambda: r.llen("processed:{06S}"), 5)
    eventually(lambda: r.xlen("expired:{06S}"), 0)  # what has been processed leaves the stream
    return sorted(map(text, r.lrange("processed:{06S}", 0, -1))), r.exists("long")


def reliable_notification(r, run):
    run()
    for key, person in PEOPLE.items():
        r.execute_command("HSET" if key == "person:1" else "HMSET", key, *sum(person.items(), ()))
        # Synchronously: it is there as soon as the command is answered.
        assert text(r.xrevrange("notifications-stream", count=1)[0][1][b"key"]) == key
    r.set("person:3", "no hash")
    r.hset("animal:1", "name", "Cat")
    return [
        {text(name): text(value) for name, value in fields.items()}
        for _, fields in r.xrange("notifications-stream")
    ]


def monte_carlo_pi(r, run):
    (pi,) = values(run())
    assert abs(pi - math.pi) < 0.1
    return pi


EXPECTED = {
    word_count: [("be", 2), ("is", 1), ("not", 1), ("or", 1), ("that", 1), ("to", 3)],
    delete_by_prefix: ([20], ["keep_me"]),
    stream_to_hash: [
        {"n": "1", "square": "1"},
        {"n": "2", "square": "4"},
        {"n": "3", "square": "9"},
    ],
    automatic_expiry: ([True] * 5, ["counter", "hash", "list", "stream", "string"]),
    expired_events: ([f"short:{number}" for number in range(5)], 1),
    reliable_notification: [{"key": key, "event": "hset"} for key in PEOPLE],
}


@pytest.mark.parametrize("case", [*EXPECTED, monte_carlo_pi], ids=lambda case: case.__name__)
def test_both_scripts_do_the_same(r, case):
    effects = []
    for kind in ("vanilla", "redgrease"):
        path = SCRIPTS / f"{case.__name__}_{kind}.py"
        effects.append(case(r, lambda path=path: r.gears.pyexecute(str(path))))
        for registration in r.gears.dumpregistrations():
            r.gears.unregister(registration.id)
        r.flushall()
    assert effects[0] == effects[1]
    assert effects[0] == EXPECTED.get(case, effects[0])


def test_expired_keys_are_logged(r, gears_server):
    r.gears.pyexecute(SCRIPTS / "expired_events_redgrease.py")
    r.set("soon to be gone", 1, px=1)
    eventually(lambda: "expired: soon to be gone" in gears_server.log, True)


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_scripts_are_written_for_the_python_of_older_servers(path):
    ast.parse(path.read_text(), feature_version=(3, 7))


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*_vanilla.py")), ids=lambda path: path.stem)
def test_plain_scripts_need_no_redgrease(path):
    assert "redgrease" not in path.read_text()


def test_every_script_has_its_pair():
    names = sorted(path.stem for path in SCRIPTS.glob("*.py"))
    stems = {name.rpartition("_")[0] for name in names}
    assert names == sorted(f"{stem}_{kind}" for stem in stems for kind in ("vanilla", "redgrease"))
    assert stems == {case.__name__ for case in [*EXPECTED, monte_carlo_pi]}
