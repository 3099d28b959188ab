"""``redgrease serve``: an embedded Gears server."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

if TYPE_CHECKING:
    from redgrease.engine.supervisor import Supervisor


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@click.command(context_settings={"auto_envvar_prefix": "REDGREASE_SERVE"})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=6379,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes any that is free.",
)
@click.option("--redis", "redis_url", metavar="URL", help="A Redis that runs already.")
@click.option(
    "--redis-server",
    metavar="PATH",
    type=click.Path(dir_okay=False),
    help="The redis-server or valkey-server to start.",
)
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where data is kept; without it, nothing is kept.",
)
@click.option("--password", help="Password that clients must give (AUTH).")
@click.option("--unprotected", is_flag=True, help="Listen on any address without a password.")
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def serve(
    host: str,
    port: int,
    redis_url: str | None,
    redis_server: str | None,
    folder: str | None,
    password: str | None,
    unprotected: bool,
    log_level: str,
    command: Sequence[str],
) -> None:
    """Serve Redis commands and RG.* commands on one address.

    With a COMMAND (after --), the server lives as long as it runs, and ends with its status; the
    command finds the address in REDGREASE_URL, REDGREASE_HOST and REDGREASE_PORT.

    \b
    Examples:
      redgrease serve
      redgrease serve --port 7000 --redis redis://localhost:6379
      redgrease serve --port 0 -- pytest tests
    """
    if not is_loopback(host) and not password and not unprotected:
        raise click.UsageError(
            f"whoever reaches {host} could run any Python code here; give a --password, "
            "or say --unprotected if you mean it"
        )
    try:
        from redgrease.engine.supervisor import ServerOptions, run
    except ModuleNotFoundError as missing:
        raise click.ClickException(
            f"the server needs the package {missing.name!r}; "
            "`pip install redgrease[server]` brings all it needs"
        ) from missing

    options = ServerOptions(
        host=host,
        port=port,
        redis=redis_url,
        redis_server=redis_server,
        dir=os.path.abspath(folder) if folder else None,
        password=password,
        log_level=log_level,
    )

    async def started(supervisor: Supervisor) -> int | None:
        assert supervisor.proxy is not None
        login = f":{quote(password, safe='')}@" if password else ""
        address = f"{host}:{supervisor.proxy.port}"
        click.echo(
            f"redgrease serves redis://{address} (Python {platform.python_version()}, "
            f"Redis at {redis_url or supervisor.redis_url.rpartition('@')[2]}); Ctrl-C ends it",
            err=True,
        )
        if not command:
            await asyncio.Event().wait()
        environment = dict(
            os.environ,
            REDGREASE_URL=f"redis://{login}{address}",
            REDGREASE_HOST=host,
            REDGREASE_PORT=str(supervisor.proxy.port),
        )
        return await run_command(command, environment)

    try:
        status = run(options, started)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}")
    except RuntimeError as error:
        raise click.ClickException(str(error))
    sys.exit(status)


async def run_command(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run a program to its end; returns its status."""
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        click.echo(f"redgrease: cannot run {command[0]}: {error.strerror}", err=True)
        return 127
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
