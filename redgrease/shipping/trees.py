"""Code that travels as source: makes code objects of syntax trees, and classes of descriptions.

The text of this file is sent along with that of :mod:`.loader` where client and server run
different versions of Python, whose code objects are of no use to each other.  So it uses nothing
but the standard library, of Python 3.6 and later.

A node of a syntax tree travels as a tuple of its class's name, line, column, and a dict of its
fields; fields that are None are left out.
"""

import ast
import sys
import types
from typing import Any, Dict, List, Optional, Sequence, Tuple

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
    owner: Optional[str],
    free: Sequence[str],
    flags: int = 0,
    imports: Sequence[str] = (),
) -> types.CodeType:
    """Make the code object of a function.

    The function is put inside another, which has the variables that it takes from outside, and
    inside a class, for the names that are mangled and for ``super()``.

    Args:
        tree: The function's definition, or the lambda expression.
        filename: The file that it came from.
        owner: The name of the class that it stands in; ``_`` mangles nothing; None is for
            functions that call ``super()`` outside of classes.
        free: The variables from outside that are local to another function, in their order.
        flags: What was imported from ``__future__``.
        imports: Names that the file imports, of which Python 3.12 and later take note.

    Returns:
        The code object.

    Raises:
        SyntaxError: This version of Python does not know such syntax.
    """
    node = build(tree)
    name = getattr(node, "name", "_")
    if isinstance(node, ast.Lambda):
        node = ast.copy_location(ast.Expr(value=node), node)
    outer = [variable for variable in free if variable != "__class__"]
    lines = [f" {variable} = None" for variable in outer]
    defined = name if owner is None else owner
    if defined not in outer:
        lines.insert(0, f" global {defined}")
    lines.append(f" class {owner}: pass" if owner else " pass")
    head = "".join(f"import {name}\n" for name in imports)
    module = ast.parse(head + "def _():\n" + "\n".join(lines))
    wrapper: Any = module.body[-1]
    (wrapper if owner is None else wrapper.body[-1]).body[-1] = node
    ast.fix_missing_locations(module)
    if sys.version_info < (3, 7):
        import __future__

        flags |= __future__.generator_stop.compiler_flag
    code: Any = compile(module, filename, "exec", flags, True)
    for _ in range(2 if owner is None else 3):
        code = next(each for each in code.co_consts if isinstance(each, types.CodeType))
    if tuple(code.co_freevars) != tuple(free):
        raise RuntimeError(f"{name} takes {code.co_freevars} from outside, not {tuple(free)}")
    found: types.CodeType = code
    return found


def make_namedtuple(
    name: str, fields: Sequence[str], defaults: Sequence[Any], module: str, qualname: str
) -> Any:
    """A class of named tuples."""
    import collections

    made: Any = collections.namedtuple(name, fields, rename=True)  # type: ignore[misc]
    made.__new__.__defaults__ = tuple(defaults) or None
    if defaults:
        made._field_defaults = dict(zip(fields[-len(defaults) :], defaults))
    made.__module__, made.__qualname__ = module, qualname
    return made


def fill(made: Any, state: Dict[str, Any]) -> None:
    """Give a class its attributes."""
    for name, value in state.items():
        setattr(made, name, value)


def fill_enum(made: Any, state: Tuple[Dict[str, Any], Dict[str, Dict[str, Any]]]) -> None:
    """Give an enumeration its attributes, and those of its members."""
    fill(made, state[0])
    for name, content in state[1].items():
        vars(made[name]).update(content)


def fill_dataclass(
    made: Any, state: Tuple[Dict[str, Any], List[Tuple[str, str, Any, Dict[str, Any]]], Any]
) -> None:
    """Give a data class its attributes, and let the decorator make the others.

    Args:
        made: The class.
        state: Its attributes; the fields, each with its kind, type, and arguments of ``field()``;
            and the arguments of the decorator.
    """
    import dataclasses
    import typing

    attributes, fields, settings = state
    kinds = {"_FIELD_CLASSVAR": typing.ClassVar, "_FIELD_INITVAR": dataclasses.InitVar}
    fill(made, attributes)
    keywords = set(getattr(made, "_redgrease_keywords", ()))
    for name, kind, _, arguments in fields:
        if sys.version_info < (3, 10) and arguments.pop("kw_only", False):
            keywords.add(name)
        if kind != "_FIELD_CLASSVAR":
            setattr(made, name, dataclasses.field(**arguments))
    # Texts would be looked up in a module that is not there, so they come afterwards.
    made.__annotations__ = {name: kinds.get(kind, typing.Any) for name, kind, _, _ in fields}
    if keywords and settings["init"]:
        made._redgrease_keywords = frozenset(keywords)
        settings["init"] = False
        made.__init__ = keyword_init(made)
    dataclasses.dataclass(**settings)(made)
    for name, _, hint, _ in fields:
        made.__annotations__[name] = made.__dataclass_fields__[name].type = hint


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


def union(*kinds: Any) -> Any:
    """A union of types, as it was written before Python 3.10."""
    import typing

    return typing.Union[kinds]


def same(value: Any) -> Any:
    """The value itself."""
    return value
