"""``redgrease shell``: a Python prompt with a client."""

from __future__ import annotations

import code
import contextlib
import importlib
import sys
import traceback
from typing import Any

import click

from redgrease.cli.connecting import connected

NAMES = (
    *("KeysReader", "KeysOnlyReader", "StreamReader", "CommandReader", "PythonReader"),
    *("ShardsIDReader", "GearsBuilder", "command", "trigger", "cmd", "execute", "atomic"),
    *("hashtag", "log"),
)


def namespace(client: Any) -> dict[str, Any]:
    """What the prompt knows."""
    import redgrease

    names = {name: getattr(redgrease, name) for name in NAMES}
    return {"r": client, "gears": client.gears, "redgrease": redgrease, **names}


@click.command(short_help="Open a Python prompt with a connected client.")
@click.option("--command", "-C", "source", help="Run this code in the place of a prompt.")
@connected
def shell(client: Any, source: str | None) -> None:
    """Open a Python prompt with a connected client, `r`, and redgrease's names.

    IPython is used where it is installed.

    \b
    Examples:
      redgrease shell
      redgrease shell -C "print(KeysReader().count().run(on=r))"
    """
    names = namespace(client)
    if source is not None:
        run_code(source, names)
        return
    banner = f"Python {sys.version.split()[0]}; r is a client of {_where(client)}, gears is r.gears"
    ipython: Any = None
    with contextlib.suppress(ImportError):
        ipython = importlib.import_module("IPython")
    if ipython is None:  # not where the error is handled, or it would be a part of all tracebacks
        _plain_prompt(names, banner)
    else:
        print(banner)
        ipython.start_ipython(argv=["--no-banner"], user_ns=names)


def run_code(source: str, names: dict[str, Any]) -> None:
    """Run code as a program of its own; an exception's traceback begins in it."""
    from redis.exceptions import RedisError

    from redgrease.exceptions import RedGreaseError

    try:
        exec(compile(source, "<command>", "exec"), {"__name__": "__main__", **names})
    except (RedGreaseError, RedisError, OSError):
        raise  # they are shown without one
    except Exception as error:
        own = error.__traceback__
        traceback.print_exception(type(error), error, own and own.tb_next)
        sys.exit(1)


def _where(client: Any) -> str:
    pool = getattr(client, "connection_pool", None)
    arguments = getattr(pool, "connection_kwargs", {})
    return str(arguments.get("path") or f"{arguments.get('host')}:{arguments.get('port')}")


def _plain_prompt(names: dict[str, Any], banner: str) -> None:
    try:
        import readline
        import rlcompleter
    except ImportError:
        pass
    else:
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    code.interact(banner, local=names, exitmsg="")
