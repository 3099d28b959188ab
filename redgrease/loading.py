"""Finds scripts and requirements files, and brings them onto a server."""

import fnmatch
import json
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Pattern,
    Sequence,
    Set,
    Union,
)

from redgrease import exceptions
from redgrease.convert import text
from redgrease.data import ExecID
from redgrease.shipping.identity import session_name

__all__ = ["Deployer", "Outcome", "Patterns", "explain"]

REQUIREMENTS, SCRIPT = "requirements", "script"
SESSIONS_SINCE = (1, 2, 2)
"""The first version of RedisGears with named sessions."""

_Globs = Union[None, str, Sequence[str]]


def _globs(value: _Globs, default: Sequence[str]) -> List[str]:
    if value is None:
        return list(default)
    return [value] if isinstance(value, str) else list(value)


def _fits(path: str, pattern: str) -> bool:
    """Whether a path fits a pattern: its last part does, or all of it for one with slashes."""
    if "/" in pattern:
        return fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(path, f"*/{pattern}")
    return fnmatch.fnmatch(os.path.basename(path), pattern)


class Patterns:
    """Which files are scripts, requirements, or neither.

    All patterns are those of a shell; they are about the name of a file, or if they have a slash,
    about its path.

    Args:
        scripts: What scripts are called.
        requirements: What files with requirements are called.
        unblocking: Which scripts need not be waited for: a pattern, a part of the path, or a
            compiled regular expression that is searched in it.
        ignore: Which files and directories are passed over, unless they are named one by one.
            Those that begin with a dot always are: they belong to editors, git, and the like.
    """

    def __init__(
        self,
        scripts: _Globs = None,
        requirements: _Globs = None,
        unblocking: Union[None, str, Pattern[str]] = None,
        ignore: _Globs = None,
    ) -> None:
        self.scripts = _globs(scripts, ["*.py"])
        self.requirements = _globs(requirements, ["*requirements*.txt"])
        self.unblocking = "unblock" if unblocking is None else unblocking
        self.ignore = [*_globs(ignore, ["_*"]), ".*"]

    def kind(self, path: str, named: bool = False) -> Optional[str]:
        """What a file is, going by its name.

        Args:
            path: The file.
            named: Whether it was named one by one; then it is a script if it is nothing else.
        """
        if any(_fits(path, pattern) for pattern in self.requirements):
            return REQUIREMENTS
        if named or any(_fits(path, pattern) for pattern in self.scripts):
            return SCRIPT
        return None

    def is_ignored(self, path: str) -> bool:
        """Whether a file or directory is passed over."""
        return any(_fits(path, pattern) for pattern in self.ignore)

    def is_unblocking(self, path: str) -> bool:
        """Whether nobody waits for the script."""
        if not isinstance(self.unblocking, str):
            return self.unblocking.search(path) is not None
        if re.search(r"[*?\[]", self.unblocking):
            return _fits(path, self.unblocking)
        return bool(self.unblocking) and self.unblocking in path

    def find(self, paths: Iterable[Any], recursive: bool = False) -> List[str]:
        """The files that are meant by some paths, requirements first.

        Args:
            paths: Files and directories.
            recursive: Whether directories within directories are searched too.

        Raises:
            FileNotFoundError: There is no such file or directory.
        """
        found: List[str] = []
        for path in map(os.fspath, paths):
            if os.path.isdir(path):
                found += self.in_directory(path, recursive)
            elif os.path.exists(path):
                found.append(path)
            else:
                raise FileNotFoundError(2, "there is no such file or directory", path)
        unique = list(dict.fromkeys(found))
        return sorted(unique, key=lambda path: self.kind(path, True) != REQUIREMENTS)

    def in_directory(self, directory: str, recursive: bool = False) -> Iterator[str]:
        """The files in a directory, in the order of their names."""
        for folder, folders, files in os.walk(directory):
            folders[:] = sorted(each for each in folders if recursive and not self.is_ignored(each))
            for name in sorted(files):
                path = os.path.join(folder, name)
                if self.kind(path) is not None and not self.is_ignored(path):
                    yield path


class Outcome(NamedTuple):
    """What came of a file.

    Attributes:
        path: The file.
        action: ``loaded``, ``installed``, ``unregistered`` or ``failed``.
        registrations: The ids of what it has registered.
        result: The ``ExecutionResult`` of what it has run.
        error: Why it failed, as a text for people.
        offline: Whether the server could not be reached.
    """

    path: str
    action: str
    registrations: Sequence[str] = ()
    result: Any = None
    error: Optional[str] = None
    offline: bool = False

    @property
    def failed(self) -> bool:
        """Whether anything went wrong."""
        return self.error is not None


def read_script(path: str) -> str:
    """The text of a script.

    Args:
        path: Its file.

    Raises:
        ValueError: It is not in UTF-8, as Gears wants it.
    """
    return decoded(Path(path).read_bytes(), path)


def decoded(script: bytes, path: str) -> str:
    """A script as text; without the mark that some editors put at its begin.

    Args:
        script: The script.
        path: What its file is called.

    Raises:
        ValueError: It is not in UTF-8.
    """
    try:
        return script.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = script.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path} is not in UTF-8: byte {error.start}, in line {line}") from None


_FRAME = re.compile(r'^(\s*)File "<string>", line (\d+)(.*)$')
_SHORT_SYNTAX = re.compile(
    r"^Error type: <class '(?P<kind>\w+)'>, Value: (?P<why>.*) \(<string>, line (?P<line>\d+)\)$"
)


def explain(error: Union[str, BaseException], path: str, source: str) -> str:
    """An error of a script, with the script's own file name and lines.

    Args:
        error: The error, or its text.
        path: The file that the script is in.
        source: Its text.

    Returns:
        The error over lines.
    """
    is_own = isinstance(error, exceptions.GearsNotAvailableError)  # says more than the server
    if isinstance(error, BaseException) and (
        is_own or not isinstance(error, exceptions.ServerError)
    ):
        return str(error) or type(error).__name__
    if isinstance(error, exceptions.GearsNotAvailableError):
        return str(error)
    raw = error.text if isinstance(error, exceptions.ServerError) else str(error)
    lines = source.splitlines()

    def line(number: str) -> Optional[str]:
        index = int(number) - 1
        return lines[index].strip() if 0 <= index < len(lines) and lines[index].strip() else None

    short = _SHORT_SYNTAX.match(raw)
    if short is not None:
        code = line(short.group("line"))
        shown = [f'  File "{path}", line {short.group("line")}', *([f"    {code}"] if code else [])]
        return "\n".join([*shown, f"{short.group('kind')}: {short.group('why')}"])
    output: List[str] = []
    given = exceptions.readable(raw).splitlines()
    for number, each in enumerate(given):
        frame = _FRAME.match(each)
        if frame is None:
            output.append(each.replace("<string>", path))
            continue
        indent, at, rest = frame.groups()
        output.append(f'{indent}File "{path}", line {at}{rest}')
        code = line(at)
        following = given[number + 1] if number + 1 < len(given) else ""
        if code and not following.startswith(f"{indent}  "):
            output.append(f"{indent}  {code}")
    return "\n".join(output)


class Deployer:
    """Brings scripts onto a server in the place of what they registered before, and off again.

    From RedisGears 1.2.2 on, a script has a session whose name is made of its path, and replaces
    it in one step: if it fails, what it registered before stays.  On older servers, what a script
    has registered is noted in Redis, and unregistered before the script is run again.

    Args:
        client: A redgrease client.
        patterns: What the files are.
        root: Paths are taken relative to this directory when sessions are named; by default
            they are absolute.
        index_prefix: What the keys of those notes begin with.
    """

    def __init__(
        self,
        client: Any,
        patterns: Optional[Patterns] = None,
        root: Optional[str] = None,
        index_prefix: str = "/redgrease/scripts",
    ) -> None:
        self.client = client
        self.gears = client.gears
        self.patterns = patterns or Patterns()
        self.root = root
        self.index_prefix = index_prefix

    # -- names

    def name(self, path: str) -> str:
        """What a file is called on the server."""
        whole = os.path.abspath(path)
        if self.root is not None:
            whole = os.path.relpath(whole, os.path.abspath(self.root))
        return whole.replace(os.sep, "/")

    def session(self, path: str) -> str:
        """The name of a script's session."""
        return session_name("script", self.name(path))

    def _index_key(self, path: str) -> str:
        return self.index_prefix + self.name(path)

    def _has_sessions(self) -> bool:
        version = self.gears.gears_version()
        return version is not None and version >= SESSIONS_SINCE

    # -- what does not raise exceptions

    def load(self, path: str) -> Outcome:
        """Load a file, whatever it is; what goes wrong is in the outcome."""
        if self.patterns.kind(path, True) == REQUIREMENTS:
            return self._outcome(path, "installed", self.install)
        return self._outcome(path, "loaded", self.register)

    def unload(self, path: str) -> Outcome:
        """Unregister what a script has registered; what goes wrong is in the outcome."""
        return self._outcome(path, "unregistered", self.unregister)

    def _outcome(self, path: str, action: str, work: Any) -> Outcome:
        from redis.exceptions import ConnectionError as NoConnection
        from redis.exceptions import RedisError

        try:
            done = work(path)
            if not isinstance(done, Outcome):
                return Outcome(path, action, done or ())
            return done
        except (exceptions.RedGreaseError, RedisError, OSError, ValueError) as error:
            shown = explain(error, path, self.source(path))
            offline = isinstance(error, (NoConnection, ConnectionError))
            return Outcome(path, "failed", error=shown, offline=offline)

    @staticmethod
    def source(path: str) -> str:
        """The text of a script, as far as it can be read."""
        try:
            return Path(path).read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            return ""

    # -- what does

    def install(self, path: str) -> List[str]:
        """Install the packages that a file names.  Sends ``RG.PYEXECUTE "" REQUIREMENTS …``.

        Args:
            path: The file.

        Returns:
            Nothing that is registered: an empty list.

        Raises:
            RequirementError: The server could not install them.
        """
        from redgrease.requirements import read_requirements

        wanted = sorted(map(str, read_requirements(path)))
        if wanted:
            self.gears.pyexecute(b"", requirements=wanted)
        return []

    def register(self, path: str) -> Outcome:
        """Run a script, and replace what it registered before.  Sends ``RG.PYEXECUTE``.

        Args:
            path: The script.

        Returns:
            What came of it; failed, if the records that it has run over had errors.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is empty, or no text.
            ServerError: The script failed.
        """
        source = read_script(path)
        if not source.strip():
            raise ValueError(f"{path} is empty")
        options: Dict[str, Any] = {"unblocking": self.patterns.is_unblocking(path)}
        # As bytes: a text of one line could be taken for a path.
        script = source.encode("utf-8")
        if self._has_sessions():
            session = self.session(path)
            before = self._session_registrations(session)
            options.update(id=session, upgrade=True, description=self.name(path))
            result = self.gears.pyexecute(script, **options)
            after = self._session_registrations(session)
            # A session stays as it was when its script no longer registers anything.
            for stale in before & after:
                self._unregister(stale)
            new = after - before
        else:
            self.unregister(path)
            before = self._all_registrations()
            result = self.gears.pyexecute(script, **options)
            new = self._all_registrations() - before
            self._note(path, sorted(new))
        registrations = sorted(new, key=lambda id: (len(id), id))
        errors = getattr(result, "errors", None)
        if errors:
            shown = "\n".join(explain(text(error), path, source) for error in errors)
            return Outcome(path, "failed", registrations, result, shown)
        return Outcome(path, "loaded", registrations, result)

    def unregister(self, path: str) -> List[str]:
        """Unregister what a script has registered.  Sends ``RG.UNREGISTER``.

        Args:
            path: The script; the file need not exist any more.

        Returns:
            The ids of what was registered.
        """
        if self._has_sessions():
            found = sorted(self._session_registrations(self.session(path)))
        else:
            found = self._noted(path)
        for id in found:
            self._unregister(id)
        if found and not self._has_sessions():
            self.client.delete(self._index_key(path))
        return found

    def _unregister(self, id: str) -> None:
        try:
            self.gears.unregister(id)
        except exceptions.RegistrationNotFoundError:
            pass  # somebody was faster

    # -- what is registered

    def _session_registrations(self, session: str) -> Set[str]:
        try:
            sessions = self.gears.pydumpsessions([session])
        except exceptions.SessionError:
            return set()
        return {str(id) for each in sessions for id in each.registrations}

    def _all_registrations(self) -> Set[str]:
        return {str(each.id) for each in self.gears.dumpregistrations()}

    def _note(self, path: str, ids: Sequence[str]) -> None:
        if ids:
            values = {
                "registration_id": ids[0],  # all that redgrease 0.3 noted
                "registration_ids": json.dumps(ids),
                "last_updated": datetime.now(timezone.utc).isoformat(),
            }
            for field, value in values.items():
                self.client.hset(self._index_key(path), field, value)

    def _noted(self, path: str) -> List[str]:
        first, several = self.client.hmget(
            self._index_key(path), "registration_id", "registration_ids"
        )
        if several is not None:
            return [str(id) for id in json.loads(text(several))]
        return [] if first is None else [text(first)]


def unfinished(outcome: Outcome) -> Optional[ExecID]:
    """The execution that an unblocking script has started; None if it has not."""
    value = getattr(outcome.result, "value", None)
    return value if isinstance(value, ExecID) else None
