"""Tells whether two functions are the same, whatever process or file they come from."""

import enum
import hashlib
import pickle
import types
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from redgrease.shipping.kinds import SINGLE
from redgrease.shipping.mentions import names_in
from redgrease.shipping.modules import Modules
from redgrease.shipping.pickler import dumps
from redgrease.shipping.standard import SLOTS

__all__ = ["fingerprint"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), range)
# What a class has without anybody having written it.
_OF_CLASSES = frozenset(
    ["__dict__", "__weakref__", "__module__", "__firstlineno__", "__static_attributes__"]
    + ["__annotations__", "__abstractmethods__", "_abc_impl", "__annotations_cache__"]
    + ["__slotnames__"]  # noted when an instance is pickled for the first time
)


def fingerprint(steps: Iterable[Any], requirements: Iterable[Any] = ()) -> str:
    """A digest of what steps do: of the code of their functions and of the values it uses.

    Pickles of one and the same function differ from process to process, and code knows the file
    and the lines that it comes from; none of this matters here.

    Args:
        steps: The steps, as plain data with functions in it.
        requirements: The packages that the server is asked to install.

    Returns:
        Sixteen hexadecimal digits.
    """
    requirements = sorted(map(str, requirements))
    reader = _Reader(Modules(requirements))
    return reader.digest([list(steps), requirements]).hex()[:16]


class _Reader:
    """Reads one value, with all that it refers to."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._seen: Dict[int, int] = {}
        self._kept: List[Any] = []  # as long as this one lives, no id is given a second time

    def digest(self, value: Any) -> bytes:
        """The digest of a value."""
        kind, parts = self._taken_apart(value)
        state = hashlib.sha256(kind.encode("utf-8", "surrogatepass"))
        for part in parts:
            state.update(part)
        return state.digest()

    def _all(self, values: Iterable[Any]) -> List[bytes]:
        return [self.digest(value) for value in values]

    def _taken_apart(self, value: Any) -> Tuple[str, Iterable[bytes]]:
        """The name of a value's kind, and the digests of its parts."""
        kind = type(value)
        name = kind.__name__
        if kind in _PLAIN:
            return f"{name} {value!r}", ()
        if id(value) in self._seen:
            return f"again {self._seen[id(value)]}", ()
        if kind in (set, frozenset):
            return name, sorted(_Reader(self._modules).digest(item) for item in value)
        # Equal tuples may be one object or several, as the compiler likes.
        if kind is tuple:
            return name, self._all(value)
        if kind is types.CodeType:
            return name, self._all(_code(value))
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        if kind is list:
            return name, self._all(value)
        if kind is dict:
            return name, self._all(item for pair in value.items() for item in pair)
        if kind is types.FunctionType:
            return name, self._function(value)
        if isinstance(value, types.ModuleType):
            return f"module {value.__name__}", ()
        if isinstance(value, type):
            return f"class {value.__module__} {value.__qualname__}", self._class(value)
        if isinstance(value, enum.Enum):
            return f"member {value.name}", [self.digest(type(value))]
        return f"object {name}", self._object(value)

    def _function(self, function: types.FunctionType) -> Iterable[bytes]:
        if not self._travels(function.__module__):
            return self._all([function.__module__, function.__qualname__])
        return self._all(
            [
                function.__code__,
                function.__defaults__,
                _sorted(function.__kwdefaults__ or {}),
                _sorted(vars(function)),
                _hints(function),
                list(_variables(function)),
            ]
        )

    def _travels(self, module: Any) -> bool:
        # Functions of redgrease are looked into: they close over those of the user.
        return (
            module is None
            or str(module).partition(".")[0] == "redgrease"
            or self._modules.by_value(module)
        )

    def _class(self, kind: type) -> Iterable[bytes]:
        if not self._modules.by_value(kind.__module__):
            return ()
        content = {name: item for name, item in vars(kind).items() if name not in _OF_CLASSES}
        return self._all([list(kind.__bases__), _sorted(content)])

    def _object(self, value: Any) -> Iterable[bytes]:
        kind = type(value)
        if id(value) in SINGLE:
            return self._all(SINGLE[id(value)])
        if kind in (staticmethod, classmethod):
            return self._all([value.__func__])
        if kind is property:
            return self._all([value.fget, value.fset, value.fdel])
        if isinstance(value, SLOTS):
            return self._all([value.__name__])
        if isinstance(value, types.BuiltinFunctionType):
            owner = value.__self__ if not isinstance(value.__self__, types.ModuleType) else None
            return self._all([value.__module__, value.__qualname__, owner])
        wrapped = getattr(value, "__wrapped__", None)
        if isinstance(wrapped, types.FunctionType):  # lru_cache
            return self._all([wrapped])
        try:
            made = value.__reduce_ex__(4)
        except Exception:
            made = None
        if isinstance(made, tuple):
            return self._all([kind, *(_listed(part) for part in made)])
        try:
            return [pickle.dumps(made if isinstance(made, str) else value, 4)]
        except Exception:
            return [dumps(value).data]


def _listed(part: Any) -> Any:
    """A part of how to make an object again; items come from iterators."""
    return list(part) if hasattr(part, "__next__") else part


def _sorted(names: Any) -> List[Tuple[str, Any]]:
    return sorted(names.items(), key=lambda item: str(item[0]))


def _code(code: types.CodeType) -> Iterator[Any]:
    """What makes a code object what it is, but not where it was written."""
    yield from (code.co_argcount, code.co_kwonlyargcount, getattr(code, "co_posonlyargcount", 0))
    yield from (code.co_flags, code.co_code, code.co_names, code.co_varnames)
    yield from (code.co_freevars, code.co_cellvars, code.co_name)
    yield getattr(code, "co_exceptiontable", b"")
    yield code.co_consts


def _hints(function: types.FunctionType) -> List[Tuple[str, str]]:
    """The annotations by which some decorators go."""
    return [
        (name, hint if isinstance(hint, str) else hint.__qualname__)
        for name, hint in function.__annotations__.items()
        if issubclass(type(hint), (str, type))
    ]


def _variables(function: types.FunctionType) -> Iterator[Any]:
    """The values that a function takes from outside, with their names."""
    code = function.__code__
    values: Dict[str, Any] = dict(function.__globals__)
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        try:
            values[name] = cell.cell_contents
        except ValueError:  # still empty
            values.pop(name, None)
    for path in sorted(set(names_in(code).paths)):
        if path[0] not in values:
            continue
        value, names = values[path[0]], list(path[1:])
        # Of a module, only what the function uses of it matters.
        while names and isinstance(value, types.ModuleType) and hasattr(value, names[0]):
            value = getattr(value, names.pop(0))
        yield path
        yield value
