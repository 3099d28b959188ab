"""Makes classes of descriptions: of those that each version of Python writes in its own way.

The text of this file is sent along with that of :mod:`.loader` where a function needs it.  So it
uses nothing but the standard library, of Python 3.6 and later.
"""

import sys
from typing import Any, Dict, List, Sequence, Tuple

# -- named tuples


def make_namedtuple(
    name: str,
    fields: Sequence[str],
    defaults: Sequence[Any],
    module: str,
    qualname: str,
    generic: bool = False,
) -> Any:
    """A class of named tuples."""
    import collections

    made: Any = collections.namedtuple(name, fields, rename=True)  # type: ignore[misc]
    made.__new__.__defaults__ = tuple(defaults) or None
    if generic:
        setattr(made, "__class_getitem__", classmethod(lambda cls, types: cls))  # noqa: B010
    made.__module__, made.__qualname__ = module, qualname
    return made


def fill(made: Any, state: Dict[str, Any]) -> None:
    """Give a class its attributes; and an abstract one, the classes that are registered for it."""
    import abc

    for subclass in state.pop("_abc_impl", ()):
        abc.ABCMeta.register(made, subclass)
    # Metaclasses may forbid it, or make something of it: they have done so on the client.
    put: Any = type.__setattr__ if hasattr(type(made).__setattr__, "__code__") else setattr
    for name, value in state.items():
        put(made, name, value)


# -- typed dicts


def make_typed_dict(name: str, words: Dict[str, Any]) -> Any:
    """A class that makes ordinary dicts, and knows what should be in them."""
    return type("TypedDictMeta", (type,), {"__call__": dict})(name, (dict,), words)


# -- protocols


def fill_protocol(made: Any, state: Tuple[Dict[str, Any], List[Any], bool]) -> None:
    """Give a protocol its attributes, and let Python find out what it demands.

    Args:
        made: The class.
        state: Its attributes; classes that are registered for it; and whether it can be checked
            when the program runs.
    """
    import typing

    attributes, subclasses, checkable = state
    fill(made, dict(attributes, _abc_impl=subclasses))
    demanded = getattr(typing, "_get_protocol_attrs", None)
    if demanded is not None and "__protocol_attrs__" in vars(made):
        made.__protocol_attrs__ = demanded(made)
    if checkable:
        getattr(typing, "runtime_checkable", lambda kind: kind)(made)


# -- enumerations


def make_enumeration(
    metaclass: Any,
    bases: Tuple[Any, ...],
    name: str,
    qualname: str,
    module: str,
    members: Sequence[Tuple[str, Any, Tuple[Any, ...]]],
    keywords: Dict[str, str],
) -> Any:
    """An enumeration with its members.

    Args:
        metaclass: Its class.
        bases: Its bases.
        name: Its name.
        qualname: Its qualified name.
        module: Its module.
        members: For each its name, its value, and what makes its data.
        keywords: Further arguments of the class statement.

    Returns:
        The class.
    """
    import enum

    # What users' own metaclasses have made of it comes along; here they would find other values.
    known = [base for base in metaclass.__mro__ if base.__module__ in ("abc", "enum")]
    maker = next(base for base in known if "__new__" in vars(base))
    given = {key: getattr(enum, value) for key, value in keywords.items()}
    names: Any = enum.EnumMeta.__prepare__(name, bases, **given)
    mixed = [base for every in bases for base in every.__mro__ if not issubclass(base, enum.Enum)]
    kind: Any = next((base for base in mixed if "__new__" in vars(base)), object)

    # Users' own might make other values of these; and they were called already.
    def __new__(cls: Any, number: Any) -> Any:
        # For members that are tuples, the metaclass makes a tuple of what it is given.
        _, value, data = members[number[0] if type(number) is tuple else number]
        member = kind.__new__(cls, *data) if data else object.__new__(cls)
        member._value_ = value
        return member

    def __init__(self: Any, number: Any) -> None:
        pass

    names["__new__"], names["__init__"] = __new__, __init__
    if kind is object and set(mixed) != {object}:
        names["__reduce_ex__"] = enum.Enum.__reduce_ex__
    for number, (each, _, _) in enumerate(members):
        names[each] = (number,)
    made: Any = maker.__new__(metaclass, name, bases, names, **given)
    del made.__init__
    made.__module__, made.__qualname__ = module, qualname
    return made


def fill_enumeration(made: Any, state: Tuple[Dict[str, Any], Dict[str, Dict[str, Any]]]) -> None:
    """Give an enumeration its attributes, and those of its members."""
    fill(made, state[0])
    for name, content in state[1].items():
        vars(made[name]).update(content)


def text_enumeration() -> Any:
    """``enum.StrEnum``, or what it would be before Python 3.11."""
    import enum

    if hasattr(enum, "StrEnum"):
        return enum.StrEnum
    words = {"__str__": str.__str__, "__format__": format_as_text, "__module__": "enum"}
    names: Any = type(enum.Enum).__prepare__("StrEnum", (str, enum.Enum))
    for name, value in words.items():
        names[name] = value
    return type(enum.Enum).__new__(type(enum.Enum), "StrEnum", (str, enum.Enum), names)


def format_as_text(self: Any, spec: str) -> str:
    """How members are formatted whose text counts."""
    return str.__format__(str(self), spec)


def format_as_data(self: Any, spec: str) -> str:
    """How members are formatted whose value counts."""
    return format(self._value_, spec)


# -- data classes


def fill_dataclass(
    made: Any, state: Tuple[Dict[str, Any], List[Tuple[str, str, Any, Dict[str, Any]]], Any]
) -> None:
    """Give a data class its attributes, and let the decorator make the others.

    Args:
        made: The class.
        state: Its attributes; the fields, each with its kind, type, and arguments of ``field()``;
            and the arguments of the decorator, with attributes that are set after it.
    """
    import dataclasses
    import typing

    attributes, fields, settings = state
    after, inherited = settings.pop("after"), settings.pop("inherited")
    kinds = {"_FIELD_CLASSVAR": typing.ClassVar, "_FIELD_INITVAR": dataclasses.InitVar}
    slots = {name: vars(made)[name] for name, _, _, _ in fields if _is_slot(vars(made).get(name))}
    fill(made, attributes)
    keywords = set(getattr(made, "_redgrease_keywords", ()))
    later = {}
    for name, kind, _, arguments in fields:
        if sys.version_info < (3, 10) and arguments.pop("kw_only", False):
            keywords.add(name)
        if kind == "_FIELD" and is_left_out(arguments, name in slots):
            later[name] = value = arguments.pop("default")
            if arguments["init"] or name in slots:
                arguments["default_factory"] = lambda value=value: value
        if kind != "_FIELD_CLASSVAR":
            setattr(made, name, dataclasses.field(**arguments))
    # Texts would be looked up in a module that is not there, so they come afterwards.
    made.__annotations__ = {name: kinds.get(kind, typing.Any) for name, kind, _, _ in fields}
    if keywords and settings["init"]:
        made._redgrease_keywords = frozenset(keywords)
        settings["init"] = False
        made.__init__ = keyword_init(made)
    if settings.pop("state", False):
        made.__getstate__, made.__setstate__ = get_slots, set_slots
    fill(made, dict.fromkeys(inherited, same))  # so that none are made
    dataclasses.dataclass(**settings)(made)
    for name in inherited:
        type.__delattr__(made, name)
    for name, _, hint, _ in fields:
        made.__annotations__[name] = made.__dataclass_fields__[name].type = hint
    for name, value in later.items():
        made.__dataclass_fields__[name].default = value
        made.__dataclass_fields__[name].default_factory = dataclasses.MISSING
    fill(made, dict(later, **after))
    fill(made, slots)  # in whose place the decorator has put the defaults


def is_left_out(arguments: Dict[str, Any], slot: bool) -> bool:
    """Whether the decorator must not see a field's default.

    Versions differ in which they take for mutable; and what is not given to ``__init__`` it leaves
    to the class, which has no room for it beside a slot.
    """
    if "default" not in arguments:
        return False
    default = arguments["default"]
    mutable = isinstance(default, (list, dict, set)) or type(default).__hash__ is None
    return mutable or (slot and not arguments["init"])


def _is_slot(value: Any) -> bool:
    return type(value).__name__ == "member_descriptor"


def get_slots(self: Any) -> List[Any]:
    """The state of a frozen data class with slots."""
    import dataclasses

    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def set_slots(self: Any, state: List[Any]) -> None:
    """Restore the state of a frozen data class with slots."""
    import dataclasses

    for field, value in zip(dataclasses.fields(self), state):
        object.__setattr__(self, field.name, value)


def keyword_init(made: Any) -> Any:
    """The ``__init__`` of a data class with keyword-only fields, before Python 3.10."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        every = [
            field
            for field in made.__dataclass_fields__.values()
            if field._field_type.name != "_FIELD_CLASSVAR"
        ]
        values = arguments_of(made, every, args, kwargs)
        variables = []
        for field in every:
            if field._field_type.name == "_FIELD_INITVAR":
                variables.append(values[field.name])
            elif field.name in values:
                object.__setattr__(self, field.name, values[field.name])
        if hasattr(self, "__post_init__"):
            self.__post_init__(*variables)

    return __init__


def arguments_of(
    made: Any, fields: List[Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]
) -> Dict[str, Any]:
    """The values of a data class's fields, from arguments and defaults."""
    import dataclasses

    def fail(text: str) -> Any:
        raise TypeError(f"{made.__qualname__}.__init__() {text}")

    given = [field.name for field in fields if field.init]
    names = [name for name in given if name not in made._redgrease_keywords]
    if len(args) > len(names):
        fail(f"takes {len(names) + 1} positional arguments but {len(args) + 1} were given")
    values = dict(zip(names, args))
    for name, value in kwargs.items():
        if name in values or name not in given:
            known = "multiple values for" if name in values else "an unexpected keyword"
            fail(f"got {known} argument {name!r}")
        values[name] = value
    for field in fields:
        if field.name in values:
            continue
        if field.default is not dataclasses.MISSING:
            values[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            values[field.name] = field.default_factory()
        elif field.init:
            fail(f"missing a required argument: {field.name!r}")
    return values


# -- what belongs to an event loop


class CurrentLoop:
    """The event loop that runs at the time, for locks that have one before Python 3.10."""

    def __getattr__(self, name: str) -> Any:
        import asyncio

        return getattr(asyncio.get_event_loop(), name)


# -- what types are made of


def union(*kinds: Any) -> Any:
    """A union of types, as it was written before Python 3.10."""
    import typing

    return typing.Union[kinds]


def forward(text: str) -> Any:
    """A text in the place of a type."""
    import typing

    make: Any = getattr(typing, "ForwardRef", None) or getattr(typing, "_ForwardRef")  # noqa: B009
    return make(text)


def param_spec(name: str) -> Any:
    """A variable for parameters; before Python 3.10, one for a type."""
    import typing

    return getattr(typing, "ParamSpec", typing.TypeVar)(name)


def type_variables(name: str) -> Any:
    """A variable for several types; before Python 3.11, one for a type."""
    import typing

    return getattr(typing, "TypeVarTuple", typing.TypeVar)(name)


def unpacked(variables: Any) -> Any:
    """What is unpacked of a variable for several types."""
    import typing

    return typing.Unpack[variables] if hasattr(typing, "Unpack") else variables


def type_alias(name: str, value: Any) -> Any:
    """What a ``type`` statement makes; before Python 3.12, the type itself."""
    import typing

    return typing.TypeAliasType(name, value) if hasattr(typing, "TypeAliasType") else value


def same(value: Any) -> Any:
    """The value itself."""
    return value
