"""Options in files, and in the environment, by the names that they have on the command line."""

from __future__ import annotations

import configparser
import glob
import os
from collections.abc import Iterable, Iterator
from typing import Any

import click

CLIENTLESS = ("serve", "completion")
"""Commands for which options of all commands do not count: theirs mean something else."""
_TOP = "redgrease"


def DEFAULT_FILES() -> list[str]:
    """The files that are read when none is named; later ones win."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    files = sorted(glob.glob("/etc/redgrease/conf.d/*.conf"))
    return [*files, os.path.join(home, "redgrease", "redgrease.conf"), "redgrease.conf"]


def _value(text: str | None) -> Any:
    if text is None:
        return "true"
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [each.strip().strip("'\"") for each in text[1:-1].split(",") if each.strip()]
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def read_settings(paths: Iterable[str], commands: Iterable[str]) -> dict[str, Any]:
    """Read options from files.

    A file has lines ``name=value``.  Those before the first section are for all commands, those
    in a section such as ``[load]`` or ``[config.get]`` for one.

    Args:
        paths: The files; those that do not exist are passed over.
        commands: The names of the commands.

    Returns:
        The values by the names of the options, in the shape of click's ``default_map``.

    Raises:
        ValueError: A file cannot be understood.
    """
    sections: dict[str, dict[str, Any]] = {}
    for path in paths:
        if not os.path.isfile(path):
            continue
        parser = configparser.ConfigParser(
            allow_no_value=True, interpolation=None, default_section="\0"
        )
        try:
            with open(path, encoding="utf-8") as file:
                parser.read_string(f"[{_TOP}]\n{file.read()}", path)
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: {error}") from None
        for name in parser.sections():
            values = {key.replace("-", "_"): _value(text) for key, text in parser.items(name)}
            sections.setdefault(name, {}).update(values)
    top = sections.pop(_TOP, {})
    unknown = [name for name in sections if name.partition(".")[0] not in [*commands, "old-form"]]
    if unknown:
        raise ValueError(f"there is no command {unknown[0]!r} that the section could be for")
    settings: dict[str, Any] = dict(top)
    for name in (*commands, "old-form"):
        settings[name] = {**({} if name in CLIENTLESS else top), **sections.get(name, {})}
    for name in ("get", "set"):
        settings["config"][name] = {**top, **sections.get(f"config.{name}", {})}
    return settings


def _names(command: click.Command) -> Iterator[tuple[str, click.Option, bool]]:
    """The long names of a command's options, each with whether it says the opposite."""
    for option in command.params:
        if isinstance(option, click.Option):
            for names, opposite in ((option.opts, False), (option.secondary_opts, True)):
                for name in names:
                    if name.startswith("--"):
                        yield name[2:].replace("-", "_"), option, opposite


def option_names(command: click.Command) -> set[str]:
    """The names that a file may have for a command's options, or for those of its commands."""
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return {name for name, _, _ in _names(command)}.union(*map(option_names, inner))


def bind(command: click.Command, settings: dict[str, Any], variable: str) -> dict[str, Any]:
    """Have a command take its options from the environment and from files.

    Args:
        command: The command; its options get names of environment variables.
        settings: What the files say, by the options' names.
        variable: What the names of variables begin with.

    Returns:
        The settings by the parameters' names, as click wants them.
    """
    bound: dict[str, Any] = {}
    for name, option, opposite in _names(command):
        if option.envvar is None and not opposite:
            option.envvar = f"{variable}_{name.upper()}"
        if name in settings:
            value = settings[name]
            bound[option.name or name] = _opposite(value, option) if opposite else value
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            bound[name] = bind(inner, settings.get(name, {}), f"{variable}_{name.upper()}")
    return bound


def _opposite(value: Any, option: click.Option) -> bool:
    return not click.BOOL.convert(value, option, None)
