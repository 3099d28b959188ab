"""A Gears command runs once, however long it takes and whatever redis-py would do."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import redgrease

EXAMPLE = Path(__file__).parents[2] / "examples" / "slow_function.py"


def test_a_function_slower_than_the_read_timeout_runs_once(gears_server, r):
    with redgrease.RedisGears.from_url(gears_server.url, socket_timeout=1) as hasty:
        before = time.monotonic()
        result = hasty.gears.pyexecute(
            "import time\n"
            "def slow(shard):\n"
            "    execute('INCR', 'runs')\n"
            "    time.sleep(2)\n"
            "    return 'done'\n"
            "GB('ShardsIDReader').map(slow).run()"
        )
        assert result == b"done"
        assert time.monotonic() - before >= 2
    assert r.get("runs") == b"1"


def test_so_does_a_raw_command(gears_server, r):
    script = (
        "import time\n"
        "GB('ShardsIDReader').map(lambda x: [execute('INCR', 'runs'), time.sleep(2)]).run()"
    )
    with redgrease.RedisGears.from_url(gears_server.url, socket_timeout=1) as hasty:
        hasty.execute_command("RG.PYEXECUTE", script)
    assert r.get("runs") == b"1"


def test_the_example_of_eight_seconds_runs_once_under_the_defaults(gears_server, r):
    out = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        env=dict(os.environ, REDGREASE_URL=gears_server.url),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=60,
    ).stdout
    seconds = re.fullmatch(r"slept after (\d+\.\d) s; runs: 1\n", out).group(1)
    assert float(seconds) >= 8
