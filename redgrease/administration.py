"""The methods of ``Gears`` that are about a server as a whole."""

import ast
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from redgrease import data
from redgrease.asking import Asks, asking
from redgrease.commands import TABLE, words_of
from redgrease.convert import plain, text
from redgrease.exceptions import RedGreaseError
from redgrease.sender import Sender

__all__ = ["Administration"]

# Works on every version of RedisGears.
_ASK_VERSION = "GB('ShardsIDReader').map(lambda _: tuple(__import__('sys').version_info)).run()"


class Administration(Sender):
    """Versions, the cluster, requirements, sessions and figures."""

    # -- versions

    @asking
    def python_version(self) -> Asks[Tuple[Any, ...]]:
        """Ask for the server's version of Python, once for each pool of connections.

        Sends a script that looks it up, with ``RG.PYEXECUTE``.

        Returns:
            The server's ``sys.version_info`` as a plain tuple; in a cluster with different ones,
            the first that differs from the client's.

        Raises:
            ServerError: The server replied with an error.
            RedGreaseError: It replied with something else than a version.
        """
        if self._memory.python_version is None:
            versions = yield self._ask_python_versions()
            own = sys.version_info[:2]
            odd = [version for version in versions if version[:2] != own]
            self._memory.python_version = (odd or versions)[0]
        return self._memory.python_version

    @asking
    def _ask_python_versions(self) -> Asks[List[Tuple[Any, ...]]]:
        row = TABLE["RG.PYEXECUTE"]
        # Looking something up does no harm if it happens twice.
        result = yield self._caller.call(row, words_of(row, _ASK_VERSION), again=True)
        result.raise_for_errors()
        replies = result.value if isinstance(result.value, list) else [result.value]
        versions = []
        for reply in replies:
            try:
                version = ast.literal_eval(text(reply))
            except (ValueError, SyntaxError):
                version = None
            if not isinstance(version, tuple) or len(version) < 2:
                raise RedGreaseError(f"not the version of a Python: {plain(reply)!r}")
            versions.append(version)
        if not versions:
            raise RedGreaseError("the server does not tell its version of Python")
        return versions

    @asking
    def _short_python_version(self) -> Asks[Tuple[int, int]]:
        version = yield self.python_version()
        return int(version[0]), int(version[1])

    @asking
    def gears_version(self) -> Asks[Optional[Tuple[int, int, int]]]:
        """Ask for the server's version of RedisGears.  Sends ``MODULE LIST``.

        Returns:
            The version, such as ``(1, 2, 13)``; None if the server has no RedisGears.
        """
        if self._memory.gears_version is None:
            modules = yield self.send("MODULE LIST")
            version = modules.get("rg")
            if version is not None:
                self._memory.gears_version = (
                    version // 10000,
                    version // 100 % 100,
                    version % 100,
                )
        return self._memory.gears_version

    @asking
    def _ping(self) -> Asks[bool]:
        """Whether the server has Gears that could run something."""
        limit = yield self.config.get_single("MaxExecutions")
        return bool(limit > 0)

    def dumpplugins(self) -> List[data.Plugin]:
        """List the plugins of the server.  Sends ``RG.DUMPPLUGINS`` (1.2).

        Returns:
            The plugins, among them its Python.
        """
        plugins: List[data.Plugin] = self.send("RG.DUMPPLUGINS")
        return plugins

    # -- the cluster

    def infocluster(self) -> Optional[data.ClusterInfo]:
        """Ask what Gears knows about the cluster.  Sends ``RG.INFOCLUSTER``.

        Returns:
            The cluster; None if the server is in no cluster.
        """
        info: Optional[data.ClusterInfo] = self.send("RG.INFOCLUSTER")
        return info

    def refreshcluster(self) -> bool:
        """Let Gears find out about its cluster anew.  Sends ``RG.REFRESHCLUSTER`` to all servers.

        Returns:
            Whether all of them have done so.
        """
        done: bool = self.send("RG.REFRESHCLUSTER")
        return done

    @asking
    def networktest(self) -> Asks[bool]:
        """Let the servers of a cluster test their connections.  Sends ``RG.NETWORKTEST``.

        Returns:
            True.

        Raises:
            RedGreaseError: There is no cluster (a server alone would crash).
        """
        info = yield self.infocluster()
        if info is None:
            raise RedGreaseError("networktest() needs a cluster, and this server is in none")
        done = yield self.send("RG.NETWORKTEST")
        return bool(done)

    # -- requirements

    @asking
    def pydumpreqs(
        self,
        name: Optional[Union[str, bytes]] = None,
        is_downloaded: Optional[bool] = None,
        is_installed: Optional[bool] = None,
    ) -> Asks[List[data.PyRequirementInfo]]:
        """List the packages that functions have asked for.  Sends ``RG.PYDUMPREQS``.

        Args:
            name: Only those of that package; versions and extras do not matter.
            is_downloaded: Only those that are, or are not, downloaded.
            is_installed: Only those that are, or are not, installed.

        Returns:
            The requirements.
        """
        requirements = yield self.send("RG.PYDUMPREQS")
        if name is not None:
            from redgrease.requirements import same_name

            wanted = text(name)
            requirements = [each for each in requirements if same_name(each.Name, wanted)]
        return [
            each
            for each in requirements
            if (is_downloaded is None or each.IsDownloaded == bool(is_downloaded))
            and (is_installed is None or each.IsInstalled == bool(is_installed))
        ]

    def pyexportreq(self, name: Union[str, bytes]) -> data.RequirementExport:
        """Get a package from the server, in its own format.  Sends ``RG.PYEXPORTREQ``.

        Args:
            name: The requirement, as the server lists it.

        Returns:
            The package, which ``pyimportreq`` of another server takes.

        Raises:
            RequirementError: The server does not have it.
        """
        export: data.RequirementExport = self.send("RG.PYEXPORTREQ", name)
        return export

    def pyimportreq(self, *exported: Union[data.RequirementExport, bytes]) -> bool:
        """Install a package that another server has exported.  Sends ``RG.PYIMPORTREQ``, once.

        Args:
            exported: What ``pyexportreq`` has returned, or its chunks.

        Returns:
            True.
        """
        chunks: List[bytes] = []
        for part in exported:
            chunks += part.chunks if isinstance(part, data.RequirementExport) else (part,)
        done: bool = self.send("RG.PYIMPORTREQ", *chunks)
        return done

    # -- sessions and figures

    def pydumpsessions(
        self,
        sessions: Optional[Union[str, Sequence[str]]] = None,
        verbose: bool = False,
        dead: bool = False,
    ) -> List[data.Session]:
        """List sessions.  Sends ``RG.PYDUMPSESSIONS`` (1.2).

        Args:
            sessions: The names of those to list; by default all that are alive.
            verbose: Give whole requirements and registrations in the place of their names.
            dead: List those which were replaced, but are still in use.

        Returns:
            The sessions.

        Raises:
            SessionError: There is none of that name.
        """
        if isinstance(sessions, (str, bytes)):
            sessions = [text(sessions)]
        found: List[data.Session] = self.send("RG.PYDUMPSESSIONS", sessions, verbose, dead)
        return found

    @asking
    def pyprofile_stats(self, session: str, order: Optional[str] = None) -> Asks[str]:
        """Get the profile of a session.  Sends ``RG.PYPROFILE STATS`` (1.2).

        The setting ``ProfileExecutions`` must have been on while its functions ran.

        Args:
            session: The session.
            order: What to sort by; one of the sort keys of Python's ``pstats``.

        Returns:
            The profile as a string.

        Raises:
            SessionError: There is none of that name.
        """
        words = ("STATS", session) if order is None else ("STATS", session, order)
        profile = yield self.send("RG.PYPROFILE", *words)
        return text(profile)

    def pyprofile_reset(self, session: str) -> bool:
        """Empty the profile of a session.  Sends ``RG.PYPROFILE RESET`` (1.2).

        Args:
            session: The session.

        Returns:
            True.

        Raises:
            SessionError: There is none of that name.
        """
        done: bool = self.send("RG.PYPROFILE", "RESET", session)
        return done

    def pystats(self) -> Union[data.PyStats, Dict[str, data.PyStats]]:
        """Ask for the memory of the server's Python.  Sends ``RG.PYSTATS``.

        Returns:
            The figures; in a cluster those of each server, by its name.
        """
        stats: Union[data.PyStats, Dict[str, data.PyStats]] = self.send("RG.PYSTATS")
        return stats
