"""The words of a server, and what they do elsewhere."""

import copy
import inspect
import logging
import operator
import pickle
import sys
import types

import pytest

from redgrease import runtime
from redgrease.exceptions import NotInServerError
from redgrease.gears import ClosedGearFunction, GearFunction, OpenGearFunction
from redgrease.reader import KeysReader


@pytest.mark.parametrize(
    "call",
    [
        lambda: runtime.execute("PING"),
        runtime.atomic,
        lambda: runtime.log("x"),
        runtime.hashtag,
        runtime.hashtag3,
        lambda: runtime.configGet("x"),
        lambda: runtime.gearsConfigGet("x", 1),
        runtime.gearsFuture,
        lambda: runtime.call_next("a"),
        runtime.get_command,
        lambda: runtime.override_reply(1),
        lambda: runtime.flat_error("x"),
        runtime.isInAtomicBlock,
        runtime.isAsyncAllow,
    ],
)
def test_outside_a_server_words_explain_themselves(call):
    assert not runtime.in_server() and runtime.GEARS_RUNTIME is False
    with pytest.raises(NotInServerError, match="works only inside a Gears server"):
        call()


@pytest.mark.parametrize("name", sorted(set(runtime.__all__) & set(dir(runtime))))
def test_outside_a_server_a_word_is_called_what_the_user_called_it(name):
    word = getattr(runtime, name)
    if not callable(word) or name in ("GB", "GearsBuilder", "in_server", "run"):
        return
    parameters = inspect.signature(word).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    with pytest.raises(NotInServerError) as caught:
        word(*["x" for _ in needed])
    assert str(caught.value).startswith(name + " works only inside")


class Block:
    entered = 0

    def __enter__(self):
        Block.entered += 1
        return self

    def __exit__(self, *exception):
        Block.entered -= 1


@pytest.fixture
def server(monkeypatch):
    """The server's module, as far as these words need it."""
    module = types.ModuleType("redisgears")
    log = []
    module.executeCommand = lambda *words: list(words)
    module.atomicCtx = Block
    module.log = lambda message, level: log.append((message, level))
    module.getMyHashTag = lambda: "06S"
    module.config_get = {"known": "value"}.get
    module.gearsFutureCtx = object
    module.callNext = lambda *args: args
    module.getCommand = lambda: ["get", "x"]
    module.overrideReply = log.append
    module.isAsyncAllow = lambda: 1
    module.logged = log
    monkeypatch.setitem(sys.modules, "redisgears", module)
    return module


def test_inside_a_server_they_are_the_servers(server):
    assert runtime.in_server()
    assert runtime.execute("SET", "a", 1) == ["SET", "a", 1]
    with runtime.atomic() as block:
        assert isinstance(block, runtime.atomic) and Block.entered == 1
    assert Block.entered == 0
    runtime.log({"any": 1}, "debug")
    assert server.logged == [("{'any': 1}", "debug")]
    assert runtime.hashtag() == "06S" and runtime.hashtag3() == "{06S}"
    assert runtime.configGet("known") == "value" and runtime.configGet("other") is None
    assert runtime.gearsConfigGet("known", 1) == "value"
    assert runtime.gearsConfigGet("other", 1) == 1
    assert type(runtime.gearsFuture()) is object
    assert runtime.call_next("a") == ("a",) and runtime.get_command() == ["get", "x"]
    runtime.override_reply(5)
    assert server.logged[-1] == 5
    assert runtime.isAsyncAllow() is True


def test_a_word_that_the_server_does_not_know(server):
    with pytest.raises(NotImplementedError, match="no flat_error"):
        runtime.flat_error("x")


def test_the_runtime_is_told_by_its_abilities(server):
    assert runtime._runtime_version() == (1, 2)
    del server.gearsFutureCtx
    assert runtime._runtime_version() == (1, 0)


@pytest.mark.parametrize(
    "message, text",
    [(None, "None"), (b"\xff\xc3\xa9", "\\xff\xe9"), (["x"], "['x']"), ("\ud800", "\\ud800")],
)
def test_anything_can_be_logged(server, message, text):
    runtime.log(message)
    assert server.logged == [(text, "notice")]


@pytest.mark.parametrize(
    "level, name",
    [
        ("debug", "debug"),
        ("WARNING", "warning"),
        ("verbose", "verbose"),
        ("error", "warning"),
        ("info", "verbose"),
        (logging.DEBUG, "debug"),
        (logging.INFO, "verbose"),
        (logging.WARNING, "notice"),
        (logging.CRITICAL, "warning"),
        (None, "notice"),
        ("loud", "notice"),
    ],
)
def test_at_any_level(server, level, name):
    runtime.log("x", level)
    runtime.log("x", level=level)
    assert server.logged == [("x", name)] * 2


class Native:
    """A server's GearsBuilder that notes its steps."""

    def __init__(self, reader, defaultArg, desc):
        self.steps = [(reader, defaultArg, desc)]

    def __getattr__(self, name):
        def step(*args, **kwargs):
            self.steps.append((name, args, kwargs))
            return self

        return step


def test_closed_functions_act_at_once_inside_a_server(server):
    server.GearsBuilder = Native
    built = KeysReader("a*").map(int).run()
    assert built.steps[0] == ("KeysReader", "a*", None)
    assert built.steps[1][0] == "map"
    assert built.steps[2] == ("run", (None,), {"collect": True, "convertToStr": True})
    built = KeysReader().register("b*")
    assert built.steps[1][0] == "register" and built.steps[1][1] == ("b*",)


class TestGearsBuilder:
    def test_changes_with_every_step(self):
        builder = runtime.GearsBuilder("KeysReader", desc="x")
        assert builder.map(int) is builder
        builder.aggregate(0, operator.add)
        assert repr(builder) == (
            "GearsBuilder('KeysReader', desc='x').map(int).aggregate(0, operator.add)"
        )

    def test_has_what_functions_have(self):
        builder = runtime.GB("KeysOnlyReader", "a*", requirements="numpy")
        assert builder.reader == "KeysOnlyReader" and builder.supports_batch_mode
        assert not builder.supports_event_mode
        assert builder.requirements == {"numpy"}
        assert builder.operation is builder.gearfunction.operation
        assert builder.input_function is None

    def test_closing_leaves_it_as_it_is(self):
        builder = runtime.GB()
        assert isinstance(builder.run(), ClosedGearFunction)
        assert isinstance(builder.register(), ClosedGearFunction)
        assert repr(builder) == "GearsBuilder('KeysReader')"

    def test_takes_no_unknown_arguments(self):
        with pytest.raises(TypeError, match="no argument 'prefx', did you mean 'prefix'"):
            runtime.GB("KeysReader", prefx="x")
        with pytest.raises(AttributeError):
            runtime.GB().no_such_step

    def test_more_arguments_are_those_of_run_and_register(self):
        builder = runtime.GB("KeysReader", "a*", prefix="b*", readValue=False).count()
        assert builder.run().operation.kwargs["readValue"] is False
        assert builder.register().operation.args == ("b*",)

    def test_is_an_open_function(self):
        builder = runtime.GB().map(int)
        assert isinstance(builder, OpenGearFunction) and isinstance(builder, GearFunction)
        assert not isinstance(builder, ClosedGearFunction)
        assert [step.name for step in builder.steps] == ["reader", "map"]

    def test_closed_functions_do_not_change_with_it(self):
        builder = runtime.GB()
        closed = builder.run()
        builder.count()
        assert repr(closed) == "GearsBuilder('KeysReader').run()"

    def test_can_be_copied_and_pickled(self):
        builder = runtime.GB("KeysReader", "a*").map(str.upper)
        for other in (copy.copy(builder), copy.deepcopy(builder)):
            other.count()
            assert repr(other) == repr(builder) + ".count()"
        again = pickle.loads(pickle.dumps(runtime.GB("KeysReader", "a*").limit(3)))
        assert repr(again.count()) == "GearsBuilder('KeysReader', 'a*').limit(3).count()"

    def test_can_be_made_of_any_reader(self):
        assert runtime.GB("PythonReader", lambda: iter([1])).run()
        with pytest.raises(ValueError, match="no reader 'KeyReader', did you mean 'KeysReader'"):
            runtime.GB("KeyReader")
