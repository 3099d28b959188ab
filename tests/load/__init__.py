"""Many clients for a while: ``python -m tests.load --seconds N``."""
