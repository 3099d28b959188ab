"""Building functions: open and closed ones, their steps, and what is refused on the spot."""

import functools
import inspect
import itertools
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import redgrease
from redgrease.gears import (
    REGISTER_ARGUMENTS,
    RUN_ARGUMENTS,
    ClosedGearFunction,
    OpenGearFunction,
    requirement_set,
)
from redgrease.reader import CommandReader, GearReader, KeysReader, PythonReader, StreamReader


def double(x):
    return 2 * x


def test_open_functions_can_be_branched():
    common = KeysReader("a*").values()
    ints, texts = common.map(int), common.map(str)
    assert repr(common) == "KeysReader('a*').values()"
    assert repr(ints) == "KeysReader('a*').values().map(int)"
    assert repr(texts.count().run()) == "KeysReader('a*').values().map(str).count().run()"
    assert len(common.steps) == 2 and len(ints.steps) == 3


@given(st.lists(st.sampled_from(["count", "collect", "distinct", "sort", "sum"]), max_size=8))
def test_steps_are_those_that_were_written(names):
    function = KeysReader()
    for name in names:
        before = repr(function)
        function = getattr(function, name)()
        assert repr(function) == before + "." + name + "()"
    assert [step.shown for step in function.steps[1:]] == [name + "()" for name in names]


def test_repr_shows_the_chain_as_it_was_written():
    function = (
        KeysReader("x*", desc="about")
        .filter(lambda r: r)
        .map(functools.partial(operator.add, 1))
        .map(double)
        .foreach([].append)
        .flatmap()
        .limit(5)
        .limit(5, 2)
        .sort(False)
        .groupby(None, lambda k, a, r: a)
        .run("y*", collect=False, convertToStr=True)
    )
    assert repr(function) == (
        "KeysReader('x*', desc='about').filter(<lambda>).map(partial(operator.add, 1))"
        ".map(double).foreach([].append).flatmap().limit(5).limit(5, 2).sort(False)"
        ".groupby(None, <lambda>).run('y*', convertToStr=True, collect=False)"
    )
    registered = CommandReader().apply(double).register(trigger="twice", mode="sync")
    assert repr(registered) == (
        "CommandReader().apply(double).register(mode='sync', trigger='twice')"
    )
    assert repr(GearReader("KeysReader", "a")) == "GearReader('KeysReader', 'a')"


@pytest.mark.parametrize("requirements", [5, [5], ["numpy", None], object()])
def test_what_is_no_requirement_is_refused_at_once(requirements):
    for build in (
        lambda: KeysReader(requirements=requirements),
        lambda: KeysReader().map(int, requirements=requirements),
        lambda: KeysReader().run(requirements=requirements),
    ):
        with pytest.raises(TypeError, match="a requirement is a text such as"):
            build()


def test_requirements_are_collected_along_the_chain():
    function = (
        KeysReader(requirements="numpy")
        .map(int, requirements=["a", "b"])
        .limit(1, requirements="c")
        .collect(requirements=["d"])
        .distinct(requirements="e")
        .count(requirements="f")
        .run(requirements=("g",))
    )
    assert function.requirements == {"numpy", "a", "b", "c", "d", "e", "f", "g"}
    assert KeysReader().map(int).requirements == frozenset()


@pytest.mark.parametrize(
    "given, expected",
    [(None, set()), ("numpy", {"numpy"}), (["a", "b"], {"a", "b"}), (3, {3})],
)
def test_requirement_set(given, expected):
    assert requirement_set(given) == expected


class TestRun:
    def test_gives_a_closed_function(self):
        function = KeysReader().run("a*", noScan=True)
        assert isinstance(function, ClosedGearFunction)
        assert not isinstance(function, OpenGearFunction)
        assert function.operation.args == ("a*",)
        assert function.operation.kwargs == {"collect": True, "noScan": True}

    @pytest.mark.parametrize("convert", [True, False])
    def test_an_explicit_conversion_is_kept(self, convert):
        assert KeysReader().run(convertToStr=convert).operation.kwargs["convertToStr"] is convert

    def test_commands_cannot_be_run(self):
        assert not CommandReader().supports_batch_mode
        with pytest.raises(TypeError, match="CommandReader cannot run; readers that can: Keys"):
            CommandReader().run()

    @pytest.mark.parametrize(
        "reader, argument",
        [(StreamReader, "noScan"), (KeysReader, "prefix"), (KeysReader, "fromId")],
    )
    def test_arguments_the_reader_does_not_know(self, reader, argument):
        with pytest.raises(TypeError, match=f"no argument '{argument}'"):
            reader().run(**{argument: 1})

    def test_a_misspelt_argument_gets_a_suggestion(self):
        with pytest.raises(TypeError, match="did you mean 'readValue'"):
            KeysReader().run(readvalue=False)

    def test_sync_is_no_mode_of_run(self):
        with pytest.raises(ValueError, match="async, async_local; not 'sync'"):
            KeysReader().run(mode="sync")

    def test_a_python_reader_needs_its_function(self):
        with pytest.raises(TypeError, match="generator function"):
            PythonReader().run()
        with pytest.raises(TypeError, match="needs a callable"):
            PythonReader().run("numbers")
        assert PythonReader().run(numbers).operation.args == (numbers,)

    def test_arguments_of_pyexecute_need_a_client(self):
        with pytest.raises(TypeError, match="only together with on="):
            KeysReader().run(unblocking=True)
        client = Recorder()
        assert KeysReader().run(on=client, unblocking=True) == "reply"
        assert client.calls[0][1]["unblocking"] is True


class TestRegister:
    def test_leaves_out_what_is_not_given(self):
        kwargs = KeysReader().register("a*").operation.kwargs
        assert kwargs == {"mode": "async", "collect": True}

    def test_takes_what_the_reader_knows(self):
        step = StreamReader().register(
            "s*",
            batch=3,
            duration=10,
            onFailedPolicy="retry",
            onFailedRetryInterval=2,
            trimStream=False,
            onRegistered=print,
        )
        kwargs = step.operation.kwargs
        assert step.operation.args == ("s*",)
        assert kwargs["batch"] == 3 and kwargs["trimStream"] is False
        assert type(kwargs["onRegistered"]) is type(double)

    @pytest.mark.parametrize("reader", ["KeysOnlyReader", "PythonReader", "ShardsIDReader"])
    def test_some_readers_cannot_be_registered(self, reader):
        function = getattr(redgrease, reader)()
        assert not function.supports_event_mode
        with pytest.raises(TypeError, match="cannot register"):
            function.register()

    @pytest.mark.parametrize(
        "reader, kwargs",
        [
            (StreamReader, {"eventTypes": ["set"]}),
            (KeysReader, {"batch": 3}),
            (KeysReader, {"trigger": "x"}),
            (StreamReader, {"noScan": True}),
        ],
    )
    def test_arguments_of_other_readers_are_refused(self, reader, kwargs):
        with pytest.raises(TypeError, match="has no argument"):
            reader().register(**kwargs)

    def test_a_trigger_or_a_hook_is_needed(self):
        with pytest.raises(TypeError, match="needs a trigger or a hook"):
            CommandReader().register()
        with pytest.raises(TypeError, match="cannot be combined"):
            CommandReader().register(trigger="t", hook="GET")
        assert CommandReader().register(hook="GET", keyprefix="p:")

    def test_values_are_checked(self):
        with pytest.raises(ValueError, match="mode is one of"):
            KeysReader().register(mode="snyc")
        with pytest.raises(ValueError, match="onFailedPolicy is one of"):
            StreamReader().register(onFailedPolicy="again")
        with pytest.raises(ValueError, match="goes only with"):
            StreamReader().register(mode="sync", onFailedPolicy="Retry")

    @pytest.mark.parametrize("argument", ["eventTypes", "keyTypes"])
    def test_names_come_in_a_list(self, argument):
        with pytest.raises(TypeError, match="a list of names"):
            KeysReader().register(**{argument: "set"})
        kwargs = KeysReader().register(**{argument: ("set",)}).operation.kwargs
        assert kwargs[argument] == ["set"]

    def test_replace_needs_a_client(self):
        with pytest.raises(TypeError, match="only together with on="):
            CommandReader().register(trigger="t", replace=True)
        client = Recorder()
        CommandReader().register(trigger="t", replace=True, on=client)
        assert client.calls[0][1]["replace"] is True


def numbers():
    yield from range(3)


class Recorder:
    """Stands for a client: notes what it is asked to execute."""

    def __init__(self):
        self.gears = self
        self.calls = []

    def pyexecute(self, function, **kwargs):
        self.calls.append((function, kwargs))
        return "reply"


def test_on_takes_a_client_or_its_gears():
    client = Recorder()
    function = KeysReader().run()
    assert function.on(client, requirements="a", unblocking=True, id="x") == "reply"
    sent, kwargs = client.calls[0]
    assert sent is function
    assert kwargs == {"unblocking": True, "requirements": "a", "replace": None, "id": "x"}


def test_any_other_client_gets_its_gears(monkeypatch):
    import redgrease.client

    made = []

    class Gears(Recorder):
        def __init__(self, client):
            super().__init__()
            made.append((client, self))

    monkeypatch.setattr(redgrease.client, "Gears", Gears)
    plain = object()
    assert KeysReader().run().on(plain) == "reply"
    assert made[0][0] is plain


class TestReadersDefaults:
    """Arguments that are given to the reader, for run or register."""

    def test_go_to_whichever_knows_them(self):
        function = KeysReader("a*", noScan=True, keyTypes=["hash"], mode="async_local").map(int)
        assert function.run().operation.kwargs == {
            "collect": True,
            "noScan": True,
            "mode": "async_local",
        }
        assert function.register().operation.kwargs == {
            "collect": True,
            "mode": "async_local",
            "keyTypes": ["hash"],
        }
        assert function.defaults["noScan"] is True

    def test_arguments_of_the_call_itself_win(self):
        function = CommandReader(trigger="one", mode="sync", collect=False)
        kwargs = function.register(trigger="two", collect=True).operation.kwargs
        assert kwargs == {"trigger": "two", "mode": "sync", "collect": True}
        function = StreamReader(prefix="s*", batch=3)
        assert function.register().operation.args == ("s*",)
        assert function.register("t").operation.args == ("t",)
        assert function.run("t").operation.args == ("t",)

    def test_are_shown_where_they_were_given(self):
        function = KeysReader("a*", readValue=False).run()
        assert repr(function) == "KeysReader('a*', readValue=False).run()"

    def test_unknown_ones_are_refused(self):
        with pytest.raises(TypeError, match="a KeysReader has no argument 'noscan', did you mean"):
            KeysReader(noscan=True)
        with pytest.raises(TypeError, match="no argument 'batch'"):
            KeysReader(batch=5)
        with pytest.raises(TypeError, match="no argument 'prefix'"):
            PythonReader(prefix="a*")

    def test_values_are_checked_at_once(self):
        with pytest.raises(ValueError, match="did you mean 'sync'"):
            KeysReader(mode="snyc")
        with pytest.raises(TypeError, match="noScan is True or False"):
            KeysReader(noScan="yes")
        assert KeysReader(mode="sync").register()
        with pytest.raises(ValueError, match="mode is one of async, async_local"):
            KeysReader(mode="sync").run()


class TestArgumentOfRun:
    @pytest.mark.parametrize("reader", [KeysReader, StreamReader])
    def test_is_a_text(self, reader):
        assert reader().run(b"a*").operation.args == ("a*",)
        with pytest.raises(TypeError, match="argument of run is a text"):
            reader().run(5)

    def test_of_a_python_reader_is_a_function(self):
        reader = GearReader("PythonReader", lambda: iter([1]))
        assert reader.run().operation.args == (None,)
        assert list(reader.operation.args[1]()) == [1]
        with pytest.raises(TypeError, match="needs a callable"):
            GearReader("PythonReader", "numbers")

        async def later():
            return 1

        with pytest.raises(TypeError, match="coroutine"):
            PythonReader().run(later)

    @pytest.mark.parametrize(
        "function", [lambda: iter([1, 2]), functools.partial(map, int, "12"), lambda: numbers()]
    )
    def test_a_function_may_return_an_iterator(self, function):
        read = PythonReader().run(function).operation.args[0]
        assert inspect.isgeneratorfunction(read)
        assert list(read()) == list(function())

    def test_any_other_function_is_called_for_each_record(self):
        read = PythonReader().run(lambda: [1]).operation.args[0]
        assert list(itertools.islice(read(), 3)) == [[1]] * 3


@pytest.mark.parametrize("step", ["values", "keys", "records"])
def test_what_is_not_read_cannot_be_used(step):
    function = getattr(KeysReader(), step)()
    if step == "values":
        for close in (function.register, function.run):
            with pytest.raises(ValueError, match=r"which values\(\) needs"):
                close(readValue=False)
    else:
        assert function.register(readValue=False) and function.run(readValue=False)
    with pytest.raises(ValueError, match=r"which \w+\(type='hash'\)"):
        getattr(KeysReader(), step)(type="hash").register(readValue=False)


def test_the_steps_are_known_by_their_older_home():
    from redgrease import gears, operations

    for name in (
        "Nop Reader Run Register Map FlatMap ForEach Filter Accumulate LocalGroupBy GroupBy"
        " BatchGroupBy Limit Collect Distinct Count Repartition Aggregate AggregateBy Sort CountBy"
        " Avg Operation"
    ).split():
        assert getattr(gears, name) is getattr(operations, name)


def test_every_reader_is_in_both_tables():
    readers = {name for name in vars(redgrease.ReaderType) if not name.startswith("_")}
    assert readers == set(RUN_ARGUMENTS) == set(REGISTER_ARGUMENTS)
