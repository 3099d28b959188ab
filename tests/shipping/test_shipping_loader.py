"""What functions find on a server with nothing installed."""

import enum
import functools
import pickle
import subprocess
import sys
import types

import pytest
import usercode
from usercode import deeper

import redgrease
from redgrease import gearialization
from redgrease.runtime import (
    atomic,
    call_next,
    configGet,
    execute,
    gearsFuture,
    hashtag,
    hashtag3,
    in_server,
    log,
)
from redgrease.shipping import loader
from redgrease.utils import Record, dict_filter, record, safe_str


def one():
    yield 1


def run(bare, function, **kwargs):
    return bare.results(redgrease.PythonReader().map(function).run(one, **kwargs))[0]


def answer(bare, function, **kwargs):
    return bare.ship(redgrease.PythonReader().map(function).run(one, **kwargs))[1]


# -- the words of redgrease.runtime


def use_words(x):
    with atomic():
        log({"x": x}, level="warning")
        log(5)
    return [execute("GET", x), hashtag(), hashtag3(), configGet("a"), in_server()]


def use_words_of_the_module(x):
    redgrease.log(x)
    with redgrease.atomic():
        value = redgrease.runtime.execute("GET", x)
    return [value, redgrease.hashtag3(), redgrease.GEARS_RUNTIME, redgrease.utils.safe_str(None)]


def use_builder(x):
    return redgrease.GB is redgrease.GearsBuilder and redgrease.GB.__name__


def test_words(bare):
    assert run(bare, use_words) == [["GET", "1"], "06S", "{06S}", "value of a", True]
    assert answer(bare, use_words)["log"] == [
        "lock",
        ["warning", "{'x': 1}"],
        ["notice", "5"],
        "unlock",
    ]


def test_words_of_the_module(bare):
    assert run(bare, use_words_of_the_module) == [["GET", "1"], "{06S}", (1, 0), ""]
    assert run(bare, use_builder) == "GearsBuilder"


def test_words_that_an_old_server_does_not_have(bare):
    assert run(bare, lambda x: gearsFuture.__name__) == "gearsFuture"
    assert "this server has no call_next()" in bare.error(
        redgrease.PythonReader().map(lambda x: call_next()).run(one)
    )


# -- redgrease's own helpers, and classes in results


def test_records_come_back_as_records(bare):
    (result,) = bare.results(
        redgrease.PythonReader().map(lambda x: record({"key": "k", "value": x})).run(one)
    )
    assert type(result) is Record
    assert (result.key, result.value) == ("k", 1)


def test_helpers_travel(bare):
    def use(x):
        return [safe_str(b"a"), dict_filter(a=int)({"a": x})]

    assert run(bare, use) == ["a", True]


def test_default_operands_travel(bare):
    def source():
        yield from [3, 4]

    assert bare.results(redgrease.PythonReader().accumulate().run(source)) == [[3, 4]]


class Thing:
    def __init__(self, x):
        self.x = x


class Level(enum.Enum):
    LOW = 1


class Outer:
    class Inner:
        pass


def test_users_classes_come_back_as_themselves(bare):
    result = run(bare, lambda x: [Thing(x), Thing, Level.LOW, Outer.Inner()])
    assert type(result[0]) is Thing and result[0].x == 1
    assert result[1] is Thing
    assert result[2] is Level.LOW
    assert type(result[3]) is Outer.Inner


def test_results_that_cannot_be_sent(bare):
    def local_instance(x):
        class Local:
            pass

        return Local()

    for function, kind in ((lambda x: (y for y in "a"), "generator"), (local_instance, "Local")):
        error = bare.error(redgrease.PythonReader().map(function).run(one))
        assert "the result, a value of type {!r}, cannot be sent back".format(kind) in error
        assert "convertToStr=True" in error


def test_results_are_bytes(bare):
    def source():
        yield from ["-5", "+OK", None]

    shipment, output = bare.ship(redgrease.PythonReader().run(source))
    assert shipment.pickled
    assert output["types"] == ["bytes"] * 3
    assert not any(each.startswith(("2b", "2d")) for each in output["results"])
    assert output["steps"] == ["encode"]


def test_results_in_the_servers_own_form(bare):
    assert run(bare, lambda x: [x], convertToStr=True) == "[1]"
    assert run(bare, lambda x: [x], convertToStr=False) == [1]


def test_a_result_of_a_class_that_the_client_lacks():
    class Named:
        def persistent_id(self, item):
            return ("no_such_module", "Thing") if item is Named else None

    class Pickler(Named, pickle.Pickler):
        pass

    import io

    file = io.BytesIO()
    Pickler(file, 4).dump(Named)
    with pytest.raises(pickle.UnpicklingError, match="a class that this client does not have"):
        gearialization.decode(file.getvalue())


# -- how functions look on the server


def test_names_of_steps_are_the_users(bare):
    def source():
        yield 1

    shipped = redgrease.PythonReader().map(use_words).filter(bool).foreach(str.strip)
    steps = answer_steps(bare, redgrease.PythonReader().map(int).filter(bool).foreach(repr))
    assert steps == ["int", "bool", "repr", "encode"]
    assert repr(shipped)


def answer_steps(bare, function):
    return bare.ship(function.run(one))[1]["steps"]


def test_arguments_of_run_and_register(bare):
    output = bare.ship(redgrease.KeysReader("a*").run("b*", noScan=True, collect=False))[1]
    assert output["options"] == {"noScan": True, "collect": False}
    registered = (
        redgrease.CommandReader()
        .map(str)
        .register(trigger="t", mode="async_local", onRegistered=lambda: log("registered"))
    )
    shipment, output = bare.ship(registered)
    assert output["log"] == [["notice", "registered"]]
    assert output["options"] == {
        "mode": "async_local",
        "trigger": "t",
        "prefix": "*",
        "collect": True,
    }
    assert output["types"] == ["bytes"]


# -- state


def bump_and_look(x):
    return [deeper.bump(), deeper.counter, usercode.deeper.bump(), deeper.counter]


def test_functions_and_module_share_their_state(bare):
    assert run(bare, bump_and_look) == [1, 1, 2, 2]
    assert deeper.counter == 0


TOTAL = 0


def add(x):
    global TOTAL
    TOTAL += x
    return x


def total(x):
    return TOTAL


def test_functions_of_a_module_share_their_globals(bare):
    def source():
        yield from [1, 2, 3]

    function = redgrease.PythonReader().map(add).map(total).run(source)
    assert bare.results(function) == [1, 3, 6]
    assert bare.results(function) == [1, 3, 6]  # each script has its own
    assert TOTAL == 0


def test_a_namespace_that_is_no_modules(bare):
    scope = {"__name__": "made_by_exec"}
    exec("base = 5\ndef function(x):\n    return [base + x, __name__]", scope)
    assert run(bare, scope["function"]) == [6, "made_by_exec"]


# -- errors


def test_an_error_in_a_function_shows_its_line(bare):
    def fail(x):
        return x // 0

    error = bare.error(redgrease.PythonReader().map(fail).run(one))
    assert "ZeroDivisionError" in error
    line = fail.__code__.co_firstlineno + 1
    assert 'test_shipping_loader.py", line {}, in fail'.format(line) in error


def test_a_missing_module_is_named(bare):
    error = bare.error(redgrease.PythonReader().map(lambda x: pytest.__name__).run(one))
    assert "needs the module 'pytest', which this server cannot import" in error
    assert "requirements=['...']" in error
    error = bare.error(redgrease.PythonReader().map(pytest.fixture).run(one))
    assert "which this server cannot import" in error


def test_another_python_is_refused_before_anything_is_unpickled(bare):
    script = gearialization.serialize_gear_function(redgrease.KeysReader())
    version = str(tuple(sys.version_info[:2]))
    error = bare.script(script.replace("!= " + version, "!= (3, 5)", 1))["error"]
    assert "this function was made for Python {}.{}".format(*sys.version_info) in error
    assert "redgrease loader" not in error


# -- details


def test_the_loader_needs_nothing_but_its_text():
    code = (
        "import sys; names = {'__name__': 'loader'};"
        "exec(compile(sys.stdin.read(), 'loader', 'exec'), names);"
        "print(names['decode'] if 'decode' in names else 'ready')"
    )
    from redgrease.shipping.script import loader_text

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", code],
        input=loader_text(),
        stdout=subprocess.PIPE,
        check=True,
        universal_newlines=True,
    )
    assert done.stdout == "ready\n"


def test_large_functions_are_compressed(bare):
    table = list(range(3000))
    function = redgrease.PythonReader().map(lambda x: table[-x]).run(one)
    assert "zlib.decompress" in gearialization.serialize_gear_function(function)
    assert bare.results(function) == [2999]


def test_helpers_of_old_pickles():
    assert loader.HELPERS["_gen_ellipsis"]() is ...
    assert loader.HELPERS["_gen_not_implemented"]() is NotImplemented
    assert loader.HELPERS["_file_reconstructor"]("file") == "file"
    module = loader.HELPERS["dynamic_subimport"]("name", {"a": 1})
    assert isinstance(module, types.ModuleType) and module.a == 1
    import typing

    hint = loader.HELPERS["_create_parametrized_type_hint"](typing.List, int)
    assert hint == typing.List[int]


def test_cells():
    cell = loader.make_cell()
    with pytest.raises(ValueError):
        cell.cell_contents
    loader.set_cell(cell, 5)
    assert cell.cell_contents == 5
    assert loader.make_cell(6).cell_contents == 6


def test_encoding_uses_cloudpickle_where_it_is_installed():
    assert gearialization.decode(loader.encode(lambda x: x + 1))(2) == 3


def unpickle(data, scope=()):
    return loader.Unpickler(data, dict(scope)).load()


def test_natives_are_taken_from_the_server(monkeypatch):
    redisgears = types.ModuleType("redisgears")
    redisgears.executeCommand = len
    redisgears.log = lambda message, level: logged.append((message, level))
    redisgears.getMyHashTag = lambda: "tag"
    logged = []
    monkeypatch.setitem(sys.modules, "redisgears", redisgears)
    reader = loader.Unpickler(b"", {"gearsConfigGet": max, "gearsFuture": 1})
    assert reader.word("execute") is len
    assert reader.word("gearsConfigGet") is max
    assert reader.word("GEARS_RUNTIME") == (1, 2)
    reader.word("log")([1])
    assert logged == [("[1]", "notice")]
    assert reader.word("hashtag3")() == "{tag}"
    with pytest.raises(NotImplementedError, match="no get_command"):
        reader.word("get_command")()


def test_the_loader_reads_what_the_pickler_writes():
    from redgrease.shipping.pickler import dumps

    @functools.lru_cache(maxsize=3)
    def cached(x):
        return x

    pickled = dumps([total, Thing, Level, deeper, cached, [loader.encode]])
    function, kind, level, module, remembered, helpers = unpickle(pickled.data)
    assert function is not total and function(1) == 0
    assert kind is not Thing and kind.__qualname__ == "Thing"
    assert level.LOW.value == 1
    assert module.__name__ == "usercode.deeper"
    assert remembered.cache_info().maxsize == 3 and remembered(4) == 4
    assert helpers == [loader.encode]


def test_missing_modules():
    with pytest.raises(ImportError, match="needs the module 'no_such_module'"):
        unpickle(b"cno_such_module\nname\n.")
    with pytest.raises(ImportError, match="needs the module 'no_such_module'"):
        loader.import_module("no_such_module.part")
    assert loader.import_module("os.path").join
