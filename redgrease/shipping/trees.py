"""Code that travels as source: makes code objects of syntax trees.

The text of this file is sent along with that of :mod:`.loader` where client and server run
different versions of Python, whose code objects are of no use to each other.  So it uses nothing
but the standard library, of Python 3.6 and later.

A node of a syntax tree travels as a tuple of its class's name, line, column, and a dict of its
fields; fields that are None are left out.
"""

import ast
import sys
import types
from typing import Any, Dict, Sequence, Tuple

Tree = Tuple[str, int, int, Dict[str, Any]]

# Fields that not all versions know, and that must be lists where they do.
LISTS = ("posonlyargs", "type_ignores", "type_params")


def build(value: Any) -> Any:
    """Make a node of a tree, or a list of nodes; anything else stays as it is."""
    if type(value) is list:
        return [build(item) for item in value]
    if type(value) is not tuple:
        return value
    kind, line, column, fields = value
    make = getattr(ast, kind)
    absent: Dict[str, Any] = {name: [] if name in LISTS else None for name in make._fields}
    known = {name: build(fields[name]) for name in make._fields if name in fields}
    made = make(**dict(absent, **known))
    made.lineno = made.end_lineno = line
    made.col_offset = made.end_col_offset = column
    if kind == "Subscript" and sys.version_info < (3, 9):
        made.slice = indexed(made.slice)
    return made


def indexed(node: Any) -> Any:
    """What is between the brackets of a subscript, as before Python 3.9."""
    if isinstance(node, ast.Slice):
        return node
    if isinstance(node, ast.Tuple) and any(isinstance(item, ast.Slice) for item in node.elts):
        return ast.ExtSlice(dims=[indexed(item) for item in node.elts])
    return ast.Index(value=node)


def compile_tree(
    tree: Tree,
    filename: str,
    path: Sequence[Tuple[str, bool]],
    free: Sequence[str],
    flags: int = 0,
    imports: Sequence[str] = (),
) -> types.CodeType:
    """Make the code object of a function.

    The function is put inside others and inside classes of the names that it stands in.  That
    gives variables from outside, names that are mangled, ``super()``, and qualified names.

    Args:
        tree: The function's definition, or the lambda expression.
        filename: The file that it came from.
        path: The functions and classes around it, from outside: their names, and whether they
            are classes.
        free: The variables from outside that are local to another function, in their order.
        flags: What was imported from ``__future__``.
        imports: Names that the file imports, of which Python 3.12 and later take note.

    Returns:
        The code object.

    Raises:
        SyntaxError: This version of Python does not know such syntax.
    """
    node = build(tree)
    name = getattr(node, "name", None)
    if isinstance(node, ast.Lambda):
        node = ast.copy_location(ast.Expr(value=node), node)
    scopes = [("_", False), *path]
    holder = max(number for number, (_, is_class) in enumerate(scopes) if not is_class)
    variables = [variable for variable in free if variable != "__class__"]
    lines = [f"import {each}" for each in imports]
    for number, (scope, is_class) in enumerate(scopes):
        indent = " " * number
        lines.append(f"{indent}{f'class {scope}' if is_class else f'def {scope}()'}:")
        if number == 0:
            outermost = path[0][0] if path else name
            if outermost and not (holder == 0 and outermost in variables):
                lines.append(f" global {outermost}")
        if number == holder:
            lines += [f"{indent} {variable} = None" for variable in variables]
    lines.append(" " * len(scopes) + "pass")
    module = ast.parse("\n".join(lines))
    inner: Any = module
    for _ in scopes:
        inner = inner.body[-1]
    inner.body[-1] = node
    ast.fix_missing_locations(module)
    if sys.version_info < (3, 7):
        import __future__

        flags |= __future__.generator_stop.compiler_flag
    code: Any = compile(module, filename, "exec", flags, True)
    for _ in range(len(scopes) + 1):
        code = next(each for each in code.co_consts if isinstance(each, types.CodeType))
    if tuple(code.co_freevars) != tuple(free):
        raise RuntimeError(f"{name} takes {code.co_freevars} from outside, not {tuple(free)}")
    found: types.CodeType = code
    return found


def compile_awaitable(*source: Any) -> types.CodeType:
    """Make the code object of a generator that can be awaited, as `types.coroutine` makes it."""
    code = compile_tree(*source)
    cell = (lambda value: lambda: value)(0).__closure__[0]  # type: ignore[index]
    function = types.FunctionType(code, {}, "", None, (cell,) * len(code.co_freevars))
    made: types.CodeType = types.coroutine(function).__code__
    return made
