"""``GearsLoader``: loads scripts and requirements from files, and keeps them up to date."""

import logging
import os
import re
from typing import Any, Iterable, List, NoReturn, Optional, Pattern, Union

from redgrease.loading import REQUIREMENTS, Deployer, Outcome, Patterns
from redgrease.watching import Watcher

__all__ = [
    "GearsLoader",
    "default_ignore_patterns",
    "default_index_prefix",
    "default_requirements_pattern",
    "default_script_pattern",
    "default_unblocking_pattern",
    "fail",
]

log = logging.getLogger(__name__)

default_index_prefix = "/redgrease/scripts"
default_script_pattern = "*.py"
default_requirements_pattern = "*requirements*.txt"
default_unblocking_pattern = "unblock"
default_ignore_patterns = ["_*"]


def fail(exception: BaseException, *messages: Any) -> NoReturn:
    """Log an error, and raise it.

    Args:
        exception: The error.
        messages: What is to be said about it.
    """
    log.error(". ".join(map(str, [*messages, exception])))
    raise exception


class GearsLoader:
    """Loads scripts and requirements onto a server, and again whenever their files change.

    What goes wrong on the server is logged; files that are missing or empty raise an exception.

    Args:
        script_pattern: What scripts are called.
        requirements_pattern: What files with requirements are called.
        unblocking_pattern: What the paths of scripts contain that are run unblocking: a text, or
            a regular expression.
        ignore_patterns: Which files in directories are passed over.
        index_prefix: What the keys begin with in which it is noted, on servers before 1.2.2, what
            the scripts have registered.
        server: The host of the server.
        port: Its port.
        observe: For how many seconds a file must not have changed before it is loaded again; if
            there is none, changes are not looked for.
        redis_kwargs: More arguments for the client.

    Attributes:
        directories: The directories that were added.
        redis: The client.
        observer: watchdog's observer; None without ``observe``.
        file_index: What waits for the quiet time.
        event_handler: What is told of changes; None without ``observe``.
    """

    def __init__(
        self,
        script_pattern: Optional[str] = None,
        requirements_pattern: Optional[str] = None,
        unblocking_pattern: Union[None, str, Pattern[str]] = None,
        ignore_patterns: Optional[Iterable[str]] = None,
        index_prefix: Optional[str] = None,
        server: str = "localhost",
        port: int = 6379,
        observe: Optional[float] = None,
        **redis_kwargs: Any,
    ) -> None:
        from redgrease.client import RedisGears

        self.directories: List[str] = []
        self.script_pattern = script_pattern or default_script_pattern
        self.requirements_pattern = requirements_pattern or default_requirements_pattern
        pattern = unblocking_pattern or default_unblocking_pattern
        self.unblocking_pattern = (
            re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern
        )
        self.ignore_patterns = list(
            default_ignore_patterns if ignore_patterns is None else ignore_patterns
        )
        self.index_prefix = index_prefix or default_index_prefix
        self.redis: Any = RedisGears(host=server, port=port, **redis_kwargs)
        patterns = Patterns(
            self.script_pattern,
            self.requirements_pattern,
            self.unblocking_pattern,
            self.ignore_patterns,
        )
        self._deployer = Deployer(self.redis, patterns, index_prefix=self.index_prefix)
        self._watcher: Optional[Watcher] = None
        self.observer = self.file_index = self.event_handler = None
        if observe:
            self._watcher = Watcher(self._deployer, quiet=observe, report=self._report)
            self.observer = self._watcher.observer
            self.file_index = self._watcher.file_index
            self.event_handler = self._watcher.event_handler

    # -- files and directories

    def add_file(self, file: Any) -> None:
        """Load a file: a script, unless it is called like requirements.

        Args:
            file: Its path.
        """
        path = os.fspath(file)
        if self._deployer.patterns.kind(path, True) == REQUIREMENTS:
            self.update_dependencies(path)
        else:
            self.register_script(path)
            if self._watcher is not None:
                self._watcher.add(path)

    def add_directory(self, directory: Any, recursive: bool = False) -> None:
        """Load the files in a directory, requirements first.

        Args:
            directory: Its path.
            recursive: Whether to look into directories within it.
        """
        directory = os.fspath(directory)
        self.directories.append(directory)
        patterns = self._deployer.patterns
        for path in patterns.find(patterns.in_directory(directory, recursive)):
            if patterns.kind(path) == REQUIREMENTS:
                self.update_dependencies(path)
            else:
                self.register_script(path)
        if self._watcher is not None:
            self._watcher.add(directory, recursive)

    # -- single files

    def register_script(self, script_path: Any) -> None:
        """Run a script, in the place of what it registered before.

        Args:
            script_path: Its path.

        Raises:
            FileNotFoundError: There is no such file.
            OSError: It is empty.
        """
        path = os.fspath(script_path)
        if not os.path.exists(path):
            fail(FileNotFoundError(2, "there is no such script", path))
        if not os.path.getsize(path):
            fail(OSError(f"the script {path} is empty"))
        self._done(self._deployer.load(path))

    def unregister_script(self, script_path: Any) -> None:
        """Unregister what a script has registered.

        Args:
            script_path: Its path; the file may be gone.
        """
        self._done(self._deployer.unload(os.fspath(script_path)))

    def update_dependencies(self, requirements_path: Any) -> None:
        """Install the requirements in a file.

        Args:
            requirements_path: Its path.
        """
        self._done(self._deployer.load(os.fspath(requirements_path)))

    def _done(self, outcome: Outcome) -> None:
        if self._watcher is not None:
            self._watcher.note(outcome.path, outcome)
        self._report(outcome)

    @staticmethod
    def _report(outcome: Outcome) -> None:
        if outcome.failed:
            log.error("%s: %s", outcome.path, outcome.error)
        else:
            count = len(outcome.registrations)
            log.info("%s: %s (%s registrations)", outcome.path, outcome.action, count)

    # -- changes

    def on_modified(self, event: Any) -> None:
        """A file has changed: it is loaded after the quiet time."""
        self._changed(event.src_path)

    def on_deleted(self, event: Any) -> None:
        """A file is gone: what it has registered is unregistered after the quiet time."""
        self._changed(event.src_path)

    def on_moved(self, event: Any) -> None:
        """A file has another name: it is unregistered and registered after the quiet time."""
        self._changed(event.src_path)
        self._changed(event.dest_path)

    def _changed(self, path: Any) -> None:
        if self._watcher is not None:
            self._watcher.changed(os.fsdecode(path))

    def start(self) -> None:
        """Begin to look for changes, if ``observe`` was given."""
        if self._watcher is not None:
            self._watcher.start()

    def stop(self) -> None:
        """Look for changes no longer."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()

    def __del__(self) -> None:
        if "_watcher" in vars(self):  # not if the constructor failed
            self.stop()
            self.redis.close()
