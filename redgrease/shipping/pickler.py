"""The sending side: pickles functions so that a server needs nothing but :mod:`.loader`.

cloudpickle does the work.  This module decides what travels by value and what by reference, and
puts words in the place of what servers have themselves.
"""

import collections
import copy
import dis
import enum
import functools
import io
import sys
import types
import typing
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from cloudpickle import CloudPickler
from cloudpickle import cloudpickle as core
from cloudpickle import cloudpickle_fast as fast

from redgrease import runtime
from redgrease.exceptions import NotShippableError
from redgrease.func import ClosedCommand, Command
from redgrease.shipping import loader, trees
from redgrease.shipping.modules import OPERANDS, PLAIN, Modules
from redgrease.shipping.source import source_of
from redgrease.shipping.standard import lacks, public_home

__all__ = ["Pickled", "dumps"]

PROTOCOL = 4  # the highest of Python 3.6 and 3.7

_WORDS = frozenset(runtime.__all__) - {"GEARS_RUNTIME", "in_server", "run"}
_ATTRIBUTES = frozenset(["LOAD_ATTR", "LOAD_METHOD"])
_VARIABLES = frozenset(["LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"])
_CACHED = type(functools.lru_cache()(int))


class Names(NamedTuple):
    """What a code object mentions.

    Attributes:
        attributes: Names behind a dot, and texts that could be such names.
        imports: Modules that it imports when it runs.
        paths: For each use of a variable: its name, and the names behind dots that follow.
    """

    attributes: FrozenSet[str]
    imports: FrozenSet[str]
    paths: Tuple[Tuple[str, ...], ...]


class Pickled(NamedTuple):
    """A pickle.

    Attributes:
        data: The bytes.
        needs_redgrease: Whether it refers to parts of redgrease that do not travel.
        functions: The functions in it that travel by value.
        plain: Whether it is made of functions, classes and constants only.
    """

    data: bytes
    needs_redgrease: bool
    functions: List[types.FunctionType]
    plain: bool


@functools.lru_cache(maxsize=4096)
def names_in(code: types.CodeType) -> Names:
    """Find out what a code object mentions, those inside it included."""
    attributes: Set[str] = set()
    imports: Set[str] = set()
    paths: List[Tuple[str, ...]] = []
    path: List[str] = []
    for step in dis.get_instructions(code):
        if path and step.opname in _ATTRIBUTES:
            path.append(str(step.argval))
        else:
            if path:
                paths.append(tuple(path))
            path = [str(step.argval)] if step.opname in _VARIABLES else []
        if step.opname.endswith(("_ATTR", "_METHOD")):
            attributes.add(str(step.argval))
        elif step.opname == "IMPORT_NAME":
            imports.add(str(step.argval))
    for constant in code.co_consts:
        if isinstance(constant, str) and constant.isidentifier():
            attributes.add(constant)
        elif isinstance(constant, types.CodeType):
            inner = names_in(constant)
            attributes |= inner.attributes
            imports |= inner.imports
            paths += inner.paths
    return Names(frozenset(attributes), frozenset(imports), tuple(paths))


class _Namespace:
    """Stands for the global names of a module, which its functions share on the server too."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Tuple[Any, ...]:
        return loader.Unpickler.namespace, (self.name,)


class _Code:
    """Stands for a code object, which travels as source."""

    def __init__(self, source: Tuple[Any, ...]) -> None:
        self.source = source

    def __reduce__(self) -> Tuple[Any, ...]:
        return trees.compile_tree, tuple(self.source)


class _Word:
    """Stands for a word of ``redgrease.runtime`` whose value a server knows better."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Tuple[Any, ...]:
        return loader.Unpickler.word, (self.name,)


def _attribute(module: types.ModuleType, name: str) -> Any:
    """An attribute of a module of redgrease, as it should be on a server."""
    return _Word(name) if name == "GEARS_RUNTIME" else getattr(module, name)


class Uses:
    """What is used of modules, as far as functions have been looked at.

    Attributes:
        attributes: Names of attributes of any module.
        redgrease: Names of attributes by module of redgrease; None where it is not known.
    """

    def __init__(self) -> None:
        self.attributes: Set[str] = set()
        self.redgrease: Dict[str, Optional[Set[str]]] = {}

    def size(self) -> int:
        """Grows whenever something is added."""
        known = [len(names) + 1 for names in self.redgrease.values() if names is not None]
        unknown = 10**6 * (len(self.redgrease) - len(known))
        return len(self.attributes) + sum(known) + unknown

    def note(self, code: types.CodeType, names: Dict[str, Any]) -> None:
        """Note what a function uses.

        Args:
            code: Its code.
            names: The values of its variables from outside.
        """
        mentioned = names_in(code)
        self.attributes |= mentioned.attributes
        for variable, *path in mentioned.paths:
            value = names.get(variable)
            if isinstance(value, types.ModuleType) and _is_redgrease(value.__name__):
                self._note_path(value, path)

    def _note_path(self, module: types.ModuleType, path: List[str]) -> None:
        if not path:  # it is passed on, or asked for its attributes by getattr
            self.redgrease[module.__name__] = None
            return
        used = self.redgrease.setdefault(module.__name__, set())
        if used is not None:
            used.add(path[0])
        value = getattr(module, path[0], None)
        if isinstance(value, types.ModuleType):
            self._note_path(value, path[1:])


def _is_redgrease(name: Any) -> bool:
    return isinstance(name, str) and name.partition(".")[0] == "redgrease"


class Pickler(CloudPickler):  # type: ignore[misc]
    """A cloudpickle that knows what servers have.

    Args:
        file: Where to write.
        modules: Which modules travel.
        uses: What is used of them; is added to.
        version: The version of Python that reads it, if it is another one, to which code travels
            as source.
    """

    def __init__(
        self,
        file: io.BytesIO,
        modules: Modules,
        uses: Uses,
        version: Optional[Tuple[int, ...]] = None,
    ) -> None:
        super().__init__(file, protocol=PROTOCOL)
        self.modules = modules
        self.uses = uses
        self.version = version
        self.needs_redgrease = False
        self.functions: List[types.FunctionType] = []
        self.plain = True
        self.travelling = False  # whether there is a module among the objects that travel
        self._namespaces: Dict[str, _Namespace] = {}
        self._codes: Dict[int, _Code] = {}

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
        if kind is _CACHED:
            return self._cached(obj)
        if kind is typing.TypeVar:
            return self._typevar(obj)
        if self.version is not None and kind in _NEWER:
            since, reduce = _NEWER[kind]
            if self.version < since:
                return reduce(obj)
        if kind in _OTHERS:
            return _OTHERS[kind](obj)
        if issubclass(kind, (Command, ClosedCommand)):
            return copy.copy, (obj.__wrapped__,)  # inside a server, the function itself
        if kind not in _HARMLESS:
            self.plain = False
        return NotImplemented

    def _word(self, obj: Any) -> Any:
        """The reduction of a word of ``redgrease.runtime``."""
        name = obj.__name__
        if name in _WORDS and getattr(runtime, name) is obj:
            return loader.Unpickler.word, (name,)
        return NotImplemented

    def _function(self, function: types.FunctionType) -> Any:
        home = function.__module__
        self._check_home(home)
        if _is_redgrease(home):
            if home in (loader.__name__, trees.__name__):
                return NotImplemented
            reduced = self._word(function)
            if reduced is not NotImplemented:
                return reduced
            if home in OPERANDS or function is runtime.in_server:
                return self._dynamic_function_reduce(function)
            self.needs_redgrease = True
        elif self.modules.by_value(home):
            return self._dynamic_function_reduce(function)
        return NotImplemented

    def _check_home(self, module: Any) -> None:
        """Refuse what the standard library of the server cannot have."""
        if self.version is not None and isinstance(module, str):
            reason = lacks(self.version, public_home(module))
            if reason is not None:
                raise NotShippableError(
                    f"the function refers to what is not there on Python {self.version[0]}."
                    f"{self.version[1]}: {reason}"
                )

    def _class(self, kind: type) -> Any:
        home = kind.__module__
        self._check_home(home)
        if self.version is not None and public_home(home) != home:
            found = getattr(sys.modules.get(public_home(home)), kind.__name__, None)
            if found is kind:
                return getattr, (sys.modules[public_home(home)], kind.__name__)
        if _is_redgrease(home):
            reduced = self._word(kind)
            if reduced is not NotImplemented:
                return reduced
            if home in PLAIN:
                return self._class_by_value(kind)
            self.needs_redgrease = True
        elif self.modules.by_value(home):
            return self._class_by_value(kind)
        return NotImplemented

    def _class_by_value(self, kind: type) -> Any:
        self.plain = False  # a class may change in too many ways to be watched
        make, arguments, *rest = fast._dynamic_class_reduce(kind)
        if not issubclass(kind, enum.Enum):
            # By these the client finds its own class, when a result is of it.
            names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
            words = dict(arguments[3], **names)
            # A class made with NamedTuple is made a second time as what it became.
            bases = arguments[2]
            bases = kind.__bases__ if typing.NamedTuple in bases else bases
            arguments = (*arguments[:2], bases, words, *arguments[4:])
        if self.version is not None:
            from redgrease.shipping.foreign import fitted

            return fitted(kind, (make, arguments, *rest), self.version)
        return (make, arguments, *rest)

    def _module(self, module: types.ModuleType) -> Any:
        name = module.__name__
        self._check_home(name)
        if _is_redgrease(name):
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
        elif sys.modules.get(name) is module:
            return loader.import_module, (name,)
        else:
            return NotImplemented
        return loader.Unpickler.module, (name,), state

    def _cached(self, function: Any) -> Any:
        """A function with ``lru_cache``; pickle knows it only by reference."""
        if not self.modules.by_value(function.__module__):
            self.needs_redgrease |= _is_redgrease(function.__module__)
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
        # Nothing on a server looks at annotations, and they would bring their types along.
        slots["__annotations__"] = {}
        names: Dict[str, Any] = slots["__globals__"]
        self.functions.append(func)
        self._note(func, names)
        namespace = self._namespace(func)
        if namespace is not None:
            arguments = (arguments[0], namespace, *arguments[2:])
        if self.version is not None:
            arguments = (self._source(func, self.version), *arguments[1:])
            slots.pop("__type_params__", None)
        return (make, arguments, (attributes, slots), *rest)

    def _source(self, function: types.FunctionType, version: Tuple[int, ...]) -> _Code:
        """What stands for a function's code."""
        key = id(function.__code__)
        if key not in self._codes:
            self._codes[key] = _Code(source_of(function, version))
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
        if any(map(_is_redgrease, names_in(code).imports)):
            self.needs_redgrease = True

    def _namespace(self, function: types.FunctionType) -> Optional[_Namespace]:
        """What stands for a function's global names; None if these are no module's."""
        name = function.__globals__.get("__name__")
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is None or vars(module) is not function.__globals__:
            return None
        return self._namespaces.setdefault(module.__name__, _Namespace(module.__name__))


def _view(make: Any) -> Callable[[Any], Tuple[Any, ...]]:
    return lambda view: (make, (list(view), True))


_ORDERED: Any = collections.OrderedDict()
# What only newer releases of cloudpickle know.
_OTHERS: Dict[type, Callable[[Any], Tuple[Any, ...]]] = {
    type(_ORDERED.keys()): _view(loader.make_keys),
    type(_ORDERED.values()): _view(loader.make_values),
    type(_ORDERED.items()): _view(loader.make_items),
}
if sys.version_info >= (3, 7):
    import dataclasses

    _OTHERS[dataclasses._FIELD_BASE] = lambda mark: (loader.field_type, (mark.name,))  # type: ignore[attr-defined]

# Kinds of types that came with a version, and how they are written for earlier ones.
_NEWER: Dict[type, Tuple[Tuple[int, ...], Callable[[Any], Tuple[Any, ...]]]] = {}
if sys.version_info >= (3, 9):
    _NEWER[types.GenericAlias] = (3, 9), lambda alias: (trees.same, (alias.__origin__,))
if sys.version_info >= (3, 10):
    _NEWER[types.UnionType] = (3, 10), lambda kinds: (trees.union, kinds.__args__)

_HARMLESS = frozenset(
    [
        *(type(None), bool, int, float, complex, str, bytes, type(...), range),
        *(tuple, list, dict, set, frozenset),
        types.CodeType,
        types.BuiltinFunctionType,
        type(str.join),
        type(int.__add__),
        type((lambda cell: lambda: cell)(0).__closure__[0]),  # type: ignore[index] # a cell
        _Code,
        _Namespace,
        _Word,
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
    while True:
        before = uses.size()
        with io.BytesIO() as file:
            pickler = Pickler(file, modules, uses, version)
            pickler.dump(value)
            # What is used of a module is known when all functions have been looked at; if
            # something was found that had not been known from the start, once more.
            if uses.size() == before or not pickler.travelling:
                return Pickled(
                    file.getvalue(), pickler.needs_redgrease, pickler.functions, pickler.plain
                )
