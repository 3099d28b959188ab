"""What pyexecute accepts."""

import pathlib
import sys

import pytest

from redgrease import KeysReader
from redgrease.runtime import GearsBuilder
from redgrease.submission import prepare

VERSION = sys.version_info[:2]


def never():
    raise AssertionError("the server's version does not matter")


@pytest.mark.parametrize(
    "script",
    [
        "",
        "GB().run()",
        "import x\n/etc/passwd",
        "a.b.run('x.py')",
        "x" * 5000,
        "1/2",
        "\0.py",
        "GB('KeysReader').run('a/b')",
    ],
)
def test_scripts(script):
    assert prepare(script, never).script == script
    assert prepare(script.encode(), never).script == script


def test_nothing_else_comes_with_a_script():
    submission = prepare("x", never)
    assert submission.requirements == frozenset()
    assert not submission.pickled
    assert submission.trigger is None


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_files(tmp_path, kind):
    path = tmp_path / "script"
    path.write_text("# ä\n", encoding="utf-8")
    assert prepare(kind(path), never).script == "# ä\n"


@pytest.mark.parametrize(
    "path",
    ["nothing.py", "some/where/nothing.py", "./nothing", "../x/y", "/no/such", "~/x", "C:\\x"],
)
def test_missing_files(path):
    with pytest.raises(FileNotFoundError):
        prepare(path, never)
    with pytest.raises(FileNotFoundError):
        prepare(pathlib.Path(path), never)


def test_directories(tmp_path):
    with pytest.raises(IsADirectoryError):
        prepare(str(tmp_path), never)
    with pytest.raises(IsADirectoryError):
        prepare(tmp_path, never)


@pytest.mark.parametrize("value", [None, 5, [], object()])
def test_other_things(value):
    with pytest.raises(TypeError):
        prepare(value, never)


def test_functions():
    pytest.importorskip("redgrease.gearialization")
    submission = prepare(KeysReader().map(str), lambda: VERSION)
    compile(submission.script, "script", "exec")
    assert submission.pickled


def test_builders():
    pytest.importorskip("redgrease.gearialization")
    submission = prepare(GearsBuilder().map(str), lambda: VERSION)
    compile(submission.script, "script", "exec")
