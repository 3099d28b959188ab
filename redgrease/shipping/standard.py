"""What the standard library of a version of Python does not have."""

from typing import Dict, Optional, Tuple

__all__ = ["lacks", "public_home"]

# The version that a module came with; and the first that is without it.
_CAME: Dict[str, Tuple[int, int]] = {
    "asyncio.exceptions": (3, 8),
    "asyncio.staggered": (3, 8),
    "asyncio.taskgroups": (3, 11),
    "asyncio.threads": (3, 9),
    "asyncio.timeouts": (3, 11),
    "asyncio.trsock": (3, 8),
    "contextvars": (3, 7),
    "dataclasses": (3, 7),
    "graphlib": (3, 9),
    "importlib.metadata": (3, 8),
    "importlib.resources": (3, 7),
    "multiprocessing.shared_memory": (3, 8),
    "multiprocessing.resource_tracker": (3, 8),
    "tomllib": (3, 11),
    "unittest.async_case": (3, 8),
    "wsgiref.types": (3, 11),
    "zoneinfo": (3, 9),
}
_WENT: Dict[str, Tuple[int, int]] = {
    **dict.fromkeys(["macpath"], (3, 8)),
    **dict.fromkeys(["_dummy_thread", "dummy_threading"], (3, 9)),
    **dict.fromkeys(["formatter", "parser", "symbol"], (3, 10)),
    **dict.fromkeys(["binhex"], (3, 11)),
    **dict.fromkeys(["asynchat", "asyncore", "distutils", "imp", "smtpd"], (3, 12)),
    **dict.fromkeys(
        [
            *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap"),
            *("msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"),
            *("telnetlib", "uu", "xdrlib"),
        ],
        (3, 13),
    ),
}


def lacks(version: Tuple[int, ...], module: str) -> Optional[str]:
    """Find out whether a version of Python is without a module of the standard library.

    Args:
        version: The version, such as ``(3, 7)``.
        module: The module's name.

    Returns:
        Why it is not there; None where it is, as far as is known.
    """
    name = module
    while name:
        if name in _CAME and tuple(version[:2]) < _CAME[name]:
            return "the module {} came with Python {}.{}".format(name, *_CAME[name])
        if name in _WENT and tuple(version[:2]) >= _WENT[name]:
            return "the module {} is gone since Python {}.{}".format(name, *_WENT[name])
        name = name.rpartition(".")[0]
    return None


def public_home(module: str) -> str:
    """The name of a module without the private ones at its end.

    Where a package keeps its classes is its own affair, and differs between versions:
    ``pathlib._local`` is there in Python 3.13 only.
    """
    parts = module.split(".")
    while len(parts) > 1 and parts[-1].startswith("_"):
        parts.pop()
    return ".".join(parts)
