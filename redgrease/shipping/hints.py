"""Which annotations are the same on other versions of Python; the others travel as texts."""

import sys
import types
import typing
from typing import Any, Tuple

from redgrease.shipping.modules import is_standard
from redgrease.shipping.standard import lacks, public_name

__all__ = ["fitting"]

Version = Tuple[int, ...]

# What all versions have in `typing`, and make in the same way.
_ALIASES = frozenset(
    [
        *("AbstractSet", "Any", "Callable", "ClassVar", "Collection", "DefaultDict", "Deque"),
        *("Dict", "FrozenSet", "Generator", "Iterable", "Iterator", "List", "Literal", "Mapping"),
        *("MutableMapping", "MutableSequence", "Optional", "Sequence", "Set", "Tuple", "Type"),
        "Union",
    ]
)
_GENERIC = getattr(types, "GenericAlias", None)
_UNION = getattr(types, "UnionType", None)
_REFERENCE = getattr(typing, "ForwardRef", None)


def fitting(hint: Any, version: Version) -> Any:
    """An annotation as a version of Python can have it.

    Args:
        hint: The annotation.
        version: The version, such as ``(3, 7)``.

    Returns:
        The annotation itself where it is made of classes, texts, and what all versions have;
        otherwise a text.
    """
    return hint if isinstance(hint, str) or _is_known(hint, version) else str(hint)


def _is_known(hint: Any, version: Version) -> bool:
    kind = type(hint)
    if hint is None or hint is ... or kind in (_REFERENCE, typing.TypeVar):
        return True
    if kind in (list, tuple):  # of parameters
        return all(_is_known(each, version) for each in hint)
    if issubclass(kind, type):  # some aliases call themselves classes when they are asked
        return _is_class_there(hint, version)
    if kind is _GENERIC:
        known = version >= (3, 9) and _is_known(hint.__origin__, version)
    elif kind is _UNION:
        known = True
    else:
        known = kind.__module__ == "typing" and _is_alias_there(hint, version)
        if known and _name(hint) == "Literal":  # of values
            return True
    return known and all(_is_known(each, version) for each in getattr(hint, "__args__", ()))


def _is_class_there(kind: Any, version: Version) -> bool:
    if type(kind).__module__ == "typing" and sys.version_info < (3, 7):
        return False
    return not is_standard(str(kind.__module__)) or lacks(version, *public_name(kind)) is None


def _name(alias: Any) -> str:
    """The name of an alias in ``typing``; unions have one in some versions only."""
    origin = getattr(alias, "__origin__", None)
    return str(getattr(alias, "_name", None) or getattr(origin, "_name", ""))


def _is_alias_there(alias: Any, version: Version) -> bool:
    name = _name(alias)
    if name not in _ALIASES or lacks(version, "typing", name) is not None:
        return False
    plain = getattr(typing, name)
    # Generic classes of the user's are no aliases of `typing`, whatever they are called.
    origins = [getattr(plain, "__origin__", plain), typing.Union]
    return alias is plain or any(getattr(alias, "__origin__", None) is each for each in origins)
