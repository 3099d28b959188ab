"""The configuration of a server."""

import pytest
import redis
from support.scripted import Error, ScriptedServer, Status

from redgrease import exceptions as ex
from redgrease.client import RedisGears
from redgrease.config import Config

VALUES = {
    "MaxExecutions": 1000,
    "ProfileExecutions": 0,
    "PythonAttemptTraceback": b"1",
    "DependenciesUrl": b"http://x",
    "ExecutionThreads": b"3",
    "PythonInstallationDir": b"/var",
    "Mine": b"own",
}


def answer(words):
    names = [word.decode() for word in words[1:]]
    return [
        VALUES.get(name, Error("(error) Unsupported config parameter: " + name)) for name in names
    ]


@pytest.fixture
def server():
    with ScriptedServer({"RG.CONFIGGET": answer}) as scripted:
        yield scripted


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def config(server, request):
    return RedisGears(port=server.port, decode_responses=request.param).gears.config


def test_get(config):
    assert config.get("MaxExecutions", b"Mine", "ProfileExecutions") == {
        "MaxExecutions": 1000,
        "Mine": "own",
        "ProfileExecutions": False,
    }


def test_get_all(config, server):
    values = config.get()
    assert list(values) == list(Config.ValueTypes)
    assert values["PythonAttemptTraceback"] is True
    assert values["ExecutionThreads"] == 3
    assert isinstance(values["SendMsgRetries"], ex.UnknownConfigError)
    assert [len(words) for words in server.sent("RG.CONFIGGET")] == [14]


def test_get_single(config):
    assert config.get_single("MaxExecutions") == 1000
    assert config.get_single(b"Mine") == "own"
    with pytest.raises(ex.UnknownConfigError):
        config.get_single("Nothing")


def test_names_in_other_letter_cases_are_converted(config, server):
    server.on("RG.CONFIGGET", [b"1000"])
    assert config.get("maxexecutions") == {"maxexecutions": 1000}


def test_what_cannot_be_converted_stays(config, server):
    server.on("RG.CONFIGGET", [b"many"])
    assert config.get("MaxExecutions") == {"MaxExecutions": "many"}


def test_set(config, server):
    server.on("RG.CONFIGSET", [Status("OK"), Status("OK - value was saved in extra config")])
    assert config.set({b"Mine": "x", "MaxExecutions": 1}, MaxExecutions=2) is True
    assert server.sent("RG.CONFIGSET") == [(b"RG.CONFIGSET", b"Mine", b"x", b"MaxExecutions", b"2")]


def test_set_refused(config, server):
    server.on("RG.CONFIGSET", [Error("(error) Config value X not modifiable at runtime")])
    assert config.set(ExecutionThreads=9) is False


def test_set_nothing(config, server):
    assert config.set() is True
    assert server.received == []


def test_attributes(config, server):
    assert config.MaxExecutions == 1000
    assert config.DependenciesUrl == "http://x"
    server.on("RG.CONFIGSET", [Status("OK")])
    config.ProfileExecutions = True
    assert server.sent("RG.CONFIGSET")[0][1:] == (b"ProfileExecutions", b"1")
    with pytest.raises(ex.UnknownConfigError):
        config.SendMsgRetries


def test_some_attributes_cannot_be_written(config):
    with pytest.raises(AttributeError):
        config.CreateVenv = True


def test_unknown_attributes(config):
    with pytest.raises(AttributeError):
        config.Nothing
    with pytest.raises(AttributeError):
        config.Nothing = 1


def test_on_its_own(server):
    config = Config(redis.Redis(port=server.port))
    assert config.MaxExecutions == 1000
    assert config.MaxExecutions == 1000


def test_every_known_setting_is_an_attribute():
    for name in Config.ValueTypes:
        assert getattr(Config, name).__doc__


@pytest.mark.parametrize("name", [None, ..., True, object(), 5])
def test_what_is_no_name(config, server, name):
    with pytest.raises(redis.exceptions.DataError, match="the name of a setting is a text, not "):
        config.set({name: 1})
    with pytest.raises(redis.exceptions.DataError):
        config.get("MaxExecutions", name)
    with pytest.raises(KeyError):
        config.get_single(name)
    assert server.received == []


def test_names_may_be_bytes(config, server):
    server.on("RG.CONFIGSET", [Status("OK")])
    assert config.get(b"MaxExecutions") == {"MaxExecutions": config.get_single(b"MaxExecutions")}
    assert config.set({b"MaxExecutions": 5}) is True
