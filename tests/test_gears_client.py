"""The methods of Gears about executions, against literal replies."""

import gc
import sys
import threading
import types

import pytest
import redis
from support.scripted import Error, ScriptedServer, Status, Wait

from redgrease import KeysReader, data
from redgrease import exceptions as ex
from redgrease.client import Gears, RedisGears
from redgrease.sender import Memory
from redgrease.shipping.identity import Identity

ID = "0" * 40 + "-3"
DUPLICATE = Error("['Traceback\\n', 'gears.error: trigger already registered\\n']")


class Shipped:
    """What stands in for the shipping room, so that these tests are about the client alone."""

    script = "shipped()"
    requirements = frozenset(["numpy"])
    pickled = True
    trigger = None
    reader = "KeysReader"
    identity = None


@pytest.fixture
def server():
    with ScriptedServer({"RG.PYEXECUTE": Status("OK")}) as scripted:
        yield scripted


@pytest.fixture
def client(server):
    with RedisGears(port=server.port) as client:
        yield client


@pytest.fixture
def gears(client):
    return client.gears


@pytest.fixture
def shipping(monkeypatch, gears):
    module = types.ModuleType("redgrease.gearialization")
    module.versions = []
    module.requirements = []

    class Shipment(Shipped):
        pass

    def serialize(function, python_version, requirements=(), desc=None):
        module.versions.append(python_version)
        module.requirements.append(requirements)
        return Shipment

    module.serialize = serialize
    monkeypatch.setattr("redgrease.unpickling.decode", lambda data, mode: ("decoded", data))
    module.shipment = Shipment
    monkeypatch.setitem(sys.modules, "redgrease.gearialization", module)
    import redgrease

    monkeypatch.setitem(vars(redgrease), "gearialization", module)
    gears._memory.python_version = (3, 7, 2, "final", 0)
    return module


def scripts(server):
    return [words[1:] for words in server.sent("RG.PYEXECUTE")]


class TestPyexecute:
    def test_nothing(self, gears, server):
        assert gears.pyexecute().value is True
        assert scripts(server) == [(b"",)]

    def test_results(self, gears, server):
        server.on("RG.PYEXECUTE", [[b"1", b"2"], [b"boom"]])
        result = gears.pyexecute("x")
        assert result.value == [b"1", b"2"]
        assert result.errors == ["boom"]

    def test_texts_are_decoded_if_the_client_does(self, server):
        server.on("RG.PYEXECUTE", [[b"1", [b"a", b"\xff", 3]], []])
        client = RedisGears(port=server.port, decode_responses=True)
        assert client.gears.pyexecute("x").value == ["1", ["a", b"\xff", 3]]

    def test_unblocking(self, gears, server):
        server.on("RG.PYEXECUTE", ID)
        assert gears.pyexecute("x", unblocking=True) == data.ExecID(sequence=3)
        assert scripts(server) == [(b"x", b"UNBLOCKING")]

    def test_all_options(self, gears, server):
        gears.pyexecute(
            "x",
            requirements="numpy",
            enforce_redgrease="1.0",
            id="s",
            description="d",
            upgrade=True,
            replace_with="t",
            force_reinstall_requirements=True,
        )
        assert scripts(server) == [
            (b"x", b"ID", b"s", b"DESCRIPTION", b"d", b"UPGRADE", b"REPLACE_WITH", b"t",
             b"FORCE_REINSTALL_REQUIREMENTS", b"REQUIREMENTS", b"numpy",
             b"redgrease[runtime]==1.0")
        ]  # fmt: skip

    def test_requirements_are_in_a_stable_order(self, gears, server):
        gears.pyexecute("x", requirements=["b", "a", "c>1", "c<3"])
        assert scripts(server)[0][2:] == (b"a", b"b", b"c<3", b"c>1")

    def test_names_of_requirements_are_sent_in_small_letters(self, gears, server):
        gears.pyexecute("x", requirements=["NumPy>1", "numpy>1", "Some_Thing@file:///A/B.whl"])
        numpy, other = scripts(server)[0][2:]
        assert numpy == b"numpy>1"
        assert other.replace(b" ", b"") == b"some_thing@file:///A/B.whl"

    def test_what_is_no_requirement_is_refused(self, gears, server):
        for requirements in (5, [5], [None]):
            with pytest.raises(TypeError, match="a requirement is a text such as"):
                gears.pyexecute("x", requirements=requirements)
        assert scripts(server) == []

    def test_requirements_can_be_left_out(self, gears, server):
        gears.pyexecute("x", requirements=[], enforce_redgrease=False)
        gears.pyexecute("x", requirements=["redgrease"], enforce_redgrease=False)
        assert scripts(server) == [(b"x",), (b"x",)]

    def test_files(self, gears, server, tmp_path):
        path = tmp_path / "script.py"
        path.write_text("text")
        gears.pyexecute(str(path))
        assert scripts(server) == [(b"text",)]

    def test_nothing_is_sent_for_a_file_that_is_missing(self, gears, server):
        with pytest.raises(FileNotFoundError):
            gears.pyexecute("missing.py")
        assert server.received == []

    def test_no_gears(self, gears, server):
        server.replies.clear()
        with pytest.raises(ex.GearsNotAvailableError) as caught:
            gears.pyexecute("x")
        assert caught.value.text.startswith("unknown command 'RG.PYEXECUTE'")
        assert caught.value.__suppress_context__

    def test_duplicate_trigger_of_a_script(self, gears, server):
        server.on("RG.PYEXECUTE", DUPLICATE)
        for replace in (None, False, True):
            with pytest.raises(ex.DuplicateTriggerError):
                gears.pyexecute("x", replace=replace)
        assert len(scripts(server)) == 3


class TestFunctions:
    def test_results_are_decoded(self, gears, server, shipping):
        server.on("RG.PYEXECUTE", [[b"p"], []])
        assert gears.pyexecute(KeysReader()).value == ("decoded", b"p")
        assert scripts(server) == [(b"shipped()", b"REQUIREMENTS", b"numpy")]
        assert shipping.versions == [(3, 7)]

    def test_also_if_the_client_decodes_texts(self, server, shipping):
        server.on("RG.PYEXECUTE", [[b"\x80", b"1"], []])
        client = RedisGears(port=server.port, decode_responses=True)
        client.gears._memory.python_version = (3, 7)
        assert client.gears.pyexecute(KeysReader()).value == [
            ("decoded", b"\x80"),
            ("decoded", b"1"),
        ]

    def test_results_that_are_not_pickled(self, gears, server, shipping):
        shipping.shipment.pickled = False
        server.on("RG.PYEXECUTE", [[b"p"], []])
        assert gears.pyexecute(KeysReader()).value == b"p"

    def test_requirements_are_united(self, gears, server, shipping):
        gears.pyexecute(KeysReader(), requirements=["redis"])
        assert scripts(server)[0][1:] == (b"REQUIREMENTS", b"numpy", b"redis")
        # Whoever ships the function knows them too: such packages do not travel.
        assert [list(map(str, each)) for each in shipping.requirements] == [["redis"]]

    def test_version_mismatch_is_found_before_anything_is_sent(self, gears, server, shipping):
        def serialize(*args):
            raise ex.PythonVersionMismatch("3.7 and 3.12")

        shipping.serialize = serialize
        with pytest.raises(ex.PythonVersionMismatch):
            gears.pyexecute(KeysReader())
        assert server.received == []

    def test_on(self, gears, client, server, shipping):
        server.on("RG.PYEXECUTE", [[b"p"], []])
        plain = redis.Redis(connection_pool=client.connection_pool)
        for target in (client, gears, plain):
            assert KeysReader().run().on(target).value == ("decoded", b"p")

    def test_unblocking_results_are_decoded_later(self, gears, server, shipping):
        server.on("RG.PYEXECUTE", ID)
        server.on("RG.GETRESULTS", [[b"p"], []])
        server.on("RG.GETRESULTSBLOCKING", [[b"p"], []])
        id = gears.pyexecute(KeysReader(), unblocking=True)
        assert gears.getresults(id) == ("decoded", b"p")
        assert gears.getresultsblocking(ID) == ("decoded", b"p")
        assert gears.getresults(id, unpickle=False) == b"p"
        # Another Gears object on the same connections knows as well.
        assert Gears(RedisGears(connection_pool=gears._redis.connection_pool)).getresults(
            id.value
        ) == ("decoded", b"p")

    def test_other_results_are_not(self, gears, server, shipping):
        server.on("RG.GETRESULTS", [[b"cos\nsystem\n."], []])
        assert gears.getresults(ID) == b"cos\nsystem\n."
        assert gears.getresults(ID, unpickle=True).value[0] == "decoded"

    def test_dropped_executions_are_forgotten(self, gears, server, shipping):
        server.on("RG.PYEXECUTE", ID)
        server.on("RG.DROPEXECUTION", Status("OK"))
        id = gears.pyexecute(KeysReader(), unblocking=True)
        assert len(gears._memory.executions) == 1
        assert gears.dropexecution(id) is True
        assert len(gears._memory.executions) == 0


class TestTriggers:
    @pytest.fixture(autouse=True)
    def triggering(self, shipping):
        shipping.shipment.trigger = "t"
        shipping.shipment.identity = Identity(
            "redgrease-command-t", "0" * 16, "CommandReader", "*", None, "async", "t"
        )

    def test_proxy(self, gears, server):
        server.on("RG.TRIGGER", [b"p"])
        call = gears.pyexecute(KeysReader())
        assert callable(call)
        assert call(1, "a") == ("decoded", b"p")
        assert server.sent("RG.TRIGGER") == [(b"RG.TRIGGER", b"t", b"1", b"a")]
        assert "'t'" in call.value.__doc__

    def test_plain_results(self, gears, server, shipping):
        server.on("RG.TRIGGER", [b"p"])
        gears.pyexecute(KeysReader())
        shipping.shipment.pickled = False
        assert gears.pyexecute(KeysReader())() == b"p"
        assert gears.trigger("t") == b"p"

    def test_the_trigger_by_name(self, gears, server):
        server.on("RG.TRIGGER", [b"p"])
        server.on("RG.TRIGGERONKEY", [b"p"])
        assert gears.trigger("t") == b"p"
        gears.pyexecute(KeysReader())
        assert gears.trigger(b"t") == ("decoded", b"p")
        assert gears.trigger("t", unpickle=False) == b"p"
        assert gears.triggeronkey("t", "key", 5) == ("decoded", b"p")
        assert server.sent("RG.TRIGGERONKEY") == [(b"RG.TRIGGERONKEY", b"t", b"key", b"5")]

    def test_errors(self, gears, server):
        server.on("RG.TRIGGER", Error("ERR subcommand not found"))
        with pytest.raises(ex.TriggerNotFoundError):
            gears.trigger("nothing")

    def test_time_limit(self, gears, server):
        never = threading.Event()
        server.on("RG.TRIGGER", Wait(never, []))
        with pytest.raises(ex.GearsTimeoutError):
            gears.trigger("t", timeout=0.05)
        never.set()


class TestExecutions:
    def test_results(self, gears, server):
        server.on("RG.GETRESULTS", Error("execution is still running"))
        with pytest.raises(ex.ExecutionRunningError):
            gears.getresults(ID)
        server.on("RG.GETRESULTSBLOCKING", Error("execution plan does not exist"))
        with pytest.raises(ex.ExecutionNotFoundError):
            gears.getresultsblocking(ID)

    def test_plan(self, gears, server):
        server.on("RG.GETEXECUTION", [[b"shard_id", b"a", b"execution_plan", [b"status", b"done"]]])
        assert gears.getexecution(ID, "shard")["a"].status == "done"
        assert server.sent("RG.GETEXECUTION") == [(b"RG.GETEXECUTION", ID.encode(), b"SHARD")]

    def test_list(self, gears, server):
        server.on(
            "RG.DUMPEXECUTIONS",
            [
                [b"executionId", b"0-%d" % number, b"status", status, b"registered", number]
                for number, status in enumerate([b"done", b"running"])
            ],
        )
        assert len(gears.dumpexecutions()) == 2
        for status in ("done", b"DONE", data.ExecutionStatus.done):
            assert [info.executionId.sequence for info in gears.dumpexecutions(status)] == [0]
        assert [info.executionId.sequence for info in gears.dumpexecutions(registered=True)] == [1]
        assert gears.dumpexecutions("done", registered=True) == []

    def test_abort_and_drop(self, gears, server):
        server.on("RG.ABORTEXECUTION", Status("OK"))
        server.on("RG.DROPEXECUTION", Status("OK"))
        assert gears.abortexecution(data.ExecutionInfo(ID)) is True
        assert gears.dropexecution(data.ExecID(sequence=3)) is True


class TestGears:
    def test_plain_clients_understand_replies(self, server):
        client = redis.Redis(port=server.port)
        Gears(client)
        assert client.execute_command("RG.PYEXECUTE", "x").value is True

    def test_other_commands(self, gears, server):
        server.on("RG.NEW", [b"x"])
        assert gears.send("rg.new", 1) == [b"x"]

    def test_representation(self, gears):
        assert repr(gears).startswith("Gears(")

    def test_time_limit(self, server):
        gears = Gears(redis.Redis(port=server.port), timeout=5)
        assert gears.timeout == 5

    def test_something_else(self):
        with pytest.raises(TypeError):
            Gears(5)

        class Async:
            async def execute_command(self, *args):
                pass

        with pytest.raises(TypeError):
            Gears(Async())

    def test_clients_without_connections(self):
        class Inside:
            """As the client is that is used inside a server."""

            def execute_command(self, *words):
                assert words == ("RG.GETRESULTS", ID.encode())
                return [["1"], []]

        gears = Gears(Inside())
        assert gears.getresults(ID) == "1"
        assert not gears._caller.in_cluster

    def test_memory(self):
        memory = Memory()
        for number in range(10010):
            memory.note(memory.executions, number)
        assert len(memory.executions) == 10000
        assert 0 not in memory.executions

    def test_memory_goes_with_the_connections(self, server):
        from redgrease.sender import _MEMORIES

        client = RedisGears(port=server.port)
        client.gears
        pool = client.connection_pool
        assert pool in _MEMORIES
        count = len(_MEMORIES)
        client.close()
        del client, pool
        gc.collect()
        assert len(_MEMORIES) < count

    def test_pools_that_cannot_be_remembered(self, server, monkeypatch):
        client = RedisGears(port=server.port)

        class Unhashable:
            __hash__ = None

        monkeypatch.setattr(
            "redgrease.topology.Topology.identity", property(lambda self: Unhashable())
        )
        assert Gears(client).pyexecute("x").value is True
