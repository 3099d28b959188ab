"""The documentation is built without a single warning, and knows every public name."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_docstrings import MODULES, own

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The built pages."""
    for package in ("sphinx", "furo", "myst_parser", "sphinx_copybutton", "sphinx_inline_tabs"):
        pytest.importorskip(package, reason="needs the extra 'docs'")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", "-E"]
    command += ["-d", str(out / ".doctrees"), str(ROOT / "docs"), str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return out


def anchors(page):
    return set(re.findall(r'\bid="([^"]+)"', page.read_text("utf-8")))


@pytest.mark.xdist_group("site")
def test_the_built_site(site):
    """In one test, so that several workers do not each build it."""
    pages = {page.relative_to(site).as_posix(): page for page in site.rglob("*.html")}
    assert {"index.html", "api/building.html", "changelog.html"} <= set(pages)
    known = {name: anchors(page) for name, page in pages.items()}
    broken = []
    for name, page in pages.items():
        for target in re.findall(r'(?:href|src)="([^"]+)"', page.read_text("utf-8")):
            if re.match(r"(https?|mailto|data):", target):
                continue
            file, _, anchor = target.partition("#")
            path = (page.parent / file.partition("?")[0]).resolve() if file else page
            if not path.exists():
                broken.append(f"{name}: {target}")
            elif anchor and path.suffix == ".html":
                if anchor not in known[path.relative_to(site.resolve()).as_posix()]:
                    broken.append(f"{name}: {target}")
    assert not broken

    # Signatures are those that users write.
    for name, page in pages.items():
        if name.startswith("api/"):
            text = re.sub(r"<[^>]+>", "", page.read_text("utf-8"))
            assert not re.findall(r"=Ellipsis|=NOTHING|attr_dict|&lt;function", text), name

    # Nothing is loaded from elsewhere when a page is shown.
    foreign = [
        f"{name}: {found}"
        for name, page in pages.items()
        for found in re.findall(
            r'<(?:script|img|link rel="stylesheet")[^>]+(?:src|href)="(https?:[^"]+)"',
            page.read_text("utf-8"),
        )
    ]
    assert not foreign

    # What is public has its place among the API pages.
    documented = set().union(*(ids for name, ids in known.items() if name.startswith("api/")))
    missing = []
    for module in map(importlib.import_module, MODULES):
        for name in getattr(module, "__all__", None) or vars(module):
            thing = getattr(module, name)
            if (inspect.isclass(thing) or inspect.isroutine(thing)) and own(thing):
                if name.startswith("_") or thing.__name__ != name:
                    continue  # another name of what is there
                if f"{thing.__module__}.{name}" not in documented:
                    if f"{module.__name__}.{name}" not in documented:
                        missing.append(f"{module.__name__}.{name}")
    assert not missing
    assert "redgrease.runtime_client.cmd" in documented
