"""Every fault of ``tests.faults``, once each."""

import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the embedded server needs Python 3.10", allow_module_level=True)

from faults.faults import FAULTS


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_promised(name, tmp_path):
    outcome = FAULTS[name][2](tmp_path)
    assert outcome.lost == 0
