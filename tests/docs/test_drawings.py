"""The drawings are those that their descriptions say."""

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MODULE = runpy.run_path(str(DOCS / "drawings.py"))
DRAWINGS = MODULE["drawings"]()


def test_the_files_are_up_to_date():
    files = {file.name: file.read_text("utf-8") for file in (DOCS / "drawings").glob("*.svg")}
    assert files == DRAWINGS, "run: python docs/drawings.py"


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_shown_somewhere_and_has_a_title(name):
    assert ElementTree.fromstring(DRAWINGS[name])[0].text
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    assert any(f"drawings/{name}" in page.read_text("utf-8") for page in pages)


def test_pictures_are_described_in_words():
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    assert [page.name for page in pages if "![](" in page.read_text("utf-8")] == []


def test_a_record_of_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="no record 'x' above"):
        MODULE["flow"]("t", ["A: 1", "--- f", "A: 2<x"])
