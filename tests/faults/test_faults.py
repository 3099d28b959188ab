"""Each fault, once."""

import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the server needs Python 3.10", allow_module_level=True)
pytest.importorskip("redis")
pytest.importorskip("hiredis")

from .faults import FAULTS  # noqa: E402
from .scene import Scene  # noqa: E402


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.inject.__name__)
def test_fault(fault, tmp_path):
    with Scene(tmp_path / "home", fault.options) as scene:
        outcome = fault.inject(scene)
        fault.check(outcome)
        assert outcome.recovered < 30
        assert outcome.told is None or outcome.told < 10
