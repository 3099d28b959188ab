"""Faults and load, again and again: ``python -m tests.faults`` and ``python -m tests.faults.load``."""

import os
import sys

# As programs, they do not find the modules that tests share.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
