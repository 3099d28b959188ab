"""How classes travel to another version of Python: without what only this version makes."""

import collections
import dataclasses
import enum
import reprlib
import types
from typing import Any, Dict, List, Tuple

from redgrease.exceptions import NotShippableError
from redgrease.shipping import trees

__all__ = ["fitted"]

Version = Tuple[int, ...]

# Attributes that Python gives to classes, each version others.
_MADE = frozenset(
    [
        *("__static_attributes__", "__firstlineno__", "__annotate__", "__annotate_func__"),
        *("__annotations_cache__", "__type_params__", "__classdictcell__", "__weakref__"),
    ]
)
_ENUM_STATE = frozenset(["_value_", "_name_", "__objclass__", "_sort_order_"])
_DATACLASS_WORDS = frozenset(
    [
        *("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__annotations__"),
        *("__replace__", "__slots__", "__getstate__", "__setstate__"),
    ]
)
_DATACLASS_FILES = (
    dataclasses.dataclass.__code__.co_filename,
    reprlib.recursive_repr.__code__.co_filename,
)
_NAMEDTUPLE_WORDS = frozenset(
    [
        *("__new__", "_make", "_replace", "__replace__", "__repr__", "_asdict", "__getnewargs__"),
        *("__slots__", "_fields", "_fields_defaults", "_field_defaults", "_field_types"),
        *("__annotations__", "__match_args__", "__orig_bases__", "__getstate__", "_source"),
    ]
)


def fitted(kind: type, reduced: Tuple[Any, ...], version: Version) -> Tuple[Any, ...]:
    """Fit a class to another version.

    Args:
        kind: The class.
        reduced: How cloudpickle would pickle it.
        version: The version, such as ``(3, 7)``.

    Returns:
        How to pickle it.

    Raises:
        NotShippableError: It cannot be made there.
    """
    if type(kind).__name__ == "_TypedDictMeta":
        return trees.same, (dict,)  # all that it is when it runs
    make, arguments, (state, slots), *rest = reduced
    state = {name: value for name, value in state.items() if name not in _MADE}
    if _is_namedtuple(kind):
        return _namedtuple(kind, state)
    if issubclass(kind, enum.Enum):
        return _enumeration(kind, make, arguments, state)
    if "__annotations__" in state:
        state["__annotations__"] = {
            name: _hint(hint) for name, hint in state["__annotations__"].items()
        }
    if "__dataclass_fields__" in vars(kind):
        return _dataclass(kind, make, arguments, state, version)
    return (make, arguments, (state, slots), *rest)


def _hint(hint: Any) -> Any:
    """An annotation: a class, or a text, since versions differ in what else there is."""
    return hint if type(hint) is type or isinstance(hint, str) else str(hint)


def _is_from(value: Any, *files: str) -> bool:
    """Whether a function was made by code of certain files, or without any."""
    code = getattr(getattr(value, "__func__", value), "__code__", None)
    return isinstance(code, types.CodeType) and (
        code.co_filename in files or code.co_filename.startswith("<string")
    )


# -- named tuples


def _is_namedtuple(kind: type) -> bool:
    return kind.__bases__ == (tuple,) and isinstance(getattr(kind, "_fields", None), tuple)


def _namedtuple(kind: Any, state: Dict[str, Any]) -> Tuple[Any, ...]:
    defaults = getattr(kind, "_field_defaults", {})
    fields = kind._fields
    home = collections.namedtuple.__code__.co_filename
    own = {
        name: value
        for name, value in state.items()
        if name not in fields
        and name not in ("__module__", "__qualname__")
        and (name not in _NAMEDTUPLE_WORDS or (_is_function(value) and not _is_from(value, home)))
    }
    values = [defaults[name] for name in fields if name in defaults]
    arguments = (kind.__name__, fields, values, kind.__module__, kind.__qualname__)
    return trees.make_namedtuple, arguments, own, None, None, trees.fill


def _is_function(value: Any) -> bool:
    return isinstance(value, types.FunctionType)


# -- enumerations


def _enumeration(
    kind: Any, make: Any, arguments: Tuple[Any, ...], state: Dict[str, Any]
) -> Tuple[Any, ...]:
    members = kind.__members__
    own = {
        name: value
        for name, value in state.items()
        if name not in members and _is_own_of_enum(name, value)
    }
    contents = {
        member.name: {
            name: value for name, value in vars(member).items() if name not in _ENUM_STATE
        }
        for member in kind
    }
    contents = {name: content for name, content in contents.items() if content}
    values = {name: member.value for name, member in members.items()}
    arguments = (*arguments[:3], values, *arguments[4:])
    return make, arguments, (own, contents), None, None, trees.fill_enum


def _is_own_of_enum(name: str, value: Any) -> bool:
    """Whether an attribute is the user's, and not one that the metaclass makes."""
    if name.startswith("__") and name.endswith("__"):
        return (_is_function(value) and value.__module__ != "enum") or name == "__doc__"
    return name == "_missing_" or not (name.startswith("_") and name.endswith("_"))


# -- data classes


def _dataclass(
    kind: Any, make: Any, arguments: Tuple[Any, ...], state: Dict[str, Any], version: Version
) -> Tuple[Any, ...]:
    if version < (3, 7):
        raise NotShippableError(
            f"the data class {kind.__qualname__} cannot be sent to Python 3.6: the module"
            " dataclasses came with Python 3.7"
        )
    hints = vars(kind).get("__annotations__", {})
    every = kind.__dataclass_fields__
    fields = [_field(every[name]) for name in hints if name in every]
    variables = [name for name in every if _is_class_variable(every[name])]
    own = {
        name: value
        for name, value in state.items()
        if name in variables or not (name in every or _is_made(name, value))
    }
    if str(own.get("__doc__")).startswith(kind.__name__ + "("):
        del own["__doc__"]  # written by the decorator
    params = kind.__dataclass_params__
    names = ["init", "repr", "eq", "order", "unsafe_hash", "frozen"]
    settings = {name: getattr(params, name) for name in names}
    return make, arguments, (own, fields, settings), None, None, trees.fill_dataclass


def _is_made(name: str, value: Any) -> bool:
    """Whether an attribute of a data class was made by the decorator."""
    return (
        name in _DATACLASS_WORDS
        or (name == "__hash__" and value is None)
        or isinstance(value, (types.MemberDescriptorType, types.GetSetDescriptorType))
        or (name.startswith("__") and _is_from(value, *_DATACLASS_FILES))
    )


def _is_class_variable(field: Any) -> bool:
    return bool(field._field_type is dataclasses._FIELD_CLASSVAR)  # type: ignore[attr-defined]


def _field(field: Any) -> Tuple[str, str, Any, Dict[str, Any]]:
    """A field, as :func:`redgrease.shipping.trees.fill_dataclass` takes it."""
    names: List[str] = ["init", "repr", "hash", "compare"]
    given = {name: getattr(field, name) for name in names}
    for name in ("default", "default_factory"):
        if getattr(field, name) is not dataclasses.MISSING:
            given[name] = getattr(field, name)
    if field.metadata:
        given["metadata"] = dict(field.metadata)
    if getattr(field, "kw_only", False) is True:
        given["kw_only"] = True
    return field.name, field._field_type.name, _hint(field.type), given
