"""How classes travel to another version of Python: without what only this version makes."""

import collections
import dataclasses
import reprlib
import string
import types
import typing
from typing import Any, Dict, List, Tuple

from redgrease.shipping import classes
from redgrease.shipping.hints import fitting
from redgrease.shipping.standard import SLOTS, Lacking

__all__ = ["fitted", "is_generated", "is_namedtuple", "namedtuple"]

Version = Tuple[int, ...]

# Attributes that Python gives to classes, each version others.
_MADE = frozenset(
    [
        *("__static_attributes__", "__firstlineno__", "__annotate__", "__annotate_func__"),
        *("__annotations_cache__", "__type_params__", "__classdictcell__", "__weakref__"),
    ]
)
_DATACLASS_WORDS = frozenset(
    [
        *("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__annotations__"),
        *("__replace__", "__slots__", "__getstate__", "__setstate__"),
    ]
)
_DATACLASS_FILE = dataclasses.dataclass.__code__.co_filename
_REPEATED = reprlib.recursive_repr.__code__.co_filename
_PROTOCOL_WORDS = frozenset(
    [
        *("_is_protocol", "_is_runtime_protocol", "__protocol_attrs__", "__parameters__"),
        *("__callable_proto_members_only__", "__non_callable_proto_members__"),
        "__orig_bases__",
    ]
)
_NAMEDTUPLE_WORDS = frozenset(
    [
        *("__new__", "_make", "_replace", "__replace__", "__repr__", "_asdict", "__getnewargs__"),
        *("__slots__", "_fields", "_fields_defaults", "_field_types", "_source"),
        *("__match_args__", "__orig_bases__", "__getstate__"),
        *("__parameters__", "__class_getitem__"),
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
        Lacking: It cannot be made there.
    """
    if type(kind).__name__ == "_TypedDictMeta":
        return _typed_dict(kind, version)
    make, arguments, (state, slots), *rest = reduced
    if issubclass(kind, string.Template):
        arguments = _template(kind, arguments, version)
    inherited = [name for name, value in state.items() if _is_inherited(kind, name, value)]
    state = {
        name: value for name, value in state.items() if name not in _MADE and name not in inherited
    }
    if "__annotations__" in state:
        state["__annotations__"] = {
            name: fitting(hint, version) for name, hint in state["__annotations__"].items()
        }
    if is_namedtuple(kind):
        return namedtuple(kind, state)
    if "__dataclass_fields__" in vars(kind):
        return _dataclass(kind, (make, arguments, state), inherited, version)
    if hasattr(kind, "_is_protocol"):
        return _protocol(make, arguments, state)
    return (make, arguments, (state, slots), *rest)


def _is_from(value: Any, *files: str) -> bool:
    """Whether a function was made by code of certain files, or of a text that they wrote."""
    function = getattr(value, "__func__", value)
    code = getattr(function, "__code__", None)
    if isinstance(code, types.CodeType) and code.co_filename == _REPEATED:
        # The user may have asked for it, too.
        function = getattr(function, "__wrapped__", None)
        code = getattr(function, "__code__", None)
    if not isinstance(code, types.CodeType):
        return False
    of_text = code.co_filename.startswith("<string") and _is_text(function)
    return of_text or code.co_filename in files


def _is_text(function: Any) -> bool:
    """Whether a function without a file was made by Python, and not by `python -c` or `exec`."""
    code = function.__code__
    if hasattr(code, "co_qualname"):  # since Python 3.11
        return bool(code.co_qualname.startswith(("__create_fn__", "<lambda>")))
    return bool(code.co_firstlineno <= 2)  # there is one function in each text


def _is_inherited(kind: type, name: str, value: Any) -> bool:
    """Whether a method was taken from the next base that has it, for which it was made.

    It has no source, and is the same without being there twice.
    """
    others = (vars(base)[name] for base in kind.__mro__[1:] if name in vars(base))
    return _is_from(value, _DATACLASS_FILE) and next(others, None) is value


def is_generated(function: Any) -> bool:
    """Whether a function was written by Python, for a data class or a named tuple."""
    name = function.__name__
    return name.startswith("__") and name.endswith("__") and _is_from(function)


# -- typed dicts


def _typed_dict(kind: Any, version: Version) -> Tuple[Any, ...]:
    hints = {name: fitting(hint, version) for name, hint in kind.__annotations__.items()}
    words = {"__annotations__": hints, "__module__": kind.__module__, "__doc__": kind.__doc__}
    for name in ("__qualname__", "__total__", "__required_keys__", "__optional_keys__"):
        if hasattr(kind, name):
            words[name] = getattr(kind, name)
    return classes.make_typed_dict, (kind.__name__, words)


# -- templates


def _template(kind: Any, arguments: Tuple[Any, ...], version: Version) -> Tuple[Any, ...]:
    if version < (3, 7) and "(?a:" in kind.pattern.pattern:
        raise Lacking("the pattern of a string.Template is another one before Python 3.7")
    # Before Python 3.11 it has a metaclass; what that has made of the class comes along.
    known = type(kind) is not type(string.Template)
    return arguments if known else (type, *arguments[1:])


# -- protocols


def _protocol(make: Any, arguments: Tuple[Any, ...], state: Dict[str, Any]) -> Tuple[Any, ...]:
    own = {
        name: value
        for name, value in state.items()
        if name not in _PROTOCOL_WORDS
        and getattr(getattr(value, "__func__", value), "__module__", None) != "typing"
    }
    own.pop("_abc_impl", None)
    checkable = bool(state.get("_is_runtime_protocol"))
    content = (own, state.get("_abc_impl", []), checkable)
    return make, arguments, content, None, None, classes.fill_protocol


# -- named tuples


def is_namedtuple(kind: type) -> bool:
    """Whether a class was made by ``namedtuple``, or by ``NamedTuple`` and perhaps ``Generic``."""
    bases: Tuple[Any, ...] = kind.__bases__
    return bases in ((tuple,), (tuple, typing.Generic)) and isinstance(
        getattr(kind, "_fields", None), tuple
    )


def namedtuple(kind: Any, state: Dict[str, Any]) -> Tuple[Any, ...]:
    """How a class of named tuples is pickled.

    Args:
        kind: The class.
        state: Its attributes.

    Returns:
        How to pickle it.
    """
    fields = kind._fields
    home = collections.namedtuple.__code__.co_filename
    own = {
        name: value
        for name, value in state.items()
        if name not in fields
        and name not in ("__module__", "__qualname__")
        and (name not in _NAMEDTUPLE_WORDS or (_is_function(value) and not _is_from(value, home)))
    }
    # Not what `_field_defaults` says: there is an older way of setting them.
    values = [] if "__new__" in own else list(kind.__new__.__defaults__ or ())
    generic = len(kind.__bases__) > 1
    arguments = (kind.__name__, fields, values, kind.__module__, kind.__qualname__, generic)
    return classes.make_namedtuple, arguments, own, None, None, classes.fill


def _is_function(value: Any) -> bool:
    return isinstance(value, types.FunctionType)


# -- data classes


def _dataclass(
    kind: Any, reduced: Tuple[Any, ...], inherited: List[str], version: Version
) -> Tuple[Any, ...]:
    make, arguments, state = reduced
    if version < (3, 7):
        raise Lacking("it is not there on Python 3.6: the module dataclasses came with Python 3.7")
    hints = vars(kind).get("__annotations__", {})
    every = kind.__dataclass_fields__
    fields = [_field(every[name], version) for name in hints if name in every]
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
    # Descriptors, of whose values the decorator makes defaults, and what was set afterwards.
    settings["after"] = {
        name: state[name]
        for name in every
        if name in state and name not in variables and state[name] is not every[name].default
    }
    settings["state"] = _is_from(vars(kind).get("__getstate__"), _DATACLASS_FILE)
    settings["inherited"] = inherited
    return make, arguments, (own, fields, settings), None, None, classes.fill_dataclass


def _is_made(name: str, value: Any) -> bool:
    """Whether an attribute of a data class was made by the decorator."""
    return (
        name in _DATACLASS_WORDS
        or isinstance(value, SLOTS)
        or (name.startswith("__") and _is_from(value, _DATACLASS_FILE))
    )


def _is_class_variable(field: Any) -> bool:
    return bool(field._field_type is dataclasses._FIELD_CLASSVAR)  # type: ignore[attr-defined]


def _field(field: Any, version: Version) -> Tuple[str, str, Any, Dict[str, Any]]:
    """A field, as :func:`redgrease.shipping.classes.fill_dataclass` takes it."""
    names: List[str] = ["init", "repr", "hash", "compare"]
    given = {name: getattr(field, name) for name in names}
    for name in ("default", "default_factory"):
        if getattr(field, name) is not dataclasses.MISSING:
            given[name] = getattr(field, name)
    if field.metadata:
        given["metadata"] = dict(field.metadata)
    if getattr(field, "kw_only", False) is True:
        given["kw_only"] = True
    return field.name, field._field_type.name, fitting(field.type, version), given
