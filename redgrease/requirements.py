"""Python packages that functions need on the server."""

import os
import re
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Union

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from redgrease._version import __version__

__all__ = [
    "InvalidRequirement",
    "PackageOption",
    "Requirement",
    "Version",
    "as_sent",
    "default_redgrease",
    "from_packages_dict",
    "read_requirements",
    "resolve_requirements",
    "safe_requirement",
    "same_name",
    "to_packages_dict",
]

PackageOption = Optional[Union[bool, str, Version, Requirement]]
AnyRequirement = Union[str, bytes, Requirement]

default_redgrease = Requirement(f"redgrease[runtime]=={__version__}")
"""What ``enforce_redgrease=True`` asks for: the server gets the version that the client has."""


def safe_requirement(value: AnyRequirement) -> Requirement:
    """Read a requirement.

    Args:
        value: A text such as ``numpy>=1.20``, or a requirement.

    Returns:
        The requirement.

    Raises:
        InvalidRequirement: The text is none.
        TypeError: It is no text.
    """
    if isinstance(value, Requirement):
        return value
    if isinstance(value, bytes):
        value = value.decode("utf-8")
    if not isinstance(value, str):
        raise TypeError(f"a requirement is a text such as 'numpy>=1.20', not {value!r}")
    return Requirement(value)


def _canonical(name: str) -> str:
    """A package's name as PyPI compares it: ``Foo_Bar`` and ``foo-bar`` are the same."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _name(value: AnyRequirement) -> str:
    return _canonical(safe_requirement(value).name)


def same_name(one: AnyRequirement, other: AnyRequirement) -> bool:
    """Whether two requirements are about the same package.

    Args:
        one: A requirement.
        other: Another one.

    Returns:
        True if they are; False if not, or if one of them cannot be read.
    """
    try:
        return _name(one) == _name(other)
    except InvalidRequirement:
        return False


def to_packages_dict(requirements: Iterable[AnyRequirement]) -> Dict[str, Set[Requirement]]:
    """Sort requirements by their package's name."""
    packages: Dict[str, Set[Requirement]] = {}
    for requirement in map(safe_requirement, requirements):
        packages.setdefault(_name(requirement), set()).add(requirement)
    return packages


def from_packages_dict(packages: Dict[str, Set[Requirement]]) -> Set[Requirement]:
    """Undo :func:`to_packages_dict`."""
    return {requirement for group in packages.values() for requirement in group}


def _redgrease(option: Union[str, Version, Requirement, float]) -> Requirement:
    """Which redgrease is meant: a version, a condition on it, extras, or all of it."""
    if isinstance(option, Requirement):
        return option
    text = str(option).strip()
    if re.match(r"\d", text):
        return Requirement(f"redgrease[runtime]=={text}")
    if re.match(r"[=<>!~]", text):
        return Requirement(f"redgrease[runtime]{text}")
    if re.match(r"redgrease\b", text, re.IGNORECASE):
        return Requirement(text)
    if not text:
        raise InvalidRequirement("enforce_redgrease is an empty text")
    return Requirement("redgrease[{}]".format(text.strip("[]")))


def as_sent(requirement: Requirement) -> str:
    """The text of a requirement with its name in small letters.

    Servers tell names apart by their letter case, and would install a package once for each.
    """
    text, name = str(requirement), requirement.name
    return name.lower() + text[len(name) :]


def resolve_requirements(
    requirements: Optional[Union[AnyRequirement, Iterable[AnyRequirement]]] = None,
    enforce_redgrease: PackageOption = None,
) -> Set[Requirement]:
    """Read requirements, and see to redgrease being one of them, or not.

    Args:
        requirements: Requirements; one alone need not be in a list.
        enforce_redgrease: None leaves the requirements as they are; False removes redgrease;
            True adds the client's version of it, unless one is asked for already; a version
            (``"1.2"``), a condition (``">=1.2"``), extras (``"all"``) or a whole requirement
            (``"redgrease[all]>=1.2"``) takes the place of whatever is asked for.

    Returns:
        The requirements.

    Raises:
        InvalidRequirement: One of them cannot be read.
    """
    if requirements is None:
        requirements = []
    elif isinstance(requirements, (str, bytes, Requirement)) or not isinstance(
        requirements, Iterable
    ):
        requirements = [requirements]
    # By their texts, since requirements cannot be compared in old versions of packaging.
    texts = {str(each): each for each in map(safe_requirement, requirements)}
    resolved = set(texts.values())
    if enforce_redgrease is None:
        return resolved
    others = {requirement for requirement in resolved if _name(requirement) != "redgrease"}
    if enforce_redgrease is False:
        return others
    if enforce_redgrease is True:
        return resolved if others != resolved else resolved | {default_redgrease}
    return others | {_redgrease(enforce_redgrease)}


def _lines(path: Path) -> Iterator[str]:
    """The lines of a requirements file, without comments, with continued ones joined."""
    text = path.read_text(encoding="utf-8")
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        # A URL may have a fragment; a comment has a space before its mark.
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if line:
            yield line


def _read(path: Path, seen: Set[Path]) -> List[Requirement]:
    path = path.resolve()
    if path in seen:
        return []
    seen.add(path)
    found: List[Requirement] = []
    for line in _lines(path):
        included = re.match(r"(?:-r|--requirement)[\s=]*(\S.*)$", line)
        if included:
            found += _read(path.parent / included.group(1).strip(), seen)
        elif re.match(r"-e\b|--editable\b", line):
            raise InvalidRequirement(f"{path}: a server cannot install {line!r}")
        elif not line.startswith("-"):  # other options are for pip on this machine
            # Options of one requirement, such as --hash, are pip's as well.
            requirement = re.split(r"\s--\w", line)[0].strip()
            try:
                found.append(Requirement(requirement))
            except InvalidRequirement as error:
                raise InvalidRequirement(f"{path}: {requirement!r}: {error}") from error
    return found


def read_requirements(*paths: Any) -> Set[Requirement]:
    """Read requirements from files, as pip does, including ``-r other-file``.

    Args:
        paths: The files; ``requirements.txt`` if none is given.

    Returns:
        The requirements of all files.

    Raises:
        InvalidRequirement: A line is no requirement.
        OSError: A file cannot be read.
    """
    seen: Set[Path] = set()
    return {
        requirement
        for path in paths or ("requirements.txt",)
        for requirement in _read(Path(os.fspath(path)), seen)
    }
