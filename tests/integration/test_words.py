"""The words of a server, in functions of redgrease and in scripts that import it."""

import os
import sys
import threading

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

import redgrease  # noqa: E402
from redgrease import runtime  # noqa: E402
from redgrease.exceptions import NotInServerError  # noqa: E402


def on_server(r, function):
    """What a function returns on a server."""
    return redgrease.ShardsIDReader().map(lambda shard: function()).run(on=r).value


def in_script(r, expression):
    """What an expression in a function of a script on a server gives."""
    script = (
        "import redgrease\nfrom redgrease import *\nfrom redgrease import runtime\n"
        f"ShardsIDReader().map(lambda shard: {expression}).run()"
    )
    result = r.gears.pyexecute(script)
    assert not result.errors
    return result.value.decode()


def test_execute(r):
    assert on_server(r, lambda: redgrease.execute("SET", "k", 5)) == "OK"
    assert on_server(r, lambda: runtime.execute("INCRBY", "k", b"2")) == 7
    assert in_script(r, "execute('INCR', 'k')") == "8"
    with pytest.raises(NotInServerError):
        redgrease.execute("GET", "k")


def test_hashtags(r):
    tags = on_server(r, lambda: (redgrease.hashtag(), redgrease.hashtag3()))
    assert tags == ("06S", "{06S}")
    assert in_script(r, "f'{hashtag()} {hashtag3()}'") == "06S {06S}"


def test_settings(r):
    name = f"setting{os.getpid()}"
    r.gears.config.set({name: "value"})
    assert on_server(r, lambda: redgrease.configGet(name)) == "value"
    assert on_server(r, lambda: redgrease.gearsConfigGet(name, 5)) == "value"
    assert on_server(r, lambda: redgrease.gearsConfigGet("no such", 5)) == 5
    assert on_server(r, lambda: redgrease.configGet("no such")) is None
    assert in_script(r, f"[configGet('{name}'), gearsConfigGet('no such', 5)]") == "['value', 5]"


def test_atomic_blocks(r):
    def function():
        with redgrease.atomic():
            inside = runtime.isInAtomicBlock()
        return inside, runtime.isInAtomicBlock()

    assert on_server(r, function) == (True, False)
    assert in_script(r, "atomic().__enter__().__exit__(None, None, None)") == "None"


@pytest.mark.parametrize("level", ["debug", "verbose", "notice", "warning", "error", 10, 30, None])
def test_logging(r, gears_server, level):
    text = f"about {level!r} {os.urandom(4).hex()}"
    on_server(r, lambda: redgrease.log([text, b"\xff"], level))
    in_script(r, f"log({text!r}, level={level!r})")
    redgrease.ShardsIDReader().map(lambda _: text).foreach(redgrease.log).run(on=r)
    if level not in ("debug", "verbose", 10):
        assert gears_server.log.count(text) >= 3


def test_futures(r):
    def function():
        future = redgrease.gearsFuture()
        threading.Timer(0.01, future.continueRun, [[1, None]]).start()
        return future

    assert on_server(r, function) == [1, None]

    def failing():
        future = runtime.gearsFuture()
        threading.Timer(0.01, future.continueFailed, ["not today"]).start()
        return future

    result = redgrease.ShardsIDReader().map(lambda shard: failing()).run(on=r)
    assert "not today" in result.errors[0]


def test_errors_without_traceback(r):
    result = redgrease.ShardsIDReader().map(lambda _: runtime.flat_error("short")).run(on=r)
    assert result.errors == ["short"]


def test_commands_and_replies(r):
    def override(record):
        runtime.override_reply("-".join(runtime.get_command()))

    redgrease.KeysReader().foreach(override).register(
        "seen:*", commands=["lpush"], eventTypes=["lpush"], mode="sync", on=r
    )
    r.response_callbacks.pop("LPUSH", None)  # redis-py 3 makes True or False of the reply
    assert r.execute_command("LPUSH", "seen:1", "x") == b"LPUSH-seen:1-x"


def test_readers_in_scripts_act_at_once(r):
    r.mset({"a": 1, "b": 2})
    script = "import redgrease\nredgrease.KeysReader('*').values().map(int).sum().run()"
    assert r.gears.pyexecute(script) == [b"3"]
    script = "import redgrease\nredgrease.KeysReader().count().run(on='ignored here')"
    assert r.gears.pyexecute(script) == [b"2"]
    script = (
        "import redgrease\n"
        "redgrease.KeysReader().keys(event='set').foreach(lambda key: redgrease.execute('INCR', 'n'))"
        ".register('c*', mode='sync')"
    )
    assert r.gears.pyexecute(script)
    r.set("c", 1)
    assert r.get("n") == b"1"
    (registration,) = r.gears.dumpregistrations()
    assert registration.RegistrationData.args["eventTypes"] == ["set"]


def test_the_runtime_is_told(r):
    assert redgrease.GEARS_RUNTIME is False
    assert on_server(r, lambda: redgrease.GEARS_RUNTIME) == (1, 2)
    assert in_script(r, "redgrease.GEARS_RUNTIME") == "(1, 2)"


def test_functions_can_be_tried_out_in_ones_own_process():
    """As the error outside of servers says."""
    from redgrease.engine import GearsServer

    seen = []
    with GearsServer(worker="thread") as server:
        client = server.client()
        function = redgrease.ShardsIDReader().map(lambda _: (os.getpid(), runtime.in_server()))
        assert function.run(on=client) == (os.getpid(), True)
        made = redgrease.command("here", on=client)(lambda: redgrease.execute("PING"))
        assert made() == "PONG" and not runtime.in_server()
        client.close()
    with pytest.raises(NotInServerError, match="GearsServer.worker='thread'"):
        runtime.hashtag()
