"""Packages in a folder of the server's own: made by pip, put in place, and replaced."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.metadata
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence

from .wheels import normal, package_of

OWN = "redgrease"
"""The package that is never installed: the server brings it along."""
_log = logging.getLogger("redgrease.engine")


def pip(*words: str) -> bool:
    """Run pip.

    Args:
        words: What it is to do.

    Returns:
        Whether it did it; if not, its output is in the log.
    """
    command = [sys.executable, "-m", "pip", words[0], "--disable-pip-version-check", "--no-input"]
    try:
        done = subprocess.run(
            [*command, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        _log.error("pip cannot be run: %s", error)
        return False
    if done.returncode:
        output = done.stdout.decode("utf-8", "replace")
        _log.error("pip %s failed (exit code %d):\n%s", words[0], done.returncode, output)
        return False
    return True


def make_wheels(requirements: Sequence[str], directory: str, fresh: bool) -> bool:
    """Download or build wheels of requirements and of all that they need.

    Args:
        requirements: As pip understands them; a version is chosen that suits all.
        directory: Where the wheels go.
        fresh: Whether pip may not take them from its cache.
    """
    options = ["--no-cache-dir"] if fresh else []
    return pip("wheel", *options, "--wheel-dir", directory, "--", *requirements)


class Site:
    """The folder in which packages can be imported.

    Args:
        path: Where it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def show(self) -> None:
        """Let Python find what is in it."""
        if self.path not in sys.path:
            sys.path.insert(0, self.path)
        importlib.invalidate_caches()

    def hide(self) -> None:
        """Undo :meth:`show`."""
        if self.path in sys.path:
            sys.path.remove(self.path)

    def install(self, wheels: Iterable[str]) -> bool:
        """Install wheels; of each package, the version that was there before goes.

        Modules of replaced packages are forgotten, so that scripts to come import the new ones;
        those that have imported them keep what they have.

        Returns:
            Whether it was done; if not, nothing has changed.
        """
        wanted = [wheel for wheel in wheels if package_of(wheel) != OWN]
        os.makedirs(self.path, exist_ok=True)
        if not wanted:
            self.show()
            return True
        # Made beside and moved: a pip that outlives this process does no harm.
        beside = tempfile.mkdtemp(prefix="installing-", dir=os.path.dirname(self.path))
        try:
            options = ["--no-index", "--no-deps", "--no-cache-dir", "--target", beside]
            if not pip("install", *options, "--", *wanted):
                return False
            removed = self._remove({package_of(wheel) for wheel in wanted})
            _move(beside, self.path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        _forget_modules(removed)
        self.show()
        return True

    def _remove(self, packages: set[str]) -> list[str]:
        """Remove packages; returns the paths of their files."""
        removed: list[str] = []
        for found in importlib.metadata.distributions(path=[self.path]):
            name = found.metadata["Name"]
            if name is None or normal(name) not in packages:
                continue
            for file in found.files or ():
                path = os.path.normpath(os.path.join(self.path, str(file)))
                if path.startswith(self.path + os.sep) and os.path.isfile(path):
                    os.unlink(path)
                    removed.append(path)
        for directory in sorted({os.path.dirname(path) for path in removed}, reverse=True):
            _prune(directory, self.path)
        return removed


def _prune(directory: str, top: str) -> None:
    """Remove a folder and those above it, as far as nothing but compiled code is left in them."""
    while directory.startswith(top + os.sep):
        left = os.listdir(directory) if os.path.isdir(directory) else []
        if left == ["__pycache__"]:
            shutil.rmtree(os.path.join(directory, "__pycache__"))
        elif left:
            return
        if os.path.isdir(directory):
            os.rmdir(directory)
        directory = os.path.dirname(directory)


def _move(source: str, target: str) -> None:
    """Move all files of a folder into another one, where some of its folders may exist."""
    for directory, _, files in os.walk(source):
        into = os.path.normpath(os.path.join(target, os.path.relpath(directory, source)))
        os.makedirs(into, exist_ok=True)
        for file in files:
            os.replace(os.path.join(directory, file), os.path.join(into, file))


def _forget_modules(removed: Iterable[str]) -> None:
    """Forget the modules that were imported from removed files, by whole packages."""
    files = set(removed)
    mine: dict[str, list[str]] = {}
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) in files:
            mine.setdefault(name.partition(".")[0], []).append(name)
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    for top, names in mine.items():
        # Most compiled modules cannot be loaded twice into a process.
        if any(str(getattr(sys.modules.get(n), "__file__", "")).endswith(suffixes) for n in names):
            _log.warning("%s was replaced; the new one is used after a restart", top)
            continue
        for name in names:
            sys.modules.pop(name, None)
