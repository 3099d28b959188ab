"""The table of commands: words, and what becomes of replies."""

import pytest
from redis.exceptions import ResponseError

from redgrease import commands as c
from redgrease import data
from redgrease import exceptions as ex
from redgrease.merging import first, merge_executions, merge_registrations

ID = "0" * 40 + "-7"


def words(name, *args, **kwargs):
    return c.words_of(c.TABLE[name], *args, **kwargs)


def parse(name, reply, **options):
    return c.TABLE[name].parse(reply, **options)


ALL = """
    RG.PYEXECUTE RG.GETRESULTS RG.GETRESULTSBLOCKING RG.DROPEXECUTION RG.ABORTEXECUTION
    RG.DUMPEXECUTIONS RG.GETEXECUTION RG.DUMPREGISTRATIONS RG.UNREGISTER RG.TRIGGER
    RG.TRIGGERONKEY RG.CONFIGGET RG.CONFIGSET RG.INFOCLUSTER RG.REFRESHCLUSTER RG.PYSTATS
    RG.PYDUMPREQS RG.PYEXPORTREQ RG.PYIMPORTREQ RG.NETWORKTEST RG.PAUSEREGISTRATIONS
    RG.UNPAUSEREGISTRATIONS RG.CLEARREGISTRATIONSSTATS RG.PYDUMPSESSIONS RG.PYPROFILE
    RG.DUMPPLUGINS
""".split()


def test_every_command_has_a_row():
    assert {name for name in c.TABLE if name.startswith("RG.")} == set(ALL)
    assert all(name == row.name for name, row in c.TABLE.items())


def test_what_runs_or_removes_something_is_never_sent_again():
    for name in (
        "RG.PYEXECUTE RG.TRIGGER RG.TRIGGERONKEY RG.DROPEXECUTION RG.UNREGISTER RG.PYIMPORTREQ"
    ).split():
        assert not c.TABLE[name].again
    for name in "RG.GETRESULTS RG.DUMPEXECUTIONS RG.DUMPREGISTRATIONS RG.CONFIGGET".split():
        assert c.TABLE[name].again


def test_names():
    assert c.command_name(b"rg.pystats") == "RG.PYSTATS"
    assert c.command_name(5) == ""
    assert c.is_gears_command("rg.x")
    assert not c.is_gears_command("GET")
    assert not c.is_gears_command(None)


def test_a_command_of_a_version_to_come():
    row = c.row_of("RG.NEW")
    assert not row.again
    assert c.words_of(row, 1, "a") == ["RG.NEW", 1, "a"]
    assert row.parse([1], record=None) == [1]


class TestWords:
    def test_pyexecute(self):
        assert words("RG.PYEXECUTE", "x") == ["RG.PYEXECUTE", "x"]
        assert words("RG.PYEXECUTE", "x", unblocking=True, requirements=["a", "b"]) == [
            "RG.PYEXECUTE", "x", "UNBLOCKING", "REQUIREMENTS", "a", "b",
        ]  # fmt: skip

    def test_pyexecute_with_everything(self):
        assert words(
            "RG.PYEXECUTE",
            "x",
            unblocking=True,
            requirements=["a"],
            id="s",
            description="words here",
            upgrade=True,
            replace_with="old",
            force_reinstall_requirements=True,
        )[1:] == [
            "x", "UNBLOCKING", "ID", "s", "DESCRIPTION", "words here", "UPGRADE",
            "REPLACE_WITH", "old", "FORCE_REINSTALL_REQUIREMENTS", "REQUIREMENTS", "a",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "id",
        [
            ID,
            ID.encode(),
            data.ExecID(sequence=7),
            data.ExecutionInfo(ID),
            data.Registration(ID),
            data.ExecutionResult(data.ExecID(sequence=7)),
            data.ExecutionResult(ID.encode()),
        ],
    )
    def test_ids(self, id):
        assert words("RG.GETRESULTS", id) == ["RG.GETRESULTS", ID.encode()]

    @pytest.mark.parametrize("id", [None, ""])
    def test_no_id(self, id):
        with pytest.raises(ValueError):
            words("RG.GETRESULTS", id)

    def test_getexecution(self):
        assert words("RG.GETEXECUTION", ID) == ["RG.GETEXECUTION", ID.encode()]
        for shard in ("shard", b"Shard", data.ExecLocality.Shard):
            assert words("RG.GETEXECUTION", ID, shard)[2] == "SHARD"

    def test_unregister(self):
        assert words("RG.UNREGISTER", ID)[1:] == [ID.encode()]
        assert words("RG.UNREGISTER", ID, True)[1:] == [ID.encode(), "abortpending"]

    def test_sessions(self):
        assert words("RG.PYDUMPSESSIONS")[1:] == []
        assert words("RG.PYDUMPSESSIONS", ["a", "b"], verbose=True, dead=True)[1:] == [
            "VERBOSE", "DEAD", "SESSIONS", "a", "b",
        ]  # fmt: skip

    def test_configset(self):
        assert words("RG.CONFIGSET", {"a": 1, b"b": True, "c": None, "d": "x", "e": [1]})[1:] == [
            "a", 1, "b", 1, "c", b"", "d", "x", "e", "[1]",
        ]  # fmt: skip

    def test_names_of_several_words(self):
        assert words("MODULE LIST") == ["MODULE", "LIST"]


class TestReplies:
    @pytest.mark.parametrize("reply", [b"OK", "OK", b"ok"])
    def test_ok(self, reply):
        assert parse("RG.UNREGISTER", reply) is True

    @pytest.mark.parametrize("reply", [b"Okinawa", None, 1, b"", ResponseError("OK")])
    def test_not_ok(self, reply):
        assert parse("RG.UNREGISTER", reply) is False

    def test_execution_without_run(self):
        result = parse("RG.PYEXECUTE", b"OK")
        assert result.value is True
        assert result.errors is None

    def test_unblocking_execution(self):
        for reply in (ID, ID.encode()):
            assert parse("RG.PYEXECUTE", reply).value == data.ExecID(sequence=7)

    @pytest.mark.parametrize(
        "records, value",
        [
            ([], []),
            ([b"1"], b"1"),
            ([b"1", b"2"], [b"1", b"2"]),
            ([[b"1"]], [b"1"]),
            ([3], 3),
        ],
    )
    def test_results(self, records, value):
        result = parse("RG.GETRESULTS", [records, []])
        assert result.value == value
        assert result.errors == []
        assert parse("RG.TRIGGER", records).value == value

    def test_errors_are_texts(self):
        result = parse("RG.GETRESULTS", [[], [b"boom\0", "bang"]])
        assert result.value == []
        assert result.errors == ["boom", "bang"]

    def test_records_are_converted_on_demand_only(self):
        reply = [[b"1", b"2"], []]
        assert parse("RG.GETRESULTS", reply, record=int).value == [1, 2]
        assert parse("RG.TRIGGER", [b"1"], record=int, other=1).value == 1

    def test_nothing_is_ever_unpickled_by_the_parser(self):
        for bomb in (b"N.", b"I1\n.", b"hello", b""):
            assert parse("RG.GETRESULTS", [[bomb], []]).value == bomb

    def test_texts_with_a_minus_sign(self):
        reply = [[ResponseError("3"), [ResponseError("x")]], []]
        assert parse("RG.GETRESULTS", reply).value == [b"-3", [b"-x"]]

    def test_failed_registration(self):
        reply = [
            ResponseError("-ERR shard-0: trigger already registered"),
            ResponseError("-ERR shard-1: other"),
        ]
        with pytest.raises(ex.DuplicateTriggerError) as caught:
            parse("RG.PYEXECUTE", reply)
        assert len(caught.value.errors) == 2

    @pytest.mark.parametrize("reply", [b"odd", 5, None, [1], [[1], 2], [], "a-b", "-1"])
    def test_odd_replies_are_handed_over(self, reply):
        assert parse("RG.PYEXECUTE", reply).value == reply

    @pytest.mark.parametrize("reply", [b"odd", 5, None])
    def test_odd_replies_to_triggers(self, reply):
        assert parse("RG.TRIGGER", reply).value == reply

    def test_odd_errors(self):
        assert c._error_texts("x") == "x"

    def test_config(self):
        reply = [1000, b"x", [b"a"], ResponseError("(error) Unsupported config parameter: X")]
        values = parse("RG.CONFIGGET", reply)
        assert values[:3] == [1000, "x", ["a"]]
        assert type(values[3]) is ex.UnknownConfigError
        assert parse("RG.CONFIGSET", [b"OK", b"OK - value was saved in extra config dictionary"])
        assert not parse("RG.CONFIGSET", [b"OK", ResponseError("(error) x")])
        assert parse("RG.CONFIGSET", []) is True

    def test_lists(self):
        entry = [b"executionId", ID.encode(), b"status", b"done", b"registered", 0]
        assert parse("RG.DUMPEXECUTIONS", [entry]) == [data.ExecutionInfo(ID, "done", False)]
        assert parse("RG.DUMPREGISTRATIONS", []) == []
        assert parse("RG.PYDUMPREQS", []) == []
        assert parse("RG.INFOCLUSTER", b"no cluster mode") is None
        assert parse("RG.DUMPPLUGINS", [[b"p", 1]]) == [data.Plugin("p", 1)]
        assert parse("RG.PYSTATS", [b"TotalAllocated", 1]) == data.PyStats(1)
        assert parse("RG.GETEXECUTION", []) == {}

    def test_sessions(self):
        assert parse("RG.PYDUMPSESSIONS", [[b"ID", b"a"]]) == [data.Session("a")]
        assert parse("RG.PYDUMPSESSIONS", None) == []
        with pytest.raises(ex.SessionError):
            parse("RG.PYDUMPSESSIONS", [b"Session x does not exists"])

    def test_profile(self):
        assert parse("RG.PYPROFILE", b"OK") is True
        assert parse("RG.PYPROFILE", b"text") == "text"

    @pytest.mark.parametrize(
        "reply",
        [
            [[b"name", b"rg", b"ver", 10213, b"path", b"/x", b"args", []]],
            [{b"name": b"rg", b"ver": 10213}],
            [{"name": "rg", "ver": 10213}],
        ],
    )
    def test_modules(self, reply):
        assert parse("MODULE LIST", reply) == {"rg": 10213}
        assert parse("MODULE LIST", []) == {}


class TestMerging:
    def test_simple_ones(self):
        assert first({"a": 1, "b": 2}) == 1
        one, two = data.ExecutionInfo("a-1", "done"), data.ExecutionInfo("a-2", "done")
        seen = data.ExecutionInfo("a-1", "running")
        assert merge_executions({"a": [one], "b": [seen, two]}) == [one, two]
        assert c.TABLE["RG.CONFIGSET"].merge({"a": True, "b": False}) is False
        assert c.TABLE["RG.PYSTATS"].merge({"a": 1}) == {"a": 1}

    def registration(self, **values):
        return data.Registration(ID, "KeysReader", None, data.RegData(**values))

    def test_counters_are_added_up(self):
        one = self.registration(
            numTriggered=3, numSuccess=1, numFailures=1, totalRunDurationMS=10,
            avgRunDurationMS=5, lastRunDurationMS=4,
        )  # fmt: skip
        other = self.registration(
            numTriggered=2, numSuccess=2, totalRunDurationMS=20, avgRunDurationMS=10,
            lastRunDurationMS=9, lastError="boom",
        )  # fmt: skip
        alone = data.Registration("x-1")
        merged = merge_registrations({"a": [one], "b": [other, alone]})
        assert len(merged) == 2
        state = merged[0].RegistrationData
        assert (state.numTriggered, state.numSuccess, state.numFailures) == (5, 3, 1)
        assert state.totalRunDurationMS == 30
        assert state.avgRunDurationMS == 7.5
        assert state.lastRunDurationMS == 9
        assert state.lastError == "boom"
        assert state.lastEstimatedLagMS is None
        assert merged[1] == alone

    def test_nothing_has_happened(self):
        merged = merge_registrations(
            {"a": [self.registration(avgRunDurationMS=0)], "b": [self.registration()]}
        )
        assert merged[0].RegistrationData.avgRunDurationMS == 0.0

    def test_trouble_somewhere_is_trouble(self):
        one = self.registration(status=True, state="OK", lastError="first")
        other = self.registration(status=False, state="ABORTED", lastError="second")
        state = merge_registrations({"a": [one], "b": [other]})[0].RegistrationData
        assert (state.status, state.state, state.lastError) == (False, "ABORTED", "first")
        state = merge_registrations({"a": [other], "b": [one]})[0].RegistrationData
        assert state.state == "ABORTED"
