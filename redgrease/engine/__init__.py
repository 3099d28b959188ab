"""The embedded Gears server: ``RG.*`` commands in front of a plain Redis or Valkey.

``GearsServer`` starts one from Python; ``redgrease serve`` from the command line.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server import GearsServer

__all__ = ["GearsServer"]


def __getattr__(name: str) -> Any:
    # The worker imports this package too, and needs nothing of the server's face.
    if name == "GearsServer":
        from .server import GearsServer

        return GearsServer
    raise AttributeError(f"module 'redgrease.engine' has no attribute {name!r}")
