"""Hostile input, for minutes or hours: ``python -m tests.fuzz --seconds N``."""
