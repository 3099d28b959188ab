"""Injects every fault, some times each, and writes a table: ``python -m tests.faults --times 5``."""

import argparse
import statistics
import tempfile
from pathlib import Path

from .faults import FAULTS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", default="", help="part of the name of a fault")
    options = parser.parse_args()
    print("| fault | times | promised | seen by the caller | lost | doubled | recovered in, ms |")
    print("| --- | ---: | --- | --- | ---: | ---: | ---: |")
    for name, (what, promised, inject) in FAULTS.items():
        if options.only not in name:
            continue
        outcomes = []
        for _ in range(options.times):
            with tempfile.TemporaryDirectory(prefix="redgrease-fault-") as folder:
                outcomes.append(inject(Path(folder)))
        times = [1000 * each.recovered for each in outcomes]
        recovered = (
            f"{statistics.median(times):.0f} (at most {max(times):.0f})" if any(times) else ""
        )
        cells = [
            *(what, len(outcomes), promised, outcomes[-1].seen),
            *(sum(each.lost for each in outcomes), sum(each.doubled for each in outcomes)),
            recovered,
        ]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
