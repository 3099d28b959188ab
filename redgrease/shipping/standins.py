"""What stands in a pickle for things that a server has itself, or makes again."""

from typing import Any, Tuple

from redgrease.shipping import loader, trees

__all__ = ["Code", "Named", "Namespace", "Word"]


class Namespace:
    """Stands for the global names of a module, which its functions share on the server too."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Tuple[Any, ...]:
        return loader.Unpickler.namespace, (self.name,)


class Code:
    """Stands for a code object, which travels as source."""

    def __init__(self, source: Tuple[Any, ...], awaitable: bool) -> None:
        self.source = source
        self.make = trees.compile_awaitable if awaitable else trees.compile_tree

    def __reduce__(self) -> Tuple[Any, ...]:
        return self.make, tuple(self.source)


class Word:
    """Stands for a word of ``redgrease.runtime`` whose value a server knows better."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Tuple[Any, ...]:
        return loader.Unpickler.word, (self.name,)


class Named:
    """Stands for what a module of the standard library has under a name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __reduce__(self) -> Tuple[Any, ...]:
        return loader.named, (self.module, self.name)
