"""Tells what older versions of Python do not know of a syntax tree, or cannot have."""

import ast
from typing import Any, Dict, Iterator, NamedTuple, Optional, Tuple

from redgrease.shipping.standard import lacks

__all__ = ["Unknown", "unknown"]

Version = Tuple[int, ...]


class Unknown(NamedTuple):
    """Something that a version of Python does not know.

    Attributes:
        line: The line where it stands.
        reason: What it is, and since when it is there.
    """

    line: int
    reason: str


# Nodes that came with a version.
_NODES: Dict[str, Tuple[Version, str]] = {
    "NamedExpr": ((3, 8), "an assignment expression (:=)"),
    "Match": ((3, 10), "a match statement"),
    "TryStar": ((3, 11), "except*"),
    "TypeAlias": ((3, 12), "a type statement"),
}
_LOOPS = ("For", "AsyncFor", "While")
_SCOPES = ("FunctionDef", "AsyncFunctionDef", "Lambda", "ClassDef")
_COMPREHENSIONS = ("ListComp", "SetComp", "DictComp")


def unknown(node: Any, version: Version) -> Optional[Unknown]:
    """Find what a version of Python does not know.

    Args:
        node: The definition of a function, or a lambda expression.
        version: The version, such as ``(3, 7)``.

    Returns:
        The first that is found; None if there is nothing.
    """
    return next(_Checker(tuple(version[:2])).visit(node, node), None)


class _Checker:
    def __init__(self, version: Version) -> None:
        self._version = version

    def _since(self, since: Version, node: Any, what: str) -> Iterator[Unknown]:
        if self._version < since:
            came = ".".join(map(str, since))
            yield Unknown(node.lineno, f"{what} came with Python {came}")

    def visit(
        self, node: Any, root: Any, final: bool = False, tried: bool = False
    ) -> Iterator[Unknown]:
        """Look at a node and all within.

        Args:
            node: The node.
            root: The function itself, whose own decorators, annotations and type parameters do
                not travel.
            final: Whether a ``continue`` here would leave a ``finally``.
            tried: Whether this is what a ``try`` is about, or what an ``if`` asks the version for,
                so that an import may fail.
        """
        kind = type(node).__name__
        if kind in _NODES:
            since, what = _NODES[kind]
            yield from self._since(since, node, what)
        special = getattr(self, f"_{kind}", None)
        if special is not None:
            yield from special(node, root, final, tried)
        if kind in _SCOPES or kind in _LOOPS:
            final = False
        left_out = ("decorator_list", "returns", "type_params") if node is root else ()
        for name, value in ast.iter_fields(node):
            if name in left_out or name == "annotation":
                continue
            in_final = final or (name == "finalbody" and kind in ("Try", "TryStar"))
            may_fail = (name == "body" and kind == "Try") or (
                kind == "If" and _is_about_versions(node)
            )
            in_try = (tried and kind not in _SCOPES) or may_fail
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.AST):
                    yield from self.visit(item, root, in_final, in_try)

    def _Continue(self, node: Any, root: Any, final: bool, tried: bool) -> Iterator[Unknown]:
        if final:
            yield from self._since((3, 8), node, "continue in a finally block")

    def _Subscript(self, node: Any, *_: Any) -> Iterator[Unknown]:
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else ()
        if items and _place(node.slice) < _place(items[0]):  # in parentheses of its own
            return
        if any(isinstance(item, ast.Starred) for item in items):
            yield from self._since((3, 11), node, "a starred expression in a subscript")

    def _definition(self, node: Any, root: Any, *_: Any) -> Iterator[Unknown]:
        yield from self._function(node)
        if node is root:
            return
        if getattr(node, "type_params", None):
            yield from self._since((3, 12), node, "a list of type parameters")
        for decorator in node.decorator_list:
            if not _is_plain_decorator(decorator):
                yield from self._since((3, 9), decorator, "a decorator that is any expression")

    _FunctionDef = _AsyncFunctionDef = _ClassDef = _definition

    def _function(self, node: Any, *_: Any) -> Iterator[Unknown]:
        if not isinstance(node, ast.AsyncFunctionDef):
            for inner in _own(node):
                if isinstance(inner, ast.GeneratorExp) and _is_async(inner):
                    what = "an asynchronous generator expression in an ordinary function"
                    yield from self._since((3, 7), inner, what)

    _Lambda = _function

    def _arguments(self, node: Any, *_: Any) -> Iterator[Unknown]:
        # Without the slash it means the same, unless such a name may be among the others.
        if node.posonlyargs and node.kwarg is not None:
            yield from self._since(
                (3, 8), node.posonlyargs[0], "a positional-only parameter beside **"
            )

    def _Import(self, node: Any, root: Any, final: bool, tried: bool) -> Iterator[Unknown]:
        for name in [] if tried else [alias.name for alias in node.names]:
            reason = lacks(self._version, name)
            if reason is not None:
                yield Unknown(node.lineno, reason)

    def _ImportFrom(self, node: Any, root: Any, final: bool, tried: bool) -> Iterator[Unknown]:
        names = [] if tried or node.level else [alias.name for alias in node.names]
        reasons = [lacks(self._version, node.module or "", name) for name in names]
        for reason in filter(None, reasons):
            yield Unknown(node.lineno, reason)

    def _comprehension_in(self, node: Any, *_: Any) -> Iterator[Unknown]:
        for inner in ast.walk(node):
            asynchronous = type(inner).__name__ in _COMPREHENSIONS and _is_async(inner)
            if inner is not node and asynchronous and not _is_async(node):
                yield from self._since((3, 11), inner, "an asynchronous comprehension in another")
        if not isinstance(node, ast.GeneratorExp):  # which is a function of its own still
            first = node.generators[0].iter  # is evaluated outside
            outside = {id(node), id(first), *map(id, _own(first))}
            for inner in _own(node):
                if id(inner) not in outside and _is_bare_super(inner):
                    yield from self._since((3, 12), inner, "super() in a comprehension")

    _ListComp = _SetComp = _DictComp = _GeneratorExp = _comprehension_in


def _is_async(comprehension: Any) -> bool:
    return any(each.is_async for each in comprehension.generators)


def _is_bare_super(node: Any) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
        and not (node.args or node.keywords)
    )


def _place(node: Any) -> Tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _own(node: Any) -> Iterator[Any]:
    """All within a function, except for functions inside it."""
    for inner in ast.iter_child_nodes(node):
        yield inner
        if type(inner).__name__ not in _SCOPES:
            yield from _own(inner)


def _is_about_versions(node: Any) -> bool:
    words = ("version_info", "hexversion", "version", "TYPE_CHECKING")
    names = (getattr(each, "attr", getattr(each, "id", "")) for each in ast.walk(node.test))
    return any(name in words for name in names)


def _is_plain_decorator(node: Any) -> bool:
    """Whether it is a dotted name, perhaps called: all that there was before Python 3.9."""
    if isinstance(node, ast.Call):
        node = node.func
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
