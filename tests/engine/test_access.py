"""Who may reach a server, and what may be installed on it."""

import os
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import pytest

redis = pytest.importorskip("redis")
pytest.importorskip("hiredis")

from support.redis_versions import impatient  # noqa: E402

from redgrease.engine import GearsServer  # noqa: E402
from redgrease.engine.access import (  # noqa: E402
    AccessError,
    InstallPolicy,
    check_open,
    is_loopback,
    tls_context,
    without_login,
)
from redgrease.engine.connection import Address  # noqa: E402
from redgrease.engine.redis_server import RedisServer  # noqa: E402
from redgrease.engine.server import ServerStartError  # noqa: E402
from redgrease.engine.supervisor import ServerOptions  # noqa: E402

# -- addresses


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.0.1", False),
        ("example.com", False),
    ],
)
def test_addresses_that_only_this_machine_reaches(host, expected):
    assert is_loopback(host) is expected
    check_open(host, protected=True)
    if expected:
        check_open(host, protected=False)
    else:
        with pytest.raises(AccessError, match="--unprotected"):
            check_open(host, protected=False)


def test_a_server_that_is_open_is_not_started():
    with pytest.raises(AccessError, match="give a password"):
        GearsServer(host="0.0.0.0")
    for options in ({"password": "x"}, {"unprotected": True}):
        GearsServer(host="0.0.0.0", **options)
    with pytest.raises(AccessError, match="has its own"):  # which would ask nobody for it
        GearsServer(redis="redis://localhost:6379", password="x")


def test_a_redis_that_asks_nobody_does_not_protect(tmp_path):
    """Credentials in the URL are the server's; what matters is what clients have to give."""
    own = RedisServer(str(tmp_path / "r.sock"))
    own.start()
    try:
        with redis.Redis.from_url(own.url) as client:
            client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "~*", "&*", "+@all")
            url = own.url.replace("unix://", "unix://ann:pw@")
            with pytest.raises(ServerStartError, match="--unprotected"):
                GearsServer(host="0.0.0.0", redis=url).start()
            GearsServer(host="0.0.0.0", redis=url, unprotected=True).start().stop()
            client.execute_command("ACL", "SETUSER", "default", "off")
        with GearsServer(host="0.0.0.0", redis=url) as server:
            with (
                redis.Redis(port=server.port) as stranger,
                pytest.raises(redis.AuthenticationError),
            ):
                stranger.execute_command("RG.PYEXECUTE", "GB().run()")
            with redis.Redis(port=server.port, username="ann", password="pw") as ann:
                assert ann.execute_command("RG.PYEXECUTE", "GB().run()") == [[], []]
    finally:
        own.stop()


@pytest.mark.parametrize("password", ['"', "\\", "a\nbind 0.0.0.0", "ü €", "' x"])
def test_passwords_of_any_kind(password):
    with GearsServer(password=password) as server, server.client() as client:
        assert client.gears.pyexecute("GB('ShardsIDReader').count().run()").value == b"1"


def test_nothing_shows_a_login():
    assert without_login("redis://u:p@host:1/2?password=x") == "redis://host:1/2"
    assert without_login("unix://:p@/a/b") == "unix:///a/b"
    assert "s3cret" not in repr(ServerOptions(password="s3cret", redis="redis://:s3cret@h"))
    assert "s3cret" not in repr(Address.parse("redis://:s3cret@h"))
    with pytest.raises(ServerStartError) as told:
        GearsServer(redis="http://:s3cret@localhost").start()
    assert "s3cret" not in str(told.value) and "redis://" in str(told.value)
    with pytest.raises(ServerStartError) as told:
        GearsServer(redis="redis://:s3cret@localhost:1").start()
    assert "s3cret" not in str(told.value)


# -- TLS


def signed(folder, name, by=None):
    """A key and a certificate, signed by another or by itself."""
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name}"
        f" -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {name}.key -out {name}.pem"
    )
    # Since Python 3.13 an authority has to say that it signs.
    command += " -addext keyUsage=critical,digitalSignature,keyCertSign"
    if by:
        command += f" -CA {by}.pem -CAkey {by}.key"
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl here")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this openssl cannot: {error.stderr}")
    return str(folder / f"{name}.pem"), str(folder / f"{name}.key")


def test_tls(tmp_path):
    cert, key = signed(tmp_path, "server")
    with GearsServer(tls_cert=cert, tls_key=key) as server:
        assert server.url.startswith("rediss://")
        with server.client(ssl_ca_certs=cert, socket_timeout=60) as client:
            assert client.set("a", "x" * 10**6) and client.strlen("a") == 10**6
            assert client.gears.pyexecute("GB().count().run()").value == b"1"
            # Blocking, pushed and pipelined replies go the same way.
            pushed = client.pubsub()
            pushed.subscribe("channel")
            assert pushed.get_message(timeout=30)["type"] == "subscribe"
            client.publish("channel", "hello")
            assert pushed.get_message(timeout=30)["data"] == b"hello"
            threading.Timer(0.1, client.lpush, ["list", "item"]).start()
            assert client.blpop("list", timeout=30) == (b"list", b"item")
            with client.pipeline(transaction=False) as pipeline:
                pipeline.get("a").execute_command("RG.PYEXECUTE", "GB().count().run()")
                assert len(pipeline.execute()) == 2
        with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
            server.client().ping()
        with redis.Redis(port=server.port) as plain, pytest.raises(redis.ConnectionError):
            plain.ping()
        with server.client(ssl_ca_certs=cert) as client:  # the others have done no harm
            assert client.ping()


def test_clients_with_certificates(tmp_path):
    ca, _ = signed(tmp_path, "authority")
    cert, key = signed(tmp_path, "server", by="authority")
    mine, my_key = signed(tmp_path, "client", by="authority")
    other, other_key = signed(tmp_path, "other")
    with GearsServer(tls_cert=cert, tls_key=key, tls_ca=ca) as server:
        options = {"ssl_ca_certs": ca}
        with server.client(ssl_certfile=mine, ssl_keyfile=my_key, **options) as client:
            assert client.ping()
        for given in ({}, {"ssl_certfile": other, "ssl_keyfile": other_key}):
            with server.client(**given, **options) as client, pytest.raises(redis.ConnectionError):
                client.ping()


def test_files_that_are_no_certificates(tmp_path):
    (tmp_path / "text.pem").write_text("no certificate")
    for cert, key, ca, words in (
        (None, "key.pem", None, "TLS needs a certificate"),
        (str(tmp_path / "none.pem"), None, None, "none.pem"),
        (str(tmp_path / "text.pem"), None, None, "text.pem"),
    ):
        with pytest.raises(AccessError, match=words):
            tls_context(cert, key, ca)
        with pytest.raises(AccessError, match=words):
            GearsServer(tls_cert=cert, tls_key=key, tls_ca=ca)
    assert tls_context(None, None, None) is None
    cert, key = signed(tmp_path, "server")
    assert isinstance(tls_context(cert, key, None), ssl.SSLContext)
    with pytest.raises(AccessError, match="text.pem"):
        tls_context(cert, key, str(tmp_path / "text.pem"))


# -- requirements


def test_what_may_be_installed(tmp_path):
    (tmp_path / "allowed").write_text(
        "# ours\nNumPy\nredis==5.0.8  # just this\n\ngit+https://x/y\n"
    )
    policy = InstallPolicy.parse(f"allow:{tmp_path / 'allowed'}")
    for name in (
        "numpy",
        "numpy==1.2",
        "Numpy[extra] >= 1",
        "numpy (>=1,<2)",
        "numpy~=1.0; python_version > '3'",
        "redis == 5.0.8",
        "git+https://x/y",
    ):
        assert policy.refused([name]) is None
    for name in (
        "pandas",
        "redis",
        "redis==5.0.9",
        "numpy @ https://evil/x.whl",
        "numpy/../../evil",
        "numpy --index-url http://evil",
        "numpy\n--index-url=http://evil",
        "numpy; python_version > '3' @ http://evil",
        "-r file",
        "../x",
    ):
        assert name in policy.refused(["numpy", name])
    assert InstallPolicy.parse("on").refused(["anything"]) is None
    off = InstallPolicy.parse("off")
    assert off.refused([]) is None and "installs no requirements: a, b" in off.refused(["a", "b"])
    for text in ("", "allow", "allow:", "sometimes", f"allow:{tmp_path / 'none'}"):
        with pytest.raises(AccessError):
            InstallPolicy.parse(text)


@pytest.mark.parametrize("worker", ["process", "thread"])
def test_a_server_that_installs_nothing(worker):
    with GearsServer(requirements="off", worker=worker) as server, server.client() as client:
        with pytest.raises(redis.ResponseError, match="installs no requirements: tinypack"):
            client.execute_command("RG.PYEXECUTE", "GB().run()", "REQUIREMENTS", "tinypack")
        # What is there already need not be installed.
        reply = client.execute_command("RG.PYEXECUTE", "GB().run()", "REQUIREMENTS", "hiredis")
        assert reply.value == [] and not reply.errors


# -- what others on this machine can see


def test_files_and_processes(tmp_path):
    secret = f"very/{os.urandom(8).hex()} word"
    folder = tmp_path / "data"
    config = {"mine": secret}
    server = GearsServer(password=secret, dir=folder, config=config)
    with server, server.client() as client:
        client.set("a", 1)
        client.gears.pyexecute("GB('CommandReader').register(trigger='t')")
        runtime = Path(server.redis_url.partition("@")[2].partition("?")[0]).parent
        for path in [*folder.rglob("*"), *runtime.glob("*"), folder, runtime]:
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode) and path not in (folder, runtime):
                continue  # within a folder that is closed
            assert stat.S_IMODE(mode) & 0o077 == 0, path
        shown = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True).stdout
        assert "redgrease.engine" in shown and secret not in shown
        client.execute_command("RG.PYEXECUTE", "GB().map(lambda x: 1/0).run()")
        seen = "import os\nGB('ShardsIDReader').map(lambda x: str(dict(os.environ))).run()"
        assert secret.encode() not in client.execute_command("RG.PYEXECUTE", seen).value
        script = "GB('ShardsIDReader').map(lambda x: configGet('mine')).run()"
        assert client.execute_command("RG.PYEXECUTE", script).value == secret.encode()
        other = redis.Redis(port=server.port, **impatient())
        with other, pytest.raises(redis.AuthenticationError):
            other.execute_command("RG.PYEXECUTE", "GB().run()")
        assert secret not in server.log
