"""Drawings of functions."""

import shutil
import subprocess
from xml.etree import ElementTree

import pytest

import redgrease
from redgrease import CommandReader, KeysReader

SVG = "{http://www.w3.org/2000/svg}"


def nonsense(record):
    return record


def texts(drawing):
    root = ElementTree.fromstring(drawing.svg)
    return [each.text for each in root.iter(SVG + "text")]


def test_boxes_and_arrows():
    function = KeysReader("user:*").map(nonsense).filter(lambda x: x < 3).count().run()
    drawing = redgrease.visualize(function)
    found = texts(drawing)
    assert found[0] == "KeysReader" and "nonsense" in found and found[-1] == "run"
    assert [text for text in found if text in ("map", "filter", "count")] == [
        "map",
        "filter",
        "count",
    ]
    root = ElementTree.fromstring(drawing.svg)
    boxes = list(root.iter(SVG + "rect"))
    assert len(boxes) == 5 and len(list(root.iter(SVG + "path"))) == 2 * 4
    tops = [(int(box.get("y")), int(box.get("height"))) for box in boxes]
    assert all(top + height < below for (top, height), (below, _) in zip(tops, tops[1:]))
    assert tops[-1][0] + tops[-1][1] < int(root.get("height"))
    assert repr(drawing) == "<Drawing of 5 steps>"


def test_special_letters_and_long_texts():
    function = CommandReader(desc='a "b" <c> & \\d').map(nonsense)
    function = function.register(trigger="t" * 200)
    drawing = redgrease.visualize(function)
    root = ElementTree.fromstring(drawing.svg)
    titles = [each.text for each in root.iter(SVG + "title")]
    assert any("t" * 200 in title for title in titles)  # all of it, under the mouse
    assert max(map(len, texts(drawing))) <= 56
    assert int(root.get("width")) < 500


def test_dot():
    drawing = redgrease.visualize(KeysReader('a"b\\').map(nonsense).count())
    assert drawing.dot.splitlines()[-2] == "  s0 -> s1 -> s2;"
    assert str(drawing) == drawing.dot
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=drawing.dot.encode(), check=True)


def test_notebooks_show_functions():
    function = KeysReader().map(nonsense)
    bundle = function._repr_mimebundle_()
    assert bundle["text/plain"] == repr(function)
    assert bundle["image/svg+xml"] == redgrease.visualize(function)._repr_svg_()


def test_builders_and_decorated_functions():
    builder = redgrease.GearsBuilder("StreamReader")
    builder.map(nonsense)
    assert "StreamReader" in redgrease.visualize(builder).svg
    with pytest.raises(TypeError, match="expected a GearFunction, not builtin"):
        redgrease.visualize(len)


def test_files(tmp_path):
    drawing = redgrease.visualize(KeysReader().count())
    for name, content in (("f.svg", drawing.svg), ("f.dot", drawing.dot), ("f.gv", drawing.dot)):
        drawing.save(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8") == content
    with pytest.raises(ValueError, match=r"not '\.png'"):
        drawing.save(tmp_path / "f.png")
