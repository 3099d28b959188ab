import pytest

from redgrease.engine.watch import Watch

WATCH = Watch(
    exclusive=frozenset({b"SET", b"MSET", b"SORT", b"EVAL", b"FLUSHALL", b"SCAN"}),
    linked=frozenset({b"SET"}),
    patterns=frozenset({b"some:*", b"one", b"\xff*"}),
    triggers=frozenset({b"call"}),
    hooks={
        b"GET": ((1, 1, 1), [b"h:", b"\xfe"]),
        b"MGET": ((1, -1, 1), [b"h:"]),
        b"PING": ((0, 0, 0), None),
        b"INFO": ((0, 0, 0), [b"h:"]),
    },
    channel=b"somewhere",
)


def test_what_the_worker_tells():
    assert Watch.from_json(WATCH.to_json().encode()) == Watch(
        **{**vars(WATCH), "hooks": {k: ([*at], p) for k, (at, p) in WATCH.hooks.items()}}
    )
    assert Watch.from_json(Watch().to_json().encode()) == Watch()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("SET some:1 x", True),
        ("SET one x", True),
        ("SET one: x", False),
        ("SET other some", False),
        ("SET other some:", True),  # a value that looks like a key: no harm
        ("MSET a 1 b 2 some:3 3", True),
        ("MSET a 1 b 2", False),
        ("SORT a BY b*", True),
        ("EVAL script 0", True),
        ("SCAN 0", True),  # it may find any key expired
        ("FLUSHALL", False),
        ("GET some:1", False),
    ],
)
def test_what_functions_run_behind(words, expected):
    raw = words.encode().split()
    assert WATCH.concerns(raw[0], raw) is expected


def test_keys_are_bytes():
    assert WATCH.concerns(b"SET", [b"SET", b"\xff\xfe", b""])
    assert WATCH.hooked(b"GET", [b"GET", b"\xfe\xff"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("GET h:1", True),
        ("GET other", False),
        ("GET", False),
        ("MGET a b h:1", True),
        ("MGET a b", False),
        ("PING", True),
        ("INFO h:", False),
        ("SET h:1 x", False),
    ],
)
def test_what_functions_stand_before(words, expected):
    raw = words.encode().split()
    assert WATCH.hooked(raw[0], raw) is expected


def test_what_needs_a_closer_look():
    assert WATCH.names == WATCH.exclusive | {b"GET", b"MGET", b"PING", b"INFO"}
    assert WATCH.alone(b"RG.TRIGGER", [b"RG.TRIGGER", b"call"])
    assert not WATCH.alone(b"RG.TRIGGER", [b"RG.TRIGGER", b"other"])
    assert not WATCH.alone(b"RG.TRIGGER", [b"RG.TRIGGER"])
