"""From a function to what is sent, and from results back to values."""

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import redgrease
from redgrease import gearialization
from redgrease._version import __version__
from redgrease.exceptions import NotShippableError, PythonVersionMismatch
from redgrease.gearialization import decode, serialize

HERE = Path(__file__).parent
OURS = tuple(sys.version_info[:2])
RUNTIME = "redgrease[runtime]==" + __version__


def ship(function, **kwargs):
    return serialize(function, OURS, **kwargs)


def test_what_is_shipped():
    function = redgrease.KeysReader("a*", requirements=["numpy"]).map(len).run()
    shipment = ship(function)
    assert shipment.requirements == {"numpy"}
    assert shipment.pickled
    assert shipment.trigger is None
    assert shipment.reader == "KeysReader"
    first = shipment.script.splitlines()[0]
    assert first == "# redgrease {}: {!r}".format(__version__, function)
    compile(shipment.script, "<script>", "exec")


def test_open_functions_are_closed_by_run():
    function = redgrease.ShardsIDReader().map(str)
    assert ship(function).pickled
    with pytest.raises(TypeError, match="CommandReader cannot run"):
        ship(redgrease.CommandReader())


def test_builders_are_shipped_as_they_are_now():
    builder = redgrease.GearsBuilder("ShardsIDReader")
    before = ship(builder)
    assert ship(builder.map(str)).script != before.script


def test_the_title_is_one_short_line():
    shipment = ship(redgrease.KeysReader("a\nimport os\u20ac" + "x" * 500))
    assert shipment.script.splitlines()[1].startswith("def ")
    assert len(shipment.script.splitlines()[0]) < 250
    assert "\u20ac" not in shipment.script


@pytest.mark.parametrize("convert", [True, False])
def test_conversion_by_the_server(convert):
    function = redgrease.KeysReader().map(len).run(convertToStr=convert)
    assert not ship(function).pickled


def test_registrations_have_a_trigger():
    reader = redgrease.CommandReader().apply(len)
    shipment = ship(reader.register(trigger="measure"))
    assert (shipment.trigger, shipment.pickled, shipment.reader) == (
        "measure",
        True,
        "CommandReader",
    )


def test_the_client_of_a_hooked_command_gets_the_plain_result():
    assert not ship(redgrease.CommandReader().apply(len).register(hook="GET")).pickled


def test_another_version_is_refused():
    function = redgrease.KeysReader().run()
    with pytest.raises(PythonVersionMismatch) as caught:
        serialize(function, (3, 5))
    text = str(caught.value)
    assert "Python 3.5" in text
    assert "Python {}.{}".format(*OURS) in text
    assert "redgrease serve" in text
    assert serialize(function, sys.version_info).pickled


# -- requirements: only what does not travel needs redgrease on the server


def with_command(record):
    return redgrease.cmd.get(record)


def with_words(record):
    redgrease.log(record)
    redgrease.runtime.execute("PING")
    return redgrease.hashtag3(), redgrease.utils.safe_str(record), redgrease.KeyType.STRING


def with_module(record):
    return vars(redgrease)


def with_import(record):
    from redgrease.utils import safe_str

    return safe_str(record)


def with_client_class(record, kind=redgrease.exceptions.RedGreaseError):
    return kind


@pytest.mark.parametrize("function", [with_command, with_module, with_import, with_client_class])
def test_redgrease_is_required(function):
    if function is with_command:
        pytest.importorskip("redis")
    assert ship(redgrease.KeysReader().map(function)).requirements == {RUNTIME}


@pytest.mark.parametrize(
    "function",
    [
        redgrease.KeysReader().map(with_words),
        redgrease.KeysReader().values(type="string").map(int).sum(),
        redgrease.KeysReader().records(event=["set"]).groupby(),
        redgrease.KeysReader().aggregateby().avg(),
        redgrease.StreamReader().records().batchgroupby(),
        redgrease.KeysReader().map(redgrease.utils.compose(len, str)),
        redgrease.GearsBuilder("KeysReader").countby().gearfunction,
        redgrease.CommandReader().args(2).register(trigger="x"),
    ],
)
def test_redgrease_is_not_required(function):
    assert ship(function).requirements == frozenset()


def test_the_requirement_can_be_made_by_the_user():
    function = redgrease.KeysReader().map(with_import, requirements=["RedGrease[all]"])
    assert ship(function).requirements == {"RedGrease[all]"}
    function = redgrease.KeysReader().map(with_import)
    assert ship(function, requirements=["redgrease==1"]).requirements == frozenset()


def test_versions_under_development_are_not_pinned(monkeypatch):
    monkeypatch.setattr(gearialization, "__version__", "0.9.dev1")
    function = redgrease.KeysReader().map(with_import)
    assert ship(function).requirements == {"redgrease[runtime]"}


# -- what cannot be sent


LOCK = threading.Lock()


def locked(record):
    with LOCK:
        return record


def test_the_error_says_what_cannot_be_sent():
    def outer(record):
        return locked(record)

    with pytest.raises(NotShippableError) as caught:
        ship(redgrease.KeysReader().map(str).foreach(outer))
    text = str(caught.value)
    assert text.startswith("foreach(): the function test_the_error_says_")
    assert "test_gearialization.py:" in text
    assert "because of the global name 'locked', the function locked" in text
    assert "because of the global name 'LOCK', a value of type _thread.lock" in text
    assert "pickle" in text
    assert isinstance(caught.value, TypeError)


def test_clients_cannot_be_sent():
    redis = pytest.importorskip("redis")
    client = redis.Redis()

    def use_client(record):
        return client.get(record)

    with pytest.raises(NotShippableError, match=r"redgrease\.cmd or redgrease\.execute"):
        ship(redgrease.KeysReader().map(use_client))


# -- the second time


def count_pickles(monkeypatch):
    calls = []
    original = gearialization.dumps

    def counted(*args):
        calls.append(args)
        return original(*args)

    monkeypatch.setattr(gearialization, "dumps", counted)
    return calls


FACTOR = 2


def scaled(record, offset=0):
    return record * FACTOR + offset


def test_a_function_is_pickled_once(monkeypatch):
    calls = count_pickles(monkeypatch)
    function = redgrease.KeysReader().values(type="string").map(scaled).aggregate([]).run()
    assert ship(function) is ship(function)
    assert len(calls) == 1
    ship(function, requirements=["numpy"])
    assert len(calls) == 2


def test_unless_something_has_changed(monkeypatch):
    calls = count_pickles(monkeypatch)
    function = redgrease.KeysReader().map(scaled)
    before = ship(function)
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert ship(function).script != before.script
    monkeypatch.setattr(scaled, "__defaults__", (1,))
    ship(function)
    assert len(calls) == 3
    ship(function)
    assert len(calls) == 3


# -- results


def test_results_are_unpickled():
    assert decode(pickle.dumps({"a": [1, None]}, 4)) == {"a": [1, None]}


@pytest.mark.parametrize("data", [b"", b"text", b"-1", b"cnowhere_at_all\nname\n."])
def test_what_is_no_result(data):
    with pytest.raises(pickle.UnpicklingError):
        decode(data)


# -- in the programs of users


PROGRAM = """
import sys
import redgrease
from redgrease.gearialization import serialize

LIMIT = 5

class Thing:
    pass

def check(record):
    return [record, LIMIT, Thing.__name__]

sys.stdout.write(serialize(redgrease.ShardsIDReader().map(check), sys.version_info).script)
"""


def test_functions_of_the_main_program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    script = subprocess.run(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        check=True,
        universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=str(HERE.parent)),
    ).stdout
    outcome = []

    class Builder:
        def __init__(self, reader, *_):
            self.record = reader

        def map(self, function):
            self.record = function(self.record)
            return self

        def run(self, *_, **__):
            outcome.append(self.record)

    modules = dict(sys.modules)
    sys.modules["redisgears"] = type(sys)("redisgears")
    try:
        exec(script, {"GearsBuilder": Builder})
    finally:
        sys.modules.clear()
        sys.modules.update(modules)
    assert decode(outcome[0]) == ["ShardsIDReader", 5, "Thing"]


# -- names of older releases


def test_older_names():
    function = redgrease.CommandReader().register(trigger="name", requirements=["numpy"])
    script, context = gearialization.get_function_string(function)
    assert gearialization.serialize_gear_function(function) == script
    assert context == {"requirements": {"numpy"}, "trigger": "name"}
    assert "trigger" not in gearialization.get_function_string(redgrease.KeysReader())[1]
    assert gearialization.seralize_gear_function is gearialization.serialize_gear_function
    assert gearialization.deseralize_gear_function(pickle.dumps(5), OURS) == 5
    with pytest.raises(PythonVersionMismatch):
        gearialization.deserialize_gear_function(b"", (2, 7))
