"""Tells which timeout is meant by Python's own ``TimeoutError``.

What modules call their timeouts has become this one class, in Python 3.10 and 3.11.  On older
versions they are classes of their own, so it has to be found out which of them was written.
"""

import ast
import functools
import sys
import types
from typing import Any, Dict, Iterable, Iterator, Optional, Set, Tuple

from redgrease.shipping.modules import Modules
from redgrease.shipping.source import forgiving, text_of
from redgrease.shipping.standard import TIMEOUTS

__all__ = ["MERGED", "home_of", "meant"]

Home = Tuple[str, str]  # a module, and a name in it

MERGED = (3, 11)  # the version since which they are all the same
_PYTHONS: Home = ("builtins", "TimeoutError")


def home_of(module: str, name: str) -> Optional[Home]:
    """Where all versions have a timeout that is found under a name in a module.

    Args:
        module: The module, or a part of it: ``asyncio.exceptions``.
        name: The name.

    Returns:
        The module and the name; None if it is not one of those that became Python's own.
    """
    for home, known in TIMEOUTS:
        if name == known and (module + ".").startswith(home + "."):
            return home, known
    return None


def meant(functions: Iterable[types.FunctionType], modules: Modules) -> Optional[Home]:
    """Which timeout ``TimeoutError`` stands for, where it is not known by what name it was taken.

    Args:
        functions: The functions of which one has it, perhaps in a list or as a base of a class.
        modules: Which modules are the user's own.

    Returns:
        The only one that their files know, and the files that they import from; None if they know
        several, or Python's own.
    """
    found: Set[Home] = set()
    try:
        for function in functions:
            names = function.__globals__
            known = _of_file(function.__code__.co_filename, names)
            if known is not _of_file(names["__file__"], names):  # but a cell of a notebook
                return None
            found |= known.timeouts
            for each in known.modules(names.get("__package__") or ""):
                module = sys.modules.get(each)
                if module is not None and modules.by_value(each):
                    found |= _of_file(module.__file__, vars(module)).timeouts
    except (AttributeError, KeyError, SyntaxError, ValueError):  # who knows what it says
        return None
    return found.pop() if len(found) == 1 and _PYTHONS not in found else None


def _of_file(name: Any, names: Dict[str, Any]) -> "_Known":
    """What a file knows; a ValueError if it cannot be read."""
    text = text_of(str(name), names)
    if not text and not str(name).endswith(".py"):
        raise ValueError(name)
    return _known(text)


class _Known:
    """The timeouts that a file knows, and what it imports from."""

    def __init__(self, tree: Any) -> None:
        self.timeouts: Set[Home] = set()
        self._imported: Set[Tuple[int, str]] = set()  # with the dots before it
        self._names: Dict[str, str] = {}  # what names stand for that are imported anywhere
        nodes = list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._imported.add((0, alias.name))
                    first = alias.name.partition(".")[0]
                    self._names[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                self._note_from(node)
        for node in nodes:
            if isinstance(node, (ast.Name, ast.Attribute)):
                self._note(self._dotted(node))

    def _note_from(self, node: ast.ImportFrom) -> None:
        home = node.module or ""
        self._imported.add((node.level, home))
        for alias in node.names:
            whole = f"{home}.{alias.name}"
            self._imported.add((node.level, whole.strip(".")))
            self._names[alias.asname or alias.name] = "." * node.level + whole
            self._note("." * node.level + whole)

    def _dotted(self, node: Any) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        if not isinstance(node, ast.Name):
            return ""
        return self._names.get(node.id, f"builtins.{node.id}")

    def _note(self, dotted: str) -> None:
        module, _, name = dotted.rpartition(".")
        home = (module, name) if (module, name) == _PYTHONS else home_of(module, name)
        if home is not None and vars(sys.modules.get(home[0], sys)).get(home[1]) is TimeoutError:
            self.timeouts.add(home)

    def modules(self, package: str) -> Iterator[str]:
        """The names of all that might be a module and is imported."""
        for level, name in self._imported:
            parts = package.split(".")
            base = parts[: len(parts) - level + 1] if level else []
            whole = [part for part in [*base, *name.split(".")] if part]
            yield from (".".join(whole[:count]) for count in range(1, len(whole) + 1))


@functools.lru_cache(maxsize=64)
def _known(text: str) -> _Known:
    return _Known(forgiving(ast.parse, text))
