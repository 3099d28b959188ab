"""``python -m redgrease`` is the command line."""

import sys

from redgrease.cli import main

sys.exit(main())
