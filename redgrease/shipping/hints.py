"""Which annotations are the same on other versions of Python; the others travel as texts."""

import functools
import inspect
import sys
import types
import typing
from typing import Any, FrozenSet, Iterable, Optional, Tuple

from redgrease.shipping.mentions import names_in
from redgrease.shipping.modules import Modules, is_standard
from redgrease.shipping.standard import lacks, public_name

__all__ = ["fitting", "looks"]

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
_PLAIN = (bool, int, float, str, bytes, typing.TypeVar, getattr(typing, "ForwardRef", str))


# What code mentions that looks at annotations of functions; the first by itself, the others if
# there is `inspect`, too.
_LOOKING = frozenset(["__annotations__", "get_annotations", "get_type_hints", "getfullargspec"])
_OF_INSPECT = frozenset(["signature", "Signature"])
_LOOKERS = [
    *(typing.get_type_hints, inspect.signature, inspect.Signature, inspect.getfullargspec),
    getattr(inspect, "get_annotations", inspect.signature),
]


def fitting(hint: Any, version: Version, modules: Optional[Modules] = None) -> Any:
    """An annotation as a version of Python can have it.

    Args:
        hint: The annotation.
        version: The version, such as ``(3, 7)``.
        modules: Which modules travel, to leave out classes of those that may not be there.

    Returns:
        The annotation itself where it is made of classes, texts, and what all versions have;
        otherwise a text.
    """
    if isinstance(hint, str) or _Known(version, modules)(hint):
        return hint
    return f"{hint.__module__}.{hint.__qualname__}" if _is_class(hint) else str(hint)


def looks(code: types.CodeType, values: Iterable[Any]) -> bool:
    """Whether a function looks at annotations of others, as some decorators do.

    Args:
        code: Its code.
        values: The values of its variables from outside.
    """
    values = list(values)
    if any(value is looker for value in values for looker in _LOOKERS):
        return True
    mentioned = names_in(code)
    names = mentioned.attributes | _names(code)
    inspects = "inspect" in mentioned.imports or any(value is inspect for value in values)
    return bool(names & _LOOKING) or (inspects and bool(names & _OF_INSPECT))


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> FrozenSet[str]:
    """The names in a code object and those inside it, with what they import."""
    inner = [_names(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    return frozenset(code.co_names).union(*inner)


def _is_class(hint: Any) -> bool:
    return issubclass(type(hint), type)  # some aliases call themselves classes when asked


class _Known:
    """Tells which annotations are known where they arrive."""

    def __init__(self, version: Version, modules: Optional[Modules]) -> None:
        self.version = version
        self.modules = modules

    def __call__(self, hint: Any) -> bool:
        kind = type(hint)
        if hint is None or hint is ... or kind in _PLAIN:
            return True
        if kind in (list, tuple):  # of parameters
            return all(map(self, hint))
        if _is_class(hint):
            return self._class(hint)
        if kind is _GENERIC:
            known = self.version >= (3, 9) and self(hint.__origin__)
        elif kind is _UNION:
            known = True
        else:
            known = kind.__module__ == "typing" and self._alias(hint)
            if known and _name(hint) == "Literal":  # of values
                return True
        return known and all(map(self, getattr(hint, "__args__", ())))

    def _class(self, kind: Any) -> bool:
        home = str(kind.__module__)
        if type(kind).__module__ == "typing" and sys.version_info < (3, 7):
            return False
        if is_standard(home):
            return lacks(self.version, *public_name(kind)) is None
        return self.modules is None or self.modules.by_value(home)

    def _alias(self, alias: Any) -> bool:
        name = _name(alias)
        if name not in _ALIASES or lacks(self.version, "typing", name) is not None:
            return False
        plain = getattr(typing, name)
        # Generic classes of the user's are no aliases of `typing`, whatever they are called.
        origins = [getattr(plain, "__origin__", plain), typing.Union]
        return alias is plain or any(getattr(alias, "__origin__", None) is each for each in origins)


def _name(alias: Any) -> str:
    """The name of an alias in ``typing``; unions have one in some versions only."""
    origin = getattr(alias, "__origin__", None)
    return str(getattr(alias, "_name", None) or getattr(origin, "_name", ""))
