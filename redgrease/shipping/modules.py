"""Which modules a server has, and which have to travel with the functions that use them."""

import re
import sys
import sysconfig
import types
from typing import Any, Dict, FrozenSet, Iterable, List, Optional

__all__ = ["Modules", "canonical"]

# Modules of redgrease that use nothing but the standard library and each other.
PLAIN = frozenset(["redgrease.utils", "redgrease.sugar", "redgrease.typing"])
# Modules of redgrease that have functions which end up in users' chains of steps.
OPERANDS = PLAIN | frozenset(
    ["redgrease.arguments", "redgrease.operations", "redgrease.reader", "redgrease.answering"]
)

_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")
_EXTENSION = re.compile(r"\.(so|pyd|dll|dylib)$")


def canonical(name: str) -> str:
    """A package's name as PyPI compares it: ``Foo_Bar`` and ``foo-bar`` are the same."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _standard_folders() -> List[str]:
    paths = sysconfig.get_paths()
    return [paths[name] for name in ("stdlib", "platstdlib") if paths.get(name)]


_STANDARD_FOLDERS = tuple(_standard_folders())
_STANDARD_NAMES: FrozenSet[str] = frozenset(getattr(sys, "stdlib_module_names", ()))


def _file(module: types.ModuleType) -> Optional[str]:
    """Where a module, or a package without a file of its own, is."""
    path = getattr(module, "__file__", None)
    if path is None:
        folders = list(getattr(module, "__path__", ()))
        path = folders[0] + "/" if folders else None
    return path


def is_standard(name: str) -> bool:
    """Whether a module, by its name, is of the standard library."""
    top = name.partition(".")[0]
    if top in _STANDARD_NAMES or top in sys.builtin_module_names:
        return True
    path = _file(sys.modules.get(top, sys))
    return path is not None and path.startswith(_STANDARD_FOLDERS) and not _INSTALLED.search(path)


def is_installed(module: types.ModuleType) -> bool:
    """Whether a module belongs to the standard library or to an installed package.

    Args:
        module: The module.

    Returns:
        False for modules of the user's own; these may well be importable too.
    """
    top = module.__name__.partition(".")[0]
    if top in _STANDARD_NAMES or top in sys.builtin_module_names:
        return True
    path = _file(module)
    if path is None:
        # Without a file it is frozen into Python, or was made while the program runs.
        return getattr(module, "__spec__", None) is not None
    if _INSTALLED.search(path) or _EXTENSION.search(path):
        return True
    return path.startswith(_STANDARD_FOLDERS)


def _provided(requirement: str) -> Iterable[str]:
    """The modules that a requirement brings, as far as is known here: canonical names."""
    match = re.match(r"\s*([\w.-]+)", requirement)
    if not match:
        return []
    names = [match.group(1)]
    if sys.version_info >= (3, 8):
        import importlib.metadata

        try:
            listed = importlib.metadata.distribution(names[0]).read_text("top_level.txt")
        except importlib.metadata.PackageNotFoundError:
            listed = None
        names += (listed or "").split()
    return [canonical(name) for name in names]


class Modules:
    """Tells which modules travel by value.

    Args:
        requirements: The packages that the server is asked to install.
    """

    def __init__(self, requirements: Iterable[Any] = ()) -> None:
        self._provided = {name for each in requirements for name in _provided(str(each))}
        self._known: Dict[str, bool] = {}

    def by_value(self, name: Optional[str]) -> bool:
        """Whether what a module defines has to travel with the functions that use it.

        Args:
            name: The module's name.

        Returns:
            True for users' own modules, unless a requirement brings them.
        """
        if not isinstance(name, str):
            return False
        if name not in self._known:
            self._known[name] = self._decide(name)
        return self._known[name]

    def _decide(self, name: str) -> bool:
        if name == "__main__":
            return True
        top = name.partition(".")[0]
        module = sys.modules.get(name)
        # What pickles call of cloudpickle's has a stand-in on servers, wherever it is installed.
        if top in ("redgrease", "cloudpickle") or module is None:
            return False
        return canonical(top) not in self._provided and not is_installed(module)
