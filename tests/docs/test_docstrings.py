"""Every public name has a docstring, so the API reference leaves nothing out."""

import importlib
import inspect
import pkgutil
import sys

import pytest

import redgrease

pytest.importorskip("redis")

MODULES = ["redgrease"] + [
    "redgrease." + name
    for name in (
        *("client", "config", "data", "exceptions", "formatting", "func", "gearialization"),
        *("gears", "gears_client", "hysteresis", "loader", "loading", "operations", "reader"),
        *("registered", "requirements", "results", "runtime", "runtime_client", "sugar"),
        *("typing", "utils"),
    )
]
if sys.version_info >= (3, 10):
    MODULES += ["redgrease.aio", "redgrease.engine", "redgrease.testing"]


def own(thing):
    """Whether something comes from this package."""
    return str(getattr(thing, "__module__", "")).startswith("redgrease")


def public_members(cls):
    """The public methods and properties that classes of this package define."""
    for base in cls.__mro__:
        if not own(base):
            continue
        for name, member in vars(base).items():
            if name.startswith("_"):
                continue
            if isinstance(member, (staticmethod, classmethod)):
                member = member.__func__
            if inspect.isfunction(member) or isinstance(member, property):
                yield name, member


def is_inherited(cls, name):
    """Whether a method does what one of the same name in another package does."""
    return any(name in vars(base) for base in cls.__mro__ if not own(base))


def missing(module):
    for name in getattr(module, "__all__", None) or vars(module):
        thing = getattr(module, name)
        if name.startswith("_") or inspect.ismodule(thing):
            continue
        if not (inspect.isclass(thing) or inspect.isroutine(thing)) or not own(thing):
            continue
        if not (thing.__doc__ or "").strip():
            yield name
        if inspect.isclass(thing):
            for member, value in public_members(thing):
                if not (inspect.getdoc(value) or "").strip() and not is_inherited(thing, member):
                    yield f"{name}.{member}"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name):
    if name == "redgrease.aio":
        pytest.importorskip("redis.asyncio", reason="needs redis-py 4.3")
    assert list(missing(importlib.import_module(name))) == []


def test_every_module_has_a_docstring():
    modules = [module for module in pkgutil.walk_packages(redgrease.__path__, "redgrease.")]
    without = []
    for found in modules:
        path = found.module_finder.find_spec(found.name).origin
        with open(path, encoding="utf-8") as file:
            if not file.read().lstrip().startswith('"""'):
                without.append(found.name)
    assert len(modules) > 80 and without == []
