"""``python -m tests.load [--seconds N] [--connections N] [--entries N]``."""

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.load.crowd import SETTLES, run_crowd, run_stream

    parser = argparse.ArgumentParser(prog="python -m tests.load")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--entries", type=int, default=100_000)
    options = parser.parse_args()
    counts, memory = run_crowd(options.connections, options.seconds)
    print(f"{options.connections} connections, {options.seconds:.0f} s: {dict(counts)}")
    for name, (settled, end) in memory.items():
        print(f"{name}: {settled:.1f} MB after {SETTLES:.0f} s, {end:.1f} MB at the end")
    seconds, times = run_stream(options.entries)
    print(
        f"{options.entries} entries of a stream in {seconds:.1f} s; times processed: {dict(times)}"
    )
