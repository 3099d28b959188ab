"""The methods of Gears about a server as a whole."""

import sys

import pytest
from support.scripted import Error, ScriptedServer, Status

from redgrease import data
from redgrease import exceptions as ex
from redgrease.client import RedisGears

VERSION = "(3, 7, 2, 'final', 0)"


@pytest.fixture
def server():
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def gears(server, request):
    with RedisGears(port=server.port, decode_responses=request.param) as client:
        yield client.gears


class TestVersions:
    def test_python_is_asked_for_once(self, gears, server):
        server.on("RG.PYEXECUTE", [[VERSION], []])
        for _ in range(3):
            assert gears.python_version() == (3, 7, 2, "final", 0)
        assert gears._short_python_version() == (3, 7)
        assert RedisGears(connection_pool=gears._redis.connection_pool).gears.python_version() == (
            3,
            7,
            2,
            "final",
            0,
        )
        (words,) = server.sent("RG.PYEXECUTE")
        assert b"ShardsIDReader" in words[1]
        compile(words[1], "script", "exec")

    def test_the_odd_one_of_several(self, gears, server):
        own = repr(tuple(sys.version_info[:3]))
        server.on("RG.PYEXECUTE", [[own, "(2, 7, 18)"], []])
        assert gears.python_version() == (2, 7, 18)

    def test_all_the_same(self, gears, server):
        own = repr(tuple(sys.version_info[:3]))
        server.on("RG.PYEXECUTE", [[own, own], []])
        assert gears.python_version() == tuple(sys.version_info[:3])

    @pytest.mark.parametrize("reply", ["nonsense", "(3,)", "5", "f("])
    def test_no_version(self, gears, server, reply):
        server.on("RG.PYEXECUTE", [[reply], []])
        with pytest.raises(ex.RedGreaseError) as caught:
            gears.python_version()
        assert reply in str(caught.value)

    def test_no_reply(self, gears, server):
        server.on("RG.PYEXECUTE", [[], []])
        with pytest.raises(ex.RedGreaseError):
            gears.python_version()

    def test_errors(self, gears, server):
        server.on("RG.PYEXECUTE", [[], ["boom"]])
        with pytest.raises(ex.ExecutionFailedError):
            gears.python_version()

    def test_gears(self, gears, server):
        server.on("MODULE", [["name", "rg", "ver", 10213, "path", "/x", "args", []]])
        assert gears.gears_version() == (1, 2, 13)
        assert gears.gears_version() == (1, 2, 13)
        assert len(server.sent("MODULE")) == 1

    def test_no_gears(self, gears, server):
        server.on("MODULE", [["name", "other", "ver", 1]])
        assert gears.gears_version() is None
        server.on("MODULE", [["name", "other", "ver", 1], ["name", "rg", "ver", 10006]])
        assert gears.gears_version() == (1, 0, 6)

    def test_ping(self, gears, server):
        server.on("RG.CONFIGGET", [1000])
        assert gears._ping() is True
        server.on("RG.CONFIGGET", Error("ERR unknown command 'RG.CONFIGGET'"))
        with pytest.raises(ex.GearsNotAvailableError):
            gears._ping()

    def test_plugins(self, gears, server):
        server.on("RG.DUMPPLUGINS", [["GearsPythonPlugin", 10213]])
        assert gears.dumpplugins() == [data.Plugin("GearsPythonPlugin", 10213)]


class TestCluster:
    NODE = ["id", "aa", "ip", "127.0.0.1", "port", 7000]

    def test_info(self, gears, server):
        server.on("RG.INFOCLUSTER", "no cluster mode")
        assert gears.infocluster() is None
        server.on("RG.INFOCLUSTER", ["MyId", "aa", "MyRunId", "r", [self.NODE]])
        assert gears.infocluster().shards[0].port == 7000

    def test_refresh(self, gears, server):
        server.on("RG.REFRESHCLUSTER", Status("OK"))
        assert gears.refreshcluster() is True

    def test_network(self, gears, server):
        server.on("RG.INFOCLUSTER", "no cluster mode")
        with pytest.raises(ex.RedGreaseError):
            gears.networktest()
        assert server.sent("RG.NETWORKTEST") == []  # a real server would crash
        server.on("RG.INFOCLUSTER", ["MyId", "aa", "MyRunId", "r", [self.NODE]])
        server.on("RG.NETWORKTEST", Status("OK"))
        assert gears.networktest() is True


class TestRequirements:
    def entry(self, name, downloaded="yes", installed="yes"):
        return ["GearReqVersion", 1, "Name", name, "IsDownloaded", downloaded,
                "IsInstalled", installed, "CompiledOs", "linux", "Wheels", ["a.whl"]]  # fmt: skip

    def test_list(self, gears, server):
        server.on(
            "RG.PYDUMPREQS",
            [
                self.entry("numpy>=1"),
                self.entry("Foo_Bar", "no", "no"),
                self.entry("c", "yes", "no"),
            ],
        )

        def names(*args, **kwargs):
            return [each.Name for each in gears.pydumpreqs(*args, **kwargs)]

        assert names() == ["numpy>=1", "Foo_Bar", "c"]
        assert names("numpy==2") == ["numpy>=1"]
        assert names(b"foo-bar") == ["Foo_Bar"]
        assert names(is_downloaded=True) == ["numpy>=1", "c"]
        assert names(is_installed=False) == ["Foo_Bar", "c"]
        assert names("c", is_downloaded=False) == []

    def test_export_and_import(self, gears, server):
        server.on("RG.PYEXPORTREQ", [self.entry("numpy"), [b"\xff\x00", b"2"]])
        server.on("RG.PYIMPORTREQ", "OK")
        export = gears.pyexportreq("numpy")
        assert export.chunks == (b"\xff\x00", b"2")
        assert gears.pyimportreq(export, b"3") is True
        assert server.sent("RG.PYIMPORTREQ") == [(b"RG.PYIMPORTREQ", b"\xff\x00", b"2", b"3")]

    def test_unknown(self, gears, server):
        server.on("RG.PYEXPORTREQ", Error("requirement does not exists"))
        with pytest.raises(ex.RequirementError):
            gears.pyexportreq("x")


class TestSessions:
    def test_list(self, gears, server):
        server.on("RG.PYDUMPSESSIONS", [["ID", "s", "dead", "false"]])
        assert gears.pydumpsessions()[0].ID == "s"
        gears.pydumpsessions("s", verbose=True)
        gears.pydumpsessions(["s", "t"], dead=True)
        assert [words[1:] for words in server.sent("RG.PYDUMPSESSIONS")] == [
            (),
            (b"VERBOSE", b"SESSIONS", b"s"),
            (b"DEAD", b"SESSIONS", b"s", b"t"),
        ]

    def test_unknown(self, gears, server):
        server.on("RG.PYDUMPSESSIONS", ["Session x does not exists"])
        with pytest.raises(ex.SessionError):
            gears.pydumpsessions("x")

    def test_profile(self, gears, server):
        server.on("RG.PYPROFILE", "12 function calls")
        assert gears.pyprofile_stats("s") == "12 function calls"
        assert gears.pyprofile_stats("s", "time") == "12 function calls"
        server.on("RG.PYPROFILE", Status("OK"))
        assert gears.pyprofile_reset("s") is True
        assert [words[1:] for words in server.sent("RG.PYPROFILE")] == [
            (b"STATS", b"s"), (b"STATS", b"s", b"time"), (b"RESET", b"s"),
        ]  # fmt: skip

    def test_memory(self, gears, server):
        server.on("RG.PYSTATS", ["TotalAllocated", 3, "PeakAllocated", 2, "CurrAllocated", 1])
        assert gears.pystats() == data.PyStats(3, 2, 1)
