"""``redgrease serve``: an embedded Gears server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import sys
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import click

if TYPE_CHECKING:
    from redgrease.engine.supervisor import Supervisor


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
@click.option("--tls-cert", metavar="FILE", help="Certificate with which clients are spoken to.")
@click.option("--tls-key", metavar="FILE", help="Its private key, if that is in another file.")
@click.option(
    "--tls-ca", metavar="FILE", help="Who signs clients' certificates, which they must show then."
)
@click.option(
    "--requirements",
    metavar="on|off|allow:FILE",
    default="on",
    show_default=True,
    help="Which packages functions may have installed.",
)
@click.option(
    "--max-function-memory",
    metavar="SIZE",
    help="How much memory functions may use, such as 512mb (Linux).",
)
@click.option("--unprotected", is_flag=True, help="Listen on any address without a password.")
@click.option(
    "--watch",
    "watched",
    metavar="PATH",
    multiple=True,
    type=click.Path(exists=True),
    help="Load the scripts in that directory, and again when they change (repeatable).",
)
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
    tls_cert: str | None,
    tls_key: str | None,
    tls_ca: str | None,
    requirements: str,
    max_function_memory: str | None,
    unprotected: bool,
    watched: Sequence[str],
    log_level: str,
    command: Sequence[str],
) -> None:
    """Serve Redis commands and RG.* commands on one address.

    With a COMMAND (after --), the server lives as long as it runs, and ends with its status; the
    command finds the address in REDGREASE_URL, REDGREASE_HOST and REDGREASE_PORT.

    \b
    Examples:
      redgrease serve
      redgrease serve --dir data --watch scripts
      redgrease serve --port 7000 --redis redis://localhost:6379
      redgrease serve --port 0 -- pytest tests
    """
    hide_secrets()
    try:
        from redgrease.engine.access import AccessError, without_login
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
        unprotected=unprotected,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_ca=tls_ca,
        requirements=requirements,
        max_function_memory=max_function_memory,
        log_level=log_level,
    )

    scheme = "redis" if tls_cert is None else "rediss"

    async def started(supervisor: Supervisor) -> int | None:
        assert supervisor.proxy is not None
        login = f":{quote(password, safe='')}@" if password else ""
        address = f"{host}:{supervisor.proxy.port}"
        click.echo(
            f"redgrease serves {scheme}://{address} (Python {platform.python_version()}, "
            f"Redis at {without_login(supervisor.redis_url)}); Ctrl-C ends it",
            err=True,
        )
        async with contextlib.AsyncExitStack() as stack:
            if watched:
                url = own_url(supervisor.local_path, password, redis_url)
                await stack.enter_async_context(watching(url, watched))
            return await lasting(supervisor.proxy.port, login + address)

    async def lasting(port: int, address: str) -> int | None:
        if not command:
            await asyncio.Event().wait()
        environment = dict(
            os.environ,
            REDGREASE_URL=f"{scheme}://{address}",
            REDGREASE_HOST=host,
            REDGREASE_PORT=str(port),
        )
        return await run_command(command, environment, umask)

    umask = os.umask(0o077)  # what is kept, and the sockets, are for this user alone
    try:
        status = run(options, started)
    except OSError as error:
        if error.filename is not None:  # of what is kept
            raise click.ClickException(f"{error.filename}: {error.strerror}")
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}")
    except AccessError as error:
        raise click.UsageError(str(error))
    except RuntimeError as error:
        raise click.ClickException(str(error))
    sys.exit(status)


SECRETS = {"--password": "REDGREASE_SERVE_PASSWORD", "--redis": "REDGREASE_SERVE_REDIS"}
"""Options that may hold a password, and the variables that do instead of them."""


def hide_secrets() -> None:
    """Take passwords off the command line, which every user of the machine can read.

    The program starts anew, with them in its environment; from there they go no further.
    """
    words, rest = list(sys.orig_argv), []
    if "--" in words:
        rest = words[words.index("--") :]
        del words[-len(rest) :]
    secret: dict[str, str] = {}
    begin = words.index("serve") if "serve" in words else len(words)
    for option, variable in SECRETS.items():
        for index in range(len(words) - 1, begin, -1):
            name, equals, value = words[index].partition("=")
            if name != option or not (equals or index + 1 < len(words)):
                continue
            end = index + (1 if equals else 2)
            value = value if equals else words[index + 1]
            if option == "--password" or "@" in value or "password=" in value:
                secret.setdefault(variable, value)
                del words[index:end]
    if secret:
        os.execve(sys.executable, [*words, *rest], dict(os.environ, **secret))
    for variable in SECRETS.values():
        os.environ.pop(variable, None)


def own_url(path: str, password: str | None, redis_url: str | None) -> str:
    """Where the server's own client connects to, with the login that Redis wants."""
    login = f":{quote(password, safe='')}@" if password else ""
    netloc = urlsplit(redis_url or "").netloc
    if not login and "@" in netloc:
        login = netloc.rpartition("@")[0] + "@"
    return f"unix://{login}{path}"


@contextlib.asynccontextmanager
async def watching(url: str, paths: Sequence[str]) -> AsyncIterator[None]:
    """Load scripts, and again whenever they change, as long as the context lasts."""
    from redgrease.cli.loading import Job, started_watcher
    from redgrease.client import RedisGears
    from redgrease.loading import Patterns

    client = RedisGears.from_url(url)
    watcher = await asyncio.to_thread(started_watcher, client, Job(paths, Patterns()))
    try:
        yield
    finally:
        await asyncio.to_thread(watcher.stop)
        client.close()


async def run_command(command: Sequence[str], environment: dict[str, str], umask: int) -> int:
    """Run a program to its end; returns its status."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            preexec_fn=lambda: os.umask(umask),  # uvloop has no argument for it
        )
    except OSError as error:
        click.echo(f"redgrease: cannot run {command[0]}: {error.strerror}", err=True)
        return 127
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
