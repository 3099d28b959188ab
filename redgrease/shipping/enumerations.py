"""How enumerations travel: without what each version of Python makes of them in its own way."""

import enum
import types
from typing import Any, Dict, Optional, Tuple

from redgrease.shipping import classes
from redgrease.shipping.standard import Lacking

__all__ = ["enumeration"]

Version = Tuple[int, ...]

PROTOCOL = 2  # the first that makes objects by calling __new__

_STATE = frozenset(["_value_", "_name_", "__objclass__", "_sort_order_", "_inverted_"])
_KEPT = frozenset(["_missing_", "_generate_next_value_"])
_SPECIAL = frozenset(["__doc__", "__abstractmethods__"])
_SLOT = type(int.__repr__)
_TEXT_ENUMERATION = getattr(enum, "StrEnum", None)


def enumeration(kind: Any, state: Dict[str, Any], version: Optional[Version]) -> Tuple[Any, ...]:
    """How an enumeration is pickled.

    Args:
        kind: The class.
        state: Its attributes, as cloudpickle would pickle them.
        version: The version of Python that reads it; None is this one.

    Returns:
        How to pickle it.

    Raises:
        Lacking: It cannot be made there.
    """
    members = kind.__members__
    own = {
        name: value
        for name, value in {**state, **_kept(kind)}.items()
        if name not in members and _is_own(name, value)
    }
    if version is not None:
        own = {**_styles(kind), **own}
    contents = {}
    for member in members.values():
        content = {name: value for name, value in vars(member).items() if name not in _STATE}
        if content:
            contents[member.name] = content
    made = [(name, member._value_, _data(member)) for name, member in members.items()]
    bases = tuple(map(_base, kind.__bases__))
    names = (kind.__name__, kind.__qualname__, kind.__module__)
    arguments = (type(kind), bases, *names, made, _keywords(kind, version))
    return (
        *(classes.make_enumeration, arguments, (own, contents)),
        *(None, None, classes.fill_enumeration),
    )


def _kept(kind: Any) -> Dict[str, Any]:
    """What cloudpickle leaves out, and what subclasses are made with."""
    return {name: vars(kind)[name] for name in _KEPT if name in vars(kind)}


def _is_function(value: Any) -> bool:
    """Whether it is a function of the user's."""
    function = getattr(value, "__func__", value)
    return isinstance(function, types.FunctionType) and function.__module__ != "enum"


def _is_own(name: str, value: Any) -> bool:
    """Whether an attribute is the user's, and not one that the metaclass makes."""
    if name.startswith("__") and name.endswith("__"):
        return _is_function(value) or type(value) is _SLOT or name in _SPECIAL
    if name in _KEPT:
        return _is_function(value)
    return not (name.startswith("_") and name.endswith("_"))


class _TextEnumeration:
    """Stands for ``enum.StrEnum``."""

    def __reduce__(self) -> Tuple[Any, ...]:
        return classes.text_enumeration, ()


_TEXT = _TextEnumeration()


def _base(base: Any) -> Any:
    return _TEXT if base is _TEXT_ENUMERATION else base


def _data(member: Any) -> Tuple[Any, ...]:
    """The arguments that make a member's data: of a text, a number, a tuple, a date."""
    if hasattr(member, "__getnewargs__"):
        return tuple(member.__getnewargs__())
    kind = type(member)._member_type_  # the enumeration itself would answer with a name
    if (kind.__reduce_ex__, kind.__reduce__) == (object.__reduce_ex__, object.__reduce__):
        return ()
    made = kind.__reduce_ex__(member, PROTOCOL)
    return tuple(made[1]) if isinstance(made, tuple) and made[0] is type(member) else ()


def _keywords(kind: Any, version: Optional[Version]) -> Dict[str, str]:
    """The arguments of the class statement that are not the default."""
    boundary = vars(kind).get("_boundary_")
    if boundary is None or boundary is getattr(kind.__bases__[-1], "_boundary_", None):
        return {}
    if version is not None and version < (3, 11):
        raise Lacking("boundaries of enumerations came with Python 3.11")
    return {"boundary": boundary.name}


def _styles(kind: Any) -> Dict[str, Any]:
    """How members are written, where data are mixed in and versions differ in that."""
    member = next(iter(kind), None)
    if member is None or kind._member_type_ is object or issubclass(kind, enum.Flag):
        return {}
    styles: Dict[str, Any] = {}
    written = kind.__str__
    if written is enum.Enum.__str__ or not isinstance(written, types.FunctionType):
        styles["__str__"] = written
    if kind.__format__ is kind._member_type_.__format__:  # that of the data, since Python 3.11
        styles["__format__"] = kind.__format__
    elif getattr(kind.__format__, "__module__", None) in ("enum", None):
        as_text = format(member) == str(member) and str(member) != str(member._value_)
        as_text |= isinstance(written, types.FunctionType) and written.__module__ != "enum"
        styles["__format__"] = classes.format_as_text if as_text else classes.format_as_data
    return styles
