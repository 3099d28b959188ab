"""Makes the text that is sent: a script that carries the loader and the pickled steps."""

import base64
import functools
import hashlib
import pkgutil
import sys
import zlib

__all__ = ["assemble"]

# Where compressing begins to save more time than it takes.
LARGE = 4096

# The loader is compiled once for each server process, and kept where no script's names are
# disturbed and no module is visible: functions of visible modules are pickled by reference.
TEMPLATE = """\
# {title}
def _redgrease_start(scope):
    import base64, sys, zlib
    if sys.version_info[:2] != {version}:
        raise RuntimeError({mismatch} % sys.version_info[:2])
    loaders = vars(sys.modules["redisgears"]).setdefault("_redgrease_loaders", {{}})
    if {key} not in loaders:
        text = {loader}
        loader = {{"__name__": "redgrease_loader", "SOURCE": zlib.compress(text.encode("utf-8"))}}
        exec(compile(text, "<redgrease loader>", "exec"), loader)
        loaders[{key}] = loader
    return loaders[{key}]["start"]({plan}, scope)
_redgrease_start(globals())
"""

MISMATCH = (
    "this function was made by Python {0}.{1}, but this server runs Python %d.%d; a function can "
    "only run on the version that made it"
)


@functools.lru_cache(maxsize=None)
def loader_text() -> str:
    """The text of :mod:`.loader`."""
    source = pkgutil.get_data("redgrease.shipping", "loader.py")
    assert source is not None
    return source.decode("utf-8")


@functools.lru_cache(maxsize=None)
def loader_key() -> str:
    """Tells one text of the loader from another."""
    return hashlib.sha256(loader_text().encode("utf-8")).hexdigest()[:16]


def _one_line(text: str) -> str:
    """A text that can stand in a comment."""
    text = ascii(text)[1:-1]
    return text if len(text) <= 200 else text[:197] + "..."


def assemble(plan: bytes, title: str) -> str:
    """Make the script.

    Args:
        plan: The pickled steps.
        title: What the script is, for people who see it in a log of the server's.

    Returns:
        The script.
    """
    packed = plan if len(plan) < LARGE else zlib.compress(plan)
    expression = f"base64.b64decode({base64.b64encode(packed).decode('ascii')!r})"
    version = tuple(sys.version_info[:2])
    return TEMPLATE.format(
        title=_one_line(title),
        version=version,
        mismatch=repr(MISMATCH.format(*version)),
        key=repr(loader_key()),
        loader=repr(loader_text()),
        plan=expression if packed is plan else f"zlib.decompress({expression})",
    )
