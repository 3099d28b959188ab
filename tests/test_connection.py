"""A Gears command is sent once, whatever redis-py's defaults are."""

import threading
import time

import pytest
import redis
from support.scripted import Drop, Error, Raw, ScriptedServer, Status, Wait

from redgrease import exceptions as ex
from redgrease.client import Gears, RedisGears
from redgrease.commands import TABLE
from redgrease.connection import (
    PoolLink,
    _is_closed,
    exchange_together,
    read_undecoded,
    timed_out,
    without_time_limit,
)

HASTY = 0.5
"""A time limit that is too short for :func:`slow`, but not for anything else."""
REDIS = tuple(int(part) for part in redis.__version__.split(".")[:2])
PROTOCOLS = [2, 3] if REDIS >= (5, 0) else [2]


@pytest.fixture
def server():
    with ScriptedServer() as scripted:
        yield scripted


def options(protocol):
    return {} if protocol == 2 and REDIS < (5, 0) else {"protocol": protocol}


def slow(words):
    time.sleep(1.5 * HASTY)
    return [[b"\x80\xff"], []]


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_slow_function_runs_once(server, protocol, decode, single):
    # The time limit of redis-py 8 is 5 s; a shorter one does as well, and tests are quicker.
    client = RedisGears(
        port=server.port,
        socket_timeout=HASTY,
        decode_responses=decode,
        single_connection_client=single,
        **options(protocol),
    )
    server.on("RG.PYEXECUTE", slow)
    assert client.gears.pyexecute("x").value == b"\x80\xff"
    assert client.execute_command("RG.PYEXECUTE", "x").value == b"\x80\xff"
    assert len(server.sent("RG.PYEXECUTE")) == 2
    client.close()


def test_defaults_of_redis_py(server):
    server.on("RG.PYEXECUTE", slow)
    client = RedisGears(port=server.port)
    client.connection_pool.connection_kwargs["socket_timeout"] = HASTY
    for gears in (client.gears, Gears(redis.Redis(port=server.port, socket_timeout=HASTY))):
        gears.pyexecute("x")
    assert len(server.sent("RG.PYEXECUTE")) == 2


def test_the_time_limit_of_other_commands_stays(server):
    server.on("RG.PYEXECUTE", slow)
    never = threading.Event()
    server.on("GET", Wait(never, b"x"))
    client = RedisGears(
        port=server.port, socket_timeout=HASTY, single_connection_client=True, **no_retries()
    )
    client.gears.pyexecute("x")
    # Of another type with redis-py 6 and hiredis before Python 3.10.
    with pytest.raises((redis.exceptions.TimeoutError, redis.exceptions.ConnectionError)) as error:
        client.get("x")
    assert timed_out(error.value)
    never.set()


def no_retries():
    if REDIS < (6, 0):
        return {}
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {"retry": Retry(NoBackoff(), 0)}


@pytest.mark.parametrize("single", [False, True])
def test_a_dropped_connection_is_a_typed_error(server, single):
    server.on("RG.PYEXECUTE", Drop())
    client = RedisGears(port=server.port, single_connection_client=single)
    with pytest.raises(ex.GearsConnectionError) as caught:
        client.gears.pyexecute("x")
    assert "RG.PYEXECUTE" in str(caught.value)
    assert len(server.sent("RG.PYEXECUTE")) == 1
    server.on("RG.PYEXECUTE", Status("OK"))
    assert client.gears.pyexecute("x").value is True  # on a fresh connection


def test_what_may_be_sent_again_is(server):
    client = RedisGears(port=server.port)
    server.on("RG.DUMPEXECUTIONS", Drop(), Drop(), [])
    assert client.gears.dumpexecutions() == []
    assert len(server.sent("RG.DUMPEXECUTIONS")) == 3


def test_but_not_for_ever(server):
    client = RedisGears(port=server.port)
    server.on("RG.DUMPEXECUTIONS", Drop())
    with pytest.raises(ex.GearsConnectionError):
        client.gears.dumpexecutions()
    assert len(server.sent("RG.DUMPEXECUTIONS")) == 3


def test_no_time_at_all(server):
    never = threading.Event()
    server.on("RG.PYEXECUTE", Wait(never, Status("OK")))
    with pytest.raises(ex.GearsTimeoutError, match="within 0 s"):
        RedisGears(port=server.port).gears.pyexecute("x", timeout=0)
    never.set()


def test_the_time_limit_of_the_caller(server):
    never = threading.Event()
    server.on("RG.PYEXECUTE", Wait(never, Status("OK")))
    client = RedisGears(port=server.port)
    with pytest.raises(ex.GearsTimeoutError) as caught:
        client.gears.pyexecute("x", timeout=0.1)
    assert "0.1" in str(caught.value)
    client.gears.timeout = 0.1
    with pytest.raises(ex.GearsTimeoutError):
        client.gears.pyexecute("x")
    with pytest.raises(ex.GearsTimeoutError):
        client.execute_command("RG.PYEXECUTE", "x", timeout=0.05)
    server.wait_for("RG.PYEXECUTE", 3)
    never.set()
    assert client.ping()
    assert len(server.sent("RG.PYEXECUTE")) == 3


def test_an_idle_connection_that_was_closed_is_not_used(server):
    server.on("RG.PYEXECUTE", Status("OK"))
    for single in (False, True):
        client = RedisGears(port=server.port, single_connection_client=single)
        client.gears.pyexecute("x")
        connection = client.connection or client.connection_pool._available_connections[0]
        server.drop_all()
        while not _is_closed(connection):
            time.sleep(0.001)
        assert client.gears.pyexecute("x").value is True
    assert len(server.sent("RG.PYEXECUTE")) == 4


def test_a_single_connection_is_kept(server):
    server.on("RG.PYEXECUTE", Status("OK"))
    client = RedisGears(port=server.port, single_connection_client=True)
    started = time.monotonic()
    for _ in range(3):
        client.gears.pyexecute("x")
    assert len(server.connections) == 1
    assert time.monotonic() - started < 2


def test_no_server(server):
    server.stop()
    client = RedisGears(port=server.port, **no_retries())
    with pytest.raises(redis.exceptions.ConnectionError) as caught:
        client.gears.pyexecute("x")
    assert not isinstance(caught.value, ex.RedGreaseError)  # nothing was sent


def test_failing_to_send_is_tried_again(server, monkeypatch):
    server.on("RG.PYEXECUTE", Status("OK"))
    client = RedisGears(port=server.port)
    kind = client.connection_pool.connection_class
    original, failures = kind.send_command, []

    def send_command(self, *args, **kwargs):
        if args[0] == "RG.PYEXECUTE" and len(failures) < 2:
            failures.append(1)
            raise redis.exceptions.ConnectionError("broken pipe")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(kind, "send_command", send_command)
    assert client.gears.pyexecute("x").value is True
    assert len(server.sent("RG.PYEXECUTE")) == 1
    failures.clear()
    monkeypatch.setattr("redgrease.connection.ATTEMPTS", 2)
    with pytest.raises(redis.exceptions.ConnectionError):
        client.gears.pyexecute("x")
    assert len(server.sent("RG.PYEXECUTE")) == 1


def test_errors_leave_the_connection_usable(server):
    server.on("RG.PYEXECUTE", Error("failed running the given script"))
    client = RedisGears(port=server.port, max_connections=1)
    for _ in range(3):
        with pytest.raises(ex.ScriptError):
            client.gears.pyexecute("x")
    assert client.ping()
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    "text, kind",
    [
        ("NOAUTH Authentication required.", redis.exceptions.AuthenticationError),
        ("LOADING Redis is loading the dataset in memory", redis.exceptions.BusyLoadingError),
        ("NOPERM no", redis.exceptions.ResponseError),
        ("READONLY You can't write against a replica", redis.exceptions.ReadOnlyError),
    ],
)
def test_errors_that_redis_py_knows(server, text, kind):
    server.on("RG.PYEXECUTE", Error(text))
    client = RedisGears(port=server.port)
    with pytest.raises(redis.exceptions.RedisError) as caught:
        client.gears.pyexecute("x")
    if kind is not redis.exceptions.AuthenticationError or REDIS >= (4, 0):
        assert isinstance(caught.value, kind)
    assert not isinstance(caught.value, ex.GearsConnectionError)
    assert len(server.sent("RG.PYEXECUTE")) == 1


def test_wrong_arguments_do_no_harm(server):
    client = RedisGears(port=server.port, max_connections=1)
    with pytest.raises(redis.exceptions.DataError):
        client.gears.trigger("x", object())
    assert client.ping()


def test_a_stop_by_the_user(server, monkeypatch):
    server.on("RG.PYEXECUTE", Status("OK"))
    client = RedisGears(port=server.port)
    client.ping()

    def stop(connection):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("redgrease.connection.read_undecoded", stop)
        with pytest.raises(KeyboardInterrupt):
            client.gears.pyexecute("x")
    assert client.ping()  # not the reply to the other command


def test_broken_replies(server):
    server.on("RG.PYEXECUTE", Raw(b"?what\r\n"))
    client = RedisGears(port=server.port)
    with pytest.raises(redis.exceptions.RedisError):
        client.gears.pyexecute("x")
    assert len(server.sent("RG.PYEXECUTE")) == 1
    assert client.ping()


def test_pools_that_wait_for_a_connection(server):
    server.on("RG.PYEXECUTE", Status("OK"))
    pool = redis.BlockingConnectionPool(port=server.port, max_connections=1, timeout=1)
    client = RedisGears(connection_pool=pool)
    for _ in range(3):
        assert client.gears.pyexecute("x").value is True
    assert client.ping()


def test_connections_that_are_marked_for_reconnecting(server):
    server.on("RG.PYEXECUTE", Status("OK"))
    client = RedisGears(port=server.port)
    client.ping()
    (connection,) = client.connection_pool._available_connections
    connection.should_reconnect = lambda: True
    assert client.gears.pyexecute("x").value is True
    assert connection._sock is None


class TestOddConnections:
    """What only some versions, or other packages, have."""

    def test_no_socket(self):
        with without_time_limit(object()):
            pass
        assert not _is_closed(object())

    def test_wrapped(self, server):
        client = RedisGears(port=server.port)
        client.ping()
        (inner,) = client.connection_pool._available_connections

        class Wrapper:
            _conn = inner

        inner._sock.settimeout(7)
        with without_time_limit(Wrapper(), 3):
            assert inner._sock.gettimeout() == 3
        assert inner._sock.gettimeout() == 7

    def test_closed_meanwhile(self, server):
        client = RedisGears(port=server.port)
        client.ping()
        (connection,) = client.connection_pool._available_connections
        sock = connection._sock
        with without_time_limit(connection):
            sock.close()
        assert _is_closed(connection)

    @pytest.mark.parametrize("decode", [False, True])
    @pytest.mark.parametrize("native", [False, True])
    def test_reading_as_redis_py_3_does(self, decode, native):
        class Encoder:
            encoding = "utf-8"
            encoding_errors = "strict"
            decode_responses = decode

        class Reader:
            encodings = []

            def set_encoding(self, *args):
                self.encodings.append(args)

        class Parser:
            encoder = None if native else Encoder
            _reader = Reader() if native else None

        class Connection:
            encoder = Encoder
            _parser = Parser

            def read_response(self):
                assert Encoder.decode_responses is False
                return b"\xff"

        assert read_undecoded(Connection()) == b"\xff"
        assert Encoder.decode_responses is decode
        expected = [(None,), ("utf-8", "strict")] if native and decode else []
        assert (Reader.encodings if native else []) == expected

    def test_pools_not_written_in_python(self):
        from redgrease.connection import _takes

        assert not _takes(dict.get, {}, "nothing")
        assert not _takes(len, object(), "command_name")

        class Callable:
            __name__ = "odd"
            __signature__ = 5

            def __call__(self):
                pass

        assert not _takes(Callable(), Callable(), "command_name")


class TestTogether:
    COMMANDS = (("RG.UNREGISTER", "0-1"), ("RG.PYEXECUTE", "x"))

    def send(self, server, timeout=None):
        return exchange_together(PoolLink(RedisGears(port=server.port)), self.COMMANDS, timeout)

    def test_replies_and_errors(self, server):
        server.on("RG.UNREGISTER", Error("no"))
        server.on("RG.PYEXECUTE", slow)
        error, result = self.send(server)
        assert isinstance(error, redis.exceptions.ResponseError) and str(error) == "no"
        assert result == [[b"\x80\xff"], []]

    def test_lost(self, server):
        server.on("RG.UNREGISTER", Drop())
        with pytest.raises(ex.GearsConnectionError):
            self.send(server)
        assert len(server.sent("RG.UNREGISTER")) == 1

    def test_time_limit(self, server):
        never = threading.Event()
        server.on("RG.UNREGISTER", Wait(never, Status("OK")))
        with pytest.raises(ex.GearsTimeoutError):
            self.send(server, 0.05)
        never.set()

    def test_failing_to_send(self, server, monkeypatch):
        def fail(connection, *args, **kwargs):
            raise redis.exceptions.ConnectionError("gone")

        client = RedisGears(port=server.port)
        client.ping()  # connects
        monkeypatch.setattr(redis.Connection, "send_packed_command", fail)
        with pytest.raises(ex.GearsConnectionError, match="were not sent again"):
            exchange_together(PoolLink(client), self.COMMANDS)

    def test_clients_without_connections(self):
        class Inside:
            def execute_command(self, *words):
                if words[0] == "RG.UNREGISTER":
                    raise redis.exceptions.ResponseError("execution is not registered")
                return "OK"

        rows = [TABLE[words[0]] for words in self.COMMANDS]
        error, result = Gears(Inside())._caller.together(rows, self.COMMANDS)
        assert isinstance(error, ex.RegistrationNotFoundError) and result.value is True

    def test_replies_that_are_errors_all_the_same(self, server):
        server.on("RG.UNREGISTER", Status("OK"))
        server.on("RG.PYEXECUTE", [Error("trigger already registered")])
        rows = [TABLE[words[0]] for words in self.COMMANDS]
        caller = RedisGears(port=server.port).gears._caller
        done, error = caller.together(rows, self.COMMANDS)
        assert done is True and isinstance(error, ex.DuplicateTriggerError)
