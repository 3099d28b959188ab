"""The faults: each makes a scene, spoils it, and tells what came of it."""

import itertools
import re
import resource
import threading
import time

import redis

from .scene import Outcome, Scene, memory, raw, until, works

FAULTS = {}


def fault(what, promised):
    """Note a fault: what happens, and what is promised for it."""

    def noted(function):
        FAULTS[function.__name__] = (what, promised, function)
        return function

    return noted


BUSY = "import time\ndef f(x):\n    execute('INCR', 'begun')\n    time.sleep(60)\n"
DIED = "the Gears worker died while running this call"


def begun(scene):
    until(lambda: int(scene.client.get("begun") or 0) > 0)


def named(error):
    """An error in one line."""
    return f"{type(error).__name__}: {error}"


@fault("the worker is killed while idle", "the next call works; registrations act again")
def worker_idle(folder):
    with Scene(folder) as scene:
        scene.run("GB('KeysReader').foreach(lambda r: execute('INCR', 'seen')).register('k*')")
        scene.kill(scene.worker)
        recovered = until(lambda: works(scene.client))
        scene.client.set("k1", 1)
        until(lambda: scene.client.get("seen") == b"1")
        return Outcome("nothing", recovered=recovered)


@fault("the worker is killed while a batch runs", "an error for its caller; the next call works")
def worker_in_batch(folder):
    with Scene(folder) as scene:
        pid = scene.worker
        call = scene.call("RG.PYEXECUTE", BUSY + "GB('ShardsIDReader').map(f).run()")
        begun(scene)
        scene.kill(pid)
        answer = call.wait()
        assert DIED in str(answer)
        return Outcome(named(answer), recovered=until(lambda: works(scene.client)))


@fault("the worker is killed in a trigger call", "an error for its caller; the trigger works again")
def worker_in_trigger(folder):
    with Scene(folder) as scene:
        pid = scene.worker
        script = BUSY.replace("60", "0 if x[1:] else 60")
        scene.run(script + "GB('CommandReader').map(f).register(trigger='t')")
        call = scene.call("RG.TRIGGER", "t")
        begun(scene)
        scene.kill(pid)
        answer = call.wait()
        assert DIED in str(answer)
        recovered = until(lambda: scene.client.execute_command("RG.TRIGGER", "t", "x"))
        return Outcome(named(answer), recovered=recovered)


@fault("the worker is killed in a batch of a stream", "each entry is handled at least once")
def worker_in_stream(folder):
    with Scene(folder) as scene:
        pid = scene.worker
        scene.run(
            "GB('StreamReader').foreach(lambda r: execute('RPUSH', 'seen', r['value']['n']))"
            ".register('s', batch=50, duration=10)"
        )
        sent, stop = [], threading.Event()

        def fill():
            with scene.connect() as client:
                while not stop.is_set():
                    client.xadd("s", {"n": len(sent)})
                    sent.append(len(sent))

        filling = threading.Thread(target=fill)
        filling.start()
        until(lambda: scene.client.llen("seen") > 500)
        scene.kill(pid)
        killed = time.monotonic()
        before = scene.client.llen("seen")
        until(lambda: scene.client.llen("seen") > before + 50)
        recovered = time.monotonic() - killed
        stop.set()
        filling.join()
        until(lambda: len(set(scene.client.lrange("seen", 0, -1))) >= len(sent))
        seen = [int(each) for each in scene.client.lrange("seen", 0, -1)]
        return Outcome("nothing", len(set(sent) - set(seen)), len(seen) - len(set(seen)), recovered)


@fault("the worker is killed in `atomic()`", "others are served again at once")
def worker_in_atomic(folder):
    with Scene(folder) as scene:
        pid = scene.worker
        script = BUSY.replace("    time.sleep(60)", "    with atomic():\n        time.sleep(60)")
        script = script.replace("execute('INCR', 'begun')", "import os")
        script = script.replace(
            "with atomic():", "with atomic():\n        execute('INCR', 'begun')"
        )
        scene.call("RG.PYEXECUTE", script + "GB('ShardsIDReader').map(f).run()")
        with redis.Redis.from_url(scene.server.redis_url) as direct:  # others are kept back
            until(lambda: direct.get("begun") == b"1")
        waiting = scene.call("GET", "begun")
        scene.kill(pid)
        killed = time.monotonic()
        assert waiting.wait() == b"1"
        served = waiting.ended - killed
        until(lambda: works(scene.client))
        return Outcome(f"waited {1000 * served:.0f} ms", recovered=served)


@fault(
    "Redis is killed under load, with `appendfsync always`",
    "it starts again; no acknowledged write is lost",
)
def redis_killed(folder):
    # By default, Redis answers up to two seconds before it writes, while the disk is slow.
    with Scene(folder, redis_args=["--appendfsync", "always"]) as scene:
        scene.run(
            "GB('KeysReader').foreach(lambda r: execute('SADD', 'seen', r['key'])).register('k:*')"
        )
        acknowledged, errors, stop = [], [], threading.Event()

        def write(first):
            with scene.connect() as client:
                for number in itertools.count(first, 4):
                    if stop.is_set():
                        return
                    try:
                        client.set(f"k:{number}", number)
                        acknowledged.append(number)
                    except (redis.RedisError, OSError) as error:
                        errors.append(error)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for each in writers:
            each.start()
        until(lambda: len(acknowledged) > 500)
        scene.kill(scene.redis_pid)
        killed = time.monotonic()
        count = len(acknowledged)
        until(lambda: works(scene.client) and len(acknowledged) > count + 200)
        recovered = time.monotonic() - killed
        stop.set()
        for each in writers:
            each.join()
        lost = sum(not scene.client.exists(f"k:{number}") for number in acknowledged)
        # Events are not seen before the server listens to the new Redis, a moment after it serves.
        until(lambda: scene.client.set("k:last", 1) and scene.client.sismember("seen", "k:last"))
        kinds = sorted({type(error).__name__ for error in errors})
        return Outcome(", ".join(kinds) or "nothing", lost, 0, recovered)


@fault("the whole server is killed, and started again", "registrations and data are there again")
def server_killed(folder):
    with Scene(folder) as scene:
        scene.run("GB('CommandReader').map(lambda x: 'here').register(trigger='t')")
        for number in range(100):
            scene.client.set(f"k{number}", number)
        call = scene.call("BLPOP", "nothing", 0)
        scene.kill(scene.server.pid)
        answer = call.wait()
        start = time.monotonic()
        scene.again()
        until(lambda: scene.client.execute_command("RG.TRIGGER", "t") == [b"here"])
        recovered = time.monotonic() - start
        lost = sum(not scene.client.exists(f"k{number}") for number in range(100))
        return Outcome(type(answer).__name__, lost, 0, recovered)


@fault("a client goes in the midst of a large reply", "nobody else notices")
def client_gone(folder):
    with Scene(folder) as scene:
        scene.client.set("large", b"x" * (64 << 20))
        for words in (
            b"GET large\r\n",
            b"RG.PYEXECUTE \"GB().map(lambda r: r['value']).run('large')\"\r\n",
        ):
            connection = raw(scene.server.port)
            connection.sendall(words)
            connection.recv(1000)
            connection.close()
            assert scene.client.ping() and works(scene.client)
        until(lambda: len(scene.client.client_list()) <= 4)
        return Outcome("nothing")


@fault("a client does not read its replies", "the server keeps no more than a few MB for it")
def slow_client(folder):
    with Scene(folder) as scene:
        scene.client.set("large", b"x" * (32 << 20))
        before = memory(scene.server.pid)
        connection = raw(scene.server.port)
        connection.sendall(b"GET large\r\n" * 8)
        until(lambda: scene.client.client_list())
        time.sleep(0.5)
        grown = memory(scene.server.pid) - before
        assert grown < 32 << 20, grown
        assert works(scene.client)
        connection.close()
        return Outcome(f"{grown / (1 << 20):.0f} MB more for 256 MB of replies")


@fault("Redis reaches maxmemory", "an error for what would write; all else works")
def out_of_memory(folder):
    with Scene(folder, redis_args=["--maxmemory-policy", "noeviction"]) as scene:
        scene.run(
            "GB('CommandReader').map(lambda x: execute('SET', 'k', 'v')).register(trigger='set')"
        )
        scene.client.config_set("maxmemory", 1)
        errors = []
        for words in (("SET", "k", "v"), ("RG.TRIGGER", "set")):
            answer = scene.call(*words).wait()
            assert "used memory > 'maxmemory'" in str(answer), answer
            errors.append(answer)
        assert works(scene.client)
        scene.client.config_set("maxmemory", 0)
        recovered = until(lambda: scene.client.execute_command("RG.TRIGGER", "set"))
        return Outcome(named(errors[0]), recovered=recovered)


@fault("the disk is full when a registration is kept", "an error for the caller; nothing half done")
def disk_full(folder):
    with Scene(folder) as scene:
        scene.run("GB('CommandReader').map(lambda x: 'old').register(trigger='old')")
        pid = scene.worker
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))  # of each of its files
        new = "GB('CommandReader').map(lambda x: 'new').register(trigger='new')"
        (answer,) = scene.call("RG.PYEXECUTE", new).wait()
        assert isinstance(answer, redis.ResponseError), answer
        assert scene.client.execute_command("RG.TRIGGER", "old") == [b"old"]
        assert isinstance(scene.call("RG.TRIGGER", "new").wait(), redis.ResponseError)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        recovered = until(lambda: scene.run(new) == b"OK")
        assert scene.client.execute_command("RG.TRIGGER", "new") == [b"new"]
        scene.kill(scene.worker)
        until(lambda: scene.client.execute_command("RG.TRIGGER", "new") == [b"new"])
        assert len(scene.client.execute_command("RG.DUMPREGISTRATIONS")) == 2
        (seen,) = re.findall(r"[^:\n]*cannot be used: .*", str(answer).replace(str(folder), "…"))
        return Outcome(seen.strip(), recovered=recovered)


CLOCK = """
import time
real = time.time
def jump(words):
    time.time = lambda: real() + int(words[1])
    return 'jumped'
def slow(words): time.sleep(60)
GB('CommandReader').map(jump).register(trigger='jump', mode='async')
GB('CommandReader').map(slow).register(trigger='slow', mode='async')
GB('StreamReader').foreach(lambda r: execute('HINCRBY', 'seen', r['value']['n'], 1)).register(
    's', mode='async_local', batch=20, duration=10)
"""


@fault("the clock jumps by a day, there and back", "limits and intervals go on as before")
def clock_jumps(folder):
    with Scene(folder) as scene:
        scene.run(CLOCK)
        scene.client.execute_command("RG.CONFIGSET", "ExecutionMaxTime", 1000)
        longest, error = 0.0, None
        for number, seconds in enumerate((86_400, -86_400, 0)):
            assert scene.client.execute_command("RG.TRIGGER", "jump", seconds) == [b"jumped"]
            # A batch that is not full waits for its duration, a slow call for the limit.
            scene.client.xadd("s", {"n": number})
            took = until(lambda number=number: scene.client.hexists("seen", number))
            started = time.monotonic()
            call = scene.call("RG.TRIGGER", "slow")
            error = call.wait()
            assert "1000 ms (ExecutionMaxTime)" in str(error), error
            assert 0.9 < call.ended - started < 20
            longest = max(longest, took)
        seen = [int(count) for count in scene.client.hvals("seen")]
        return Outcome("nothing", 3 - len(seen), sum(seen) - len(seen), longest)
