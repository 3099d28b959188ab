"""Fits syntax trees to older versions of Python."""

import ast
import copy
import sys
from typing import Any, Dict, FrozenSet, Iterator, List, Sequence, Set, Tuple

from redgrease.shipping.trees import Tree

__all__ = ["lowered", "to_tree"]

Version = Tuple[int, ...]


class _Lowering(ast.NodeTransformer):
    """Leaves out what does not travel, and rewrites what an older version writes otherwise."""

    def __init__(self, version: Version, texts: bool, source: str, unions: FrozenSet[str]) -> None:
        self._version = version
        self._unions = unions
        self._texts = texts  # whether annotations are texts: `from __future__ import annotations`
        self._source = source
        self._in_class = self._decorated = False

    def _scope(self, node: Any, is_class: bool) -> Any:
        before = self._in_class, self._decorated
        self._in_class = is_class
        self._decorated = is_class and bool(node.decorator_list)
        if sys.flags.optimize > 1 and _is_described(node):
            node.body[0].value = ast.copy_location(ast.Constant(value=None), node.body[0])
        self.generic_visit(node)
        self._in_class, self._decorated = before
        return node

    def visit_FunctionDef(self, node: Any) -> Any:
        node.returns = self._kept(node.returns)
        return self._scope(node, False)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: Any) -> Any:
        return self._scope(node, False)

    def visit_ClassDef(self, node: Any) -> Any:
        return self._scope(node, True)

    def visit_Assert(self, node: Any) -> Any:
        # Servers run without `-O`; what is never run can still make a function a generator.
        self.generic_visit(node)
        if not sys.flags.optimize:
            return node
        never = ast.If(test=ast.Constant(value=0), body=[node], orelse=[])
        return ast.fix_missing_locations(ast.copy_location(never, node))

    def visit_Name(self, node: Any) -> Any:
        if node.id == "__debug__" and sys.flags.optimize:
            return ast.copy_location(ast.Constant(value=False), node)
        return node

    def visit_Call(self, node: Any) -> Any:
        self.generic_visit(node)
        if self._version < (3, 10) and _is_check(node):
            node.args[1] = self._kinds(node.args[1])
        return node

    def _kinds(self, node: Any) -> Any:
        """What is asked for in a check; before Python 3.10 that could not be a union."""
        if isinstance(node, ast.Tuple):
            node.elts = [self._kinds(each) for each in node.elts]
        elif isinstance(node, ast.Constant) and node.value is None:
            return _expression("None.__class__", node)
        elif _dotted(node) in self._unions:
            made = _expression("getattr(0, '__args__', 0)", node)
            made.args[0], made.args[2] = node, copy.deepcopy(node)
            return made
        elif isinstance(node, ast.BinOp) and all(map(_dotted, _alternatives(node))):
            # Unless there is a class whose own class knows the operator.
            text = "0 if hasattr(__import__('builtins').type(0), '__or__') else 0"
            made = _expression(text, node)
            kinds = [copy.deepcopy(each) for each in _alternatives(node)]
            made.test.args[0].args = kinds[:1]
            made.body = node
            made.orelse = _expression("(0, 0)", node)
            made.orelse.elts = [self._kinds(copy.deepcopy(each)) for each in kinds]
            return made
        return node

    def visit_DictComp(self, node: Any) -> Any:
        self.generic_visit(node)
        if self._version < (3, 8) and _is_order_seen(node):
            # Before Python 3.8 the value comes first; the parts of a tuple never do.  No name in
            # a file can be one of these.
            pair = _expression("(0, 0)", node)
            pair.elts = [node.key, node.value]
            loop: Any = _expression("{k: v for k, v in [0]}", node)
            loop.generators[0].iter.elts = [pair]
            names = [loop.key, loop.value, *loop.generators[0].target.elts]
            for name in names:
                name.id = f".{name.id}"
            node.generators += loop.generators
            node.key, node.value = loop.key, loop.value
        return node

    def visit_arg(self, node: Any) -> Any:
        node.annotation = self._kept(node.annotation)
        return node

    def visit_arguments(self, node: Any) -> Any:
        if self._version < (3, 8):
            node.args[:0] = node.posonlyargs
            node.posonlyargs = []
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: Any) -> Any:
        if not self._in_class:  # a local variable's annotation is never looked at
            node.annotation = ast.copy_location(ast.Constant(value=None), node.annotation)
        elif self._decorated and (self._texts or _is_text(node.annotation)):
            # Data classes look such names up in a module that is not there.
            node.annotation = _marker(node.annotation)
        elif self._texts:
            node.annotation = self._text(node.annotation)
        elif self._version < (3, 10):
            node.annotation = _Types(self._version).visit(node.annotation)
        return self.generic_visit(node)

    def _text(self, node: Any) -> Any:
        text = ast.get_source_segment(self._source, node) or ""
        return ast.copy_location(ast.Constant(value=text), node)

    def _kept(self, annotation: Any) -> Any:
        """The annotation of an inner function, unless an older version may stumble over it."""
        if annotation is None:
            return None
        if self._texts:
            return self._text(annotation)
        node = annotation
        while isinstance(node, ast.Attribute):
            node = node.value
        return annotation if isinstance(node, (ast.Name, ast.Constant)) else None


def _is_check(call: Any) -> bool:
    """Whether something is asked for its class."""
    name = getattr(call.func, "id", "")
    return name in ("isinstance", "issubclass") and len(call.args) == 2 and not call.keywords


def _alternatives(node: Any) -> Iterator[Any]:
    """What stands between the bars of a union."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _alternatives(node.left)
        yield from _alternatives(node.right)
    else:
        yield node


def _dotted(node: Any) -> str:
    """None, or a name perhaps with others behind dots, as a text; empty for anything else."""
    if isinstance(node, ast.Attribute):
        home = _dotted(node.value)
        return home and f"{home}.{node.attr}"
    if isinstance(node, ast.Constant):
        return "None" if node.value is None else ""
    return str(getattr(node, "id", ""))


def _is_described(node: Any) -> bool:
    """Whether a function or class begins with a text that describes it."""
    return not isinstance(node, ast.Lambda) and ast.get_docstring(node, clean=False) is not None


def _is_order_seen(node: Any) -> bool:
    """Whether it can matter which of a dict comprehension's key and value is evaluated first."""
    parts = [node.key, node.value]
    targets = {
        each.id
        for generator in node.generators
        for each in ast.walk(generator.target)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }
    if all(isinstance(part, ast.Name) for part in parts):
        return False
    return not any(
        isinstance(part, ast.Constant) or (isinstance(part, ast.Name) and part.id in targets)
        for part in parts
    )


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _expression(text: str, at: Any) -> Any:
    """An expression, all of whose parts are where another node is."""
    made = ast.parse(text, mode="eval").body
    for node in ast.walk(made):
        ast.copy_location(node, at)
    return made


def _marker(annotation: Any) -> Any:
    """What is left of the annotation of a data class's field: whether it is one."""
    node = annotation
    if _is_text(node):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            pass
    while isinstance(node, ast.Subscript):
        node = node.value
    name = getattr(node, "attr", getattr(node, "id", ""))
    homes = {"ClassVar": "typing", "InitVar": "dataclasses", "KW_ONLY": "dataclasses"}
    home, name = (homes[name], name) if name in homes else ("typing", "Any")
    return _expression(f"__import__({home!r}).{name}", annotation)


class _Types(ast.NodeTransformer):
    """Writes types as versions before Python 3.9 and 3.10 do."""

    def __init__(self, version: Version) -> None:
        self._version = version

    def visit_BinOp(self, node: Any) -> Any:
        self.generic_visit(node)
        if not isinstance(node.op, ast.BitOr):
            return node
        made = _expression("__import__('typing').Union[0, 0]", node)
        (made.slice if isinstance(made.slice, ast.Tuple) else made.slice.value).elts = [
            *(node.left, node.right)
        ]
        return made

    def visit_Subscript(self, node: Any) -> Any:
        node.slice = self.visit(node.slice)
        if self._version >= (3, 9):
            return node
        # Classes of types that cannot be subscripted there are taken as they are.
        made = _expression("0 if hasattr(0, '__class_getitem__') or 0 else 0", node)
        asked = _expression("hasattr(type(0), '__getitem__')", node)
        made.test.values[0].args[0] = asked.args[0].args[0] = node.value
        made.test.values[1] = asked
        made.body, made.orelse = node, node.value
        return made


def lowered(
    node: Any,
    version: Version,
    texts: bool,
    source: str,
    free: Sequence[str],
    unions: FrozenSet[str] = frozenset(),
) -> Any:
    """Fit a function to a version of Python.

    Args:
        node: The definition, or the lambda expression; is changed.
        version: The version, such as ``(3, 7)``.
        texts: Whether annotations are texts in its file.
        source: The text of the file.
        free: The variables that the function takes from functions around it.
        unions: What names, perhaps with others behind dots, are unions of types.

    Returns:
        The node.
    """
    bare(node)
    node = _Lowering(tuple(version[:2]), texts, source, unions).visit(node)
    # A variable that only an annotation has named must still be one from outside.
    missing = sorted(set(free) - _names(node) - {"__class__"})
    if missing and not isinstance(node, ast.Lambda):
        names: List[ast.stmt] = [ast.Expr(ast.Name(name, ast.Load())) for name in missing]
        first = ast.If(test=ast.Constant(value=0), body=names, orelse=[])
        at = 1 if _is_described(node) else 0
        node.body.insert(at, first)
        ast.copy_location(first, node)
        ast.fix_missing_locations(node)
    return node


def bare(node: Any) -> Any:
    """Leave out of a function's definition what is not part of its code."""
    node.args.defaults = []
    node.args.kw_defaults = [None] * len(node.args.kwonlyargs)
    if not isinstance(node, ast.Lambda):
        node.decorator_list = []
        node.returns = None
        if hasattr(node, "type_params"):
            node.type_params = []
        every = getattr(node.args, "posonlyargs", []) + node.args.args + node.args.kwonlyargs
        for each in [*every, node.args.vararg, node.args.kwarg]:
            if each is not None:
                each.annotation = None
    return node


def _names(node: Any) -> Set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def to_tree(node: Any) -> Any:
    """A node as it travels; see :mod:`.trees`."""
    if isinstance(node, list):
        return [to_tree(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    fields: Dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if value is not None or (name == "value" and isinstance(node, ast.Constant)):
            fields[name] = to_tree(value)
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    tree: Tree = (type(node).__name__, line, column, fields)
    return tree
