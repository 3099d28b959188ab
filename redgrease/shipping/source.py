"""Finds the source of a function's code, and makes sure that it is the source of just that code.

Every definition and lambda expression that begins in the line where the code says that it begins
is compiled, as a server would do it, and compared with the code.
"""

import __future__

import ast
import copy
import functools
import linecache
import os
import sys
import threading
import types
import warnings
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Set,
    Tuple,
    Union,
)

from redgrease.exceptions import NotShippableError
from redgrease.shipping.lowering import bare, lowered, to_tree
from redgrease.shipping.mentions import names_in
from redgrease.shipping.syntax import unknown
from redgrease.shipping.trees import Tree, compile_tree

__all__ = ["Source", "forgiving", "origin_of", "source_of", "text_of", "unions_of"]

Version = Tuple[int, ...]
Path = Tuple[Tuple[str, bool], ...]  # names, and whether they are of classes
Origin = Tuple[str, str]  # a module, and a name in it; empty for the module itself

_FUTURES = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag,
    __future__.all_feature_names,
    0,
)
_TEXTS = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
# What a function is: *args, **kwargs, generator, coroutine, asynchronous generator.
_KINDS = 0x04 | 0x08 | 0x20 | 0x80 | 0x200
_COMPARED = [
    *("co_name", "co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars"),
    *("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_exceptiontable"),
]
# What can be asked for like a class, since Python 3.10.
_UNIONS = (types.UnionType, type(Union[int, str])) if sys.version_info >= (3, 10) else ()
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class Source(NamedTuple):
    """The source of a code object, as :func:`redgrease.shipping.trees.compile_tree` takes it."""

    tree: Tree
    filename: str
    path: Path
    free: Tuple[str, ...]


class _Definition(NamedTuple):
    node: Any
    path: Path


class _File(NamedTuple):
    text: str
    definitions: Dict[int, List[_Definition]]
    imports: Dict[str, Origin]


class _Flat(ast.NodeTransformer):
    """Writes subscripts as Python 3.9 and later do."""

    def visit_Index(self, node: Any) -> Any:
        return self.visit(node.value)

    def visit_ExtSlice(self, node: Any) -> Any:
        self.generic_visit(node)
        made = ast.Tuple(elts=node.dims, ctx=ast.Load())
        return ast.fix_missing_locations(ast.copy_location(made, node.dims[0]))


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> _File:
    module: Any = forgiving(ast.parse, text)
    if sys.version_info < (3, 9):
        module = _Flat().visit(module)
    definitions: Dict[int, List[_Definition]] = {}
    for found in _definitions(module, ()):
        first = (getattr(found.node, "decorator_list", None) or [found.node])[0]
        definitions.setdefault(first.lineno, []).append(found)
    return _File(text, definitions, dict(_imports(module)))


_FILTERS = threading.Lock()  # those of warnings are shared by all threads
_TRIES = 20


def forgiving(make: Callable[..., Any], *arguments: Any) -> Any:
    """Parse or compile, even where warnings are errors: the text has been loaded before."""
    for _ in range(_TRIES):
        try:
            return make(*arguments)
        except SystemError:  # Python 3.11 counts wrong where several threads parse
            continue
        except SyntaxError:
            with _FILTERS, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return make(*arguments)
    return make(*arguments)


def _imports(node: Any) -> Iterator[Tuple[str, Origin]]:
    """The global names that a file imports, and where from."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            for alias in inner.names:
                name = alias.asname or alias.name.partition(".")[0]
                if name != "*":
                    home = getattr(inner, "module", None)
                    yield name, (home, alias.name) if home else (alias.name, "")
        elif not isinstance(inner, _SCOPES):
            yield from _imports(inner)


def _definitions(node: Any, path: Path) -> Iterator[_Definition]:
    """All functions within, each with the functions and classes around it."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield _Definition(inner, path)
        name = getattr(inner, "name", None) if isinstance(inner, _SCOPES) else None
        is_class = isinstance(inner, ast.ClassDef)
        yield from _definitions(inner, (*path, (name, is_class)) if name else path)


def source_of(function: types.FunctionType, version: Version) -> Source:
    """The source of a function's code, fit for a version of Python.

    Args:
        function: The function.
        version: The version of Python that is going to compile it, such as ``(3, 7)``.

    Returns:
        What is sent.

    Raises:
        NotShippableError: There is no such source, or that version cannot compile it.
    """
    code = function.__code__
    where = f"the function {function.__qualname__} ({code.co_filename}:{code.co_firstlineno})"
    server = f"to Python {version[0]}.{version[1]}, which needs its source"
    try:
        short, names = tuple(version[:2]), _Globals(function.__globals__)
        return _source(code, code.co_filename, short, names, unions_of(function, short))
    except _NoSource as error:
        raise NotShippableError(f"{where} cannot be sent {server}: {error}") from None
    except _NotThere as error:
        raise NotShippableError(
            f"{where} cannot be sent to Python {version[0]}.{version[1]}: {error}"
        ) from None


def origin_of(function: types.FunctionType, name: str) -> Optional[Origin]:
    """Where the file of a function, whose source there is, imports a global name from."""
    file = _read(function.__code__.co_filename, function.__globals__)
    return file.imports.get(name)


def unions_of(function: types.FunctionType, version: Version) -> FrozenSet[str]:
    """What a function calls the unions of types that it uses, such as ``helpers.NUMBER``.

    Args:
        function: The function.
        version: The version of Python that is going to compile it.

    Returns:
        The names; none where that version can ask for a union like for a class, or this one cannot.
    """
    found: Set[str] = set()
    if not _UNIONS or version >= (3, 10):
        return frozenset(found)
    for name, *more in names_in(function.__code__).paths:
        value, dotted = _variable(function, name), name
        while more and isinstance(value, types.ModuleType):
            dotted += f".{more[0]}"
            value = vars(value).get(more.pop(0))
        if type(value) in _UNIONS:
            found.add(dotted)
    return frozenset(found)


def _variable(function: types.FunctionType, name: str) -> Any:
    """The value of a variable that a function takes from outside, as far as there is one."""
    free = function.__code__.co_freevars
    if name not in free or function.__closure__ is None:
        return function.__globals__.get(name)
    try:
        return function.__closure__[free.index(name)].cell_contents
    except ValueError:  # still empty
        return None


class _NoSource(Exception):
    """There is no source that belongs to the code."""


class _NotThere(Exception):
    """The version of Python lacks something that the source needs."""


class _Globals:
    """A function's global names; all are alike to the cache."""

    def __init__(self, names: Dict[str, Any]) -> None:
        self.names = names

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, _Globals)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(maxsize=1024)
def _source(
    code: types.CodeType, filename: str, version: Version, names: _Globals, unions: FrozenSet[str]
) -> Source:
    file = _read(filename, names.names)
    found, path = _find(code, file)
    problem = unknown(found, version)
    if problem is not None:
        raise _NotThere(f"line {problem.line}: {problem.reason}")
    texts = bool(code.co_flags & _TEXTS)
    node = lowered(copy.deepcopy(found), version, texts, file.text, code.co_freevars, unions)
    return Source(to_tree(node), filename, path, code.co_freevars)


def text_of(filename: str, names: Dict[str, Any]) -> str:
    """The text of a file as it is now, or of what stands for one; empty where there is none.

    Args:
        filename: What code objects call it.
        names: The global names of its module.
    """
    linecache.checkcache(filename)
    return "".join(linecache.getlines(filename, names))


def _read(filename: str, names: Dict[str, Any]) -> _File:
    text = text_of(filename, names)
    if not text:
        if os.path.exists(filename) or filename.endswith(".py"):
            raise _NoSource(f"there is nothing to read in {filename}{_HINT}")
        raise _NoSource(_TYPED)
    try:
        return _parsed(text)
    except (SyntaxError, ValueError) as error:
        raise _changed(filename, f" ({error})") from None


_HINT = "; define it in a file or a notebook, or run the same version on both sides"
_TYPED = f"what is given to exec(), or typed at a prompt, has none{_HINT}"


def _changed(filename: str, detail: str) -> _NoSource:
    """The error for a source that is not that of the code."""
    if filename == "<string>":  # since Python 3.13 there is that of `python -c` under this name
        return _NoSource(_TYPED)
    return _NoSource(f"{filename} has changed since it was loaded{detail}")


def _find(code: types.CodeType, file: _File) -> _Definition:
    """Find the definition that a code object was made of, and what to put it into."""
    kind = "<lambda>" if code.co_name == "<lambda>" else code.co_name
    candidates = [
        found
        for found in file.definitions.get(code.co_firstlineno, [])
        if getattr(found.node, "name", "<lambda>") == kind
    ]
    if _is_rewritten(code) and len(candidates) == 1:
        return candidates[0]
    for node, path in candidates:
        # Where a `global` around it makes names mean something else, the class is enough.
        for each in (path, tuple(scope for scope in path if scope[1])[-1:]):
            if _is_of(node, each, code, tuple(sorted(file.imports))):
                return _Definition(node, each)
    raise _changed(code.co_filename, "; load it again, or restart the program")


def _is_rewritten(code: types.CodeType) -> bool:
    """Whether pytest has put other code in the place of ``assert``."""
    if any(name.startswith("@") for name in code.co_varnames + code.co_names):
        return True
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return any(map(_is_rewritten, inner))


def _is_of(node: Any, path: Path, code: types.CodeType, imports: Tuple[str, ...]) -> bool:
    """Whether a code object was made of a definition."""
    flags = code.co_flags & _FUTURES
    try:
        tree = to_tree(bare(copy.deepcopy(node)))
        parts = (tree, code.co_filename, path, code.co_freevars, flags, imports)
        made = forgiving(compile_tree, *parts)
    except RecursionError:
        raise _NoSource("it is nested too deeply to be taken apart") from None
    except (SyntaxError, RuntimeError, ValueError):
        return False
    return _same(made, code)


def _same(ours: Any, theirs: Any) -> bool:
    """Whether two constants are the same, code objects except for lines and qualified names."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, types.CodeType):
        return (
            all(getattr(ours, each, None) == getattr(theirs, each, None) for each in _COMPARED)
            and (ours.co_flags ^ theirs.co_flags) & _KINDS == 0
            and _same(ours.co_consts, theirs.co_consts)
        )
    if isinstance(ours, tuple):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if isinstance(ours, str) and ".<locals>." in ours and ".<locals>." in theirs:
        # The qualified name of an inner function, before Python 3.11.
        return ours.rpartition(".")[2] == str(theirs).rpartition(".")[2]
    if isinstance(ours, frozenset):
        return bool(ours == theirs)
    return repr(ours) == repr(theirs)  # not a number is not even equal to itself
