"""What a function that registers is called: by this, its earlier registration is found again."""

import hashlib
import re
import types
from typing import Any, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from redgrease.shipping.fingerprint import fingerprint

__all__ = ["Identity", "identify", "session_name"]

Step = Tuple[str, Tuple[Any, ...], Any]

# What servers allow in the name of a session, and how much of a name is kept readable.
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]+")
_READABLE = 80


class Identity(NamedTuple):
    """A function that registers.

    Attributes:
        session: The name of its session.
        fingerprint: A digest of what the function does.
        reader: The name of its reader.
        prefix: The prefix, or the stream, that it is registered for.
        desc: Its description.
        mode: How its executions run.
        trigger: What triggers it; for a hook, the command.
    """

    session: str
    fingerprint: str
    reader: str
    prefix: str
    desc: Optional[str]
    mode: str
    trigger: Optional[str] = None

    @property
    def encoder(self) -> str:
        """What the last step is called that pickles its results."""
        return f"redgrease_{self.fingerprint}"


def identify(steps: Sequence[Step], requirements: Iterable[Any] = ()) -> Optional[Identity]:
    """Tell what the function is called that some steps register.

    Args:
        steps: The steps: name, positional arguments and keyword arguments of each.
        requirements: The packages that the server is asked to install.

    Returns:
        What it is called; None if the steps do not register anything.
    """
    name, args, kwargs = steps[-1]
    if name != "register":
        return None
    reader, _, desc = (*steps[0][1], None, None)[:3]
    prefix = str(args[0]) if args else "*"
    trigger = kwargs.get("trigger", kwargs.get("hook"))
    words = [str(reader)]
    if "trigger" in kwargs:
        words = ["command", str(trigger)]
    elif desc is not None:
        words += [prefix, str(desc)]
    else:
        words += [prefix, *_names(steps)]
        words += [str(kwargs[word]) for word in ("hook", "keyprefix") if word in kwargs]
    return Identity(
        session_name(*words),
        fingerprint(steps, requirements),
        str(reader),
        prefix,
        None if desc is None else str(desc),
        str(kwargs.get("mode", "async")),
        None if trigger is None else str(trigger),
    )


def session_name(*words: str) -> str:
    """Make the name of a session: readable as far as servers allow, and different for different
    words.

    Args:
        words: What it is made of.

    Returns:
        The name, of letters, digits, ``-`` and ``_``.
    """
    plain = "-".join(words)
    readable = "redgrease-" + _NOT_ALLOWED.sub("_", plain)
    allowed = len(plain) <= _READABLE and not _NOT_ALLOWED.search(plain)
    if allowed and len(words) == 2 and words[0] == "command":
        return readable  # that is the word for it already
    digest = hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable[:_READABLE]}-{digest[:12]}"


def _names(steps: Sequence[Step]) -> List[str]:
    """The names of the user's functions in the steps."""
    names: List[str] = []
    seen: List[Any] = []
    for _, args, kwargs in steps[1:]:
        values = [*args, *(kwargs[name] for name in sorted(kwargs))]
        for value in values:
            _collect(value, names, seen)
    return names


def _collect(value: Any, names: List[str], seen: List[Any]) -> None:
    """Add the name of a function; of one of redgrease's own, those of what it closes over."""
    if type(value) is not types.FunctionType or any(value is other for other in seen):
        return
    seen.append(value)
    if str(value.__module__).partition(".")[0] == "redgrease":
        for cell in value.__closure__ or ():
            try:
                _collect(cell.cell_contents, names, seen)
            except ValueError:  # still empty
                continue
        return
    name = value.__qualname__.rpartition("<locals>.")[2]
    if name.isidentifier() or "." in name:
        names.append(name)
