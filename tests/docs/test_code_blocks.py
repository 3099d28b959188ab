"""The code in the documentation runs, and prints what is shown."""

import re
from pathlib import Path

import pytest
from code_blocks import Page, blocks

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.is_run for block in blocks(page.read_text("utf-8")))],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_the_code_of_a_page(page, r, gears_server, tmp_path):
    if "redgrease.aio" in page.read_text("utf-8"):
        pytest.importorskip("redis.asyncio", reason="needs redis-py 4.3")
    Page(page, gears_server.port, tmp_path).run()


def as_read(text, without):
    """A page as its readers follow it: with what they see only, and one tab of each kind."""
    text = re.sub(r"^ *<!-- run$.*?^ *-->$", "", text, flags=re.M | re.S)
    pattern = r"^````\{tab\} (?:%s)$.*?^````$" % "|".join(without)
    return re.sub(pattern, "", text, flags=re.M | re.S)


@pytest.mark.parametrize(
    "without, end",
    [(["async", "cluster"], "### The whole example"), (["sync", "cluster"], "## Comparisons")],
    ids=["sync", "async"],
)
def test_the_quickstart_leaves_no_step_out(without, end, r, gears_server, tmp_path):
    if "async" not in without:
        pytest.importorskip("redis.asyncio", reason="needs redis-py 4.3")
    page = tmp_path / "page.md"
    text = (ROOT / "docs/quickstart.md").read_text("utf-8").partition(end)[0]
    # The server is that of the tests.
    text = re.sub(r"^```console$.*?^```$", "", as_read(text, without), flags=re.M | re.S)
    page.write_text(text, "utf-8")
    Page(page, gears_server.port, tmp_path).run()


def test_what_is_not_run_has_a_reason():
    for page in PAGES:
        for block in blocks(page.read_text("utf-8")):
            assert block.notes.get("not run") != "", f"{page.name}:{block.line}"


def test_scripts_are_those_that_are_tested_elsewhere():
    """Pairs of scripts do the same: ``tests/integration/test_gear_scripts.py`` sees to that."""
    scripts = {path.name: path.read_text("utf-8") for path in ROOT.glob("tests/gear_scripts/*.py")}
    shown = {
        block.notes["file"]: block.text
        for block in blocks((ROOT / "docs/quickstart.md").read_text("utf-8"))
        if "file" in block.notes
    }
    assert shown == scripts


# -- the runner itself


def run(text, tmp_path, port=6379):
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    Page(page, port, tmp_path).run()


@pytest.mark.parametrize(
    "text",
    [
        "```python\n>>> 1 + 1\n3\n```",
        "```python\n>>> 1 + 1\n```",
        "```python\n>>> 1 / 0\n```",
        "```python\n>>> {}['a']\nTraceback (most recent call last):\nKeyError: 'b'\n```",
        "```python\n>>> 1\nTraceback (most recent call last):\nKeyError: 'b'\n```",
        "```python\n1 / 0\n```",
        "```python\nprint(1)\n```\n<!-- output -->\n```text\n2\n```",
        "````{tab} One\n```python\n1 / 0\n```\n````",
        "```console\n$ false\n```",
        "```console\n$ echo 1\n2\n```",
        "<!-- run\n1 / 0\n-->",
        "```python\n1",
    ],
)
def test_what_is_wrong_is_found(text, tmp_path):
    with pytest.raises(AssertionError):
        run(text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "```python\n>>> x = 2\n>>> x + 1\n3\n```\ntext\n```python\nassert x == 2\n```",
        "```python\n>>> {}['a']\nTraceback (most recent call last):\n  ...\nKeyError: 'a'\n```",
        "```python\nprint(1)\n```\n<!-- output -->\n```text\n1\n```",
        "```python\nimport asyncio\nawait asyncio.sleep(0)\n```",
        "```python\n>>> import asyncio\n>>> await asyncio.sleep(0, 5)\n5\n```",
        "<!-- not run: it is wrong -->\n```python\n1 / 0\n```",
        "<!-- file: a.txt -->\n```text\nhello\n```\n```console\n$ cat a.txt\nhello\n```",
        "```sh\nfalse\n```",
        "<!-- run\nx = 1\n-->\n```python\n>>> x\n1\n```",
    ],
)
def test_what_is_right_passes(text, tmp_path):
    run(text, tmp_path)


def test_the_server_is_that_of_the_tests(r, gears_server, tmp_path):
    code = "import redgrease\nredgrease.RedisGears().set('a', 1)\n"
    run(f"```python\n{code}```", tmp_path, gears_server.port)
    assert r.get("a") == b"1"
    shell = "$ python -c \"print('port 6379')\"\nport 6379\n"
    run(f"```console\n{shell}```", tmp_path, gears_server.port)


# -- links

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text):
    return re.sub(r"^\s*(`{3,})[^`{]*$.*?^\s*\1\s*$", "", text, flags=re.M | re.S)


def anchors(page):
    """The names that hosts of repositories give to the headings of a page."""
    headings = re.findall(r"^#+ +(.+?) *$", without_code(page.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_relative_links_lead_somewhere(page):
    """As the files lie in the repository, for those who read them there."""
    text = without_code(page.read_text("utf-8"))
    for found in LINK.findall(re.sub(r"`[^`\n]*`", "", text)):
        file, _, anchor = "".join(found).partition("#")
        if not re.match(r"(https?|mailto):", file):
            target = page.parent / file if file else page
            assert target.exists(), f"{page.name}: {found}"
            assert not anchor or anchor in anchors(target), f"{page.name}: {found}"
