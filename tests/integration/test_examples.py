"""The examples do what they say."""

import http.server
import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import redis

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIENTS, URLS, SLOW = 20, 8, 0.2


def run(name, server, *arguments):
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env=dict(os.environ, REDGREASE_URL=server.url),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_transactions(r, gears_server):
    assert run("transactions.py", gears_server).splitlines() == [
        "alice: 75",
        "bob: 5",
        "carol: 40",
        "rejected: payment 4, not enough money",
        "failures: 0",
    ]


def test_composing(r, gears_server):
    assert run("composing.py", gears_server).splitlines() == [
        "Orders: 4",
        "British orders: 3",
        "Turnover: 24",
        "British average: 6.0",
        "Most expensive: 9",
        "British customers: [('ann', 13), ('cat', 5)]",
        "To be audited: ['dan']",
    ]


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves resources slowly, and counts how often."""

    def do_GET(self):
        with self.server.lock:
            self.server.requests[self.path] += 1
        time.sleep(SLOW)
        broken = self.path.startswith("/broken")
        self.send_response(500 if broken else 200)
        self.end_headers()
        self.wfile.write(self.path.encode() + bytes(range(256)))

    def log_message(self, *args):
        pass


@pytest.fixture
def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.lock = Counter(), threading.Lock()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class TestCacheGet:
    @pytest.fixture
    def cache_get(self, r, gears_server, monkeypatch):
        """The example's command, registered on the server."""
        pytest.importorskip("requests")
        monkeypatch.setenv("REDGREASE_URL", gears_server.url)
        monkeypatch.setattr(sys, "argv", ["cache_get_command.py"])
        path = EXAMPLES / "cache_get_command.py"
        spec = importlib.util.spec_from_file_location("cache_get_command", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module.cache_get
        module.r.close()

    def test_the_tour(self, r, gears_server, web):
        pytest.importorskip("requests")
        urls = [f"{web.address}/{number}" for number in range(3)]
        out = run("cache_get_command.py", gears_server, *urls)
        assert out.count("258 bytes") == 6
        ratio = float(re.search(r"The cache is ([\d.]+) times faster", out).group(1))
        assert ratio > 3
        assert sum(web.requests.values()) == 3
        assert r.gears.dumpregistrations() == []
        assert r.keys() == []

    def test_many_clients_cause_one_download_of_each(self, cache_get, gears_server, web):
        urls = [f"{web.address}/{number}" for number in range(URLS)]
        problems = []

        def ask(client):
            with redis.Redis(port=gears_server.port) as mine:
                for turn in range(URLS):
                    url = urls[(client + turn) % URLS]
                    (content,) = mine.execute_command("RG.TRIGGER", "cache_get", url)
                    if content != url[len(web.address) :].encode() + bytes(range(256)):
                        problems.append(content)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems
        assert web.requests == {f"/{number}": 1 for number in range(URLS)}

    def test_values_keep_their_types(self, cache_get, web):
        assert cache_get(f"{web.address}/x", timeout=5) == b"/x" + bytes(range(256))
        with pytest.raises(TypeError):
            cache_get()

    def test_what_fails_is_nothing_and_not_kept(self, cache_get, web, r):
        assert cache_get(f"{web.address}/broken") is None
        assert cache_get(f"{web.address}/broken") is None
        assert web.requests["/broken"] == 2
        assert r.keys("cache:*") == []

    def test_a_resource_expires(self, cache_get, web, r):
        url = f"{web.address}/short"
        cache_get(url, expiry=0.001)
        cache_get(url, expiry=0.001)
        assert web.requests["/short"] == 2

    def test_time_can_be_up_while_somebody_else_downloads(self, cache_get, web, r):
        url = f"{web.address}/slow"
        first = threading.Thread(target=cache_get, args=(url,))
        first.start()
        deadline = time.monotonic() + 10
        while not web.requests["/slow"]:
            assert time.monotonic() < deadline
        assert cache_get(url, timeout=0.01) is None
        first.join()
        assert cache_get(url) is not None
        assert web.requests["/slow"] == 1
