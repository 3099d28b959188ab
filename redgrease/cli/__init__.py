"""The command line: ``redgrease``."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        The exit status: 2 if what the command line needs is not installed.
    """
    if sys.version_info < (3, 10):
        print("redgrease: the command line needs Python 3.10 or newer", file=sys.stderr)
        return 2
    try:
        import click  # noqa: F401
    except ImportError:
        print(
            "redgrease: the command line needs the package click; "
            "`pip install redgrease[cli]` brings it",
            file=sys.stderr,
        )
        return 2
    from redgrease.cli.commands import redgrease

    status = redgrease(prog_name="redgrease")
    return int(status or 0)
