"""Where the command line finds the server."""

import pytest
import redis
from support.gears_cluster import GearsCluster
from support.tls import Terminator, make_certificate

from redgrease.cli.connecting import without
from redgrease.engine import GearsServer

PING = ("shell", "-C", "print(r.ping(), r.client_id() > 0)")
ANSWER = "True True\n"
NOWHERE = "1"
"""A port at which nobody answers."""


@pytest.mark.parametrize(
    "words",
    [
        ("--host", "127.0.0.1", "--port", "{port}", *PING),
        ("--url", "redis://127.0.0.1:{port}", *PING),
        ("--port", NOWHERE, *PING, "--port", "{port}"),
        ("--url", "redis://127.0.0.1:1", *PING, "--port", "{port}"),
        ("--port", NOWHERE, *PING, "--url", "redis://127.0.0.1:{port}"),
    ],
    ids=" ".join,
)
def test_before_and_behind_the_command(bare_cli, gears_server, words):
    assert bare_cli(*(word.format(port=gears_server.port) for word in words)).stdout == ANSWER


def test_variables_and_files(bare_cli, gears_server, tmp_path):
    port = str(gears_server.port)
    assert bare_cli(*PING, REDGREASE_PORT=port).stdout == ANSWER
    assert bare_cli(*PING, REDGREASE_URL=f"redis://127.0.0.1:{port}").stdout == ANSWER
    (tmp_path / "my.conf").write_text(f"host = 127.0.0.1\nport = {port}\n")
    assert bare_cli("--config", "my.conf", *PING).stdout == ANSWER
    assert bare_cli(*PING, REDGREASE_CONFIG="my.conf").stdout == ANSWER
    (tmp_path / "redgrease.conf").write_text("port = 1\n")
    told = bare_cli(*PING, status=1).stderr
    assert "localhost:1" in told and "`redgrease serve` starts a server" in told
    assert bare_cli(*PING, REDGREASE_PORT=port).stdout == ANSWER
    bare_cli(*PING, "--port", NOWHERE, status=1, REDGREASE_PORT=port)


def test_a_unix_socket(bare_cli, gears_server):
    assert bare_cli("--url", gears_server.redis_url, *PING).stdout == ANSWER
    told = bare_cli("registrations", "--url", gears_server.redis_url, status=1).stderr
    assert "RG.DUMPREGISTRATIONS" in told


def test_users_and_passwords(bare_cli):
    with GearsServer(password="s3cret") as server:
        where = ("--port", server.port)
        told = bare_cli(*where, *PING, status=1).stderr
        assert "REDGREASE_PASSWORD" in told
        assert bare_cli(*where, *PING, REDGREASE_PASSWORD="s3cret").stdout == ANSWER
        assert bare_cli(*where, "--password", "s3cret", "registrations").stdout == ""
        with redis.Redis(port=server.port, password="s3cret") as client:
            client.acl_setuser("ann", True, passwords=["+other"], commands=["+@all"], keys="*")
        login = ("--user", "ann", "--password", "other")
        assert bare_cli(*where, *login, *PING).stdout == ANSWER
        told = bare_cli(*where, "--user", "ann", "--password", "wrong", *PING, status=1).stderr
        assert "--user and --password" in told


def test_tls(bare_cli, gears_server, tmp_path):
    certificate = make_certificate(tmp_path)
    terminator = Terminator(gears_server.port, certificate, certificate.with_name("key.pem"))
    url, port = f"rediss://127.0.0.1:{terminator.port}", ("--port", terminator.port)
    trust = ("--tls-ca", certificate)
    try:
        for words in (
            ("--url", url, *trust),
            ("--url", url, "--tls-insecure"),
            ("--url", url.replace("rediss", "redis"), "--tls", *trust),
            (*port, "--tls", *trust),
            (*port, *trust),
            (*port, *trust, "--tls-cert", certificate, "--tls-key", tmp_path / "key.pem"),
        ):
            assert bare_cli(*words, *PING).stdout == ANSWER, words
        told = bare_cli("--url", url, *PING, status=1).stderr
        assert "ertificate" in told and "--tls-ca" in told
    finally:
        terminator.close()
    told = bare_cli("--url", "redis://127.0.0.1", *trust, *PING, status=2).stderr
    assert "rediss://" in told


def test_a_cluster(bare_cli):
    script = "GB('CommandReader').map(lambda words: words[1:]).register(trigger='t')"
    with GearsCluster() as cluster:
        for where in (
            ("--url", f"redis://127.0.0.1:{cluster.ports[1]}"),
            ("--host", "127.0.0.1", "--port", cluster.ports[2]),
        ):
            where = (*where, "--cluster")
            bare_cli(*where, "run", script)
            (row,) = bare_cli.json(*where, "registrations")
            assert row["RegistrationData"]["args"]["trigger"] == "t"
            assert bare_cli.json(*where, "trigger", "t", "a")["results"] == [["a"]]
            assert len(bare_cli.json(*where, "stats")) == 3
            bare_cli(*where, "unregister", "--all")
            assert bare_cli.json(*where, "registrations") == []


@pytest.mark.parametrize(
    "words, message",
    [
        (("--url", "http://localhost", *PING), "must specify one of the following schemes"),
        (("--port", "x", *PING), "not a valid integer range"),
        (("nosuch",), "No such command 'nosuch'"),
        (("registrations", "--nosuch"), "No such option"),
        ((), "Usage:"),
    ],
)
def test_wrong_usage(bare_cli, words, message):
    assert message in bare_cli(*words, status=2).output


def test_of_a_login_that_counts_which_was_given_more_expressly(bare_cli):
    with GearsServer(password="s3cret") as server:
        good, bad = (f"redis://:{word}@127.0.0.1:{server.port}/0" for word in ("s3cret", "x"))
        login = ("--user", "default", "--password", "s3cret")
        assert bare_cli(*PING, *login, REDGREASE_URL=bad).stdout == ANSWER
        assert bare_cli(*PING, "--url", good, REDGREASE_PASSWORD="x").stdout == ANSWER
        bare_cli(*PING, "--password", "x", status=1, REDGREASE_URL=good)
        asked = ("shell", "-C", "print(r.connection_pool.connection_kwargs['db'])", "--db", "3")
        assert bare_cli(*asked, REDGREASE_URL=good).stdout == "3\n"


@pytest.mark.parametrize(
    "url, names, expected",
    [
        ("redis://ann:pw@host:1/2?protocol=3", ["password"], "redis://ann@host:1/2?protocol=3"),
        ("redis://ann:pw@host:1/2", ["user", "password", "db"], "redis://host:1"),
        ("rediss://ann:pw@host", ["user"], "rediss://:pw@host"),
        ("redis://host?db=2&protocol=3", ["db"], "redis://host?protocol=3"),
        ("unix://:pw@/a/socket?db=2", ["db", "password"], "unix:///a/socket"),
        ("unix:///a/socket?db=2", [], "unix:///a/socket?db=2"),
    ],
)
def test_urls_that_leave_something_open(url, names, expected):
    assert without(url, names) == expected


def test_a_server_that_is_in_no_cluster(bare_cli, gears_server):
    told = bare_cli("registrations", "--cluster", "--port", gears_server.port, status=1).stderr
    assert told.startswith("redgrease: ") and "without --cluster" in told
    told = bare_cli("registrations", "--cluster", "--port", NOWHERE, status=1).stderr
    assert told.startswith("redgrease: ")
