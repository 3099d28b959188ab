"""What code mentions: the names of variables, attributes and modules."""

import dis
import functools
import types
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

__all__ = ["Names", "Uses", "is_redgrease", "names_in"]

_ATTRIBUTES = frozenset(["LOAD_ATTR", "LOAD_METHOD"])
_BODIES = frozenset(["LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"])
_VARIABLES = _BODIES | frozenset(["LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF"])


class Names(NamedTuple):
    """What a code object mentions.

    Attributes:
        attributes: Names behind a dot, and texts that could be such names.
        imports: Modules that it imports when it runs.
        bodies: Names that the bodies of classes inside it take from outside.
        paths: For each use of a variable: its name, and the names behind dots that follow.
    """

    attributes: FrozenSet[str]
    imports: FrozenSet[str]
    bodies: FrozenSet[str]
    paths: Tuple[Tuple[str, ...], ...]


@functools.lru_cache(maxsize=4096)
def names_in(code: types.CodeType) -> Names:
    """Find out what a code object mentions, those inside it included."""
    attributes: Set[str] = set()
    imports: Set[str] = set()
    bodies: Set[str] = set()
    stored: Set[str] = set()
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
        elif step.opname == "STORE_NAME":
            stored.add(str(step.argval))
        elif step.opname in _BODIES and step.argval not in stored:
            bodies.add(str(step.argval))
    for constant in code.co_consts:
        if isinstance(constant, str) and constant.isidentifier():
            attributes.add(constant)
        elif isinstance(constant, types.CodeType):
            inner = names_in(constant)
            attributes |= inner.attributes
            imports |= inner.imports
            bodies |= inner.bodies
            paths += inner.paths
    return Names(frozenset(attributes), frozenset(imports), frozenset(bodies), tuple(paths))


class Uses:
    """What is used of modules, as far as functions have been looked at.

    Attributes:
        attributes: Names of attributes of any module.
        redgrease: Names of attributes by module of redgrease; None where it is not known.
        computed: Names of modules of which attributes are used that only their own
            ``__getattr__`` has.
        functions: One function of each file, but for those of redgrease.
    """

    def __init__(self) -> None:
        self.attributes: Set[str] = set()
        self.redgrease: Dict[str, Optional[Set[str]]] = {}
        self.computed: Set[str] = set()
        self.functions: Dict[str, types.FunctionType] = {}

    def size(self) -> int:
        """Grows whenever something is added."""
        known = [len(names) + 1 for names in self.redgrease.values() if names is not None]
        unknown = 10**6 * (len(self.redgrease) - len(known))
        noted = len(self.attributes) + len(self.computed) + len(self.functions)
        return noted + sum(known) + unknown

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
            if isinstance(value, types.ModuleType):
                if is_redgrease(value.__name__):
                    self._note_path(value, path)
                else:
                    self._note_computed(value, path)

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

    def _note_computed(self, module: Any, path: List[str]) -> None:
        for name in path:
            if not isinstance(module, types.ModuleType):
                return
            content = vars(module)
            if name not in content and "__getattr__" in content:
                self.computed.add(module.__name__)
            module = content.get(name)


def is_redgrease(name: Any) -> bool:
    return isinstance(name, str) and name.partition(".")[0] == "redgrease"
