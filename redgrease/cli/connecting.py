"""The options that say where the server is, and the client that they make."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import click
from click.core import ParameterSource

_FILE = click.Path(exists=True, dir_okay=False)

OPTIONS: dict[str, dict[str, Any]] = {
    "url": {
        "metavar": "URL",
        "help": "The server (redis://, rediss://, unix://); or --host, --port …",
    },
    "host": {"default": "localhost", "help": "Its host, if there is no URL.  [localhost]"},
    "port": {"default": 6379, "type": click.IntRange(1, 65535), "help": "Its port.  [6379]"},
    "user": {"help": "The user to log in as."},
    "password": {"help": "The password; better given by REDGREASE_PASSWORD."},
    "db": {"type": int, "help": "The number of the database."},
    "tls": {"is_flag": True, "help": "Use TLS."},
    "tls_ca": {"metavar": "FILE", "type": _FILE, "help": "Whom to trust."},
    "tls_cert": {"metavar": "FILE", "type": _FILE, "help": "The client's certificate."},
    "tls_key": {"metavar": "FILE", "type": _FILE, "help": "The client's key."},
    "tls_insecure": {"is_flag": True, "help": "Trust anybody."},
    "cluster": {"is_flag": True, "help": "The server is one of a cluster."},
}
"""One row for each option, by its name.  All commands have them; the main help shows them."""

_RANKS = {
    ParameterSource.DEFAULT_MAP: 1,
    ParameterSource.ENVIRONMENT: 2,
    ParameterSource.COMMANDLINE: 4,
}
_OF_GROUP = 3
"""What is given before the command counts less than behind it, and more than anything else."""
_IN_URLS = {"user": "username", "password": "password", "db": "db"}
"""Options for what a URL can say too, and the client's names for it."""
_TLS = {
    "tls_ca": "ssl_ca_certs",
    "tls_cert": "ssl_certfile",
    "tls_key": "ssl_keyfile",
}


def connection_options(of_group: bool = False) -> Callable[[Any], Any]:
    """A decorator that gives a command the options of :data:`OPTIONS`.

    Args:
        of_group: Whether it is the one that all others are in.  Its options are for these.
    """

    def decorate(function: Any) -> Any:
        for name, settings in reversed(OPTIONS.items()):
            option = "--" + name.replace("_", "-")
            variable = None if of_group else f"REDGREASE_{name.upper()}"
            hidden = not of_group and name != "url"
            function = click.option(option, name, envvar=variable, hidden=hidden, **settings)(
                function
            )
        return function

    return decorate


def connected(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator for commands: they get the options, and a client as their first argument."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        for name in OPTIONS:
            kwargs.pop(name)
        client = make_client(click.get_current_context())
        try:
            return function(client, *args, **kwargs)
        finally:
            client.close()

    return connection_options()(command)  # type: ignore[no-any-return]


def _given(ctx: click.Context) -> tuple[dict[str, Any], dict[str, int]]:
    """The values of the options, and how much each counts."""
    values: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    root = ctx.find_root()
    for name in OPTIONS:
        source = ctx.get_parameter_source(name)
        values[name] = ctx.params.get(name)
        ranks[name] = 0 if source is None else _RANKS.get(source, 0)
        of_group = root.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if root is not ctx and of_group and ranks[name] < _OF_GROUP:
            values[name], ranks[name] = root.params[name], _OF_GROUP
    return values, ranks


def without(url: str, names: Iterable[str]) -> str:
    """A URL that leaves open what is said otherwise.

    Args:
        url: The URL.
        names: What is: ``user``, ``password``, ``db``.
    """
    left_out = {_IN_URLS[name] for name in names}
    if not left_out:
        return url
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    user = "" if "username" in left_out else user
    password = "" if "password" in left_out else colon + password
    at = at if user or password else ""
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in left_out]
    path = parts.path if "db" not in left_out or parts.scheme == "unix" else ""
    rest = f"?{urlencode(query)}" if query else ""
    return f"{parts.scheme}://{user}{password}{at}{place}{path}{rest}"


def make_client(ctx: click.Context) -> Any:
    """Make the client that the options of a command describe.

    Args:
        ctx: The command's context.

    Raises:
        click.UsageError: The options do not fit together.
    """
    from redgrease.client import RedisGears, RedisGearsCluster

    values, ranks = _given(ctx)
    arguments: dict[str, Any] = {}
    for name, keyword in _IN_URLS.items():
        if values[name] is not None:
            arguments[keyword] = values[name]
    url = values["url"]
    if url and max(ranks["host"], ranks["port"]) > ranks["url"]:
        url = None  # of two places, that counts which was named more expressly
    secure = {key: values[name] for name, key in _TLS.items() if values[name]}
    if values["tls_insecure"]:
        secure["ssl_cert_reqs"] = "none"
        secure["ssl_check_hostname"] = False
    if url is None and (values["tls"] or secure):
        secure["ssl"] = True
    elif values["tls"] and url and url.startswith("redis://"):
        url = "rediss" + url[len("redis") :]
    elif secure and url and not url.startswith("rediss://"):
        raise click.UsageError("certificates need a URL that begins with rediss://, or --tls")
    arguments.update(secure)
    kind: Any = RedisGearsCluster if values["cluster"] else RedisGears
    try:
        if url:
            said = [name for name in _IN_URLS if arguments.get(_IN_URLS[name]) is not None]
            stronger = [name for name in said if ranks[name] >= ranks["url"]]
            client = kind.from_url(without(url, stronger), **arguments)
            # In redis-py 3 a URL counts for more than arguments even where it says nothing.
            pool = getattr(client, "connection_pool", None)
            settings = getattr(pool, "connection_kwargs", {})
            settings.update({_IN_URLS[name]: arguments[_IN_URLS[name]] for name in stronger})
            return client
        return kind(host=values["host"], port=values["port"], **arguments)
    except ValueError as error:
        raise click.UsageError(str(error))
