"""Packages that scripts ask for (REQUIREMENTS): found in this environment, or installed by pip.

What is missing goes into a folder of the server's own, never into the user's environment.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from redgrease._version import __version__

from .access import InstallPolicy
from .packages import OWN, Site, make_wheels
from .wheels import CURRENT_OS, VERSION, RequirementError, needed_by, normal, pack, unpack

__all__ = ["FAILED", "Package", "RequirementError", "Requirements", "satisfied"]

_log = logging.getLogger("redgrease.engine")
FAILED = "Could not satisfy requirements (look at redis log file for more information)"
NO_WHEELS = "Requirement was not yet downloaded so wheels are not available"
_LABEL = "requirement.json"
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
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


def _checkable(requirement: str) -> bool:
    """Whether :func:`satisfied` can tell; not, for instance, of an URL."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        return _SIMPLE.match(requirement) is not None
    try:
        return Requirement(requirement).url is None
    except InvalidRequirement:
        return False


def _is_own(requirement: str) -> bool:
    """Whether it is for the package that the server brings along."""
    found = _NAME.match(requirement)
    return found is not None and normal(found.group(1)) == OWN


@dataclass
class Package:
    """A requirement that some script has asked for.

    Attributes:
        name: The requirement, as it was written.
        path: The folder of its wheels; empty if it was there without being installed.
        wheels: The names of its wheels.
    """

    name: str
    path: str = ""
    wheels: list[str] = field(default_factory=list)

    @property
    def installed(self) -> bool:
        """Whether it is there; another version may have been installed since."""
        return satisfied(self.name) if _checkable(self.name) else bool(self.wheels)

    @property
    def files(self) -> list[str]:
        """The paths of its wheels."""
        return [os.path.join(self.path, wheel) for wheel in self.wheels]

    def describe(self, users: int = 0) -> list[Any]:
        """Its entry in the reply to RG.PYDUMPREQS.

        Args:
            users: How many sessions use it.
        """
        return [
            *("GearReqVersion", VERSION, "Name", self.name),
            *("IsDownloaded", _word(bool(self.wheels)), "IsInstalled", _word(self.installed)),
            *("CompiledOs", CURRENT_OS, "Wheels", list(self.wheels) or NO_WHEELS),
            *("Path", self.path, "RefCount", 1 + users, "IsInReqDictionary", "yes"),
        ]

    def private_data(self) -> str:
        """Its part of the private data of a registration, a text for people."""
        wheels = ", ".join(f"'{wheel}'" for wheel in self.wheels)
        return f"{{'name':'{self.name}', 'basePath':'{self.path}', 'wheels':[{wheels}]}}"


def _word(value: bool) -> str:
    return "yes" if value else "no"


class Requirements:
    """The packages of the server.

    They are importable from one folder, so one version of each is effective: the one that was
    installed last.  Their wheels are kept beside.

    Args:
        directory: The server's folder.
    """

    def __init__(self, directory: str) -> None:
        # Compiled packages are for one version of Python.
        place = os.path.join(directory, "requirements", "python{}.{}".format(*sys.version_info))
        self.path = os.path.join(place, "site")
        self.users: Callable[[str], int] = lambda name: 0
        """Tells how many sessions use a requirement."""
        self.policy = InstallPolicy()
        self._wheels = os.path.join(place, "wheels")
        self._site = Site(self.path)
        self._lock = threading.Lock()
        self._known: dict[str, Package] = {}
        self._attempts: dict[str, tuple[int, bool]] = {}
        """For each requirement, at which count the last attempt began, and whether it succeeded."""
        self._count = 0
        self._load()

    def _load(self) -> None:
        """Find the wheels of earlier runs of the server."""
        if not os.path.isdir(self._wheels):
            return
        for name in sorted(os.listdir(self._wheels)):
            path = os.path.join(self._wheels, name)
            try:
                with open(os.path.join(path, _LABEL), encoding="utf-8") as file:
                    label = json.load(file)
                self._known[label["name"]] = Package(label["name"], path, list(label["wheels"]))
            except (OSError, ValueError, KeyError, TypeError):
                shutil.rmtree(path, ignore_errors=True)  # was being made when the server ended

    # -- what is there --------------------------------------------------------------------------

    def get(self, name: str) -> Package | None:
        """The requirement of this name, if a script has asked for it."""
        return self._known.get(name)

    def note(self, name: str) -> Package:
        """The requirement of this name, which is known from now on."""
        return self._known.setdefault(name, Package(name))

    def missing(self, names: Iterable[str], force: bool = False) -> list[str]:
        """Those of the requirements that have to be installed first.

        Args:
            names: The requirements.
            force: Whether also those that are there are to be installed again.
        """
        unique = dict.fromkeys(names)
        return [name for name in unique if (force and not _is_own(name)) or not self._there(name)]

    def _there(self, name: str) -> bool:
        known = self._known.get(name)
        if known is not None and known.installed:
            return True
        if satisfied(name):
            self.note(name)
            return True
        return False

    # -- installation ---------------------------------------------------------------------------

    def install(self, names: Iterable[str], force: bool = False) -> bool:
        """Install requirements; takes its time.

        What another thread has begun to install since the call is not installed again.

        Args:
            names: The requirements.
            force: Whether they are to be fetched afresh.

        Returns:
            Whether they are there now; pip's output is in the log if not.
        """
        began = self._count
        with self._lock:
            wanted = [name for name in names if self._attempts.get(name, (0, False))[0] <= began]
            others = [name for name in names if name not in wanted]
            if not force:
                wanted = [name for name in wanted if not self._there(name)]
            if wanted and not self._attempt(wanted, force):
                return False
            return all(self._attempts[name][1] for name in others)

    def _attempt(self, wanted: list[str], force: bool) -> bool:
        self._count += 1
        number = self._count
        try:
            done = self._fetch_and_install(wanted, force)
        except OSError as error:
            _log.error("%s cannot be installed: %s", ", ".join(wanted), error)
            done = False
        self._attempts.update(dict.fromkeys(wanted, (number, done)))
        return done

    def _fetch_and_install(self, wanted: list[str], force: bool) -> bool:
        _log.info("installing %s", ", ".join(wanted))
        if not force:
            # Those that another version has displaced: their wheels are still here.
            kept = [name for name in wanted if name in self._known and self._known[name].wheels]
            files = [file for name in kept for file in self._known[name].files]
            if kept and not self._site.install(files):
                return False
            wanted = [name for name in wanted if name not in kept]
        return not wanted or self._fetch_and_keep(wanted, force)

    def _fetch_and_keep(self, wanted: list[str], force: bool) -> bool:
        os.makedirs(self._wheels, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=self._wheels) as place:
            if not make_wheels(wanted, place, force):
                return False
            wheels = [os.path.join(place, name) for name in os.listdir(place)]
            if not self._site.install(wheels):
                return False
            for name in wanted:
                self._keep(name, needed_by(name, wheels))
        return True

    def _keep(self, name: str, wheels: Iterable[str]) -> Package:
        """Keep the wheels of a requirement in a folder of its own."""
        path = os.path.join(self._wheels, hashlib.sha256(name.encode()).hexdigest()[:16])
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path)
        package = Package(name, path, sorted(os.path.basename(wheel) for wheel in wheels))
        for wheel in wheels:
            shutil.copy(wheel, path)
        # The label comes last: a folder without one is not complete.
        with open(os.path.join(path, _LABEL), "w", encoding="utf-8") as file:
            json.dump({"name": name, "wheels": package.wheels}, file)
        self._known[name] = package
        return package

    # -- travel ---------------------------------------------------------------------------------

    def waits(self, name: str) -> bool:
        """Whether wheels have to be fetched for the export of a requirement."""
        package = self._known.get(name)
        return package is not None and not package.wheels

    def export(self, name: str, fetch: bool = True) -> list[Any]:
        """The reply to RG.PYEXPORTREQ.

        Args:
            name: The requirement, as a script has written it.
            fetch: Whether wheels that are not here may be fetched, which takes its time.

        Returns:
            Its description and its chunks.

        Raises:
            RequirementError: There is no such requirement, or there are no wheels of it.
        """
        package = self._known.get(name)
        if package is None:
            raise RequirementError("requirement does not exists")
        if not package.wheels and not fetch:
            raise RequirementError(NO_WHEELS)
        with self._lock:
            if not package.wheels:
                self._fetch(package)
            package = self._known[name]
            return [package.describe(self.users(name)), pack(name, package.files)]

    def _fetch(self, package: Package) -> None:
        """Get the wheels of a requirement that was there anyway, without installing them."""
        os.makedirs(self._wheels, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=self._wheels) as place:
            if not make_wheels([package.name], place, False):
                raise RequirementError(NO_WHEELS)
            self._keep(package.name, [os.path.join(place, name) for name in os.listdir(place)])

    def import_(self, chunks: Iterable[bytes]) -> None:
        """Install what another server has exported; takes its time.

        Args:
            chunks: The arguments of RG.PYIMPORTREQ.

        Raises:
            RequirementError: It cannot be read or installed.
        """
        parcel = unpack(chunks)
        refused = self.policy.refused([parcel.name])
        if refused is not None:
            raise RequirementError(refused)
        with self._lock:
            os.makedirs(self._wheels, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="fetching-", dir=self._wheels) as place:
                paths = [os.path.join(place, name) for name in parcel.wheels]
                for path, content in zip(paths, parcel.wheels.values()):
                    with open(path, "wb") as file:
                        file.write(content)
                if not self._site.install(paths):
                    raise RequirementError(FAILED)
                self._keep(parcel.name, paths)

    def close(self) -> None:
        """Let Python no longer find them."""
        self._site.hide()

    def dump(self) -> list[Any]:
        """The reply to RG.PYDUMPREQS."""
        return [one.describe(self.users(one.name)) for one in list(self._known.values())]
