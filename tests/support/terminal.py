"""A program in a terminal of its own, as a person would use it."""

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time

_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()].|[=>])")


class Terminal:
    """A program that runs in a pseudo-terminal.

    Args:
        words: The program and its arguments.
        environment: The variables that it sees, with those of this process.
        folder: Where it runs.
    """

    def __init__(self, words, environment=None, folder=None, columns=120, lines=40):
        self._screen, inner = pty.openpty()
        sizes = {"COLUMNS": str(columns), "LINES": str(lines), "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            list(map(str, words)),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=dict(os.environ, **sizes, **(environment or {})),
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C works
        )
        os.close(inner)
        self.raw = ""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._screen)

    @property
    def text(self):
        """What has been written so far, without colours."""
        return _CONTROL.sub("", self.raw).replace("\r\n", "\n")

    def type(self, text):
        """Press keys."""
        os.write(self._screen, text.encode())

    def wait_for(self, *texts, timeout=20):
        """Wait until all of some texts have been written since the last call; returns what has."""
        start, limit = getattr(self, "_seen", 0), time.monotonic() + timeout
        while True:
            new = self.text[start:]
            if all(text in new for text in texts):
                self._seen = len(self.text)
                return new
            assert time.monotonic() < limit, f"{texts} not in {new!r}"
            if not self._read(0.1):
                assert self.process.poll() is None or self._read(0), f"{texts} not in {new!r}"

    def end(self, timeout=20):
        """Wait for the program to end; returns its status."""
        limit = time.monotonic() + timeout
        while self.process.poll() is None:
            assert time.monotonic() < limit, self.text
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, timeout):
        if not select.select([self._screen], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # the program has ended
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)
