"""The sending side: pickles functions so that a server needs nothing but :mod:`.loader`.

cloudpickle does the work.  This module decides what travels by value and what by reference, and
puts words in the place of what servers have themselves.
"""

import copy
import enum
import functools
import inspect
import io
import sys
import types
import typing
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from cloudpickle import CloudPickler
from cloudpickle import cloudpickle as core
from cloudpickle import cloudpickle_fast as fast

from redgrease import runtime
from redgrease.func import ClosedCommand, Command
from redgrease.shipping import classes, loader, timeouts, trees
from redgrease.shipping.enumerations import enumeration
from redgrease.shipping.hints import fitting, looks
from redgrease.shipping.kinds import DISPATCHER, FOREIGN, NAMED, OTHERS, SINGLE, dispatcher
from redgrease.shipping.mentions import Uses, is_redgrease, names_in
from redgrease.shipping.modules import OPERANDS, PLAIN, Modules, is_standard
from redgrease.shipping.source import origin_of, source_of, unions_of
from redgrease.shipping.standard import HIDDEN, SLOTS, Lacking, lacks, owner_of, public_name
from redgrease.shipping.standins import StandIn
from redgrease.shipping.states import restated

__all__ = ["Pickled", "dumps"]

PROTOCOL = 4  # the highest of Python 3.6 and 3.7

_WORDS = frozenset(runtime.__all__) - {"GEARS_RUNTIME", "in_server", "run"}
_HEAP_TYPE = 1 << 9
# Whether something is where it says it is, as cloudpickle 2.0 and 1.6 call it.
_by_reference = getattr(core, "_should_pickle_by_reference", None) or core._is_importable
_TYPED_DICT = getattr(typing, "_TypedDictMeta", None)
_GENERIC: Any = typing.Generic
_CACHED = type(functools.lru_cache()(int))


class Pickled(NamedTuple):
    """A pickle.

    Attributes:
        data: The bytes.
        needs_redgrease: Whether it refers to parts of redgrease that do not travel.
        functions: The functions in it that travel by value.
        plain: Whether it is made of functions, classes and constants only.
        with_trees: Whether reading it takes more than :mod:`.loader`.
    """

    data: bytes
    needs_redgrease: bool
    functions: List[types.FunctionType]
    plain: bool
    with_trees: bool


def _attribute(module: types.ModuleType, name: str) -> Any:
    """An attribute of a module of redgrease, as it should be on a server."""
    if name == "GEARS_RUNTIME":
        return StandIn(loader.Unpickler.word, name)
    return getattr(module, name)


def _older(function: types.FunctionType, name: str, value: Any, version: Tuple[int, ...]) -> Any:
    """What stands for the value of a global name, where an older version has it otherwise."""
    kind = type(value)
    if value is TimeoutError:
        # Names of Python's own are no global names of modules, so this one was imported.
        home = timeouts.home_of(*(origin_of(function, name) or ("", "")))
        return value if home is None else StandIn(loader.named, *home)
    if version < (3, 12) and (kind.__module__, kind.__name__) == ("calendar", "Day"):
        # Before, the days of the week were numbers.
        home = "calendar", value.name
        return StandIn(loader.named, *home) if origin_of(function, name) == home else value
    return value


def _is_slot(kind: type, value: Any) -> bool:
    """Whether an attribute of a class was made for one of its slots."""
    return isinstance(value, SLOTS) and value.__objclass__ is kind


def _taken_from_bases(kind: type, known: Dict[str, Any]) -> Dict[str, Any]:
    """What a class has of its own though one of its bases has the very same."""
    bases = [vars(base) for base in kind.__bases__]
    return {
        name: value
        for name, value in vars(kind).items()
        if name not in known and any(base.get(name, bases) is value for base in bases)
        if not name.startswith("_abc_")  # caches
    }


def _is_found(value: Any) -> bool:
    """Whether something is where it says it is."""
    return getattr(sys.modules.get(value.__module__), value.__name__, None) is value


def _is_lost(function: types.FunctionType) -> bool:
    """Whether it dispatches, and says that it is of ``functools``, where it is not found."""
    # Before Python 3.10, that of a class method has no name of its own.
    return function.__code__ is DISPATCHER and not _is_found(function)


def _is_nowhere(kind: type) -> bool:
    """Whether a class was made while the program runs, and is not where it says it is."""
    # Before Python 3.7 `typing` makes classes for hints, which cloudpickle knows.
    made = bool(kind.__flags__ & _HEAP_TYPE) and kind.__module__ not in ("builtins", "typing")
    return made and not _by_reference(kind)


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


class Pickler(CloudPickler):  # type: ignore[misc]
    """A cloudpickle that knows what servers have.

    Args:
        file: Where to write.
        modules: Which modules travel.
        uses: What is used of them; is added to.
        version: The version of Python that reads it, if it is another one, to which code travels
            as source.
        hinted: Whether functions keep their annotations.
    """

    def __init__(
        self,
        file: io.BytesIO,
        modules: Modules,
        uses: Uses,
        version: Optional[Tuple[int, ...]] = None,
        hinted: bool = False,
    ) -> None:
        super().__init__(file, protocol=PROTOCOL)
        self.modules = modules
        self.uses = uses
        self.version = version
        self.hinted = hinted
        self.looking = False  # whether a function looks at annotations
        self.needs_redgrease = False
        self.with_trees = version is not None
        self.functions: List[types.FunctionType] = []
        self.plain = True
        self.travelling = False  # whether there is a module among the objects that travel
        self._namespaces: Dict[str, StandIn] = {}
        self._codes: Dict[Any, StandIn] = {}
        self._cells: Dict[int, Any] = {}

    # -- the two ways in which cloudpickle asks how to pickle something

    if hasattr(CloudPickler, "reducer_override"):

        def reducer_override(self, obj: Any) -> Any:
            """Decide how an object is pickled (Python 3.8 and later)."""
            reduced = self._reduced(obj)
            return super().reducer_override(obj) if reduced is NotImplemented else reduced

    else:

        def save(self, obj: Any, *args: Any, **kwargs: Any) -> Any:
            """Decide how an object is pickled (Python 3.6 and 3.7)."""
            reduced = NotImplemented if id(obj) in self.memo else self._reduced(obj)
            if reduced is NotImplemented:
                return super().save(obj, *args, **kwargs)
            if len(reduced) > 3:
                return self._save_reduce_pickle5(*reduced, obj=obj)
            return self.save_reduce(*reduced, obj=obj)

    def _reduced(self, obj: Any) -> Any:
        """How an object is pickled; NotImplemented where cloudpickle knows best."""
        kind = type(obj)  # isinstance would ask the object, and some tell what is inside them
        if kind is types.FunctionType:
            return self._function(obj)
        if issubclass(kind, type):
            return self._class(obj)
        if issubclass(kind, types.ModuleType):
            return self._module(obj)
        if kind is types.MethodType:
            return self._method(obj)
        if kind is _CACHED:
            return self._cached(obj)
        if kind is typing.TypeVar:
            return self._typevar(obj)
        if kind is types.BuiltinFunctionType and isinstance(obj.__self__, types.ModuleType):
            return self._elsewhere(obj)
        if self.version is not None and kind in FOREIGN:
            return FOREIGN[kind](obj, self.version)
        if kind in NAMED and (self.modules.by_value(obj.__module__) or not _is_found(obj)):
            return NAMED[kind](obj, self.version is not None)
        return OTHERS[kind](obj) if kind in OTHERS else self._other(obj, kind)

    def _other(self, obj: Any, kind: type) -> Any:
        """How an object of no kind known here is pickled."""
        if id(obj) in SINGLE:
            self._check(*SINGLE[id(obj)])
            return loader.named, SINGLE[id(obj)]
        if kind.__module__ == "typing":
            self._check("typing", getattr(obj, "_name", None) or "")
        if issubclass(kind, (Command, ClosedCommand)):
            return copy.copy, (obj.__wrapped__,)  # inside a server, the function itself
        if kind not in _HARMLESS:
            self.plain = False
            if self.version is not None:
                return restated(obj, self.version)
        return NotImplemented

    def _word(self, obj: Any) -> Any:
        """The reduction of a word of ``redgrease.runtime``."""
        name = obj.__name__
        if name in _WORDS and getattr(runtime, name) is obj:
            return loader.Unpickler.word, (name,)
        return NotImplemented

    def _function(self, function: types.FunctionType) -> Any:
        home = function.__module__
        if is_redgrease(home):
            if home in (loader.__name__, trees.__name__, classes.__name__):
                return NotImplemented
            reduced = self._word(function)
            if reduced is not NotImplemented:
                return reduced
            if home in OPERANDS or function is runtime.in_server:
                return self._dynamic_function_reduce(function)
            self.needs_redgrease = True
        elif self.modules.by_value(home) or _is_lost(function):
            if function.__code__ is DISPATCHER:
                self.plain = False
                return dispatcher(function)
            return self._dynamic_function_reduce(function)
        return self._elsewhere(function)

    def _check(self, module: Any, name: str = "") -> None:
        """Refuse what the standard library of the server cannot have."""
        if self.version is not None and isinstance(module, str):
            reason = lacks(self.version, module, name)
            if reason is not None:
                version = ".".join(map(str, self.version))
                raise Lacking(f"it is not there on Python {version}: {reason}")

    def _elsewhere(self, value: Any) -> Any:
        """How a function or class is pickled that other versions of Python keep elsewhere."""
        home = value.__module__
        if self.version is None or not isinstance(home, str) or not is_standard(home):
            return NotImplemented
        public, name = public_name(value)
        self._check(public, name)
        owner = owner_of(value)
        if owner is not None:
            there = public_name(owner)[0] == home
            return NotImplemented if there else (getattr, (owner, name))
        if (public, name) == (home, value.__name__):
            return NotImplemented
        return loader.named, (public, name)

    def _method(self, method: types.MethodType) -> Any:
        """How a bound method is pickled: one of the standard library as what its object has."""
        home, name = method.__func__.__module__, getattr(method.__func__, "__name__", "")
        if self.version is None or not isinstance(home, str) or not is_standard(home):
            return NotImplemented
        found = getattr(method.__self__, name, None)
        return (getattr, (method.__self__, name)) if found == method else NotImplemented

    def _class(self, kind: type) -> Any:
        home = kind.__module__
        if is_redgrease(home):
            reduced = self._word(kind)
            if reduced is not NotImplemented:
                return reduced
            if home in PLAIN:
                return self._class_by_value(kind)
            self.needs_redgrease = True
        elif self._travels(kind):
            return self._class_by_value(kind)
        elif home == "builtins" and kind in HIDDEN:
            return loader.named, HIDDEN[kind]
        elif kind is TimeoutError and self.version is not None and self.version < timeouts.MERGED:
            self.travelling = True  # all functions have to be known
            meant = timeouts.meant(self.uses.functions.values(), self.modules)
            return NotImplemented if meant is None else (loader.named, meant)
        return self._elsewhere(kind)

    def _travels(self, kind: type) -> bool:
        """Whether a class, of the user's or of Python's, travels by value."""
        return self.modules.by_value(kind.__module__) or _is_nowhere(kind)

    def _class_by_value(self, kind: type) -> Any:
        """How a class is pickled, such that nothing of the user's is called to make it again."""
        self.plain = False  # a class may change in too many ways to be watched
        make, arguments, *rest = self._class_reduced(kind)
        hooked = [base for base in kind.__mro__[1:] if self._is_hooked(base)]
        if hooked:
            make, arguments = loader.quietly, (hooked, make, *arguments)
        return (make, arguments, *rest)

    def _is_hooked(self, kind: type) -> bool:
        return "__init_subclass__" in vars(kind) and self._travels(kind)

    def _class_reduced(self, kind: type) -> Any:
        make, arguments, (state, slots), *rest = fast._dynamic_class_reduce(kind)
        # cloudpickle leaves out what a base has as well, though another base may come before.
        state.update(_taken_from_bases(kind, state))
        if issubclass(kind, enum.Enum):
            self.with_trees = True
            return enumeration(kind, state, self.version)
        # By these the client finds its own class, when a result is of it.
        words = dict(arguments[3], __module__=kind.__module__, __qualname__=kind.__qualname__)
        state = {name: value for name, value in state.items() if not _is_slot(kind, value)}
        if "__slots__" in state:
            words["__slots__"] = state.pop("__slots__")
        # A class made with NamedTuple is made a second time as what it became.
        bases = arguments[2]
        bases = kind.__bases__ if typing.NamedTuple in bases else bases
        if type(kind) is _TYPED_DICT:  # such a class is a dict, but cannot be made as a subclass
            bases = (vars(typing)["TypedDict"],)
        reduced = (make, (*arguments[:2], bases, words, *arguments[4:]), (state, slots), *rest)
        maker = next(each for each in type(kind).__mro__ if not self._travels(each))
        # That of generic classes, before Python 3.7, calls itself for each of their parameters.
        if maker is not type(kind) and maker.__name__ != "GenericMeta":
            if self.version is not None and self.version < (3, 7) and issubclass(kind, _GENERIC):
                raise Lacking(
                    f"the class {kind.__qualname__} has a metaclass, and on Python 3.6 generic"
                    " classes have one of their own"
                )
            if bases is not kind.__bases__:  # what was written there, such as Generic[T]
                words["__orig_bases__"] = bases
            arguments = (maker, type(kind), kind.__name__, kind.__bases__, words)
            reduced = (loader.make_class_as, arguments, (state, maker), *rest)
        if self.version is not None or (len(bases) > 1 and bases[0] is tuple):
            from redgrease.shipping import foreign  # which needs Python 3.7

            if self.version is not None:
                return foreign.fitted(kind, reduced, self.version)
            if foreign.is_namedtuple(kind):
                self.with_trees = True
                return foreign.namedtuple(kind, state)
        return reduced

    def _module(self, module: types.ModuleType) -> Any:
        name = module.__name__
        self._check(name)
        if is_redgrease(name):
            self.travelling = True
            used = self.uses.redgrease.get(name)
            if used is None:
                self.needs_redgrease = True
                return loader.import_module, (name,)
            state = {key: _attribute(module, key) for key in sorted(used) if hasattr(module, key)}
        elif self.modules.by_value(name):
            self.travelling = True
            self.plain = False
            content = vars(module)
            state = {key: content[key] for key in sorted(self.uses.attributes) if key in content}
            state.pop("__builtins__", None)
            if name in self.uses.computed:
                if self.version is not None and self.version < (3, 7):
                    raise Lacking(f"{name}.__getattr__ is of no use there before Python 3.7")
                state["__getattr__"] = content["__getattr__"]
        elif sys.modules.get(name) is module:
            return loader.import_module, (name,)
        else:
            return NotImplemented
        return loader.Unpickler.module, (name,), state

    def _cached(self, function: Any) -> Any:
        """A function with ``lru_cache``; pickle knows it only by reference."""
        if not self.modules.by_value(function.__module__):
            self.needs_redgrease |= is_redgrease(function.__module__)
            return NotImplemented
        settings: Dict[str, Any] = getattr(function, "cache_parameters", dict)()  # Python 3.9
        size = function.cache_info().maxsize
        return loader.make_cached, (function.__wrapped__, size, settings.get("typed", False))

    def _typevar(self, variable: Any) -> Any:
        found = core._lookup_module_and_qualname(variable, name=variable.__name__)
        if found is None or not self.modules.by_value(found[0].__name__):
            return NotImplemented
        return core._make_typevar, core._decompose_typevar(variable)

    def _dynamic_function_reduce(self, func: types.FunctionType) -> Tuple[Any, ...]:
        """Pickle a function by value."""
        make, arguments, (attributes, slots), *rest = super()._dynamic_function_reduce(func)
        slots = dict(slots)
        # They would bring their types along, and there are few functions that look at them.
        slots["__annotations__"] = self._hints(func) if self.hinted else {}
        names: Dict[str, Any] = slots["__globals__"]
        for name in names_in(func.__code__).bodies:  # cloudpickle looks at functions only
            if name in func.__globals__ and not _is_special(name):
                names[name] = func.__globals__[name]
        if func.__closure__ is not None:
            # Functions that share a variable share it on the server too.
            cells = zip(func.__closure__, arguments[4])
            shared = tuple(self._cells.setdefault(id(cell), made) for cell, made in cells)
            arguments = (*arguments[:4], shared)
        self.functions.append(func)
        self._note(func, names)
        namespace = self._namespace(func)
        if namespace is not None:
            arguments = (arguments[0], namespace, *arguments[2:])
        if self.version is not None:
            arguments = (self._source(func, self.version), *arguments[1:])
            slots.pop("__type_params__", None)
            for name, value in names.items():
                names[name] = _older(func, name, value, self.version)
            for name in [name for name in names if name.startswith("@")]:
                del names[name]  # of pytest, for what it has put in the place of `assert`
        return (make, arguments, (attributes, slots), *rest)

    def _hints(self, function: types.FunctionType) -> Dict[str, Any]:
        """The annotations of a function, without what servers may not have."""
        version = self.version or sys.version_info[:2]
        hints = {} if is_redgrease(function.__module__) else function.__annotations__
        return {name: fitting(hint, version, self.modules) for name, hint in hints.items()}

    def _source(self, function: types.FunctionType, version: Tuple[int, ...]) -> StandIn:
        """What stands for a function's code."""
        from redgrease.shipping import foreign

        if foreign.is_generated(function):
            raise Lacking(
                "Python has written it, for a data class or a named tuple, and each version writes"
                " its own; let a subclass call it by super(), or use __post_init__()"
            )
        key = (id(function.__code__), unions_of(function, version))
        if key not in self._codes:
            awaitable = bool(function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE)
            make = trees.compile_awaitable if awaitable else trees.compile_tree
            self._codes[key] = StandIn(make, *source_of(function, version))
        return self._codes[key]

    def _note(self, function: types.FunctionType, names: Dict[str, Any]) -> None:
        code = function.__code__
        variables = dict(names)
        for name, cell in zip(code.co_freevars, function.__closure__ or ()):
            try:
                variables[name] = cell.cell_contents
            except ValueError:  # still empty
                continue
        self.uses.note(code, variables)
        if not is_redgrease(function.__module__):
            self.uses.functions.setdefault(code.co_filename, function)
            self.looking = self.looking or looks(code, variables.values())
        if any(map(is_redgrease, names_in(code).imports)):
            self.needs_redgrease = True

    def _namespace(self, function: types.FunctionType) -> Optional[StandIn]:
        """What stands for a function's global names; None if these are no module's."""
        name = function.__globals__.get("__name__")
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is None or vars(module) is not function.__globals__:
            return None
        made = StandIn(loader.Unpickler.namespace, module.__name__)
        return self._namespaces.setdefault(module.__name__, made)


_HARMLESS = frozenset(
    [
        *(type(None), bool, int, float, complex, str, bytes, type(...), range),
        *(tuple, list, dict, set, frozenset),
        types.CodeType,
        types.BuiltinFunctionType,
        type(str.join),
        type(int.__add__),
        type((lambda cell: lambda: cell)(0).__closure__[0]),  # type: ignore[index] # a cell
        StandIn,
    ]
)


def dumps(
    value: Any, requirements: Iterable[Any] = (), version: Optional[Tuple[int, ...]] = None
) -> Pickled:
    """Pickle a value together with the functions in it.

    Args:
        value: The value.
        requirements: The packages that the server is asked to install.
        version: The version of Python that reads it, such as ``(3, 7)``; None is this one.

    Returns:
        The pickle.

    Raises:
        Exception: Whatever pickling raises for what cannot be pickled.
    """
    modules = Modules(requirements)
    uses = Uses()
    if version is not None:
        version = tuple(version[:2])
        version = None if version == sys.version_info[:2] else version
    hinted = False
    while True:
        before = uses.size()
        with io.BytesIO() as file:
            pickler = Pickler(file, modules, uses, version, hinted)
            pickler.dump(value)
            # What is used of a module is known when all functions have been looked at; if
            # something was found that had not been known from the start, once more.
            known = hinted or not pickler.looking
            hinted = hinted or pickler.looking
            if known and (uses.size() == before or not pickler.travelling):
                return Pickled(
                    *(file.getvalue(), pickler.needs_redgrease, pickler.functions),
                    *(pickler.plain, pickler.with_trees),
                )
