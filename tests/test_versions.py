"""The page about versions is made of ``tox.ini``."""

import importlib.util
import json
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def load():
    spec = importlib.util.spec_from_file_location("versions", str(DOCS / "versions.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_tox():
    page = (DOCS / "versions.md").read_text("utf-8")
    assert page == load().table(), "run: python docs/versions.py"


def test_it_can_show_results(tmp_path):
    results = {
        "testenvs": {
            "py36-redis43": {"test": [{"retcode": 0}]},
            "py313-redis81": {"test": [{"retcode": 0}, {"retcode": 1}]},
            "py312-redis81": {"setup": []},
        }
    }
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results))
    lines = load().table([str(file)]).splitlines()
    assert "| 3.6 | client | client, passed | · |" in " ".join(lines)
    assert next(line for line in lines if "3.13" in line).endswith("| all, failed |")
    assert next(line for line in lines if "3.12" in line).endswith("| all |")
