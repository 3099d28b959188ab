"""How values of particular kinds are pickled, where cloudpickle does not know them or errs."""

import collections
import collections.abc
import contextlib
import functools
import os
import sys
import types
import typing
from typing import Any, Callable, Dict, List, Tuple

from cloudpickle import CloudPickler

from redgrease.codes import with_file
from redgrease.shipping import classes, loader

__all__ = ["DISPATCHER", "FOREIGN", "NAMED", "OTHERS", "SINGLE", "dispatcher"]

Reduced = Tuple[Any, ...]

# The code of all functions that `functools.singledispatch` makes.
DISPATCHER = functools.singledispatch(id).__code__  # type: ignore[attr-defined]
_DISPATCHING = ("registry", "dispatch", "register", "_clear_cache", "__wrapped__")

_ORDERED: Any = collections.OrderedDict()


def _view(make: Any) -> Callable[[Any], Reduced]:
    return lambda view: (make, (list(view), True))


def _context(manager: Any) -> Any:
    """A context manager that was not entered yet, as it is where it decorates functions."""
    entered = not hasattr(manager, "func")
    if sys.version_info < (3, 10):  # where not all of them forget it then
        frame = getattr(manager.gen, "gi_frame", None) or getattr(manager.gen, "ag_frame", None)
        entered = entered or frame is None or frame.f_lasti != -1
    if entered:
        return NotImplemented
    return type(manager), (manager.func, manager.args, manager.kwds)


_CONTEXTS: List[type] = [contextlib._GeneratorContextManager]
if sys.version_info >= (3, 7):
    _CONTEXTS.append(contextlib._AsyncGeneratorContextManager)

# On any server.
OTHERS: Dict[type, Callable[[Any], Reduced]] = {
    type(_ORDERED.keys()): _view(loader.make_keys),
    type(_ORDERED.values()): _view(loader.make_values),
    type(_ORDERED.items()): _view(loader.make_items),
    **dict.fromkeys(_CONTEXTS, _context),
}
# On servers of other versions.
FOREIGN: Dict[type, Callable[[Any, Tuple[int, ...]], Any]] = {}
# Objects that there is one of in each process, by their ids: where each process finds its own.
SINGLE: Dict[int, Tuple[str, str]] = {
    id(getattr(os, name)): ("os", name) for name in ("environ", "environb") if hasattr(os, name)
}
# Those that pickle knows by reference only, and that may be of a module that travels.
NAMED: Dict[type, Callable[[Any, bool], Reduced]] = {}


def dispatcher(function: Any) -> Reduced:
    """How a function made by ``functools.singledispatch`` is pickled."""
    made = {name: value for name, value in vars(function).items() if name not in _DISPATCHING}
    registry = [(kind, each) for kind, each in function.registry.items() if kind is not object]
    words = ("__module__", "__name__", "__qualname__", "__doc__")
    names = {name: getattr(function, name) for name in words}
    default = function.registry[object]
    return (
        loader.make_dispatcher,
        (default,),
        (registry, made, names),
        None,
        None,
        loader.fill_dispatcher,
    )


if sys.version_info >= (3, 7):
    import dataclasses

    SINGLE[id(dataclasses.MISSING)] = ("dataclasses", "MISSING")
    OTHERS[dataclasses._FIELD_BASE] = lambda mark: (loader.field_type, (mark.name,))  # type: ignore[attr-defined]

    def _forward(reference: Any, version: Tuple[int, ...]) -> Reduced:
        return classes.forward, (reference.__forward_arg__,)

    FOREIGN[typing.ForwardRef] = _forward

if sys.version_info >= (3, 8):
    OTHERS[types.CodeType] = with_file(CloudPickler.dispatch_table[types.CodeType])
    # It has a lock, before Python 3.12.
    OTHERS[functools.cached_property] = lambda cached: (
        loader.make_cached_property,
        (cached.func, cached.attrname, cached.__doc__),
    )
    # It has a cache of weak references, since Python 3.13.
    OTHERS[functools.singledispatchmethod] = lambda method: (
        functools.singledispatchmethod,
        (method.func,),
        {"dispatcher": method.dispatcher},
    )

if sys.version_info >= (3, 9):

    def _alias(alias: Any, version: Tuple[int, ...]) -> Any:
        return NotImplemented if version >= (3, 9) else (classes.same, (alias.__origin__,))

    FOREIGN[types.GenericAlias] = _alias
    FOREIGN[type(collections.abc.Callable[[], None])] = _alias

if sys.version_info >= (3, 10):

    def _union(union: Any, version: Tuple[int, ...]) -> Any:
        return NotImplemented if version >= (3, 10) else (classes.union, union.__args__)

    def _param_spec(spec: Any, foreign: bool) -> Reduced:
        make: Any = classes.param_spec if foreign else typing.ParamSpec
        return make, (spec.__name__,)

    def _new_type(kind: Any, foreign: bool) -> Reduced:
        return typing.NewType, (kind.__name__, kind.__supertype__)

    FOREIGN[types.UnionType] = _union
    NAMED[typing.ParamSpec] = _param_spec
    NAMED[typing.NewType] = _new_type

if sys.version_info >= (3, 11):
    import enum

    def _variables(variables: Any, foreign: bool) -> Reduced:
        make: Any = classes.type_variables if foreign else typing.TypeVarTuple
        return make, (variables.__name__,)

    def _unpacked(alias: Any, version: Tuple[int, ...]) -> Reduced:
        return classes.unpacked, alias.__args__

    def _property(made: Any, version: Tuple[int, ...]) -> Reduced:
        # What enum.property was before; it is there in all versions.
        return types.DynamicClassAttribute, (made.fget, made.fset, made.fdel, made.__doc__)

    NAMED[typing.TypeVarTuple] = _variables
    FOREIGN[typing._UnpackGenericAlias] = _unpacked  # type: ignore[attr-defined]
    FOREIGN[enum.property] = _property

if sys.version_info >= (3, 12):

    def _type_alias(alias: Any, foreign: bool) -> Reduced:
        make: Any = classes.type_alias if foreign else typing.TypeAliasType
        return make, (alias.__name__, alias.__value__)

    NAMED[typing.TypeAliasType] = _type_alias
