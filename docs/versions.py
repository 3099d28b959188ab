"""Makes ``versions.md``: which versions go together, as ``tox.ini`` tests them.

``python docs/versions.py`` writes the file; ``python docs/versions.py results.json …`` also notes
what ``tox run --result-json results.json`` has found.
"""

import configparser
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

HERE = Path(__file__).parent
TOX = HERE.parent / "tox.ini"
ENVIRONMENT = re.compile(r"py3(\d+)-redis(\d)(\d)")

HEAD = """\
# Versions

Which versions of Python and of redis-py go together.  This table is made of `tox.ini` by
`python docs/versions.py`; each cell is an environment in which the tests are run.

- **all**: everything, with the embedded server and `redgrease.aio`.
- **sync**: everything but `redgrease.aio`, which needs redis-py 4.3.
- **client**: building functions, the client and the runtime.  The embedded server and
  `redgrease.aio` need Python 3.10.
- **·**: that redis-py does not run on that Python.

With redis-py 3.5 clusters need the package redis-py-cluster 2.1.
"""


def expanded(pattern: str) -> List[str]:
    """The names that a pattern of tox with braces stands for."""
    parts = re.split(r"\{([^}]*)\}", pattern)
    choices = [part.split(",") if at % 2 else [part] for at, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def environments() -> List[Tuple[int, Tuple[int, int], str]]:
    """The minor version of Python, the version of redis-py and the name of each environment."""
    tox = configparser.ConfigParser()
    tox.read(TOX)
    names = [name for line in tox["tox"]["envlist"].split() for name in expanded(line)]
    found = [(ENVIRONMENT.fullmatch(name), name) for name in names]
    return [(int(match[1]), (int(match[2]), int(match[3])), name) for match, name in found if match]


def outcomes(files: Iterable[str]) -> Dict[str, str]:
    """What tox has found, by environment."""
    known: Dict[str, str] = {}
    for file in files:
        results = json.loads(Path(file).read_text("utf-8"))
        for name, result in results["testenvs"].items():
            tests = result.get("test")
            if tests and ENVIRONMENT.fullmatch(name):
                good = all(test["retcode"] == 0 for test in tests)
                known[name] = "passed" if good else "failed"
    return known


def content(python: int, redis: Tuple[int, int]) -> str:
    """What is tested there."""
    if python < 10:
        return "client"
    return "all" if redis >= (4, 3) else "sync"


def table(files: Iterable[str] = ()) -> str:
    """The whole text of the page."""
    known = outcomes(files)
    cells = {(python, redis): name for python, redis, name in environments()}
    pythons = sorted({python for python, _ in cells})
    columns = sorted({redis for _, redis in cells})
    titles = [f"redis-py {major}.{minor}" for major, minor in columns]
    lines = [["Python", *titles], ["---"] * (len(columns) + 1)]
    for python in pythons:
        line = [f"3.{python}"]
        for redis in columns:
            name = cells.get((python, redis))
            cell = "·" if name is None else content(python, redis)
            line.append(f"{cell}, failed" if known.get(str(name)) == "failed" else cell)
        lines.append(line)
    text = HEAD + "\n" + "".join("| " + " | ".join(line) + " |\n" for line in lines)
    return text + told(known, len(cells)) if known else text


def told(known: Dict[str, str], count: int) -> str:
    """The sentence about outcomes."""
    passed = sum(outcome == "passed" for outcome in known.values())
    return f"\nWhen this page was made, {passed} of the {count} environments passed.\n"


if __name__ == "__main__":
    (HERE / "versions.md").write_text(table(sys.argv[1:]), "utf-8")
