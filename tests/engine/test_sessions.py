"""Sessions: their rules, their life and how they are shown."""

from types import SimpleNamespace

import pytest
from bare_engine import BareEngine

from redgrease.engine.replies import Error
from redgrease.engine.requirements import Package
from redgrease.engine.sessions import OptionError, Options, Session, describe, private_data
from redgrease.privatedata import parse_PD

HAS_CHANGED = "Can not replace session {}, it has changed."


@pytest.fixture
def engine():
    return BareEngine()


@pytest.fixture
def sessions(engine):
    return engine.sessions


def linked(engine, ident="s", registrations=1, replaces=None, **kwargs):
    session = Session(ident, **kwargs)
    for number in range(registrations):
        engine.register(session, ident=f"{ident}-{number}")
    engine.sessions.link(session, replaces)
    return session


def run(engine, session):
    """Let an execution of the session run."""
    execution = SimpleNamespace(plan=SimpleNamespace(session=session), done=False)
    engine.running.append(execution)
    return execution


# -- rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options("new"),
        Options("old", upgrade=True),
        Options("new", upgrade=True),
        Options(replace_with="old"),
        Options("new", replace_with="old"),
        Options("old", replace_with="old"),
        Options("old", upgrade=True, instead_of=("old-0",)),
    ],
)
def test_allowed(engine, sessions, options):
    linked(engine, "old")
    sessions.check(options)


@pytest.mark.parametrize(
    "options, text",
    [
        (Options("old"), "Session old already exists"),
        (Options(replace_with="x"), "Can not replace with x, session does not exists."),
        (Options("new", replace_with="x"), "Can not replace with x, session does not exists."),
        (Options("old", replace_with="b"), "Can not replace an existing session old with b"),
        (Options("old", None, True, "b"), "Can not replace an existing session old with b"),
        (Options("old", upgrade=True, instead_of=("x",)), HAS_CHANGED.format("old")),
        (Options("new", upgrade=True, instead_of=("new-0",)), HAS_CHANGED.format("new")),
    ],
)
def test_refused(engine, sessions, options, text):
    linked(engine, "old")
    linked(engine, "b")
    with pytest.raises(OptionError) as raised:
        sessions.check(options)
    assert str(raised.value) == text


# -- life ---------------------------------------------------------------------------------------


def test_link_and_unlink(engine, sessions):
    session = Session("s")
    assert (session.linked, session.dead, session.ref_count) == ("None", False, 0)
    assert sessions.get("s") is None
    sessions.link(session)
    assert (session.linked, session.dead, session.ref_count) == ("primary", False, 1)
    assert sessions.get("s") is session
    assert sessions.all() == [session]
    sessions.unlink(session)
    assert (session.linked, session.dead, session.ref_count) == ("None", True, 0)
    assert sessions.get("s") is None
    assert sessions.all() == sessions.dead() == []
    sessions.unlink(session)
    assert sessions.dead() == []


def test_last_registration(engine, sessions):
    session = linked(engine, registrations=2)
    assert session.ref_count == 3
    first, second = session.registrations
    sessions.leave(first)
    sessions.leave(first)
    assert sessions.get("s") is session
    assert session.ref_count == 2
    sessions.leave(second)
    assert sessions.get("s") is None
    assert session.dead


def test_dead_while_used(engine, sessions):
    session = linked(engine)
    execution = run(engine, session)
    assert session.ref_count == 3
    sessions.leave(session.registrations[0])
    assert sessions.dead() == [session]
    assert session.ref_count == 1
    execution.done = True
    assert sessions.dead() == []


def test_dead_while_registrations_are_left(engine, sessions):
    session = linked(engine)
    sessions.unlink(session)
    assert sessions.dead() == [session]
    sessions.leave(session.registrations[0])
    assert sessions.dead() == []


def test_timers_keep_a_session(engine, sessions):
    session = linked(engine, registrations=0)
    engine.timers.count = {session: 2}.get
    sessions.unlink(session)
    assert session.ref_count == 2
    assert sessions.dead() == [session]


def test_upgrade(engine, sessions):
    old = linked(engine)
    new = linked(engine, replaces=old)
    assert sessions.get("s") is new
    assert sessions.all() == [new]
    assert sessions.dead() == [old]
    assert (old.linked, new.linked) == ("None", "primary")


def test_replacement(engine, sessions):
    old = linked(engine, "old")
    new = linked(engine, "new", replaces=old)
    assert sessions.all() == [new]
    assert sessions.get("old") is None
    assert sessions.dead() == [old]


def test_a_name_that_is_taken_since(engine, sessions):
    old = linked(engine)
    run(engine, old)
    new = linked(engine, replaces=old)
    old.registrations.clear()
    engine.register(old, ident="late")
    for _ in range(2):
        sessions.link(old)
        assert sessions.get("s") is new
        assert sessions.dead() == [old]
    assert old.linked == "None"
    sessions.unlink(new)
    sessions.link(old)
    assert sessions.get("s") is old
    assert not old.dead
    assert sessions.dead() == [new]


def test_link_twice(engine, sessions):
    session = linked(engine)
    sessions.link(session, session)
    assert sessions.get("s") is session
    assert not session.dead


# -- description --------------------------------------------------------------------------------


def test_describe(engine):
    session = linked(engine, description="words here", registrations=2, requirements=("a",))
    assert describe(session) == [
        *("ID", "s", "sessionDescription", "words here", "refCount", 3, "linked", "primary"),
        *("dead", "false", "requirementInstallationNeeded", 0),
        *("requirements", ["a"], "registrations", ["s-0", "s-1"]),
    ]


def test_verbose(engine, sessions):
    session = linked(engine, requirements=("a",))
    engine.requirements._known["a"] = package = Package("a")
    (found,) = sessions.dump(["Verbose"])
    assert found[13] == [package.describe(1)]
    assert found[15] == [session.registrations[0].dump(private=False)]
    assert len(found) == 16


def test_dump(engine, sessions):
    one, two = linked(engine, "one"), linked(engine, "two")
    other = linked(engine, "two", replaces=two)
    assert sessions.dump([]) == [describe(one), describe(other)]
    assert sessions.dump(["verbose"]) == [describe(one, True), describe(other, True)]
    for words in (["DEAD"], ["dead"], ["DEAD", "VERBOSE"], ["VERBOSE", "dead"]):
        assert sessions.dump(words) == [describe(two, "VERBOSE" in words)]
    words = ["SESSIONS", "two", "nosuch", "VERBOSE"]
    unknown = "Session {} does not exists".format
    assert sessions.dump(words) == [describe(other), unknown("nosuch"), unknown("VERBOSE")]
    assert sessions.dump(["VERBOSE", "sessions", "one"]) == [describe(one, True)]
    assert sessions.dump(["SESSIONS"]) == []
    wrong = sessions.dump(["VERBOSE", "foo", "bar"])
    assert isinstance(wrong, Error)
    assert wrong == "Unknown option foo"
    assert sessions.dump(["TS"]) == "Unknown option TS"  # so the original's documentation calls it


def test_private_data(engine):
    session = linked(engine, requirements=("a",))
    engine.requirements._known["a"] = Package("a", "/path")
    assert private_data(session) == (
        "{'sessionName':'s', 'sessionDescription':null, 'refCount':2, 'linkedTo':primary,"
        " 'dead':false, 'isInstallationNeeded':false, 'registrationsList':[s-0],"
        " 'depsList':[{'name':'a', 'basePath':'/path', 'wheels':[]}]}"
    )
    session.description = "more, 'words'"
    engine.sessions.unlink(session)
    found = parse_PD(private_data(session))
    assert found["sessionDescription"] == session.description
    assert found["dead"] is True
    assert found["registrationsList"] == ["s-0"]


def test_users_of_requirements(engine, sessions):
    one, _ = (linked(engine, name, requirements=("a",)) for name in ("one", "two"))
    linked(engine, "three", requirements=("b",))
    assert sessions.users_of_requirement("a") == 2
    sessions.unlink(one)
    assert sessions.users_of_requirement("a") == 2
    sessions.leave(one.registrations[0])
    assert sessions.users_of_requirement("a") == 1
