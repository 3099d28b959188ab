"""The examples do what they say."""

import concurrent.futures
import http.server
import importlib.util
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import redis
from support.waiting import TIMEOUT, eventually

import redgrease

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


def load(name, server, monkeypatch):
    """An example as a module, which uses the server."""
    monkeypatch.setenv("REDGREASE_URL", server.url)
    spec = importlib.util.spec_from_file_location(name[: -len(".py")], EXAMPLES / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestTransactions:
    @pytest.fixture
    def example(self, r, gears_server, monkeypatch):
        """The example, with its function registered."""
        module = load("transactions.py", gears_server, monkeypatch)
        module.registered = module.processor.on(module.r)
        yield module
        module.r.close()

    def rejected(self, r):
        return {
            int(fields[b"number"]): fields[b"reason"].decode()
            for _, fields in r.xrange("payments:rejected")
        }

    def test_the_tour(self, r, gears_server):
        assert run("transactions.py", gears_server).splitlines() == [
            "alice: 75",
            "bob: 5",
            "carol: 40",
            "rejected: payment 4, not enough money",
            "rejected: payment 5, no 'to'",
            "failures: 0",
        ]
        assert r.keys() == []
        assert r.gears.dumpregistrations() == []

    def test_money_is_neither_made_nor_lost(self, r, example):
        names = [f"account:{number}" for number in range(4)]
        for name in names:
            r.hset(name, "balance", 50)
        streams = [f"transactions:{number}" for number in range(5)]

        def pay(number):
            chance = random.Random(number)
            with redis.Redis(port=r.connection_pool.connection_kwargs["port"]) as mine:
                for turn in range(20):
                    giver, taker = chance.sample(range(4), 2)
                    mine.xadd(
                        streams[number],
                        {
                            "number": 20 * number + turn,
                            "from": giver,
                            "to": taker,
                            "amount": chance.randrange(1, 40),
                        },
                    )

        together(len(streams), pay)
        example.wait_until_processed(streams)
        balances = [int(r.hget(name, "balance")) for name in names]
        assert sum(balances) == 200
        assert min(balances) >= 0
        assert set(self.rejected(r).values()) <= {"not enough money"}
        assert r.scard("payments:seen") == 100

    def test_what_is_no_payment_is_rejected(self, r, example):
        r.hset("account:a", "balance", 10)
        r.hset("account:b", "balance", 10)
        payments = [
            {"from": "a", "to": "b"},
            {"from": "a", "amount": 1},
            {"to": "b", "amount": 1},
            {"from": "a", "to": "b", "amount": -1},
            {"from": "a", "to": "b", "amount": 0},
            {"from": "a", "to": "b", "amount": "1.5"},
            {"from": "a", "to": "b", "amount": "9" * 30},
            {"from": "a", "to": "a", "amount": 1},
            {"from": "a", "to": "nobody", "amount": 1},
            {"from": "nobody", "to": "a", "amount": 1},
            {"from": "a", "to": "b", "amount": 11},
        ]
        for number, payment in enumerate(payments):
            r.xadd("transactions:x", {"number": number, **payment})
        example.wait_until_processed(["transactions:x"])
        assert list(self.rejected(r)) == list(range(len(payments)))
        assert [int(r.hget(f"account:{name}", "balance")) for name in "ab"] == [10, 10]
        assert example.registered.refresh().statistics.numFailures == 0


def test_composing(r, gears_server):
    assert run("composing.py", gears_server).splitlines() == [
        "Orders: 4",
        "British orders: 3",
        "Turnover: 24",
        "British average: 6.0",
        "Most expensive: 9",
        "British customers: [('ann', 13), ('cat', 5)]",
        "To be audited: ['dan', 'eve']",
    ]
    assert r.keys() == []
    assert r.gears.dumpregistrations() == []


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves resources slowly, and counts how often; not before the gate is open."""

    def do_GET(self):
        with self.server.lock:
            self.server.requests[self.path] += 1
        self.server.gate.wait(TIMEOUT)
        time.sleep(SLOW)
        broken = self.path.startswith("/broken")
        content = content_of(self.path)
        self.send_response(500 if broken else 200)
        # If it says that there is more to come, the connection ends too early.
        more = 1 if self.path.startswith("/cut") else 0
        self.send_header("Content-Length", str(len(content) + more))
        self.end_headers()
        try:
            self.wfile.write(content)
        except ConnectionError:  # nobody waits for it any more
            pass

    def log_message(self, *args):
        pass


def content_of(path):
    return path.encode() + (b"" if path.startswith("/text") else bytes(range(256)))


class WebServer(http.server.ThreadingHTTPServer):
    request_queue_size = 100


@pytest.fixture
def web():
    pytest.importorskip("requests")  # or the server would have to download it
    server = WebServer(("127.0.0.1", 0), Handler)
    server.requests, server.lock, server.gate = Counter(), threading.Lock(), threading.Event()
    server.gate.set()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


def together(number, function):
    """Call a function in many threads at once; their results, and their errors."""
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        return list(pool.map(function, range(number)))


class TestCacheGet:
    @pytest.fixture
    def cache_get(self, r, gears_server, monkeypatch):
        """The example's command, registered on the server."""
        module = load("cache_get_command.py", gears_server, monkeypatch)
        yield module.cache_get
        module.r.close()

    def calls(self, r):
        """How many calls have begun; each has looked at cache and lock then."""
        return int(r.get("cache:{06S}:requests") or 0)

    def test_the_tour(self, r, gears_server, web):
        urls = [f"{web.address}/{number}" for number in range(3)]
        out = run("cache_get_command.py", gears_server, *urls)
        assert out.count("258 bytes") == 6
        assert float(re.search(r"took ([\d.]+) s", out).group(1)) >= 3 * SLOW
        assert re.search(r"The cache is [\d.]+ times faster", out)
        assert sum(web.requests.values()) == 3  # the second time, nothing is downloaded
        assert r.gears.dumpregistrations() == []
        assert r.gears.dumpexecutions() == []
        assert r.keys() == []
        for word in (f"request #1 {urls[0]}", f"miss #1 {urls[0]}", f"update #1 {urls[0]}: 258"):
            eventually(lambda word=word: f"Cache {word}" in gears_server.log, True)

    def test_many_clients_cause_one_download_of_each(self, cache_get, gears_server, web, r):
        paths = [f"/{number}" for number in range(URLS)]

        def ask(client):
            with redis.Redis(port=gears_server.port) as mine:
                order = [paths[(client + turn) % URLS] for turn in range(URLS)]
                found = [
                    mine.execute_command("RG.TRIGGER", "cache_get", web.address + path)
                    for path in order
                ]
                return found == [[content_of(path)] for path in order]

        assert together(CLIENTS, ask) == [True] * CLIENTS
        assert web.requests == {path: 1 for path in paths}
        assert r.keys("cache:*:lock:*") == []

    def test_those_who_wait_keep_no_thread_busy(self, cache_get, web, r):
        web.gate.clear()
        url = f"{web.address}/gate"
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            results = [pool.submit(cache_get, url) for _ in range(CLIENTS)]
            try:
                eventually(lambda: self.calls(r), CLIENTS)
                # Many more calls wait than there are threads; others are served all the same.
                assert int(r.gears.pyexecute("GB('ShardsIDReader').count().run()")) == 1
                assert not any(result.done() for result in results)
            finally:
                web.gate.set()
            assert {result.result() for result in results} == {content_of("/gate")}
        assert web.requests == {"/gate": 1}

    def test_values_keep_their_types(self, cache_get, web):
        for path in ("/binary", "/text+-"):
            assert cache_get(web.address + path, timeout=5) == content_of(path)
            assert cache_get(url=web.address + path) == content_of(path)
        with pytest.raises(TypeError):
            cache_get()

    @pytest.mark.parametrize("path", ["/broken", "/cut"])
    def test_what_fails_is_nothing_and_not_kept(self, cache_get, web, r, path):
        assert cache_get(web.address + path) is None
        assert cache_get(web.address + path) is None
        assert web.requests[path] == 2
        assert r.keys("cache:*:content:*") == r.keys("cache:*:lock:*") == []

    def test_what_is_no_url_fails_as_well(self, cache_get, r):
        for url in ("", "nonsense", "http://[", "ftp://127.0.0.1/", "http://127.0.0.1:1/"):
            assert cache_get(url) is None
        assert r.keys("cache:*:lock:*") == []

    def test_those_who_wait_hear_of_a_failure(self, cache_get, web, r):
        web.gate.clear()
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            results = [pool.submit(cache_get, f"{web.address}/broken") for _ in range(CLIENTS)]
            try:
                eventually(lambda: self.calls(r), CLIENTS)
            finally:
                web.gate.set()
            assert {result.result() for result in results} == {None}
        assert web.requests == {"/broken": 1}

    def test_a_resource_expires(self, cache_get, web, r):
        url = f"{web.address}/short"
        cache_get(url, expiry=100)
        assert 50_000 < r.pttl(f"cache:{{06S}}:content:{url}") <= 100_000
        r.flushall()
        cache_get(url, expiry=0.001)
        eventually(lambda: r.exists(f"cache:{{06S}}:content:{url}"), 0)
        cache_get(url)
        assert web.requests["/short"] == 3

    def test_time_can_be_up_while_somebody_else_downloads(self, cache_get, web):
        url = f"{web.address}/slow"
        web.gate.clear()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(cache_get, url)
            try:
                eventually(lambda: web.requests["/slow"], 1)
                assert cache_get(url, timeout=0.01) is None
            finally:
                web.gate.set()
            assert first.result() == cache_get(url) == content_of("/slow")
        assert web.requests == {"/slow": 1}

    def test_time_can_be_up_while_downloading(self, cache_get, web, r):
        url = f"{web.address}/slow"
        web.gate.clear()
        assert cache_get(url, timeout=0.1) is None
        assert r.keys("cache:*:lock:*") == []
        web.gate.set()
        assert cache_get(url) == content_of("/slow")

    def test_the_lock_of_a_call_that_died_ends(self, cache_get, web, r):
        url = f"{web.address}/dead"
        r.set(f"cache:{{06S}}:lock:{url}", "whoever", px=50)
        assert cache_get(url) == content_of("/dead")

    def test_an_aborted_call_releases_its_lock(self, cache_get, web, r):
        url = f"{web.address}/aborted"
        web.gate.clear()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(cache_get, url)
            try:
                eventually(lambda: web.requests["/aborted"], 1)
                for execution in r.gears.dumpexecutions():
                    r.gears.abortexecution(execution)
                with pytest.raises(redgrease.exceptions.RedGreaseError):
                    first.result()
            finally:
                web.gate.set()
        assert r.keys("cache:*:lock:*") == []
        assert cache_get(url) == content_of("/aborted")
