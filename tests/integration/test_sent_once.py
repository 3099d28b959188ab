"""A Gears command runs once, however long it takes and whatever redis-py would do."""

import time

import redgrease


def test_a_function_slower_than_the_read_timeout_runs_once(gears_server, r):
    with redgrease.RedisGears.from_url(gears_server.url, socket_timeout=0.2) as hasty:
        before = time.monotonic()
        result = hasty.gears.pyexecute(
            "import time\n"
            "def slow(shard):\n"
            "    execute('INCR', 'runs')\n"
            "    time.sleep(1)\n"
            "    return 'done'\n"
            "GB('ShardsIDReader').map(slow).run()"
        )
        assert result == b"done"
        assert time.monotonic() - before >= 1
    assert r.get("runs") == b"1"


def test_so_does_a_raw_command(gears_server, r):
    script = (
        "import time\n"
        "GB('ShardsIDReader').map(lambda x: [execute('INCR', 'runs'), time.sleep(1)]).run()"
    )
    with redgrease.RedisGears.from_url(gears_server.url, socket_timeout=0.2) as hasty:
        hasty.execute_command("RG.PYEXECUTE", script)
    assert r.get("runs") == b"1"
