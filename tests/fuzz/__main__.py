"""``python -m tests.fuzz --seconds N [--seed N]``: throws bad input at a server."""

import argparse
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.fuzz.running import Servers, fuzz_commands, fuzz_scripts, fuzz_wire, resident

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=60, help="for how long")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where to begin")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    for watched in (False, True):
        with Servers(watched) as servers:
            before = resident(servers.server.pid)
            report = fuzz_wire(servers, options.seconds / 4, options.seed + watched)
            after = resident(servers.server.pid)
            kind = "with a sync function" if watched else "without functions"
            print(f"requests {kind}: {report}; all answered as by Redis;"
                  f" proxy {before >> 20} MB before, {after >> 20} MB after")  # fmt: skip
    with Servers(False) as servers:
        print(f"scripts: {fuzz_scripts(servers, options.seconds / 4, options.seed)}")
    with Servers(False) as servers:
        print(f"commands: {fuzz_commands(servers, options.seconds / 4, options.seed)}")
