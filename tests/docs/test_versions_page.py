"""The page of versions says what `tox.ini` says."""

import importlib.util
import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def versions():
    spec = importlib.util.spec_from_file_location("docs_versions", DOCS / "versions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(versions):
    page = (DOCS / "versions.md").read_text("utf-8")
    assert page == versions.table(), "run: python docs/versions.py"


def test_outcomes_are_noted(versions, tmp_path):
    results = {
        "py36-redis43": {"test": [{"retcode": 0}]},
        "py313-redis81": {"test": [{"retcode": 0}, {"retcode": 1}]},
        "py312-redis81": {"setup": []},  # skipped
        "lint": {"test": [{"retcode": 0}]},
        ".pkg": {},
    }
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"testenvs": results}), "utf-8")
    assert versions.outcomes([file]) == {"py36-redis43": "passed", "py313-redis81": "failed"}
    *lines, _, told = versions.table([file]).splitlines()
    assert "| 3.6 | client | client | · |" in " ".join(lines)
    assert next(line for line in lines if "3.13" in line).endswith("| all, failed |")
    assert next(line for line in lines if "3.12" in line).endswith("| all |")
    assert told.endswith(f"1 of the {len(versions.environments())} environments passed.")
