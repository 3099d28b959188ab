"""Packages that scripts ask for (REQUIREMENTS): found in this environment, or installed by pip.

What is missing goes into a folder of the server's own, never into the user's environment.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
import platform
import re
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from redgrease._version import __version__

_log = logging.getLogger("redgrease.engine")
FAILED = "Could not satisfy requirements (look at redis log file for more information)"
_SIMPLE = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:==\s*(\S+))?\s*\Z")


def satisfied(requirement: str) -> bool:
    """Tell whether a requirement is met by what is installed already.

    Args:
        requirement: As pip understands it.

    Returns:
        Whether it is there; False also for what cannot be told, such as URLs.
    """
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        return _satisfied_simply(requirement)
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return False
    if parsed.marker is not None and not parsed.marker.evaluate():
        return True
    if parsed.url is not None:
        return False
    version = _installed(parsed.name)
    if version is None or not parsed.specifier.contains(version, prereleases=True):
        return False
    return all(satisfied(part) for part in _extra_requirements(parsed.name, parsed.extras))


def _satisfied_simply(requirement: str) -> bool:
    """The same for the plainest requirements, without the package ``packaging``."""
    found = _SIMPLE.match(requirement)
    if found is None:
        return False
    version = _installed(found.group(1))
    return version is not None and found.group(2) in (None, version)


def _installed(name: str) -> str | None:
    """The version of a package in this environment; redgrease may also run from its source."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return __version__ if name.lower() == "redgrease" else None


def _extra_requirements(name: str, extras: Iterable[str]) -> list[str]:
    """What a package's extras ask for in addition."""
    from packaging.requirements import Requirement

    try:
        declared = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    wanted: list[str] = []
    for text in declared:
        parsed = Requirement(text)
        if parsed.marker is not None and any(
            parsed.marker.evaluate({"extra": extra}) and not parsed.marker.evaluate({"extra": ""})
            for extra in extras
        ):
            parsed.marker = None
            wanted.append(str(parsed))
    return wanted


@dataclass
class Package:
    """A requirement that some script has asked for."""

    name: str
    path: str = ""
    references: int = 0

    def describe(self) -> list[Any]:
        """Its entry in the reply to RG.PYDUMPREQS."""
        return [
            *("GearReqVersion", 1, "Name", self.name, "IsDownloaded", "yes"),
            *("IsInstalled", "yes", "CompiledOs", f"{sys.platform}-{platform.machine()}"),
            *("Wheels", [], "Path", self.path, "RefCount", self.references),
            *("IsInReqDictionary", "yes"),
        ]


class Requirements:
    """The packages of the server.

    Args:
        directory: The server's folder.
    """

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, "requirements")
        self._lock = threading.Lock()
        self._known: dict[str, Package] = {}

    def missing(self, names: Iterable[str], force: bool = False) -> list[str]:
        """Those of the requirements that have to be installed first."""
        if force:
            return list(names)
        return [name for name in names if name not in self._known and not self._accept(name)]

    def _accept(self, name: str) -> bool:
        if satisfied(name):
            self._known[name] = Package(name)
            return True
        return False

    def install(self, names: Iterable[str]) -> bool:
        """Install requirements; takes its time.

        Returns:
            Whether they are there now; pip's output is in the log if not.
        """
        with self._lock:
            wanted = list(names)
            os.makedirs(self.path, exist_ok=True)
            command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
            command += ["--no-input", "--upgrade", "--target", self.path, "--", *wanted]
            _log.info("installing %s", ", ".join(wanted))
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
                )
            except OSError as error:
                _log.error("pip cannot be run: %s", error)
                return False
            if done.returncode:
                _log.error("pip failed:\n%s%s", done.stdout, done.stderr)
                return False
            if self.path not in sys.path:
                sys.path.insert(0, self.path)
            importlib.invalidate_caches()
            for name in wanted:
                self._known[name] = Package(name, self.path)
            return True

    def dump(self) -> list[Any]:
        """The reply to RG.PYDUMPREQS."""
        return [package.describe() for package in self._known.values()]
