"""Functions that are commands of their own, or come before a command of Redis."""

import threading

import pytest
import redis
from support.waiting import eventually

TIMEOUT = 10


@pytest.fixture
def client(r, gears_server):
    """A plain redis-py client, as anybody may use."""
    with redis.Redis(port=gears_server.port, decode_responses=True) as plain:
        yield plain


def run(client, script, *options):
    return client.execute_command("RG.PYEXECUTE", script, *options)


def trigger(client, *words):
    return client.execute_command("RG.TRIGGER", *words)


MODES = pytest.mark.parametrize("mode", ["sync", "async", "async_local"])


class TestTriggers:
    @MODES
    def test_the_results_are_the_reply(self, client, mode):
        run(
            client,
            "GB('CommandReader').flatmap(lambda x: x[1:]).map(lambda x: x.upper())"
            f".register(trigger='up', mode='{mode}')",
        )
        assert trigger(client, "up", "a", "b") == ["B", "A"]
        assert trigger(client, "up") == []

    @MODES
    def test_an_error_is_the_reply(self, client, mode):
        run(client, f"GB('CommandReader').map(lambda x: x[7]).register(trigger='t', mode='{mode}')")
        with pytest.raises(redis.ResponseError, match="IndexError"):
            trigger(client, "t")

    def test_a_sync_one_keeps_everybody_out(self, client, gears_server):
        run(
            client,
            "def add(x):\n"
            "    total = int(execute('GET', 'total') or 0)\n"
            "    execute('SET', 'total', total + 1)\n"
            "GB('CommandReader').foreach(add).register(trigger='add', mode='sync')",
        )

        def call():
            with redis.Redis(port=gears_server.port) as mine:
                for _ in range(50):
                    trigger(mine, "add")

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.get("total") == "200"

    def test_in_order_means_one_after_the_other(self, client, gears_server):
        run(
            client,
            "running = []\n"
            "most = []\n"
            "import time\n"
            "def f(x):\n"
            "    running.append(1)\n"
            "    most.append(len(running))\n"
            "    time.sleep(0.001)\n"
            "    running.pop()\n"
            "    return max(most)\n"
            "GB('CommandReader').map(f)"
            ".register(trigger='t', mode='async_local', inorder=True)",
        )
        found = []

        def call():
            with redis.Redis(port=gears_server.port, decode_responses=True) as mine:
                found.extend(trigger(mine, "t")[0] for _ in range(20))

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(found) == {"1"}

    def test_a_sync_one_runs_within_transactions_and_others_are_refused(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: x[1]).register(trigger='s', mode='sync')\n"
            "GB('CommandReader').map(lambda x: x[1]).register(trigger='a')",
        )
        with client.pipeline(transaction=True) as transaction:
            transaction.set("k", 1).execute_command("RG.TRIGGER", "s", "x")
            transaction.execute_command("RG.TRIGGER", "a", "x")
            done, sync, refused = transaction.execute(raise_on_error=False)
        assert (done, sync) == (True, ["x"])
        assert "can not run a non-sync execution inside a MULTI/LUA" in str(refused)

    def test_a_function_may_call_a_sync_one(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: 'inner ' + x[1]).register(trigger='i', mode='sync')",
        )
        run(
            client,
            "GB('CommandReader').map(lambda x: execute('RG.TRIGGER', 'i', x[1]))"
            ".register(trigger='o', mode='async_local')",
        )
        assert trigger(client, "o", "x") == ["['inner x']"]

    def test_a_coroutine_in_a_sync_one_lets_others_go_on(self, client, gears_server):
        run(
            client,
            "waiting = []\n"
            "async def wait(x):\n"
            "    waiting.append(createFuture())\n"
            "    execute('SET', 'waiting', 1)\n"
            "    return await waiting[0]\n"
            "def wake(x):\n"
            "    setFutureResults(waiting.pop(), 'woken')\n"
            "GB('CommandReader').map(wait).register(trigger='wait', mode='sync')\n"
            "GB('CommandReader').foreach(wake).register(trigger='wake', mode='sync')",
        )
        answers = []

        def call():
            with redis.Redis(port=gears_server.port, decode_responses=True) as mine:
                answers.append(trigger(mine, "wait"))

        thread = threading.Thread(target=call)
        thread.start()
        eventually(lambda: client.get("waiting"), "1")
        trigger(client, "wake")
        thread.join(TIMEOUT)
        assert answers == [["woken"]]

    def test_on_key_gives_the_key(self, client):
        run(client, "GB('CommandReader').map(lambda x: x).register(trigger='t')")
        assert client.execute_command("RG.TRIGGERONKEY", "t", "k", "a") == ["['t', 'k', 'a']"]

    def test_functions_may_register(self, client):
        run(
            client,
            "def make(x):\n"
            "    GB('CommandReader').map(lambda y: 'made').register(trigger=x[1])\n"
            "GB('CommandReader').foreach(make).register(trigger='make')",
        )
        trigger(client, "make", "new")
        assert trigger(client, "new") == ["made"]


@pytest.mark.parametrize(
    ("registered", "command"),
    [
        ("GB('CommandReader').map(loop).register(trigger='t', mode='sync')", ("RG.TRIGGER", "t")),
        ("GB().foreach(loop).register('k', mode='sync')", ("SET", "k", "v")),
        (
            "GB('CommandReader').map(atomically).register(trigger='t', mode='async_local')",
            ("RG.TRIGGER", "t"),
        ),
    ],
    ids=["trigger", "event", "atomic"],
)
def test_who_keeps_everybody_back_can_be_stopped(client, gears_server, registered, command):
    run(
        client,
        "def loop(x):\n"
        "    while True:\n"
        "        pass\n"
        "def atomically(x):\n"
        "    with atomic():\n"
        "        loop(x)\n" + registered,
    )

    def call():
        with redis.Redis(port=gears_server.port) as mine:
            try:
                mine.execute_command(*command)
            except redis.ResponseError as error:
                errors.append(str(error))

    errors = []
    thread = threading.Thread(target=call)
    thread.start()

    def running():
        listed = client.execute_command("RG.DUMPEXECUTIONS")
        return [entry[1] for entry in listed if entry[3] == "running"]

    eventually(lambda: len(running()), 1)
    (execution,) = running()
    assert client.execute_command("RG.ABORTEXECUTION", execution) == "OK"
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    assert all("gears.forcestopped" in error for error in errors)
    assert client.set("other", 1)


class TestSessions:
    def test_an_upgrade_replaces_all_registrations_at_once(self, client, gears_server):
        """While versions change, every call is answered by one of them."""
        script = "GB('CommandReader').map(lambda x: {}).register(trigger='t')"
        run(client, script.format(0), "ID", "mine")
        stop = threading.Event()
        failures, answers = [], set()

        def call():
            with redis.Redis(port=gears_server.port, decode_responses=True) as mine:
                while not stop.is_set():
                    try:
                        answers.update(trigger(mine, "t"))
                    except redis.ResponseError as error:
                        failures.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        for version in range(1, 30):
            run(client, script.format(version), "ID", "mine", "UPGRADE")
        stop.set()
        thread.join(TIMEOUT)
        assert not failures
        assert trigger(client, "t") == ["29"]
        assert len(client.execute_command("RG.DUMPREGISTRATIONS")) == 1

    def test_a_script_that_fails_registers_nothing(self, client):
        with pytest.raises(redis.ResponseError, match="no_such_name"):
            run(client, "GB('CommandReader').register(trigger='t')\nno_such_name")
        assert client.execute_command("RG.DUMPREGISTRATIONS") == []
        with pytest.raises(redis.ResponseError, match="subcommand not found"):
            trigger(client, "t")

    def test_what_cannot_be_kept_cannot_be_registered(self, client):
        with pytest.raises(redis.ResponseError, match="Error occured when serialized"):
            run(
                client,
                "import threading\n"
                "lock = threading.Lock()\n"
                "def f(x):\n"
                "    with lock:\n"
                "        return x\n"
                "GB('CommandReader').map(f).register(trigger='t')",
            )
        assert client.execute_command("RG.DUMPREGISTRATIONS") == []


class TestHooks:
    @MODES
    def test_the_function_answers_in_place_of_the_command(self, client, mode):
        run(
            client,
            "GB('CommandReader').map(lambda x: 'hooked ' + str(call_next(*x[1:])))"
            f".register(hook='get', mode='{mode}')",
        )
        client.set("k", "v")
        assert client.get("k") == "hooked v"

    def test_the_newest_comes_first(self, client):
        for name in "ab":
            run(
                client,
                f"GB('CommandReader').map(lambda x: '{name} ' + str(call_next(*x[1:])))"
                ".register(hook='get', mode='sync')",
            )
        client.set("k", "v")
        assert client.get("k") == "b a v"

    def test_only_keys_with_the_prefix_are_concerned(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: 'hooked')"
            ".register(hook='get', keyprefix='p:', mode='sync')",
        )
        client.mset({"p:1": "v", "q:1": "v"})
        assert (client.get("p:1"), client.get("q:1")) == ("hooked", "v")

    def test_functions_meet_the_hook_too(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: 'hooked').register(hook='get', mode='sync')",
        )
        script = "GB('ShardsIDReader').map(lambda x: execute('GET', 'k')).run()"
        assert run(client, script) == [["hooked"], []]

    def test_a_hook_that_runs_its_own_command_does_not_meet_itself(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: 'hooked ' + str(execute('GET', x[1])))"
            ".register(hook='get', mode='sync')",
        )
        client.set("k", "v")
        assert client.get("k") == "hooked v"

    def test_pipelines_keep_their_order(self, client):
        run(
            client,
            "GB('CommandReader').map(lambda x: 'hooked').register(hook='get', mode='async_local')",
        )
        pipeline = client.pipeline(transaction=False)
        for number in range(20):
            pipeline.set("k", number).get("k").strlen("k")
        expected = [answer for n in range(20) for answer in (True, "hooked", len(str(n)))]
        assert pipeline.execute() == expected

    def test_after_the_end_of_the_hook_the_command_is_itself(self, client):
        run(client, "GB('CommandReader').map(lambda x: 'hooked').register(hook='get', mode='sync')")
        (entry,) = client.execute_command("RG.DUMPREGISTRATIONS")
        assert client.get("k") == "hooked"
        client.execute_command("RG.UNREGISTER", entry[1])
        assert client.get("k") is None
