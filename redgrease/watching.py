"""Loads scripts again when their files change."""

import os
import threading
from contextlib import suppress
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from redgrease.hysteresis import HysteresisHandlerIndex
from redgrease.loading import SCRIPT, Deployer, Outcome

__all__ = ["Watcher"]

RETRY = 2.0
"""Seconds after which a server that could not be reached is tried again."""

Report = Callable[[Outcome], None]


def _stamp(path: str) -> Any:
    """Tells one state of a file from another; None if there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _identity(folder: str) -> Any:
    """Tells one directory from another of the same name; None if there is none."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


class Watcher:
    """Keeps a server as some files say.

    It looks at what a file is after a quiet time, not at what has happened to it: editors that
    write a new file and rename it, or delete and write again, do the same as those that write in
    place.

    Args:
        deployer: Loads and unloads scripts.
        paths: Files and directories to watch.
        recursive: Whether directories within directories are watched too.
        quiet: For how many seconds a file must not have changed.
        report: Called with what came of each file, by one thread at a time.
        poll: Whether to look at the files now and then, for file systems that do not tell of
            changes.

    Raises:
        ModuleNotFoundError: The package watchdog is missing.
    """

    def __init__(
        self,
        deployer: Deployer,
        paths: Iterable[Any] = (),
        recursive: bool = False,
        quiet: float = 0.5,
        report: Optional[Report] = None,
        poll: bool = False,
    ) -> None:
        self.deployer = deployer
        self.patterns = deployer.patterns
        self.file_index = HysteresisHandlerIndex(quiet)
        self.observer, self.event_handler = _observer(self._noticed, poll)
        self._report = report or (lambda outcome: None)
        self._states: Dict[str, Any] = {}
        self._failed: Dict[str, bool] = {}
        self._directories: List[Tuple[str, bool]] = []
        self._files: List[str] = []
        self._watches: Dict[Tuple[str, bool], Tuple[Any, Any]] = {}
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        for path in paths:
            self.add(path, recursive)

    def add(self, path: Any, recursive: bool = False) -> None:
        """Watch one more file or directory.

        Args:
            path: The file or directory.
            recursive: Whether directories within it are watched too.
        """
        path = os.fspath(path)
        if os.path.isdir(path):
            self._directories.append((path, recursive))
            self._watch(path, recursive)
        else:
            self._files.append(path)
            folder = os.path.dirname(path) or os.curdir
            self._watch(folder, False)

    def _watch(self, folder: str, recursive: bool) -> None:
        identity = _identity(folder)
        watch = self.observer.schedule(self.event_handler, folder, recursive=recursive)
        self._watches[folder, recursive] = (watch, identity)

    def found(self) -> List[str]:
        """The files that there are now, requirements first."""
        files = [path for path in self._files if os.path.exists(path)]
        folders = [each for each in self._directories if os.path.isdir(each[0])]
        for path, recursive in folders:
            files += self.patterns.in_directory(path, recursive)
        return self.patterns.find(files)

    def note(self, path: str, outcome: Outcome, state: Any = ...) -> None:
        """Note that a file has been loaded just now, so that only its next change counts.

        Args:
            path: The file.
            outcome: What came of it.
            state: Its content; by default, that which it has now.
        """
        with self._lock:
            if outcome.failed:
                self._failed[path] = outcome.offline
            else:
                self._failed.pop(path, None)
            if outcome.offline:
                return
            state = _stamp(path) if state is ... else state
            if state is None and not outcome.failed:
                self._states.pop(path, None)
            else:
                self._states[path] = state

    def start(self) -> None:
        """Begin to watch, in threads of its own."""
        self.observer.start()
        self._rescan()  # what has changed since the files were loaded
        threading.Thread(target=self._follow, daemon=True).start()

    def stop(self) -> None:
        """Watch no longer; returns when no file is being loaded."""
        self._stopped.set()
        self.file_index.cancel()
        if self.observer.is_alive():
            self.observer.stop()
            self.observer.join()
        with self._lock:
            pass

    @property
    def busy(self) -> bool:
        """Whether a file is being loaded right now."""
        free = self._lock.acquire(blocking=False)
        if free:
            self._lock.release()
        return not free

    # -- what happens

    def _follow(self) -> None:
        """Watch directories anew that have been put in the place of those watched so far."""
        while not self._stopped.wait(RETRY):
            alive = {emitter.watch for emitter in self.observer.emitters if emitter.is_alive()}
            changed = False
            for (folder, recursive), (watch, known) in list(self._watches.items()):
                now = _identity(folder)
                if now == known and (now is None or watch in alive):
                    continue
                changed = True
                if known is not None:
                    self.observer.unschedule(watch)
                self._watches[folder, recursive] = (None, None)
                if now is not None:
                    with suppress(OSError):  # it has gone again
                        self._watch(folder, recursive)
            if changed:
                self.file_index.signal(self, self._rescan)

    def _noticed(self, event: Any) -> None:
        """Something has happened to a file or directory."""
        if event.event_type in ("opened", "closed_no_write"):
            return
        for path in (event.src_path, getattr(event, "dest_path", "")):
            if not path:
                continue
            if event.is_directory:
                if event.event_type != "modified":
                    self.file_index.signal(self, self._rescan)
            else:
                self.changed(os.fsdecode(path))

    def changed(self, path: str) -> None:
        """Note that a file may have changed; it is looked at after the quiet time."""
        path = self._known(path)
        if path is not None:
            self.file_index.signal(path, self.refresh, path, True)

    def _known(self, path: str) -> Any:
        """The path of a file as it was named; None if it does not concern us."""
        whole = os.path.abspath(path)
        for each in [*self._files, *self._states]:
            if os.path.abspath(each) == whole:
                return each
        if self.patterns.kind(path) is None or self.patterns.is_ignored(path):
            return None
        for folder, recursive in self._directories:
            inner = os.path.relpath(whole, os.path.abspath(folder))
            parts = inner.split(os.sep)
            if parts[0] == os.pardir or (len(parts) > 1 and not recursive):
                continue
            if not any(self.patterns.is_ignored(part) for part in parts):
                return os.path.join(folder, inner)
        return None

    def _rescan(self) -> None:
        """Look at all files: directories have come or gone."""
        try:
            files = self.found()
        except OSError:  # they are still changing
            self.file_index.signal(self, self._rescan)
            return
        with self._lock:
            known = list(self._states)
        for path in [*files, *known]:
            if self.refresh(path):
                self._later(self._rescan)  # trying the others would only take time
                return

    def _later(self, function: Callable[..., Any], *args: Any) -> None:
        timer = threading.Timer(RETRY, function, args)
        timer.daemon = True
        timer.start()

    def refresh(self, path: str, again: bool = False) -> bool:
        """Bring the server in line with a file, if it has changed.

        Args:
            path: The file.
            again: Whether to try a file again that has failed and not changed.

        Returns:
            Whether the server cannot be reached; it is tried again later.
        """
        with self._lock:
            state = _stamp(path)
            same = state == self._states.get(path)
            if self._stopped.is_set() or (same and not (again and path in self._failed)):
                return False
            if state is not None:
                if path not in self._states:
                    self._unload_missing()  # it may have been renamed, and triggers are unique
                outcome = self.deployer.load(path)
            elif self.patterns.kind(path, True) == SCRIPT:
                outcome = self.deployer.unload(path)
            else:  # packages stay installed
                del self._states[path]
                return False
            if outcome.offline:
                self._later(self.changed, path)
                if self._failed.get(path):
                    return True  # that was told already
            self.note(path, outcome, state)
            self._report(outcome)
            return outcome.offline

    def _unload_missing(self) -> None:
        for path in list(self._states):
            if not os.path.exists(path):
                self.refresh(path)


def _observer(noticed: Callable[[Any], None], poll: bool) -> Tuple[Any, Any]:
    """What tells of changes, and what it tells them to."""
    try:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer
        from watchdog.observers.polling import PollingObserver
    except ImportError as missing:
        raise ModuleNotFoundError(
            "watching files needs the package 'watchdog'; `pip install redgrease[cli]` brings it",
            name="watchdog",
        ) from missing

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: Any) -> None:
            noticed(event)

    return (PollingObserver(timeout=0.2) if poll else Observer()), Handler()
