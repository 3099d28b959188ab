"""The command line: ``redgrease``."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        The exit status: 0, all is well; 1, something failed; 2, it was used wrongly, or what it
        needs is not installed.
    """
    if sys.version_info < (3, 10):
        print("redgrease: the command line needs Python 3.10 or newer", file=sys.stderr)
        return 2
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError as missing:
        print(
            f"redgrease: the command line needs the package {missing.name}; "
            "`pip install redgrease[cli]` brings it",
            file=sys.stderr,
        )
        return 2
    from redgrease.cli.commands import redgrease

    status = redgrease(prog_name="redgrease")
    return int(status or 0)
