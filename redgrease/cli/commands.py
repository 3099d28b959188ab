"""The commands of the command line."""

from __future__ import annotations

import click

from redgrease._version import __version__
from redgrease.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="redgrease")
def redgrease() -> None:
    """Python functions that run inside Redis."""


redgrease.add_command(serve)
