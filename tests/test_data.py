"""Replies of several versions of servers become objects."""

import pickle
import random

import pytest

from redgrease import data
from redgrease.privatedata import parse_PD, read_signature, signed

ID = b"0" * 40 + b"-1"

# As servers of each version send them.
KEYS_106 = [
    b"id", ID, b"reader", b"KeysReader", b"desc", None,
    b"RegistrationData", [
        b"mode", b"async", b"numTriggered", 3, b"numSuccess", 2, b"numFailures", 1,
        b"numAborted", 0, b"lastError", b"['Traceback\\n']",
        b"args", [b"regex", b"k*", b"eventTypes", [b"set"], b"keyTypes", None],
    ],
    b"PD", b"{'sessionId':'00-0', 'depsList':[]}",
]  # fmt: skip
KEYS_121 = [*KEYS_106[:7],
    [*KEYS_106[7][:12], b"args",
     [b"regex", b"*", b"eventTypes", None, b"keyTypes", None, b"hookCommands", None]],
    b"PD", None, b"ExecutionThreadPool", b"DefaultPool",
]  # fmt: skip
STREAM_1213 = [
    b"id", ID, b"reader", b"StreamReader", b"desc", b"words",
    b"RegistrationData", [
        b"mode", b"sync", b"numTriggered", 1, b"numSuccess", 1, b"numFailures", 0,
        b"numAborted", 0, b"lastRunDurationMS", 7, b"totalRunDurationMS", 7,
        b"avgRunDurationMS", b"7", b"lastEstimatedLagMS", 3, b"avgEstimatedLagMS", b"3.5",
        b"lastError", None,
        b"args", [
            b"batchSize", 1, b"durationMS", 0, b"stream", b"s*", b"trimStream", 1,
            b"onFailedPolicy", b"continue", b"retryInterval", 1,
        ],
        b"status", b"PAUSED",
    ],
    b"PD", b"{'sessionName':'x', 'sessionDescription':null, 'refCount':1, 'linkedTo':primary,"
    b" 'dead':false, 'registrationsList':[00-1], 'depsList':[]}",
    b"ExecutionThreadPool", b"DefaultPool",
    b"somethingNew", [b"a", 1],
]  # fmt: skip
REQ_106 = [
    b"GearReqVersion", 1, b"Name", b"numpy", b"IsDownloaded", b"yes", b"IsInstalled", b"no",
    b"CompiledOs", b"linux", b"Wheels", [b"a.whl"],
]  # fmt: skip


def as_map(reply):
    """The same reply as RESP3 has it, with texts decoded."""
    if isinstance(reply, list) and len(reply) % 2 == 0 and reply and reply[0] in NAMES:
        return {as_map(k): as_map(v) for k, v in zip(reply[::2], reply[1::2])}
    if isinstance(reply, list):
        return [as_map(item) for item in reply]
    return reply.decode() if isinstance(reply, bytes) else reply


NAMES = (b"id", b"mode", b"regex", b"batchSize", b"GearReqVersion", b"shard_id", b"status", b"type")


class TestExecID:
    def test_default(self):
        assert str(data.ExecID()) == "0" * 40 + "-0"
        assert repr(data.ExecID(sequence=3)) == "ExecID(sequence=3)"
        assert repr(data.ExecID("ab", 3)) == 'ExecID("ab", 3)'

    def test_bytes(self):
        assert bytes(data.ExecID("ab", 3)) == b"ab-3"
        assert data.ExecID(b"ab", "3") == data.ExecID("ab", 3)

    def test_order_and_hash(self):
        assert data.ExecID("a", 1) < data.ExecID("a", 2) < data.ExecID("b", 0)
        assert len({data.ExecID("a", 1), data.ExecID("a", 1)}) == 1

    def test_parse(self):
        assert data.ExecID.parse("ab-3") == data.ExecID("ab", 3)
        assert data.ExecID.parse(b"ab-3-4") == data.ExecID("ab", 3)
        assert data.ExecID.parse(data.ExecID("ab", 3)) == data.ExecID("ab", 3)

    @pytest.mark.parametrize("value", ["ab", "ab-x", b"", 5, None, []])
    def test_parse_something_else(self, value):
        with pytest.raises(ValueError):
            data.ExecID.parse(value)


class TestWords:
    def test_status(self):
        done = data.ExecutionStatus.done
        assert data.ExecutionStatus("done") is data.ExecutionStatus(b"DONE") is done
        assert done == "done"
        assert done == b"done"
        assert done == data.ExecutionStatus.done
        assert done != "aborted"
        assert done != 5
        assert str(done) == "done"
        assert bytes(done) == b"done"
        assert hash(done) == hash("done")
        assert repr(done) == "ExecutionStatus(b'done')"

    @pytest.mark.parametrize("value", ["fresh", b"", None, 5])
    def test_unknown_status(self, value):
        with pytest.raises(ValueError):
            data.ExecutionStatus(value)

    def test_locality(self):
        assert data.ExecLocality("SHARD") is data.ExecLocality.Shard
        assert data.ExecLocality.Cluster == "Cluster"


class TestExecutionInfo:
    def test_from_redis(self):
        info = data.ExecutionInfo.from_redis(
            [b"executionId", ID, b"status", b"done", b"registered", 1]
        )
        assert info == data.ExecutionInfo(data.ExecID(sequence=1), "done", True)
        assert info.extra == {}

    def test_other_versions(self):
        info = data.ExecutionInfo.from_redis(
            [b"executionId", b"opaque", b"status", b"fresh", b"registered execution", b"yes",
             b"new", [b"x", {b"y": 1}]]
        )  # fmt: skip
        assert info.executionId == "opaque"
        assert info.status == "fresh"
        assert info.registered is True
        assert info.extra == {"new": ["x", {"y": 1}]}

    def test_missing_fields_have_defaults(self):
        for nothing in ([], {}, None):
            assert data.ExecutionInfo.from_redis(nothing).registered is False

    def test_a_field_called_extra_is_extra(self):
        info = data.ExecutionInfo.from_redis([b"extra", b"1"])
        assert info.extra == {"extra": "1"}

    def test_frozen(self):
        with pytest.raises(AttributeError):
            data.ExecutionInfo().status = "done"


def test_the_end_marks_of_old_servers_are_left_out():
    assert data.RegData(lastError=b"boom\0").lastError == "boom"
    assert data.ExecutionPlan(errors=[b"boom\0", "bang"]).errors == ["boom", "bang"]


class TestRegistration:
    def test_106(self):
        registration = data.Registration.from_redis(KEYS_106)
        assert registration.id == data.ExecID(sequence=1)
        assert registration.reader == "KeysReader"
        assert registration.desc is None
        assert registration.PD == {"sessionId": "00-0", "depsList": []}
        assert registration.ExecutionThreadPool is None
        state = registration.RegistrationData
        assert state.mode == "async"
        assert (state.numTriggered, state.numSuccess, state.numFailures) == (3, 2, 1)
        assert state.lastError == "['Traceback\\n']"
        assert state.args == {"regex": "k*", "eventTypes": ["set"], "keyTypes": None}
        assert state.lastRunDurationMS is None
        assert state.status is None
        assert state.state is None

    def test_121(self):
        registration = data.Registration.from_redis(KEYS_121)
        assert registration.PD == {}
        assert registration.ExecutionThreadPool == "DefaultPool"
        assert registration.RegistrationData.args["hookCommands"] is None

    def test_1213(self):
        registration = data.Registration.from_redis(STREAM_1213)
        state = registration.RegistrationData
        assert registration.desc == "words"
        assert state.lastRunDurationMS == state.totalRunDurationMS == 7
        assert state.avgRunDurationMS == 7.0
        assert state.avgEstimatedLagMS == 3.5
        assert state.status is False
        assert state.state == "PAUSED"
        assert state.args["onFailedPolicy"] == "continue"
        assert registration.PD["dead"] is False
        assert registration.extra == {"somethingNew": ["a", 1]}

    @pytest.mark.parametrize("reply", [KEYS_106, KEYS_121, STREAM_1213])
    def test_both_protocols(self, reply):
        flat = data.Registration.from_redis(reply)
        assert data.Registration.from_redis(as_map(reply)) == flat

    def test_private_data_is_not_printed(self):
        assert "PD" not in repr(data.Registration.from_redis(KEYS_106))

    def test_status_of_all_is_well(self):
        assert data.RegData.from_redis([b"status", b"OK"]).status is True

    def test_objects_are_taken_as_well(self):
        state = data.RegData(mode="sync")
        registration = data.Registration(RegistrationData=state, PD={"a": 1})
        assert registration.RegistrationData is state
        assert registration.PD == {"a": 1}

    def test_lists(self):
        assert len(data.Registration.list_from_redis([KEYS_106, STREAM_1213])) == 2
        assert data.Registration.list_from_redis(None) == []

    def test_pickling(self):
        registration = data.Registration.from_redis(STREAM_1213)
        assert pickle.loads(pickle.dumps(registration)) == registration


class TestExecutionPlan:
    REPLY = [
        [b"shard_id", b"0" * 40, b"execution_plan", [
            b"status", b"done", b"shards_received", 0, b"shards_completed", 0, b"results", 1,
            b"errors", [b"boom"], b"total_duration", 5, b"read_duration", 1, b"steps", [
                [b"type", b"map", b"duration", 0, b"name", b"f", b"arg", b""],
            ],
        ]],
    ]  # fmt: skip

    @pytest.mark.parametrize("reply", [REPLY, as_map(REPLY)])
    def test_parse(self, reply):
        ((shard, plan),) = data.ExecutionPlan.parse(reply).items()
        assert shard == "0" * 40
        assert plan.status is data.ExecutionStatus.done
        assert plan.results == 1
        assert plan.errors == ["boom"]
        assert plan.steps == [data.ExecutionStep("map", 0, "f", "")]

    def test_nothing(self):
        assert data.ExecutionPlan.parse([]) == {}
        assert data.ExecutionPlan().results == -1

    def test_steps_as_objects(self):
        step = data.ExecutionStep("map")
        assert data.ExecutionPlan(steps=[step]).steps == [step]


class TestClusterInfo:
    NODE = [
        b"id", b"aa", b"ip", b"127.0.0.1", b"port", 7000, b"unixSocket", b"None", b"runid", None,
        b"minHslot", 0, b"maxHslot", 8191, b"pendingMessages", 0,
    ]  # fmt: skip

    @pytest.mark.parametrize("reply", [b"no cluster mode", "no cluster mode", b"", None, []])
    def test_no_cluster(self, reply):
        assert data.ClusterInfo.parse(reply) is None

    def test_121(self):
        info = data.ClusterInfo.parse([b"MyId", b"aa", b"MyRunId", b"r", [self.NODE]])
        assert info.my_id == "aa"
        assert info.my_run_id == "r"
        assert info.shards == [data.ShardInfo("aa", "127.0.0.1", 7000, "None", "", 0, 8191, 0)]

    def test_100(self):
        info = data.ClusterInfo.parse([b"MyId", b"aa", [self.NODE[:6]]])
        assert info.my_run_id == ""
        assert info.shards[0].port == 7000

    def test_map(self):
        info = data.ClusterInfo.parse({b"MyId": b"aa", b"New": b"x", b"Shards": [self.NODE]})
        assert info.my_id == "aa"
        assert info.extra == {"New": "x"}
        assert len(info.shards) == 1


class TestOthers:
    def test_stats(self):
        stats = data.PyStats.from_redis([b"TotalAllocated", 3, b"PeakAllocated", b"2"])
        assert stats == data.PyStats(3, 2, 0)

    def test_requirement_106(self):
        requirement = data.PyRequirementInfo.from_redis(REQ_106)
        assert requirement.Name == "numpy"
        assert requirement.IsDownloaded is True
        assert requirement.IsInstalled is False
        assert requirement.Wheels == ["a.whl"]
        assert requirement.RefCount is None
        assert data.PyRequirementInfo.from_redis(as_map(REQ_106)) == requirement

    def test_requirement_1213(self):
        message = b"Requirement was not yet downloaded so wheels are not available"
        requirement = data.PyRequirementInfo.from_redis(
            [*REQ_106[:-1], message, b"Path", b"/x", b"RefCount", 2, b"IsInReqDictionary", b"yes"]
        )
        assert requirement.Wheels == message.decode()
        assert requirement.Path == "/x"
        assert requirement.RefCount == 2
        assert requirement.IsInReqDictionary is True
        assert data.PyRequirementInfo(Wheels=None).Wheels == []

    def test_export(self):
        export = data.RequirementExport.from_redis([REQ_106, [b"\x00\xff", b"2"]])
        assert export.info.Name == "numpy"
        assert export.chunks == (b"\x00\xff", b"2")

    def test_session(self):
        session = data.Session.from_redis(
            [b"ID", b"s1", b"sessionDescription", None, b"refCount", 1, b"linked", b"primary",
             b"dead", b"false", b"requirementInstallationNeeded", 0, b"requirements", [b"numpy"],
             b"registrations", [ID]]
        )  # fmt: skip
        assert session.ID == "s1"
        assert session.dead is False
        assert session.requirements == ["numpy"]
        assert session.registrations == [data.ExecID(sequence=1)]

    @pytest.mark.parametrize("description", [None, "my words", "", "a\n[b]"])
    def test_digests_behind_descriptions(self, description):
        text = signed(description, "0123456789abcdef")
        assert read_signature(text) == (description, "0123456789abcdef")
        session = data.Session.from_redis(["sessionDescription", text.encode()])
        assert session.sessionDescription == description
        assert session.fingerprint == "0123456789abcdef"

    @pytest.mark.parametrize(
        "description", [None, "", "[redgrease x]", "redgrease 0123456789abcdef"]
    )
    def test_descriptions_without_a_digest(self, description):
        assert read_signature(description) == (description, None)

    def test_verbose_session(self):
        session = data.Session.from_redis(
            [b"ID", b"s1", b"requirements", [REQ_106], b"registrations", [KEYS_106[:8]]]
        )
        assert session.requirements[0].Name == "numpy"
        assert session.registrations[0].reader == "KeysReader"
        assert data.Session().requirements == []

    def test_plugins(self):
        expected = [data.Plugin("GearsPythonPlugin", 10213)]
        assert data.Plugin.list_from_redis([[b"GearsPythonPlugin", 10213]]) == expected
        assert data.Plugin.list_from_redis({b"GearsPythonPlugin": 10213}) == expected
        assert data.Plugin.list_from_redis(None) == []


class TestConversions:
    def test_truth(self):
        from redgrease.convert import truth

        for value in (1, True, "yes", b"YES", "1", b"true", "OK", " y "):
            assert truth(value) is True
        for value in (0, None, "no", b"0", "false", "", "yellow", "Okinawa"):
            assert truth(value) is False

    def test_numbers(self):
        from redgrease.convert import decimal, number

        assert number(b"5") == 5
        assert number("2.7") == 2
        assert number(None) == number("x") == 0
        assert decimal(b"1.5") == 1.5
        assert decimal("x") == 0.0

    def test_texts(self):
        from redgrease.convert import plain, text

        assert text(None) == ""
        assert text(b"\xff") == "\ufffd"
        assert text(bytearray(b"a")) == text("a") == "a"
        assert plain({b"a": (b"b", 1, None)}) == {"a": ["b", 1, None]}


class TestPrivateData:
    def test_nothing(self):
        assert parse_PD(None) == parse_PD("") == parse_PD(b"") == {}

    def test_python(self):
        assert parse_PD("{'sessionId':'a-1', 'depsList':[{'name':'x', 'wheels':['w']}]}") == {
            "sessionId": "a-1",
            "depsList": [{"name": "x", "wheels": ["w"]}],
        }

    def test_almost_python(self):
        assert parse_PD(
            b"{'sessionName':\"s\", 'sessionDescription':'it's, or not', 'refCount' : -1,"
            b" linkedTo: primary, 'dead':false, 'ok':true, 'none':null, 'list':[00-1, 00-2, ]}"
        ) == {
            "sessionName": "s",
            "sessionDescription": "it's, or not",
            "refCount": -1,
            "linkedTo": "primary",
            "dead": False,
            "ok": True,
            "none": None,
            "list": ["00-1", "00-2"],
        }

    @pytest.mark.parametrize("text", ["nonsense", "{", "{'a'", "{'a':", "{'a':1", "[1]", "{[}"])
    def test_what_cannot_be_read_is_kept(self, text):
        assert parse_PD(text) == {"text": text}

    def test_endless_nesting(self):
        text = "{'a':" * 5000
        assert parse_PD(text) == {"text": text}

    def test_never_an_error(self):
        chance = random.Random(5)
        for _ in range(3000):
            marks = chance.choices("{}[]:,'\" ab01", k=chance.randrange(25))
            assert isinstance(parse_PD("{" + "".join(marks)), dict)


class TestReplies:
    """Names of older releases."""

    def test_executions(self):
        parse = data.parse_execute_response
        assert parse(b"OK").value is True
        assert parse([[b"1"], [b"e"]]).value == b"1" and parse([[b"1"], [b"e"]]).errors == ["e"]
        assert parse([[b"cos\nsystem\n."], []]).value == b"cos\nsystem\n."
        assert parse(ID).value == data.ExecID(sequence=1)

    def test_triggers(self):
        assert data.parse_trigger_response([b"1", b"2"]).value == [b"1", b"2"]
        assert data.parse_trigger_response([]).value == []

    def test_pickled(self):
        pytest.importorskip("cloudpickle")
        record = pickle.dumps({"a": 1}, 4)
        assert data.parse_execute_response([[record], []], pickled=True).value == {"a": 1}
        assert data.parse_trigger_response([record, 5], pickled=True).value == [{"a": 1}, 5]
