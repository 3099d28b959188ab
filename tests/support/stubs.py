"""Makes ``redgrease/aio/gears.pyi``, which tells type checkers what is to be awaited.

The methods for asyncio are those of the clients that wait, run in another way, so they exist only
once; this writes their signatures down with ``async``.  ``python tests/support/stubs.py`` writes
the file anew.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

PACKAGE = Path(__file__).parents[2] / "redgrease"
STUB = PACKAGE / "aio" / "gears.pyi"
GEARS = {
    "sender.py": "Sender",
    "administration.py": "Administration",
    "registrations.py": "Registrations",
    "gears_client.py": "Gears",
}

HEAD = """\
# Made by tests/support/stubs.py; not to be changed by hand.
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from redgrease import data
from redgrease.calls import Caller
from redgrease.gears_client import ExecutionID
from redgrease.registrations import RegistrationID
from redgrease.results import ExecutionResult
from redgrease.topology import Topology

Name = Union[str, bytes]

class AsyncCaller(Caller):
    def _find_topology(self, redis: Any) -> Optional[Topology]: ...

"""


def find(file: str, name: str) -> ast.ClassDef:
    tree = ast.parse((PACKAGE / file).read_text("utf-8"))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def signature(method: ast.FunctionDef) -> str:
    """A method as it is to be awaited."""
    arguments = method.args
    arguments.defaults = [ast.Constant(...) for _ in arguments.defaults]
    arguments.kw_defaults = [default and ast.Constant(...) for default in arguments.kw_defaults]
    result = ast.unparse(method.returns) if method.returns else "Any"
    result = re.sub(r"^Asks\[(.*)\]$", r"\1", result)
    return f"    async def {method.name}({ast.unparse(arguments)}) -> {result}: ..."


def methods(file: str, name: str) -> Iterator[str]:
    for node in find(file, name).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if not any(
            "property" in ast.unparse(one) or "setter" in ast.unparse(one)
            for one in node.decorator_list
        ):
            yield signature(node)


def settings() -> Iterator[str]:
    for node in find("config.py", "Config").body:
        if isinstance(node, ast.Assign) and "_setting(" in ast.unparse(node.value):
            yield "    @property"
            yield f"    def {ast.unparse(node.targets[0])}(self) -> Awaitable[Any]: ..."


def stub() -> str:
    """The text of the file."""
    lines: List[str] = ["class Config:"]
    lines += methods("config.py", "Config")
    lines += settings()
    lines += ["", "class Gears:", "    config: Config", "    timeout: Optional[float]"]
    lines.append("    def __init__(self, redis: Any, timeout: Optional[float] = ...) -> None: ...")
    for file, name in GEARS.items():
        lines += methods(file, name)
    text = HEAD + "\n".join(lines) + "\n"
    command = ["-m", "ruff", "format", "--stdin-filename", str(STUB), "-"]
    return subprocess.run(
        [sys.executable, *command], input=text, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


if __name__ == "__main__":
    STUB.write_text(stub(), "utf-8")
