"""The three ways to a Redis that must answer alike: directly, through a server, and through one
whose proxy has to look at every command because functions are registered.

Test modules take the fixtures by ``pytest_plugins = ["transparency"]``.
"""

import pytest
import redis
from support.redis_versions import speaking

REDIS = tuple(map(int, redis.__version__.split(".")[:2]))

WATCHERS = """
GB().foreach(lambda r: None).register('nobody:*', mode='sync')
GB('CommandReader').map(lambda x: 'hooked').register(hook='get', keyprefix='nobody:', mode='sync')
GB('CommandReader').map(lambda x: 'x').register(trigger='sync', mode='sync')
GB('CommandReader').map(lambda x: 'x').register(trigger='async')
"""


@pytest.fixture(scope="module")
def watched_server():
    """A server on which functions are registered that concern every command, but no key."""
    from redgrease.engine import GearsServer

    with GearsServer() as server:
        with redis.Redis(port=server.port) as client:
            client.execute_command("RG.PYEXECUTE", WATCHERS)
        yield server


class Way:
    """A way to Redis.

    Args:
        server: A Gears server.
        direct: Whether to go past it.
    """

    def __init__(self, server, direct):
        self.server, self.direct = server, direct
        self.url = server.redis_url if direct else server.url

    def connect(self, **options):
        """A new client."""
        options.setdefault("decode_responses", True)
        if "protocol" in options:
            options.update(speaking(options.pop("protocol")))
        if self.direct and REDIS[0] == 7:  # which cannot do this by itself on Unix sockets
            from redis.maint_notifications import MaintNotificationsConfig

            options["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        if options.pop("single_connection_client", False):  # from_url() takes it since redis-py 5
            pool = redis.ConnectionPool.from_url(self.url, **options)
            return redis.Redis(connection_pool=pool, single_connection_client=True)
        return redis.Redis.from_url(self.url, **options)

    def socket(self):
        """A plain socket."""
        import socket
        from urllib.parse import unquote, urlsplit

        if self.direct:
            plain = socket.socket(socket.AF_UNIX)
            plain.connect(unquote(urlsplit(self.url).path))
        else:
            plain = socket.create_connection((self.server.host, self.server.port))
        plain.settimeout(20)
        return plain


@pytest.fixture(params=["direct", "proxy", "watched"])
def way(request, gears_server, watched_server):
    """Each of the ways, to an empty Redis."""
    server = watched_server if request.param == "watched" else gears_server
    found = Way(server, request.param == "direct")
    with found.connect() as client:
        client.flushall()
    return found


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request):
    """Each version of the protocol."""
    if request.param == 3 and REDIS < (5, 0):
        pytest.skip("redis-py knows only RESP2")
    return request.param


@pytest.fixture
def client(way, protocol):
    """A client on each way, in each protocol."""
    with way.connect(protocol=protocol) as found:
        yield found
