"""Runs the code blocks of a Markdown page, from the first to the last, in one namespace.

``python``
    With prompts (``>>>``): each example is run, and its output compared, as by ``doctest`` (with
    its option ``ELLIPSIS``). Without: run as a whole. ``await`` may stand outside of functions.
``console``
    Each line that begins with ``$ `` is run by a shell, in a folder of the page's own, and what it
    prints is compared. ``redgrease serve`` without a command is started, and ended again when it
    has printed what is shown.

Other languages are not run. Comments before a block, which no reader sees, say more:

``<!-- not run: why -->``
    The block cannot be run here.
``<!-- file: name -->``
    The block is the content of a file in the page's folder.
``<!-- output -->``
    The block is what the block before it has printed.
``<!-- run … -->``
    The rest of the comment is Python code, run like a block.

What the pages call ``localhost:6379`` is the server of the tests.
"""

import ast
import asyncio
import contextlib
import doctest
import gc
import inspect
import io
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

# For blocks that need its files; redgrease itself may be installed elsewhere.
REPOSITORY = Path(__file__).parents[2]
FENCE = re.compile(r"^(\s*)(`{3,}|:{3,})\s*(.*?)\s*$")
NOTE = re.compile(r"^\s*<!-- (not run|file|output)(?::\s*(.*?))? -->\s*$")
HIDDEN = re.compile(r"^\s*<!-- run\s*$")
OPTIONS = doctest.ELLIPSIS


@dataclass
class Block:
    """A block of code, and the comments before it."""

    language: str
    line: int
    lines: list = field(default_factory=list)
    notes: dict = field(default_factory=dict)

    @property
    def text(self):
        return textwrap.dedent("\n".join(self.lines)) + "\n"

    @property
    def is_run(self):
        return self.language in ("python", "console") and not {"not run", "file"} & set(self.notes)


def blocks(text):
    """The blocks of a page; those inside of tabs and admonitions too."""
    found, notes, block, closing = [], {}, None, None
    for number, line in enumerate(text.splitlines(), 1):
        if block is not None:
            if closing.match(line):
                found.append(block)
                block, notes = None, {}
            else:
                block.lines.append(line)
        elif NOTE.match(line):
            notes[NOTE.match(line)[1]] = NOTE.match(line)[2] or ""
        elif HIDDEN.match(line):
            block, closing = Block("python", number), re.compile(r"^\s*-->\s*$")
        elif FENCE.match(line):
            _, marks, info = FENCE.match(line).groups()
            if info and not info.startswith("{"):
                block = Block(info.split()[0], number, [], notes)
                closing = re.compile(r"^\s*%s\s*$" % marks)
        elif line.strip():
            notes = {}
    assert block is None, f"the block of line {block.line} has no end"
    return found


class Page:
    """Runs the blocks of one page.

    Args:
        path: The page.
        port: Where the server of the tests listens.
        folder: Where files of the page are written, and commands run.
    """

    def __init__(self, path, port, folder):
        self.path = path
        self.port = port
        self.folder = folder
        self.names = {"__name__": "__main__", "REPOSITORY": REPOSITORY}
        self.printed = ""
        self.checker = doctest.OutputChecker()
        self.loop = asyncio.new_event_loop()

    def run(self):
        """Run all blocks, and close what asyncio has open."""
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            for block in blocks(self.path.read_text("utf-8")):
                self.run_block(block)
        finally:
            os.chdir(before)
            self.loop.run_until_complete(self.hang_up())
            self.loop.close()

    async def hang_up(self):
        """Close the clients that a reader would leave to the end of the process.

        Later their loop is closed, and what redis-py then says of each may disturb other tests.
        """
        for value in self.names.values():
            close = getattr(value, "aclose", None) or getattr(value, "close", None)
            if inspect.iscoroutinefunction(close) and not inspect.isclass(value):
                await close()
        self.names.clear()
        gc.collect()  # with those whose names have been given to others

    def run_block(self, block):
        """Run one block, or do what is said of it."""
        if "output" in block.notes:
            self.compare(block.text, self.printed, block.line)
        elif "file" in block.notes:
            file = self.folder / block.notes["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        elif not block.is_run:
            pass
        elif block.language == "console":
            self.run_console(block)
        elif ">>>" in block.text:
            for example in doctest.DocTestParser().get_examples(block.text):
                self.run_example(example, block.line + example.lineno + 1)
        else:
            code = "\n" * block.line + self.here(block.text)
            self.printed, error = self.execute(code, "exec")
            self.expect_no(error, block.line)

    # -- Python

    def here(self, code):
        """Code that talks to the server of the tests."""
        code = re.sub(r"\b(RedisGears|Redis)\(\)", rf"\1(port={self.port})", code)
        return re.sub(r"\b6379\b", str(self.port), code)

    def execute(self, code, mode):
        """Run code.

        Returns:
            What it printed, and the exception that it raised.
        """
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compiled = compile(code, str(self.path), mode, flags, dont_inherit=True)
        out, error = io.StringIO(), None
        with contextlib.redirect_stdout(out):
            try:
                value = eval(compiled, self.names)
                if compiled.co_flags & inspect.CO_COROUTINE:
                    self.loop.run_until_complete(value)
            except Exception as raised:
                error = raised
        return out.getvalue(), error

    def run_example(self, example, line):
        """Run one example of a session, and compare its output."""
        printed, error = self.execute(self.here(example.source), "single")
        if example.exc_msg is None:
            self.expect_no(error, line)
            self.compare(example.want, printed, line)
        else:
            # By its class without the module, as readers expect it.
            shown = "nothing\n" if error is None else f"{type(error).__name__}: {error}\n"
            self.compare(example.exc_msg, shown, line)

    def expect_no(self, error, line):
        """Complain of an exception."""
        if error is not None:
            raise AssertionError(f"{self.path.name}:{line}: {error!r}") from error

    def compare(self, wanted, printed, line):
        """Compare output with what the page shows."""
        printed = printed.replace(str(self.port), "6379")
        # Where something is left out, columns may be wider or narrower than shown.
        options = OPTIONS | (doctest.NORMALIZE_WHITESPACE if "..." in wanted else 0)
        if not self.checker.check_output(wanted, printed, options):
            raise AssertionError(f"{self.path.name}:{line} shows\n{wanted}\nbut it is\n{printed}")

    # -- shells

    def run_console(self, block):
        """Run the commands of a block."""
        commands = []
        for line in block.text.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            elif line.startswith("> ") and commands and not commands[-1][1]:
                commands[-1] = (commands[-1][0] + "\n" + line[2:], [])
            elif commands:
                commands[-1][1].append(line)
        for command, shown in commands:
            wanted = "".join(f"{line}\n" for line in shown)
            if command.startswith("redgrease serve") and " -- " not in command:
                printed = self.serve(command, max(len(shown), 1))
            else:
                printed = self.shell(command, block.line)
            if wanted.strip():
                self.compare(wanted, printed, block.line)

    def environment(self):
        """Commands find the programs beside this Python, and the server of the tests."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        root = str(REPOSITORY)
        return dict(
            os.environ,
            PATH=path,
            PYTHONWARNINGS="ignore::DeprecationWarning",  # of old versions of redis-py
            PYTHONPATH=os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
            REDGREASE_URL=f"redis://localhost:{self.port}",
            COLUMNS="100",
            NO_COLOR="1",
        )

    def shell(self, command, line):
        done = subprocess.run(
            ["bash", "-c", command.replace("6379", str(self.port))],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self.environment(),
            timeout=60,
        )
        where = f"{self.path.name}:{line}: {command}"
        assert done.returncode == 0, f"{where}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def serve(self, command, count):
        """Start a server, on any port, and end it when it has printed so many lines."""
        command = re.sub(
            r"(serve)\b|--port \d+", lambda m: "serve --port 0" if m[1] else "", command
        )
        process = subprocess.Popen(
            ["bash", "-c", "exec " + command.replace("6379", str(self.port))],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
        )
        try:
            lines = [process.stdout.readline() for _ in range(count)]
        finally:
            process.terminate()
            process.communicate(timeout=30)
        port = re.search(r"serves redis://[\d.]+:(\d+)", "".join(lines))
        assert port, f"{self.path.name}: {command}: {lines}"
        return "".join(lines).replace(port[1], "6379")
