"""The configuration of Gears on a server."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Tuple, Union

from redgrease.asking import Asks, asking
from redgrease.convert import text, truth

if TYPE_CHECKING:
    from redgrease.sender import Sender

__all__ = ["Config"]

Name = Union[str, bytes]


def _types() -> "OrderedDict[str, Callable[[Any], Any]]":
    # The order is that of the documentation of RedisGears.
    return OrderedDict(
        [
            ("MaxExecutions", int),
            ("MaxExecutionsPerRegistration", int),
            ("ProfileExecutions", truth),
            ("PythonAttemptTraceback", truth),
            ("DownloadDeps", truth),
            ("DependenciesUrl", text),
            ("DependenciesSha256", text),
            ("PythonInstallationDir", text),
            ("CreateVenv", truth),
            ("ExecutionThreads", int),
            ("ExecutionMaxIdleTime", int),
            ("PythonInstallReqMaxIdleTime", int),
            ("SendMsgRetries", int),
        ]
    )


_NO_NAME = "the name of a setting is a text, not {!r}"


def _checked(name: Any) -> str:
    """The name of a setting as a text."""
    if isinstance(name, (str, bytes)):
        return text(name)
    from redis.exceptions import DataError

    raise DataError(_NO_NAME.format(name))


def _setting(name: str, kind: str, doc: str, writable: bool = True) -> Any:
    """A property for a setting of the server."""

    def get(self: "Config") -> Any:
        return self.get_single(name)

    def set(self: "Config", value: Any) -> None:
        done: Any = self.set({name: value})
        if done is not True and hasattr(done, "close"):
            done.close()
            raise AttributeError(f"an assignment cannot be awaited: await config.set({name}=…)")

    return property(get, set if writable else None, doc=f"{doc} ({kind})")


class Config:
    """Reads and writes the configuration of Gears: ``client.gears.config``.

    Settings can be read, and where the server allows it written, as attributes::

        client.gears.config.MaxExecutions = 100

    Args:
        redis: A client of redis-py.
        gears: The ``Gears`` object to use; by default one is made.
    """

    __slots__ = ("_gears", "redis")

    ValueTypes = _types()
    """The names of the known settings, and what makes Python values of what the server sends."""

    def __init__(self, redis: Any, gears: Optional["Sender"] = None) -> None:
        self.redis = redis
        self._gears = gears

    def _sender(self) -> "Sender":
        if self._gears is None:
            from redgrease.gears import gears_of

            self._gears = gears_of(self.redis)
        return self._gears

    def _run(self, steps: Asks[Any]) -> Any:
        return self._sender()._run(steps)

    @classmethod
    def _convert(cls, name: str, value: Any) -> Any:
        """Make a Python value of a setting; what cannot be converted stays as it is."""
        types = {known.lower(): kind for known, kind in cls.ValueTypes.items()}
        kind = types.get(name.lower())
        if kind is None or isinstance(value, Exception):
            return value
        try:
            return kind(value)
        except (TypeError, ValueError):
            return value

    @asking
    def get(self, *names: Name) -> Asks[Dict[str, Any]]:
        """Read settings.  Sends ``RG.CONFIGGET``.

        Args:
            names: Names of settings, also of those that users made up; by default all known.

        Returns:
            The values by name.  For a setting that the server does not know, the value is an
            ``UnknownConfigError`` (which is not raised).

        Raises:
            redis.exceptions.DataError: A name is no text.
        """
        wanted: Tuple[str, ...] = tuple(map(_checked, names)) or tuple(self.ValueTypes)
        values = yield self._sender().send("RG.CONFIGGET", *wanted)
        return {name: self._convert(name, value) for name, value in zip(wanted, values)}

    @asking
    def get_single(self, name: Name) -> Asks[Any]:
        """Read one setting.  Sends ``RG.CONFIGGET``.

        Args:
            name: The name of the setting.

        Returns:
            Its value.

        Raises:
            UnknownConfigError: The server does not know the setting.
            KeyError: The name is no text.
        """
        if not isinstance(name, (str, bytes)):
            raise KeyError(_NO_NAME.format(name))
        values = yield self.get(name)
        value = values[text(name)]
        if isinstance(value, Exception):
            raise value
        return value

    @asking
    def set(self, config_dict: Optional[Mapping[Any, Any]] = None, **settings: Any) -> Asks[bool]:
        """Write settings, in a cluster on all servers.  Sends ``RG.CONFIGSET``.

        Args:
            config_dict: Values by name.
            settings: More of them; these win.

        Returns:
            Whether the server took all of them (also True if there are none).

        Raises:
            redis.exceptions.DataError: A name is no text; nothing was sent.
        """
        values = {_checked(name): value for name, value in (config_dict or {}).items()}
        values.update(settings)
        if not values:
            return True
        done = yield self._sender().send("RG.CONFIGSET", values)
        return bool(done)

    MaxExecutions = _setting("MaxExecutions", "int", "How many executions a server keeps")
    MaxExecutionsPerRegistration = _setting(
        "MaxExecutionsPerRegistration", "int", "How many executions are kept of a registration"
    )
    ProfileExecutions = _setting("ProfileExecutions", "bool", "Whether steps are timed")
    PythonAttemptTraceback = _setting(
        "PythonAttemptTraceback", "bool", "Whether errors have tracebacks"
    )
    ExecutionMaxIdleTime = _setting(
        "ExecutionMaxIdleTime", "int", "Milliseconds that an execution waits for other shards"
    )
    PythonInstallReqMaxIdleTime = _setting(
        "PythonInstallReqMaxIdleTime", "int", "Milliseconds to wait for requirements"
    )
    SendMsgRetries = _setting(
        "SendMsgRetries", "int", "How often a message to another shard is sent again"
    )
    DownloadDeps = _setting(
        "DownloadDeps", "bool", "Whether the server downloads its Python", writable=False
    )
    DependenciesUrl = _setting(
        "DependenciesUrl", "str", "Where the server's Python comes from", writable=False
    )
    DependenciesSha256 = _setting(
        "DependenciesSha256", "str", "The check sum of the server's Python", writable=False
    )
    PythonInstallationDir = _setting(
        "PythonInstallationDir", "str", "Where the server's Python is", writable=False
    )
    CreateVenv = _setting(
        "CreateVenv", "bool", "Whether requirements have an environment", writable=False
    )
    ExecutionThreads = _setting(
        "ExecutionThreads", "int", "How many threads run functions", writable=False
    )
