"""A short run of the fuzzers that coverage leads, where atheris is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris")

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", ["requests", "results"])
def test_guided(target):
    words = [sys.executable, "-m", "tests.fuzz.guided", target, "--seconds", "3"]
    done = subprocess.run(words, cwd=str(ROOT), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done" in done.stderr
