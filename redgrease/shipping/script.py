"""Makes the text that is sent: a script that carries the loader and the pickled steps."""

import base64
import functools
import hashlib
import pkgutil
import sys
import zlib
from typing import Optional, Tuple

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
    plan = {plan}
    if zlib.crc32(plan) != {checksum}:
        raise RuntimeError("this script of redgrease was damaged on its way")
    loaders = vars(sys.modules["redisgears"]).setdefault("_redgrease_loaders", {{}})
    if {key} not in loaders:
        text = {loader}
        source = zlib.compress(text.encode("utf-8"))
        loader = {{"__name__": "redgrease_loader", "SOURCE": source, "KEY": {key}}}
        exec(compile(text, "<redgrease loader>", "exec"), loader)
        loaders[{key}] = loader
    return loaders[{key}]["start"](plan, scope)
_redgrease_start(globals())
"""

MISMATCH = (
    "this function was made for Python {0}.{1}, but this server runs Python %d.%d; a function can "
    "only run on the version that it was made for"
)


@functools.lru_cache(maxsize=None)
def loader_text(with_trees: bool = False) -> str:
    """The texts that are sent; with those of :mod:`.trees` and :mod:`.classes` if need be."""
    texts = []
    for name in ["loader.py", "starting.py"] + (["trees.py", "classes.py"] if with_trees else []):
        source = pkgutil.get_data("redgrease.shipping", name)
        assert source is not None
        texts.append(source.decode("utf-8"))
    return "\n".join(texts)


@functools.lru_cache(maxsize=None)
def loader_key(with_trees: bool = False) -> str:
    """Tells one text of the loader from another."""
    return hashlib.sha256(loader_text(with_trees).encode("utf-8")).hexdigest()[:16]


def _one_line(text: str) -> str:
    """A text that can stand in a comment."""
    text = ascii(text)[1:-1]
    return text if len(text) <= 200 else text[:197] + "..."


def assemble(
    plan: bytes, title: str, version: Optional[Tuple[int, ...]] = None, with_trees: bool = False
) -> str:
    """Make the script.

    Args:
        plan: The pickled steps.
        title: What the script is, for people who see it in a log of the server's.
        version: The server's version of Python; None is the one that runs here.
        with_trees: Whether the pickle takes more than the loader, whatever the version.

    Returns:
        The script.
    """
    packed = plan if len(plan) < LARGE else zlib.compress(plan)
    expression = f"base64.b64decode({base64.b64encode(packed).decode('ascii')!r})"
    ours = tuple(sys.version_info[:2])
    version = ours if version is None else tuple(version[:2])
    with_trees = with_trees or version != ours
    return TEMPLATE.format(
        title=_one_line(title),
        version=version,
        mismatch=repr(MISMATCH.format(*version)),
        key=repr(loader_key(with_trees)),
        loader=repr(loader_text(with_trees)),
        checksum=zlib.crc32(plan),
        plan=expression if packed is plan else f"zlib.decompress({expression})",
    )
