"""Wheels: their names, what they need, and the form in which a requirement's wheels travel."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import struct
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import Parser

CURRENT_OS = f"{sys.platform}-{platform.machine()}"
CHUNK = 10 * 1024 * 1024
"""Bytes of a chunk of an exported requirement."""
VERSION = 1
_MAGIC = b"redgrease requirement\n"
_LENGTHS = struct.Struct(">II")  # of version and header
_WHEEL = re.compile(r"[A-Za-z0-9_.!+-]+\.whl\Z")


class RequirementError(Exception):
    """A requirement cannot be exported or imported; the message is the reply."""


def normal(name: str) -> str:
    """The form in which names of packages are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def package_of(wheel: str) -> str:
    """Name of the package that a wheel file holds, in normal form."""
    return normal(os.path.basename(wheel).split("-")[0])


def _needs(wheel: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """What a wheel with some of its extras needs here: names of packages and their extras."""
    from packaging.requirements import Requirement

    with zipfile.ZipFile(wheel) as content:
        names = [name for name in content.namelist() if name.endswith(".dist-info/METADATA")]
        text = content.read(names[0]).decode("utf-8") if names else ""
    found: list[tuple[str, frozenset[str]]] = []
    for line in Parser().parsestr(text).get_all("Requires-Dist", []):
        need = Requirement(line)
        chosen = [{"extra": extra} for extra in (*extras, "")]
        if need.marker is None or any(need.marker.evaluate(extra) for extra in chosen):
            found.append((normal(need.name), frozenset(need.extras)))
    return found


def needed_by(requirement: str, wheels: Iterable[str]) -> list[str]:
    """Those of the wheels that belong to a requirement: its own and all that it depends on.

    Args:
        requirement: As pip understands it.
        wheels: Paths of wheels.

    Returns:
        Their paths; all of them, if it cannot be told.
    """
    wheels = sorted(wheels)
    try:
        from packaging.requirements import InvalidRequirement, Requirement

        first = Requirement(requirement)
    except (ImportError, InvalidRequirement):
        return wheels
    by_name = {package_of(wheel): wheel for wheel in wheels}
    todo = [(normal(first.name), frozenset(first.extras))]
    done: set[tuple[str, frozenset[str]]] = set()
    while todo:
        one = todo.pop()
        if one in done or one[0] not in by_name:
            continue
        done.add(one)
        try:
            todo += _needs(by_name[one[0]], one[1])
        except (InvalidRequirement, zipfile.BadZipFile, OSError):
            return wheels
    mine = {by_name[name] for name, _ in done}
    return [wheel for wheel in wheels if wheel in mine] or wheels


@dataclass(frozen=True)
class Parcel:
    """A requirement as it travels: its name and the contents of its wheels."""

    name: str
    wheels: dict[str, bytes]


def pack(name: str, wheels: Iterable[str]) -> list[bytes]:
    """Put a requirement into chunks.

    Args:
        name: The requirement.
        wheels: Paths of its wheels.

    Raises:
        RequirementError: A wheel cannot be read.
    """
    contents: dict[str, bytes] = {}
    try:
        for path in wheels:
            with open(path, "rb") as file:
                contents[os.path.basename(path)] = file.read()
    except OSError as error:
        raise RequirementError(f"Failed serializing requirement: {error}") from error
    header = {
        "name": name,
        "os": CURRENT_OS,
        "wheels": [
            {"name": wheel, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for wheel, data in contents.items()
        ],
    }
    text = json.dumps(header).encode()
    parts = [_MAGIC, _LENGTHS.pack(VERSION, len(text)), text, *contents.values()]
    whole = memoryview(b"".join(parts))
    return [bytes(whole[at : at + CHUNK]) for at in range(0, len(whole), CHUNK)]


def unpack(chunks: Iterable[bytes]) -> Parcel:
    """Take a requirement out of its chunks.

    Raises:
        RequirementError: They are damaged, or of another version or operating system.
    """
    whole = memoryview(b"".join(chunks))
    start = len(_MAGIC) + _LENGTHS.size
    if len(whole) < start or whole[: len(_MAGIC)] != _MAGIC:
        raise RequirementError("Failed deserializing requirement: not an exported requirement")
    version, size = _LENGTHS.unpack(whole[len(_MAGIC) : start])
    if version != VERSION:
        raise RequirementError(
            f"Requirement version mismatch (requirement version = {version},"
            f" supported version = {VERSION})"
        )
    try:
        header = json.loads(bytes(whole[start : start + size]))
        name, system = str(header["name"]), header["os"]
        listed = [(str(one["name"]), int(one["size"]), one["sha256"]) for one in header["wheels"]]
    except (ValueError, KeyError, TypeError) as error:
        raise RequirementError("Failed deserializing requirement: damaged header") from error
    if system != CURRENT_OS:
        raise RequirementError(
            f"Requirement was compiled on a different os (compiled_os = {system},"
            f" current_os = {CURRENT_OS}), OS mismatch"
        )
    at = start + size
    wheels: dict[str, bytes] = {}
    for wheel, length, digest in listed:
        data = bytes(whole[at : at + length])
        at += length
        if not _WHEEL.match(wheel) or hashlib.sha256(data).hexdigest() != digest:
            raise RequirementError("Failed deserializing requirement: damaged content")
        wheels[wheel] = data
    if at != len(whole) or not wheels:
        raise RequirementError("Failed deserializing requirement: damaged content")
    return Parcel(name, wheels)
