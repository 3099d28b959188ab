"""``python -m redgrease.cli`` is the command line too."""

import sys

from redgrease.cli import main

sys.exit(main())
