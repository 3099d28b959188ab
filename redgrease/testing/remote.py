"""A server that runs already, with the face of an embedded one."""

from typing import Any
from urllib.parse import urlsplit

__all__ = ["RemoteServer"]


class RemoteServer:
    """What tests need to know of a server that they have not started.

    Args:
        url: Where it is.

    Attributes:
        url: The same.
        host: Its host.
        port: Its port.
    """

    is_remote = True

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "localhost", parts.port or 6379

    def client(self, **kwargs: Any) -> Any:
        """A client of the server.

        Args:
            kwargs: As for ``redgrease.RedisGears``.
        """
        from redgrease.client import RedisGears

        return RedisGears.from_url(self.url, **kwargs)
