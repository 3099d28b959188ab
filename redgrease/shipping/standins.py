"""What stands in a pickle for something that a server has itself, or makes again."""

from typing import Any, Tuple

__all__ = ["StandIn"]


class StandIn:
    """Stands for what a call makes on the server.

    Args:
        make: What is called there: something of the texts that are sent.
        arguments: What it is called with.
    """

    def __init__(self, make: Any, *arguments: Any) -> None:
        self.reduced: Tuple[Any, ...] = (make, arguments)

    def __reduce__(self) -> Tuple[Any, ...]:
        return self.reduced
