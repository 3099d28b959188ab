"""Digests of functions."""

import enum
import functools
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading

import pytest

from redgrease.shipping.fingerprint import fingerprint

LIMIT = 5
CODE = '''
import functools, json, math
from pathlib import Path

LIMIT = {limit}
NAMES = {{"a", "b", "c", "d"}}


class Kind:
    """Words."""

    scale = 2

    def scaled(self, value):
        return self.scale * value

    @property
    def more(self):
        return self.scale + 1

    @staticmethod
    def plain():
        return {{"x", "y"}}


@functools.lru_cache()
def cached(value):
    return value in NAMES or value in ("p", "q") or value in {{"r", "s", "t"}}


def function(record, kind=Kind(), *, more=None):
    inner = lambda: [each for each in record if each != LIMIT]
    if math.sqrt(4) and cached(record):
        return Kind().scaled({value}), inner(), json.dumps(kind.more), Path("a")
    return function(record[1:])
'''


def of(*values, **kwargs):
    return fingerprint([("map", values, {})], **kwargs)


def compiled(value=1, limit=5, path="<one>"):
    names = {"__name__": "__main__"}
    exec(compile(CODE.format(value=value, limit=limit), path, "exec"), names)
    return of(names["function"])


def test_the_same_code_is_the_same():
    assert compiled() == compiled()
    assert compiled() == compiled(path="/another/file.py")


def test_the_environment_makes_none(monkeypatch):
    environ = os.environ

    def function(record):
        return environ.get(record)

    before = of(function)
    monkeypatch.setenv("REDGREASE_OTHER", "1")
    assert of(function) == before


def test_what_makes_a_difference():
    assert len({compiled(), compiled(value=2), compiled(limit=6)}) == 3


def test_values():
    values = [1, 2, True, 1.5, "1", b"1", None, ..., [1], (1,), {1}, frozenset([1]), {"a": 1}, {}]
    values += [len, str.join, int, [1, 2], (2, 1), json, print, [].append]
    assert len({of(value) for value in values}) == len(values)
    assert of({"a", "b", "c"}) == of({"c", "b", "a"})
    assert of(1, requirements=["numpy"]) != of(1)


def test_requirements_may_be_in_any_order():
    assert of(1, requirements=["a", "b"]) == of(1, requirements={"b", "a"})


def test_closures():
    def make(value):
        return lambda: value

    assert of(make(1)) == of(make(1)) != of(make(2))

    def empty():
        return later

    assert of(empty)
    later = 1
    assert of(empty)


def test_what_refers_to_itself():
    endless = []
    endless.append(endless)
    assert of(endless) == of(endless)

    def again(number):
        return again(number - 1)

    assert of(again)


def test_globals_of_the_module_that_are_used(monkeypatch):
    def using():
        return LIMIT

    before = of(using)
    monkeypatch.setitem(globals(), "LIMIT", 6)
    assert of(using) != before


def test_objects():
    class Thing:
        def __init__(self, value):
            self.value = value

        @classmethod
        def made(cls):
            return cls(1)

    class Color(enum.Enum):
        RED = 1
        BLUE = 2

    assert of(Thing(1)) == of(Thing(1)) != of(Thing(2))
    assert of(Color.RED) != of(Color.BLUE)
    assert of(functools.partial(int, base=2)) != of(functools.partial(int, base=3))
    assert of(functools.lru_cache()(lambda: 1)) != of(functools.lru_cache()(lambda: 2))
    assert of(range(3)) != of(range(4))


def test_classes_with_slots():
    class Slotted:
        __slots__ = ("one",)

    assert of(Slotted) == of(Slotted)


def test_what_cannot_be_sent_anyway():
    with pytest.raises(TypeError):
        of(threading.Lock())


@pytest.mark.skipif(sys.version_info < (3, 7), reason="starts slowly")
def test_other_processes_agree(tmp_path):
    program = textwrap.dedent("""
        import sys
        sys.path.insert(0, sys.argv[1])
        from redgrease.shipping.fingerprint import fingerprint
        import usercode_for_digests
        print(fingerprint([("map", (usercode_for_digests.function,), {})]))
    """)
    found = set()
    for number, seed in enumerate(["0", "1"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "usercode_for_digests.py").write_text(CODE.format(value=1, limit=5))
        for _ in range(2):  # the second time, from the compiled file
            found.add(
                subprocess.check_output(
                    [sys.executable, "-c", program, str(folder)],
                    env=dict(os.environ, PYTHONHASHSEED=seed),
                )
            )
        shutil.rmtree(str(folder))
    assert len(found) == 1


def test_pickling_an_object_does_not_change_its_class():
    class Point:
        def __init__(self):
            self.x = 1

    def function(_):
        return Point()

    before = fingerprint([("map", (function,), {})])
    Point().__reduce_ex__(4)
    assert "__slotnames__" in vars(Point)
    assert fingerprint([("map", (function,), {})]) == before
