"""What a script of redgrease brings along to a server: the receiving side.

The text of this file is sent, so it uses nothing but the standard library, of Python 3.6 and
later; neither redgrease nor cloudpickle is needed where it arrives.  The pickle that it reads was
written by cloudpickle, any release since 1.6, under the names that are listed in ``HELPERS``.

Real servers pickle functions of registrations again, with a cloudpickle of their own from 2018.
So functions are ordinary ones, and those made here depend on nothing but their own code.
"""

import collections
import io
import pickle
import sys
import types
import typing
from typing import Any, Dict, List, Optional, Tuple

# -- what stands in the place of words and values of redgrease


def encode(value: Any) -> bytes:
    """Pickle a result.  A class that came with the function is named, not pickled."""
    import io
    import pickle
    import sys

    try:
        return pickle.dumps(value, 4)
    except Exception:
        pass

    class Results(pickle.Pickler):
        def persistent_id(self, item):  # type: ignore # no hints: they would be sent as well
            if not isinstance(item, type) or "<locals>" in item.__qualname__:
                return None
            found = sys.modules.get(item.__module__)
            for name in item.__qualname__.split("."):
                found = getattr(found, name, None)
            return None if found is item else (item.__module__, item.__qualname__)

    try:
        file = io.BytesIO()
        Results(file, 4).dump(value)
        return file.getvalue()
    except Exception as error:
        reason = error
    try:
        import cloudpickle

        return cloudpickle.dumps(value, 4)  # type: ignore[no-any-return]
    except Exception:
        raise TypeError(
            f"the result, a value of type {type(value).__name__!r}, cannot be sent back"
            f" ({reason}); let the function return plain data, or run it with convertToStr=True"
        ) from None


def named_encoder(name: str) -> Any:
    """Make an :func:`encode` of another name."""
    made = types.FunctionType(encode.__code__, encode.__globals__, name)
    made.__qualname__ = name
    return made


def log(message: Any, level: str = "notice") -> None:
    """Write anything to the server's log; its own function takes only texts."""
    import redisgears  # type: ignore[import-not-found]

    if isinstance(message, (bytes, bytearray)):
        message = message.decode("utf-8", "backslashreplace")
    if isinstance(level, int):  # one of Python's
        names = ((10, "debug"), (20, "verbose"), (30, "notice"))
        level = next((name for number, name in names if level <= number), "warning")
    others = {"info": "verbose", "warn": "warning", "error": "warning", "critical": "warning"}
    level = others.get(str(level).lower(), str(level).lower())
    if level not in ("debug", "verbose", "notice", "warning"):
        level = "notice"
    text = str(message).encode("utf-8", "backslashreplace").decode("utf-8")
    redisgears.log(text, level=level)


def hashtag3() -> str:
    """The shard's hash tag in braces; servers have it only without."""
    import redisgears

    return "{" + str(redisgears.getMyHashTag()) + "}"


def missing(name: str) -> Any:
    """Make what stands for a word that this server is too old for."""

    def unavailable(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"this server has no {name}(): it is too old for it")

    unavailable.__name__ = name
    unavailable.__annotations__ = {}
    return unavailable


WORDS = {"log": log, "hashtag3": hashtag3}

# The server's own names for words in its module ``redisgears``; it pickles these by reference.
# Other words are global names of its scripts.
NATIVE = {
    "execute": "executeCommand",
    "atomic": "atomicCtx",
    "hashtag": "getMyHashTag",
    "gearsFuture": "gearsFutureCtx",
    "call_next": "callNext",
    "get_command": "getCommand",
    "override_reply": "overrideReply",
    "flat_error": "flatError",
}


# -- what cloudpickle's pickles call


def builtin_type(name: str) -> Any:
    """A type that has a name in the module ``types`` only."""
    return getattr(types, name)


def import_module(name: str) -> Any:
    """A module, by its name."""
    try:
        __import__(name)
    except ImportError as error:
        raise ImportError(absent(name, error)) from None
    return sys.modules[name]


def named(module: str, name: str) -> Any:
    """What a module has under a name."""
    return getattr(import_module(module), name)


def absent(name: str, error: ImportError) -> str:
    """Say that a module is not there, and what to do about it."""
    missed = getattr(error, "name", None) or name
    return (
        f"the function needs the module {missed!r}, which this server cannot import ({error}); if"
        " it is part of a package, name that: requirements=['...']"
    )


def dynamic_module(name: str, content: Dict[str, Any]) -> types.ModuleType:
    """A module of given content."""
    module = types.ModuleType(name)
    vars(module).update(content)
    vars(module)["__builtins__"] = __builtins__
    return module


def make_function(
    code: types.CodeType,
    names: Dict[str, Any],
    name: Optional[str],
    defaults: Optional[Tuple[Any, ...]],
    closure: Any,
) -> types.FunctionType:
    """A function, to be filled by :func:`fill_function`."""
    names["__builtins__"] = __builtins__
    return types.FunctionType(code, names, name, defaults, closure)


def fill_function(function: Any, state: Tuple[Dict[str, Any], Dict[str, Any]]) -> None:
    """Give a function its attributes, and the global names and closure that it uses."""
    attributes, slots = state
    vars(function).update(attributes)
    function.__globals__.update(slots.pop("__globals__"))
    function.__globals__["__builtins__"] = __builtins__
    for cell, full in zip(function.__closure__ or (), slots.pop("__closure__") or ()):
        try:
            value = full.cell_contents
        except ValueError:  # still empty
            continue
        set_cell(cell, value)
    slots.pop("_cloudpickle_submodules", None)  # only there to be imported
    for name, value in slots.items():
        setattr(function, name, value)


def set_cell(cell: Any, value: Any) -> None:
    """Fill a closure's cell."""
    if sys.version_info >= (3, 7):
        cell.cell_contents = value
    else:
        import ctypes

        ctypes.pythonapi.PyCell_Set(ctypes.py_object(cell), ctypes.py_object(value))


EMPTY = object()


def make_cell(value: Any = EMPTY) -> Any:
    """A closure's cell."""
    variable = value

    def function() -> Any:
        return variable

    if value is EMPTY:
        del variable
    return function.__closure__[0]  # type: ignore[index]


def make_class(
    metaclass: Any,
    name: str,
    bases: Tuple[Any, ...],
    keywords: Dict[str, Any],
    tracker: Any = None,
    extra: Any = None,
) -> Any:
    """A class, to be filled by :func:`fill_class`."""
    return types.new_class(
        name, bases, {"metaclass": metaclass}, lambda names: names.update(keywords)
    )


def make_class_as(
    maker: Any, metaclass: Any, name: str, bases: Tuple[Any, ...], keywords: Dict[str, Any]
) -> Any:
    """A class of a metaclass that came along, and has done its work on the client.

    So another one makes it: the first above that metaclass which did not come along.
    """
    made = maker.__new__(metaclass, name, bases, keywords)
    maker.__init__(made, name, bases, keywords)
    return made


def quietly(hooked: List[Any], make: Any, *arguments: Any) -> Any:
    """Make a class without calling the ``__init_subclass__`` of bases that came along.

    On the client it was called, and what came of that comes along too.
    """
    name = "__init_subclass__"
    hooks = [(base, vars(base)[name]) for base in hooked if name in vars(base)]
    for base, _ in hooks:
        type.__delattr__(base, name)
    try:
        return make(*arguments)
    finally:
        for base, hook in hooks:
            type.__setattr__(base, name, hook)


def make_enum(
    bases: Tuple[Any, ...],
    name: str,
    qualname: str,
    members: Dict[str, Any],
    module: str,
    tracker: Any = None,
    extra: Any = None,
) -> Any:
    """An enumeration with its members."""
    metaclass: Any = type(bases[-1])
    names = metaclass.__prepare__(name, bases)
    for member, value in members.items():
        names[member] = value
    made = metaclass.__new__(metaclass, name, bases, names)
    made.__module__, made.__qualname__ = module, qualname
    return made


def fill_class(made: Any, state: Tuple[Dict[str, Any], Any]) -> Any:
    """Give a class its attributes; in the way of what made it, if that was told."""
    subclasses: List[Any] = []
    put: Any = state[1].__setattr__ if state[1] else setattr
    for name, value in state[0].items():
        if name == "_abc_impl":
            subclasses = value
        else:
            put(made, name, value)
    register(made, subclasses)
    return made


def register(made: Any, subclasses: List[Any]) -> None:
    """Register classes for an abstract one, which may have a ``register`` of its own."""
    import abc

    for subclass in subclasses:
        abc.ABCMeta.register(made, subclass)


def make_typevar(
    name: str,
    bound: Any,
    constraints: Tuple[Any, ...],
    covariant: bool,
    contravariant: bool,
    tracker: Any = None,
) -> Any:
    """A type variable."""
    make: Any = typing.TypeVar
    return make(name, *constraints, bound=bound, covariant=covariant, contravariant=contravariant)


def make_keys(items: Any, ordered: bool = False) -> Any:
    """A view of a dict's keys."""
    return (collections.OrderedDict if ordered else dict).fromkeys(items).keys()


def make_values(items: Any, ordered: bool = False) -> Any:
    """A view of a dict's values."""
    return (collections.OrderedDict if ordered else dict)(enumerate(items)).values()


def make_items(items: Any, ordered: bool = False) -> Any:
    """A view of a dict's items."""
    return collections.OrderedDict(items).items() if ordered else items.items()


def field_type(name: str) -> Any:
    """One of the marks by which dataclasses tell fields from class variables."""
    import dataclasses

    return getattr(dataclasses, name)


def make_cached(function: Any, size: Optional[int], typed: bool) -> Any:
    """A function with a cache, empty at first."""
    import functools

    return functools.lru_cache(size, typed)(function)


def make_cached_property(function: Any, name: Optional[str], doc: Optional[str]) -> Any:
    """A property that is computed once."""
    import functools

    class Cached:  # before Python 3.8
        attrname = None

        def __init__(self, function):  # type: ignore # no hints: they would be sent as well
            self.func = function

        def __get__(self, instance, owner=None):  # type: ignore
            if instance is None:
                return self
            return vars(instance).setdefault(self.attrname, self.func(instance))

    made: Any = getattr(functools, "cached_property", Cached)(function)
    made.attrname, made.__doc__ = name, doc
    return made


def make_dispatcher(function: Any) -> Any:
    """A function of ``functools.singledispatch``, to be filled by :func:`fill_dispatcher`."""
    import functools

    return functools.singledispatch(function)


def fill_dispatcher(made: Any, state: Tuple[Any, Dict[str, Any], Dict[str, Any]]) -> None:
    """Give a dispatching function its implementations, attributes and names."""
    registry, attributes, names = state
    for kind, function in registry:
        made.register(kind, function)
    vars(made).update(attributes)
    for name, value in names.items():
        setattr(made, name, value)


HELPERS = {
    "subimport": import_module,
    "dynamic_subimport": dynamic_module,
    "_builtin_type": builtin_type,
    "_make_function": make_function,
    "_function_setstate": fill_function,
    "_make_cell": make_cell,
    "_make_empty_cell": make_cell,
    "_empty_cell_value": EMPTY,
    "_make_skeleton_class": make_class,
    "_make_skeleton_enum": make_enum,
    "_class_setstate": fill_class,
    "_make_typevar": make_typevar,
    "_make_dict_keys": make_keys,
    "_make_dict_values": make_values,
    "_make_dict_items": make_items,
    "_get_dataclass_field_type_sentinel": field_type,
    "_create_parametrized_type_hint": lambda origin, args: origin[args],
    "_file_reconstructor": lambda file: file,
    "_gen_ellipsis": lambda: Ellipsis,
    "_gen_not_implemented": lambda: NotImplemented,
}


# The modules whose texts are sent: what they define is found beside this.
TEXTS = frozenset("redgrease.shipping." + name for name in ("loader", "trees", "classes"))


class Unpickler(pickle.Unpickler):
    """Reads what a client has pickled.

    Args:
        data: The pickle.
        scope: The global names of the script.
    """

    def __init__(self, data: bytes, scope: Dict[str, Any]) -> None:
        super().__init__(io.BytesIO(data))
        self.scope = scope
        self.modules: Dict[str, types.ModuleType] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Find what the pickle refers to by name; the names of clients are not looked up here."""
        if module.partition(".")[0] == "cloudpickle" and name in HELPERS:
            return HELPERS[name]
        if module in TEXTS:
            owner, _, method = name.rpartition(".")
            if owner:
                return getattr(self, method)
            if name in globals():
                return globals()[name]
        try:
            return super().find_class(module, name)
        except ImportError as error:
            raise ImportError(absent(module, error)) from None

    def word(self, name: str) -> Any:
        """A word of ``redgrease.runtime``, as this server knows it."""
        if name in WORDS:
            return WORDS[name]
        if name == "GEARS_RUNTIME":
            return (1, 2) if "gearsFuture" in self.scope else (1, 0)
        found = getattr(sys.modules.get("redisgears"), NATIVE.get(name, ""), None)
        if found is None:
            found = self.scope.get(name)
        return missing(name) if found is None else found

    def module(self, name: str) -> types.ModuleType:
        """A module of the client's that came along; it is not importable here."""
        if name not in self.modules:
            self.modules[name] = dynamic_module(name, {})
        return self.modules[name]

    def namespace(self, name: str) -> Dict[str, Any]:
        """The global names that a module's functions share."""
        return vars(self.module(name))


for _function in (encode, log, hashtag3):
    _function.__annotations__ = {}
