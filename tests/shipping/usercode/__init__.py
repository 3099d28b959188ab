"""A package of the user's own: importable on the client, unknown to servers."""

from . import deeper

LEVEL = 3


def level(record):
    return LEVEL + deeper.DEPTH + record
