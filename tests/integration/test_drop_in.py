"""What programs written for releases 0.3 do, where these went wrong: here on a real server."""

import os
import pickle
import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

import redgrease  # noqa: E402
from redgrease import exceptions as ex  # noqa: E402

READERS = """
GB('CommandReader').map(lambda r: r[1:]).register(trigger='one')
GB('CommandReader', desc='my words').map(lambda r: 2).register(trigger='two', mode='sync')
GB('KeysReader', desc='other').foreach(lambda r: None).register('k:*')
GB('KeysReader').foreach(lambda r: None).register('k:1', mode='sync')
GB('StreamReader').foreach(lambda r: None).register('s:*')
"""


@pytest.fixture(params=[False, True], ids=["bytes", "texts"])
def client(r, gears_server, request):
    with gears_server.client(decode_responses=request.param) as client:
        yield client


@pytest.mark.parametrize(
    "filters, expected",
    [
        ({}, 5),
        ({"trigger": "one"}, 1),
        ({"trigger": "three"}, 0),
        ({"key": "k:1"}, 2),
        ({"key": "k:2"}, 1),
        ({"key": "x"}, 0),
        ({"stream": "s:1"}, 1),
        ({"desc": "*"}, 2),
        ({"desc": "my*"}, 1),
        ({"mode": "sync"}, 2),
        ({"reader": "KeysReader", "mode": "sync"}, 1),
    ],
)
def test_filters_of_registrations(client, filters, expected):
    client.gears.pyexecute(READERS)
    found = client.gears.dumpregistrations(**filters)
    assert len(found) == expected
    for registration in found:
        assert type(registration.desc) in (str, type(None))
        assert all(type(name) is str for name in registration.RegistrationData.args)
        assert isinstance(registration.PD, dict) and "sessionName" in registration.PD


def test_one_registration(client):
    client.gears.pyexecute(READERS)
    found = client.gears.registration(trigger="two")
    assert found.desc == "my words" and client.gears.registration(found.id) == found
    assert client.gears.registration(trigger="three") is None
    with pytest.raises(ex.RedGreaseError, match="several"):
        client.gears.registration(reader="KeysReader")
    assert client.gears.unregister(found) is True
    with pytest.raises(ex.RegistrationNotFoundError):
        client.gears.unregister(found)


def test_replacing_where_there_are_others(client):
    client.gears.pyexecute(READERS)
    function = redgrease.CommandReader().map(lambda record: 3).register(trigger="mine")
    for _ in range(2):
        assert function.on(client, replace=True)() == 3
    assert len(client.gears.dumpregistrations()) == 6


def test_errors_are_not_hidden_by_others(client):
    with pytest.raises(ex.ScriptError, match="NameError"):
        client.gears.pyexecute("nosuchname")
    with pytest.raises(ex.SessionError):
        client.gears.pyexecute(READERS, replace_with="nothing")
    with pytest.raises(ex.ArgumentsError):
        client.execute_command("RG.PYEXECUTE", "GB().run()", "NOSUCH")
    client.gears.config.PythonAttemptTraceback = False
    try:
        with pytest.raises(ex.ScriptError, match="name 'nosuchname' is not defined"):
            client.gears.pyexecute("nosuchname")
    finally:
        client.gears.config.PythonAttemptTraceback = True
    function = redgrease.CommandReader().map(lambda record: 1).register(trigger="t", on=client)
    with pytest.raises(ex.DuplicateTriggerError, match="trigger already registered") as caught:
        redgrease.CommandReader().register(trigger="t", on=client)
    assert caught.value.text.startswith("['Traceback")
    function.unregister()


def test_conversion_is_honoured(client):
    def text(value):
        return value if client.connection_pool.get_encoder().decode_responses else value.encode()

    reader = redgrease.ShardsIDReader().map(lambda _: [1, "a"])
    assert reader.run(on=client) == [1, "a"]
    assert reader.run(convertToStr=True, on=client) == text("[1, 'a']")
    assert reader.run(convertToStr=False, on=client).value == [1, text("a")]
    command = redgrease.CommandReader().map(lambda record: {"a": 1})
    assert command.register(trigger="a", on=client)() == {"a": 1}
    assert command.register(trigger="b", convertToStr=True, on=client)() == text("{'a': 1}")


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_from_the_database_is_unpickled(client, tmp_path):
    evil = pickle.dumps(Evil(str(tmp_path / "evil")), 0).decode()
    client.set("evil", evil)
    client.set("text", "hello")
    gears = client.gears
    script = "GB().map(lambda r: r['value']).run('{}')"
    assert gears.pyexecute(script.format("text")) in (b"hello", "hello")
    assert gears.pyexecute(script.format("evil")) in (evil, evil.encode())
    values = redgrease.KeysReader("evil").values()
    for convert in (None, True, False):
        assert values.run(convertToStr=convert, on=client) in (evil, evil.encode())
    execution = gears.pyexecute(script.format("evil"), unblocking=True)
    assert gears.getresultsblocking(execution) in (evil, evil.encode())
    assert gears.getresults(execution) in (evil, evil.encode())
    gears.pyexecute("GB('CommandReader').map(lambda r: r[1]).register(trigger='echo')")
    assert gears.trigger("echo", evil) in (evil, evil.encode())
    assert not (tmp_path / "evil").exists()


def test_executions(client):
    gears = client.gears
    execution = redgrease.KeysReader().count().run(on=client, unblocking=True)
    assert gears.getresultsblocking(execution).errors == []
    for id in (execution, execution.value, str(execution), bytes(execution)):
        (plan,) = gears.getexecution(id).values()
        assert plan.status == "done" and plan.errors == []
    (info,) = gears.dumpexecutions(status="done")
    assert info.executionId == execution and gears.abortexecution(info)
    assert gears.dropexecution(info) is True
    with pytest.raises(ex.ExecutionNotFoundError):
        gears.getresults(execution)


def test_the_function_that_triggers(client):
    function = redgrease.CommandReader().args().map(list).register(trigger="words", on=client)
    assert callable(function) and callable(function.value)
    assert function("a", 1) == ["a", "1"]
    assert (function.value.__name__, function.trigger) == ("words", "words")
    with pytest.raises(ex.TriggerNotFoundError):
        client.gears.trigger("nothing")


def test_redgrease_is_only_installed_if_wanted(client):
    before = len(client.gears.pydumpreqs())
    reader = redgrease.ShardsIDReader().map(lambda _: 1)
    assert reader.run(on=client) == 1
    assert reader.run().on(client, enforce_redgrease=False) == 1
    assert len(client.gears.pydumpreqs()) == before


def test_scripts_that_are_missing(client):
    with pytest.raises(FileNotFoundError):
        client.gears.pyexecute("no/such/script.py")


def test_the_client_inside_the_server(client):
    def inside(_):
        cmd = redgrease.cmd
        with cmd.pipeline() as pipeline:
            replies = pipeline.set("a", 1).incr("a").hset("h", "x", 1).execute()
        try:
            cmd.lpush("a", 1)
        except redgrease.runtime_client.ResponseError as error:
            failed = [str(error)[:9], *(kind.__name__ for kind in type(error).__mro__[:2])]
        refused = []
        for call in (lambda: cmd.blpop("a"), cmd.pubsub, cmd.monitor):
            try:
                call()
            except Exception as error:
                refused.append(type(error).__name__)
        return [
            *(replies, failed, refused, cmd.get("a"), cmd.hgetall("h"), sorted(cmd.scan_iter("*"))),
            *(cmd.config_get("maxmemory"), cmd.expire("a", 10), cmd.zscore("none", "x")),
            cmd.gears.dumpregistrations(),
        ]

    client.delete("a", "h")
    replies, failed, refused, *others = redgrease.ShardsIDReader().map(inside).run(on=client).value
    assert replies == [True, 2, 1]
    assert failed == ["WRONGTYPE", "ResponseError", "ResponseError"]
    assert refused == ["BlockingNotAllowedError"] * 3
    assert others == ["2", {"x": "1"}, ["a", "h"], {"maxmemory": "0"}, True, None, []]
