"""Which modules a server has."""

import collections.abc
import ctypes
import json
import sys
import types

import pytest
import usercode.deeper

from redgrease.shipping import modules
from redgrease.shipping.modules import Modules, canonical, is_installed


def test_canonical_names():
    assert canonical("Foo_Bar.baz") == canonical("foo-bar--baz") == "foo-bar-baz"


@pytest.mark.parametrize("module", [sys, json, collections.abc, ctypes, pytest])
def test_installed(module):
    assert is_installed(module)
    assert not Modules().by_value(module.__name__)


def test_not_by_their_names_alone(monkeypatch):
    monkeypatch.setattr(modules, "_STANDARD_NAMES", frozenset())
    assert is_installed(json)
    assert is_installed(sys)


def test_users_own():
    assert not is_installed(usercode)
    assert Modules().by_value("usercode")
    assert Modules().by_value("usercode.deeper")
    assert Modules().by_value("__main__")
    assert Modules(["numpy", "!"]).by_value("usercode.deeper")


def test_folders_without_a_file(tmp_path, monkeypatch):
    (tmp_path / "only_a_folder").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_a_folder

    assert not is_installed(only_a_folder)


def test_extensions_do_not_travel():
    module = types.ModuleType("fast")
    module.__file__ = "/home/user/fast.cpython-312.so"
    assert is_installed(module)


def test_modules_made_by_hand(monkeypatch):
    made = types.ModuleType("made_by_hand")
    made.__spec__ = None
    assert not Modules().by_value("made_by_hand")
    monkeypatch.setitem(sys.modules, "made_by_hand", made)
    assert Modules().by_value("made_by_hand")


def test_cloudpickle_travels_from_no_folder(monkeypatch):
    monkeypatch.setattr(sys.modules["cloudpickle"], "__file__", "/home/user/cloudpickle.py")
    assert not is_installed(sys.modules["cloudpickle"])
    assert not Modules().by_value("cloudpickle.cloudpickle")


@pytest.mark.parametrize("name", [None, 5, "redgrease.client", "no_such_module"])
def test_others(name):
    assert not Modules().by_value(name)


@pytest.mark.parametrize("requirement", ["usercode", "UserCode>=1; python_version>'3'"])
def test_brought_by_a_requirement(requirement):
    assert not Modules([requirement]).by_value("usercode.deeper")


@pytest.mark.skipif(sys.version_info < (3, 8), reason="importlib.metadata is new in 3.8")
def test_requirements_whose_modules_have_another_name(tmp_path, monkeypatch):
    info = tmp_path / "odd_name-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-name\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("usercode\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not Modules(["odd-name"]).by_value("usercode")
