"""What travels by value, what by reference, and what is left out."""

import argparse
import functools
import importlib.util
import io
import os
import pickletools
import sys
import types
import typing

import pytest
import usercode
from shapes import SHAPES
from usercode import deeper

import redgrease
from redgrease import gearialization, runtime
from redgrease.results import ExecutionResult
from redgrease.shipping import loader, pickler
from redgrease.shipping.mentions import Uses, names_in
from redgrease.shipping.modules import Modules
from redgrease.shipping.pickler import Pickler, dumps
from redgrease.utils import passfun


def load(data, scope=()):
    return loader.Unpickler(data, dict(scope)).load()


def back(value):
    return load(dumps(value).data)


def texts(pickled):
    return {arg for _, arg, _ in pickletools.genops(pickled.data) if isinstance(arg, str)}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_shapes_in_this_process(name):
    function = passfun(SHAPES[name])
    copy = back(function)
    assert type(copy) is types.FunctionType
    assert copy.__name__ == function.__name__
    assert copy.__globals__["__builtins__"]
    for record in (0, 1, 6):
        result = gearialization.decode(loader.encode(copy(record)))
        assert result == function(record)


def test_only_what_is_used_of_a_module_travels():
    def use(x):
        return deeper.double(x), usercode.LEVEL

    pickled = dumps(use)
    assert {"double", "LEVEL"} <= texts(pickled)
    assert not texts(pickled) & {"LOCK", "Thing", "level"}
    assert not pickled.plain


def test_modules_inside_other_things():
    modules = back(([deeper, usercode], sys, redgrease.utils))
    assert modules[0][0].__name__ == "usercode.deeper"
    assert modules[1] is sys


def test_a_requirement_that_brings_the_module():
    assert "usercode.deeper" in texts(dumps(deeper.double, ["usercode>=1"]))
    assert load(dumps(deeper.double, ["usercode>=1"]).data) is deeper.double


def test_annotations_stay_here():
    def annotated(x: typing.List[pytest.Item]) -> pytest.Item:
        return x

    pickled = dumps(annotated)
    assert "pytest" not in " ".join(texts(pickled))
    assert load(pickled.data).__annotations__ == {}


def test_annotations_travel_to_those_who_look_at_them():
    def annotated(x: typing.List[pytest.Item], y: int, z: pytest.Item = None) -> "text":  # noqa: F821
        return x

    for look in (lambda: annotated.__annotations__, lambda: typing.get_type_hints(annotated)):
        pickled = dumps([annotated, look])
        hints = load(pickled.data)[0].__annotations__
        assert hints["y"] is int and hints["return"] == "text"
        assert hints["z"] == "_pytest.nodes.Item"  # which the server may be without
        assert isinstance(hints["x"], str)
    assert load(dumps([annotated, lambda x: x.signature]).data)[0].__annotations__ == {}


def test_proxies_are_not_taken_for_what_they_show():
    assert back([ExecutionResult]) == [ExecutionResult]
    with pytest.raises(AttributeError):
        # It says that it is a function, but is an object of a class of redgrease.
        back(ExecutionResult(len)).no_such_attribute
    assert dumps(ExecutionResult(5)).needs_redgrease


def test_installed_functions_with_a_cache_travel_by_reference():
    assert back(names_in) is names_in
    assert dumps(names_in).needs_redgrease
    import re

    assert back(re.compile) is re.compile
    assert not dumps(re.compile).needs_redgrease
    import tokenize

    assert back(tokenize._compile) is tokenize._compile


def test_modules_of_an_unusual_class():
    class Lazy(types.ModuleType):
        pass

    module = Lazy("lazy_module")
    with pytest.raises(Exception):  # noqa: B017 (Python 3.6 and 3.7 have another error)
        back(module)
    sys.modules["lazy_module"] = module
    try:
        assert back(module).__name__ == "lazy_module"
    finally:
        del sys.modules["lazy_module"]


def test_type_variables():
    assert back(typing.AnyStr) is typing.AnyStr
    local = typing.TypeVar("local", bound=int)
    copy = back(local)
    assert copy is not local and copy.__bound__ is int


def test_words_are_named():
    def word(name):
        return getattr(runtime, name)

    found = load(dumps([word("GearsBuilder"), word("execute")]).data, {"GearsBuilder": 5})
    assert found[0] == 5
    assert found[1].__name__ == "execute"
    assert dumps(runtime.run).needs_redgrease
    assert not dumps(runtime.in_server).needs_redgrease


def test_uses_of_redgrease():
    def direct():
        return redgrease.runtime.execute, redgrease.no_such_name, redgrease.utils

    def from_closure():
        module = redgrease
        return lambda: module.log

    uses = Uses()
    uses.note(direct.__code__, {"redgrease": redgrease})
    assert uses.redgrease["redgrease"] == {"runtime", "no_such_name", "utils"}
    assert uses.redgrease["redgrease.runtime"] == {"execute"}
    assert uses.redgrease["redgrease.utils"] is None
    inner = from_closure()
    assert not dumps(inner).needs_redgrease
    assert dumps(direct).needs_redgrease


def test_variables_that_have_no_value_yet():
    def outer():
        def inner():
            return later

        copy = back(inner)
        later = 5
        return copy, later

    copy, _ = outer()
    with pytest.raises(NameError):
        copy()


def test_names_in_code():
    def function(x):
        import os.path

        return os.path.join(x.attribute, "identifier", "no identifier")

    names = names_in(function.__code__)
    assert {"attribute", "identifier", "join"} <= names.attributes
    assert "no identifier" not in names.attributes
    assert names.imports == {"os.path"}


def test_recursion_that_is_too_deep():
    value = []
    for _ in range(100000):
        value = [value]
    with pytest.raises(Exception, match="recursion"):
        Pickler(io.BytesIO(), Modules(), Uses()).dump(value)


def test_functions_that_remember_something():
    def function(x):
        return function.calls, x

    function.calls = 3
    assert back(function)(1) == (3, 1)


def test_cached_functions_of_installed_packages_and_own():
    own = functools.lru_cache(maxsize=2)(lambda x: x)
    assert back(own).cache_info().maxsize == 2


def test_the_oldest_cloudpickle_has_other_names(monkeypatch):
    """Release 1.6, for which some functions are called otherwise."""
    asked = []

    def is_importable(value, name=None):
        asked.append(value)
        return True

    core = sys.modules["cloudpickle.cloudpickle"]
    monkeypatch.delattr(core, "_should_pickle_by_reference", raising=False)
    monkeypatch.setattr(core, "_is_importable", is_importable, raising=False)
    specification = importlib.util.spec_from_file_location("pickler_of_old", pickler.__file__)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert not module._is_nowhere(argparse.Namespace)
    assert asked == [argparse.Namespace]


def test_the_environment_stays_here(monkeypatch):
    monkeypatch.setenv("REDGREASE_SECRET", "for nobody to read")
    get = os.environ.get
    for value in (lambda: os.environ, lambda: get("REDGREASE_SECRET"), [os.environ]):
        pickled = dumps(value)
        assert b"for nobody" not in pickled.data
    assert back([os.environ])[0] is os.environ
    assert back(get)("REDGREASE_SECRET") == "for nobody to read"
