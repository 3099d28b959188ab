"""Registering functions, and registering them again, on old servers and on new ones."""

import copy
import pickle
import sys

import pytest
from support.old_gears import OldGears
from support.scripted import Error, ScriptedServer, Status

import redgrease
from redgrease import data
from redgrease import exceptions as ex
from redgrease.client import RedisGears
from redgrease.registered import RegisteredFunction

NEW = sys.version_info >= (3, 10)  # what the embedded server runs on


def command(value, trigger="t", **kwargs):
    reader = redgrease.CommandReader(**kwargs)
    return reader.map(lambda record: value).register(trigger=trigger)


def watcher(value, prefix="a*", desc=None, **kwargs):
    reader = redgrease.KeysReader(desc=desc)
    return reader.foreach(lambda record: redgrease.execute("RPUSH", "log", value)).register(
        prefix, **kwargs
    )


class TestOnNewServers:
    """The embedded server is one with named sessions (1.2.13)."""

    @pytest.fixture
    def gears(self, r):
        yield r.gears
        for registration in r.gears.dumpregistrations():
            r.gears.unregister(registration)

    def test_the_function_knows_its_registration(self, gears):
        function = gears.pyexecute(command(5, desc="words"))
        assert isinstance(function, RegisteredFunction)
        assert function and function == True and function != False  # noqa: E712
        assert function() == 5 and gears.trigger("t") == 5
        assert (function.reader, function.trigger) == ("CommandReader", "t")
        listed = gears.registration(trigger="t")
        assert function.id == listed.id and isinstance(function.id, data.ExecID)
        assert function.registration == listed and function.registration.desc == "words"
        assert function.statistics.numTriggered == 2
        function()
        assert function.statistics.numTriggered == 2
        assert function.refresh() is function
        assert function.statistics.numTriggered == 3
        assert function.is_registered
        assert function.unregister() is True
        assert not function.is_registered and function
        with pytest.raises(ex.RegistrationNotFoundError, match="'t' is not registered any more"):
            function.refresh()
        with pytest.raises(ex.RegistrationNotFoundError):
            function.unregister()
        with pytest.raises(ex.TriggerNotFoundError):
            function()

    def test_functions_on_keys(self, r, gears):
        function = gears.pyexecute(watcher("x", mode="sync"))
        assert function == True and function.value is True  # noqa: E712
        assert function.trigger is None and repr(function).startswith("<the function of the Keys")
        r.set("a1", 1)
        assert r.lrange("log", 0, -1) == [b"x"]
        assert function.statistics.numSuccess == 1
        # A second registration is not what the first one knows.
        other = gears.pyexecute(watcher("x", mode="sync"))
        assert other.id != function.id
        assert gears.unregister(function) and not function.is_registered and other.is_registered

    def test_none_raises_if_the_trigger_is_taken(self, gears):
        gears.pyexecute(command(1))
        with pytest.raises(ex.DuplicateTriggerError, match="trigger already registered"):
            gears.pyexecute(command(1))

    @pytest.mark.parametrize("again", [command(1), redgrease.command("t")(str)])
    def test_the_error_names_the_trigger_and_the_way_out(self, gears, again):
        gears.pyexecute(command(1))
        with pytest.raises(ex.DuplicateTriggerError) as caught:
            gears.pyexecute(again)
        first, *rest = str(caught.value).splitlines()
        assert first.endswith(
            "error: trigger already registered: 't' (replace=True would replace it,"
            " replace=False accepts the same one)"
        )
        assert caught.value.trigger == "t" and rest[0].startswith("Traceback")
        assert caught.value.text.startswith("['Traceback")

    @pytest.mark.parametrize("first", [None, False, True])
    def test_true_replaces(self, gears, first):
        old = gears.pyexecute(command(1), replace=first)
        new = gears.pyexecute(command(2), replace=True)
        assert new() == 2
        assert not old.is_registered
        assert len(gears.dumpregistrations()) == 1
        assert [session.ID for session in gears.pydumpsessions()] == ["redgrease-command-t"]

    def test_there_is_always_one_to_trigger(self, gears):
        import threading

        gears.pyexecute(command(0))
        stop, seen = threading.Event(), set()

        def triggering():
            while not stop.is_set():
                seen.add(gears.trigger("t", unpickle=True).value)

        thread = threading.Thread(target=triggering)
        thread.start()
        try:
            for number in range(1, 20):
                gears.pyexecute(command(number), replace=True)
        finally:
            stop.set()
            thread.join()
        assert len(seen) > 1 and seen <= set(range(20))

    def test_a_failure_leaves_the_old_one(self, gears):
        old = gears.pyexecute(command(1))
        for replace in (True, False):
            named = gears.pyexecute(command(1, "named"), replace=replace)
            with pytest.raises(ex.ScriptError, match="invalid literal"):
                gears.pyexecute(command(Unloadable(), "named"), replace=True)
            assert named() == 1
            with pytest.raises(ex.ScriptError, match="mode must be a string"):
                gears.pyexecute(UNREGISTRABLE, id=named.session, replace=True)
            assert named() == 1
        with pytest.raises(ex.ScriptError, match="invalid literal"):
            gears.pyexecute(command(Unloadable()), replace=True)
        assert old() == 1 and old.is_registered

    def test_what_shares_a_session_stays(self, gears):
        gears.pyexecute(
            "GB('CommandReader').map(lambda r: 'old').register(trigger='t')\n"
            "GB('CommandReader').map(lambda r: 'other').register(trigger='u')"
        )
        assert gears.pyexecute(command(2), replace=True)() == 2
        assert gears.trigger("u") == b"other"
        assert len(gears.dumpregistrations()) == 2
        # The next time, everything has its name.
        assert gears.pyexecute(command(3), replace=True)() == 3
        assert len(gears.dumpregistrations()) == 2

    def test_a_script_that_has_the_trigger_alone_is_replaced(self, gears):
        gears.pyexecute("GB('CommandReader').map(lambda r: 'old').register(trigger='t')", id="own")
        assert gears.pyexecute(command(2), replace=True)() == 2
        assert len(gears.dumpregistrations()) == 1

    @pytest.mark.parametrize("first", [None, False, True])
    def test_false_accepts_the_same_function(self, gears, first):
        old = gears.pyexecute(command(1), replace=first)
        again = gears.pyexecute(command(1), replace=False)
        assert again() == 1 and again.id == old.id and again.session == old.session
        with pytest.raises(ex.DuplicateTriggerError, match="replace=True would replace it"):
            gears.pyexecute(command(2), replace=False)
        assert again() == 1

    def test_false_does_not_accept_what_it_does_not_know(self, gears):
        gears.pyexecute("GB('CommandReader').map(lambda r: 'old').register(trigger='t')")
        with pytest.raises(ex.DuplicateTriggerError):
            gears.pyexecute(command(1), replace=False)

    @pytest.mark.parametrize("desc", [None, "words"])
    def test_functions_on_keys_are_replaced_too(self, r, gears, desc):
        for first in (None, True):
            gears.pyexecute(watcher("x", desc=desc, mode="sync"), replace=first)
        assert len(gears.dumpregistrations()) == 1  # also the one without a name
        new = gears.pyexecute(watcher("y", desc=desc, mode="sync"), replace=True)
        gears.pyexecute(watcher("z", "b*", desc=desc, mode="sync"), replace=True)
        r.set("a1", 1)
        assert r.lrange("log", 0, -1) == [b"y"]
        assert len(gears.dumpregistrations()) == 2
        assert gears.pyexecute(watcher("y", desc=desc, mode="sync"), replace=False).id == new.id
        with pytest.raises(ex.DuplicateTriggerError, match=r"KeysReader|session"):
            gears.pyexecute(watcher("x", desc=desc, mode="sync"), replace=False)

    def test_false_accepts_what_was_registered_without_a_name(self, gears):
        old = gears.pyexecute(watcher("x"))
        assert gears.pyexecute(watcher("x"), replace=False).id == old.id
        assert len(gears.dumpregistrations()) == 1
        gears.pyexecute(watcher("x", desc="d"))
        with pytest.raises(ex.DuplicateTriggerError, match="KeysReader 'a\\*'"):
            gears.pyexecute(watcher("y", desc="d"), replace=False)

    def test_several_without_a_name_become_one(self, gears):
        for _ in range(3):
            gears.pyexecute(watcher("x"))
        gears.pyexecute(watcher("x"), replace=True)
        assert len(gears.dumpregistrations()) == 1

    def test_sessions_of_ones_own(self, gears):
        function = gears.pyexecute(command(1), id="mine", description="my words")
        assert function.session == "mine"
        (session,) = gears.pydumpsessions("mine")
        assert session.sessionDescription == "my words" and session.fingerprint
        with pytest.raises(ex.SessionError, match="already exists"):
            gears.pyexecute(command(2), id="mine")
        assert gears.pyexecute(command(2), id="mine", replace=True)() == 2
        assert gears.pyexecute(command(3), id="other", replace_with="mine", replace=True)() == 3
        assert gears.pyexecute(command(4), id="other", upgrade=True)() == 4
        assert [session.ID for session in gears.pydumpsessions()] == ["other"]

    def test_scripts_with_a_session_are_replaced(self, gears):
        script = "GB('CommandReader').map(lambda r: '%s').register(trigger='t')"
        for value in ("one", "two"):
            assert gears.pyexecute(script % value, id="s", replace=True).value is True
            assert gears.trigger("t") == value.encode()

    def test_what_another_has_put_in_its_place_is_not_touched(self, gears):
        old = gears.pyexecute(command(1), replace=True)
        gears.pyexecute(command(2), replace=True)
        with pytest.raises(ex.RegistrationNotFoundError):
            old.unregister()
        assert gears.trigger("t", unpickle=True) == 2

    def test_results_of_what_a_registration_has_started(self, r, gears):
        values = redgrease.KeysReader().map(lambda record: {"key": record["key"]})
        values.register("a*", mode="sync").on(r)
        gears.pyexecute("GB().map(lambda r: 'text').register('b*', mode='sync')")
        r.set("a1", 1)
        r.set("b1", 1)
        mine, other = gears.dumpexecutions(registered=True)
        assert gears.getresults(mine) == {"key": "a1"}
        assert gears.getresults(other) == b"text"
        assert gears.getresults(mine, unpickle=False).value[:1] == b"\x80"
        stranger = RedisGears(port=r.connection_pool.connection_kwargs["port"])
        assert type(stranger.gears.getresults(mine).value) is bytes
        assert stranger.gears.getresults(mine, unpickle=True) == {"key": "a1"}


class Unloadable:
    """Can be sent, but not be loaded."""

    def __reduce__(self):
        return int, ("x",)


UNREGISTRABLE = "GB('CommandReader').map(lambda r: 1).register(trigger='named', mode=5)"


class TestOnOldServers:
    """RedisGears 1.0: no options, no sessions, and registrations without names."""

    @pytest.fixture
    def server(self):
        with OldGears() as server:
            yield server

    @pytest.fixture
    def gears(self, server):
        with RedisGears(port=server.port) as client:
            yield client.gears

    def test_triggers_know_their_registration(self, server, gears):
        gears.pyexecute(command(0, "before"))
        function = gears.pyexecute(command(1))
        assert function.session is None and function == True  # noqa: E712
        assert function.id.sequence == 1 and function.registration.RegistrationData.mode == "async"
        assert function.unregister() and not function.is_registered
        with pytest.raises(ex.RegistrationNotFoundError):
            gears.pyexecute(command(1)).refresh() and server.registered.clear()
            function.refresh()
        assert server.sent("RG.PYDUMPSESSIONS") == []

    def test_others_are_found_by_what_is_new(self, server, gears):
        gears.pyexecute(watcher("x"))
        function = gears.pyexecute(watcher("x"))
        assert function.id.sequence == 1
        assert (
            gears.pyexecute(
                redgrease.StreamReader().foreach(print).register("s", mode="sync")
            ).id.sequence
            == 2
        )

    def test_others_at_the_same_time(self, server, gears):
        register = server._pyexecute

        def twice(words):
            register(words)
            return register(words)

        assert gears.python_version()
        server.on("RG.PYEXECUTE", twice)
        function = gears.pyexecute(watcher("x"))
        with pytest.raises(ex.RegistrationNotFoundError, match="give each a desc"):
            function.unregister()
        assert len(server.registered) == 2

    def test_replacing_a_trigger(self, server, gears):
        gears.pyexecute(command(0, "other"))
        old = gears.pyexecute(command(1))
        with pytest.raises(ex.DuplicateTriggerError):
            gears.pyexecute(command(2))
        new = gears.pyexecute(command(2), replace=True)
        assert sorted(server.registered) == [0, 2] and new.id.sequence == 2
        assert [words[0] for words in server.received[-3:-1]] == [
            b"RG.UNREGISTER", b"RG.PYEXECUTE",
        ]  # fmt: skip
        assert old.id == new.id  # there is only the trigger to know it by

    def test_a_function_that_cannot_be_loaded_replaces_nothing(self, server, gears):
        gears.pyexecute(command(1))
        server.on("RG.PYEXECUTE", Error("['Traceback\\n', 'ImportError: nowhere\\n']"))
        with pytest.raises(ex.ScriptError):
            gears.pyexecute(command(2), replace=True)
        assert list(server.registered) == [0]

    def test_failures_in_between_are_told(self, server, gears):
        gears.pyexecute(command(1))
        server.broken = True
        with pytest.raises(ex.ScriptError, match="broken"):
            gears.pyexecute(command(2), replace=True)
        server.broken = False
        gears.pyexecute(command(1))
        server.on("RG.UNREGISTER", Error("no"))
        with pytest.raises(ex.ServerError, match="no"):
            gears.pyexecute(command(2), replace=True)

    def test_somebody_else_removes_it(self, server, gears):
        gears.pyexecute(command(1))
        unregister = server._unregister

        def late(words):
            unregister(words)
            return unregister(words)

        server.on("RG.UNREGISTER", late)
        assert gears.pyexecute(command(2), replace=True)
        assert list(server.registered) == [1]

    def test_taken_by_something_that_is_not_listed(self, server, gears):
        gears.pyexecute(command(1))
        server.on("RG.DUMPREGISTRATIONS", [])
        with pytest.raises(ex.DuplicateTriggerError):
            gears.pyexecute(command(2), replace=True)
        assert list(server.registered) == [0]

    def test_false_compares_where_that_is_possible(self, server, gears):
        for trigger, first in (("t", True), ("u", False)):
            gears.pyexecute(command(1, trigger), replace=first)
            assert gears.pyexecute(command(1, trigger), replace=False)
            with pytest.raises(ex.DuplicateTriggerError, match="replace=True would replace it"):
                gears.pyexecute(command(2, trigger), replace=False)
        gears.pyexecute(command(1, "unknown", desc="words"))
        assert gears.pyexecute(command(2, "unknown"), replace=False)
        assert len(server.registered) == 3

    @pytest.mark.parametrize("desc", [None, "words"])
    def test_replacing_others(self, server, gears, desc):
        gears.pyexecute(watcher("other", "b*", desc))
        first = gears.pyexecute(watcher("x", desc=desc), replace=True)
        assert gears.pyexecute(watcher("x", desc=desc), replace=False).id == first.id
        new = gears.pyexecute(watcher("y", desc=desc, mode="sync"), replace=True)
        assert new.id.sequence == 2 and sorted(server.registered) == [0, 2]
        if desc is None:
            with pytest.raises(ex.DuplicateTriggerError, match="KeysReader 'a\\*'"):
                gears.pyexecute(watcher("z"), replace=False)
        server.broken = True
        with pytest.raises(ex.ScriptError):
            gears.pyexecute(watcher("z", desc=desc), replace=True)
        assert sorted(server.registered) == [0, 2]

    def test_an_old_one_that_is_gone_already(self, server, gears):
        gears.pyexecute(watcher("x"), replace=True)
        server.on("RG.UNREGISTER", Error("execution does not registered"))
        assert gears.pyexecute(watcher("x"), replace=True)


class TestResults:
    def test_functions_may_be_shown_as_python_prints_them(self):
        execution = "0" * 40 + "-7"
        with OldGears() as server:
            gears = RedisGears(port=server.port).gears
            gears.pyexecute(watcher("x"))
            (encoder,) = gears._memory.encoders
            step = ["type", "map", "name", "x", "arg", f"<function {encoder} at 0x7f>"]
            plan = ["shard_id", "0", "execution_plan", ["status", "done", "steps", [step]]]
            server.on("RG.GETEXECUTION", [plan])
            server.on("RG.GETRESULTS", [[pickle.dumps(5, 4)], []])
            server.on("RG.DROPEXECUTION", Status("OK"))
            assert [gears.getresults(execution) for _ in range(2)] == [5, 5]
            assert len(server.sent("RG.GETEXECUTION")) == 1
            gears.dropexecution(execution)
            server.on("RG.GETEXECUTION", Error("execution plan does not exist"))
            with pytest.raises(ex.ExecutionNotFoundError):
                gears.getresults(execution)


class TestOnAnyServer:
    def test_whoever_may_not_ask_for_modules(self):
        with OldGears() as server:
            server.on("MODULE LIST", Error("NOPERM this user has no permissions to run it"))
            gears = RedisGears(port=server.port).gears
            assert gears.pyexecute(command(1)).id.sequence == 0
            assert gears.pyexecute(command(2), replace=True).id.sequence == 1

    def test_the_version_is_asked_for_once(self):
        with OldGears() as server:
            gears = RedisGears(port=server.port).gears
            for number in range(3):
                gears.pyexecute(command(number, str(number)))
            assert len(server.sent("MODULE")) == 1

    def test_what_is_sent_to_a_new_server(self):
        replies = {
            "MODULE LIST": [[b"name", b"rg", b"ver", 10202]],
            "RG.PYEXECUTE": Status("OK"),
            "RG.PYDUMPSESSIONS": [],
        }
        with ScriptedServer(replies) as server:
            gears = RedisGears(port=server.port).gears
            gears._memory.python_version = tuple(sys.version_info)
            gears.pyexecute(command(1, "caf\xe9 & bar"), replace=True)
            gears.pyexecute(watcher("x", desc="d"), replace=True)
            gears.pyexecute(command(1))
            named, keys, random = [words[2:] for words in server.sent("RG.PYEXECUTE")]
        assert named[0] == b"ID" and named[2] == b"DESCRIPTION" and named[4] == b"UPGRADE"
        assert named[1].startswith(b"redgrease-command-caf_bar-")
        assert keys[1].startswith(b"redgrease-KeysReader-a_-d-")
        assert len(random) == 4 and len(random[1]) == 40

    def test_copies(self):
        with OldGears() as server:
            gears = RedisGears(port=server.port).gears
            function = gears.pyexecute(command(1))
            assert copy.copy(function) is function and copy.deepcopy(function) is function
            assert pickle.loads(pickle.dumps(function)) == True  # noqa: E712
            assert {"unregister", "statistics", "value"} <= set(dir(function))
            with pytest.raises(TypeError):
                hash(function)


if not NEW:
    del TestOnNewServers
