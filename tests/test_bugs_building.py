"""What redgrease 0.3.30 got wrong in building functions, in its decorators and in its runtime.

The numbers are those of the list of its known bugs; each test shows what is right now.
"""

import inspect
import operator
import sys
import types

import pytest

pytest.importorskip("cloudpickle")

import redgrease
from redgrease import formatting, runtime
from redgrease.exceptions import NotInServerError
from redgrease.reader import CommandReader, KeysReader, StreamReader

FUNCTION = types.FunctionType


class Server:
    """Stands for a client: notes what it is asked to execute."""

    def __init__(self):
        self.sent = []

    def pyexecute(self, function, **kwargs):
        self.sent.append((function, kwargs))
        return "reply"


@pytest.mark.parametrize("convert", [True, False])
def test_9_conversion_of_results_is_passed_on(convert):
    from redgrease.gearialization import serialize

    for close in (KeysReader().run, KeysReader().register):
        function = close(convertToStr=convert)
        assert function.operation.kwargs["convertToStr"] is convert
        assert not serialize(function, sys.version_info[:2]).pickled
    assert serialize(KeysReader().run(), sys.version_info[:2]).pickled


@pytest.mark.parametrize("step", ["limit", "collect", "distinct", "count"])
def test_15_requirements_of_any_step_are_kept(step):
    args = [1] if step == "limit" else []
    function = getattr(KeysReader(), step)(*args, requirements=["numpy"])
    assert function.requirements == {"numpy"} and function.operation.kwargs == {}


def test_15_steps_take_no_arguments_that_servers_do_not_know():
    with pytest.raises(TypeError):
        KeysReader().map(int, prefix="a*")


@pytest.mark.parametrize("step", ["repartition", "countby", "avg"])
def test_16_extractors_may_be_any_callable(step):
    function = getattr(KeysReader(), step)(operator.itemgetter("key")).operation.args[0]
    assert type(function) is FUNCTION and function({"key": 5}) == 5


def test_17_arguments_of_readers_are_defaults_of_run_and_register():
    builder = runtime.GearsBuilder("KeysReader", "a*", readValue=False, mode="async_local")
    assert builder.gearfunction.operation.kwargs == {}
    assert builder.gearfunction.operation.args == ("KeysReader", "a*", None)
    for close in (builder.run, builder.register):
        kwargs = close().operation.kwargs
        assert kwargs["readValue"] is False and kwargs["mode"] == "async_local"


def test_18_builders_have_all_that_functions_have():
    builder = runtime.GearsBuilder(requirements="numpy").map(int)
    assert builder.reader == "KeysReader" and builder.requirements == {"numpy"}
    assert builder.supports_batch_mode and builder.supports_event_mode
    assert builder.operation.name == "map" and builder.input_function.operation.name == "reader"


@pytest.fixture
def native(monkeypatch):
    """The module of a server."""
    module = types.ModuleType("redisgears")
    module.config_get = {"known": "value"}.get
    module.gearsFutureCtx = lambda: module
    monkeypatch.setitem(sys.modules, "redisgears", module)
    return module


def test_19_settings_have_defaults(native):
    assert runtime.gearsConfigGet("unknown", "default") == "default"
    assert runtime.gearsConfigGet("known", "default") == "value"


def test_20_lists_have_no_leading_none():
    gathered = KeysReader().accumulate().operation.args[0]
    assert gathered(None, 1) == [1]
    for step in ("groupby", "localgroupby"):
        assert getattr(KeysReader(), step)().operation.args[1]("key", None, 1) == [1]


def test_20_lists_of_shards_are_joined():
    *_, comb = KeysReader().aggregateby().operation.args
    assert comb("key", comb("key", [], [1]), [2, 3]) == [1, 2, 3]


def test_20_groups_are_the_same_in_every_process():
    extract = KeysReader().groupby().operation.args[0]
    assert extract("text") == "text" and extract({"a": 1}) == "{'a': 1}"


def test_21_futures_are_the_servers_own(native):
    assert runtime.gearsFuture() is native


def test_24_a_formatter_is_a_format(monkeypatch):
    import logging

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.NullHandler(), logging.NullHandler()])
    monkeypatch.setattr(root, "level", root.level)
    formatter = logging.Formatter("%(message)s")
    formatting.initialize_logger(fmt=formatter)
    assert [handler.formatter for handler in root.handlers] == [formatter] * 2


def test_31_decorated_functions_keep_their_names():
    def greet(name: str = "you") -> str:
        """Say hello."""

    made = redgrease.command(on=Server())(greet)
    assert (made.__name__, made.__doc__, made.__wrapped__) == ("greet", "Say hello.", greet)
    assert inspect.signature(made) == inspect.signature(greet)
    assert made.__module__ == greet.__module__ and made.__qualname__ == greet.__qualname__


def test_32_replace_is_not_forgotten():
    with pytest.raises(TypeError, match="only together with on="):
        CommandReader().register(trigger="t", replace=True)
    server = Server()
    CommandReader().register(trigger="t", replace=True, on=server)
    redgrease.command("t", replace=True)(print).on(server)
    assert [kwargs["replace"] for _, kwargs in server.sent] == [True, True]


def test_32_on_takes_the_arguments_of_pyexecute():
    server = Server()
    KeysReader().run(on=server, unblocking=True, id="x")
    assert server.sent[0][1]["unblocking"] is True and server.sent[0][1]["id"] == "x"


def test_34_one_requirement_is_not_its_letters():
    assert KeysReader(requirements="numpy").run().requirements == {"numpy"}
    assert redgrease.command(requirements="numpy")(print).requirements == {"numpy"}


def test_36_trigger_is_no_lesser_name():
    assert redgrease.trigger is redgrease.command


def test_37_errors_say_what_was_wrong():
    with pytest.raises(ValueError, match=r"aggregate\(\) has no default seqOp for a zero of type"):
        KeysReader().aggregate({})
    with pytest.raises(TypeError, match="a KeysOnlyReader cannot register"):
        redgrease.KeysOnlyReader().register()
    with pytest.raises(TypeError, match="a CommandReader cannot run"):
        CommandReader().run()


def test_42_limits_have_requirements():
    assert KeysReader().limit(3, requirements="a").requirements == {"a"}


def test_a_command_needs_a_trigger_before_it_is_sent():
    with pytest.raises(TypeError, match="needs a trigger or a hook"):
        CommandReader().register()


def test_filters_are_told_to_the_server():
    """Issue 110: they were only applied to records that had been read already."""
    kwargs = KeysReader().values(type="hash", event=["hset"]).register().operation.kwargs
    assert kwargs["keyTypes"] == ["hash"] and kwargs["eventTypes"] == ["hset"]


def test_a_filter_by_one_field_does_not_need_the_other():
    keep = KeysReader().keys(event="set").steps[1].args[0]
    assert keep({"key": "k", "event": "set"})


def test_sums():
    """Issue 93: there was none."""
    assert KeysReader().sum().operation.args[1](1, 2) == 3


def test_arguments_of_newer_servers():
    """They went through as they were, whatever they were."""
    function = CommandReader().register(trigger="t", inorder=True)
    assert function.operation.kwargs["inorder"] is True
    assert CommandReader().register(hook="get", keyprefix="p:")
    assert KeysReader().register(commands=["set"]).operation.kwargs["commands"] == ["set"]
    assert StreamReader().run("s", fromId="1-0").operation.kwargs["fromId"] == "1-0"
    assert redgrease.KeysOnlyReader().run(count=5, noScan=True, patternGenerator=lambda: ("*", 0))


def test_130_words_explain_where_they_work():
    for word in (runtime.execute, runtime.configGet, runtime.log):
        with pytest.raises(NotInServerError, match="use it in a function that is run there"):
            word("x")
