"""``python -m tests.faults [--times N] [--only WORDS]``: a table of what came of each fault."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.faults.faults import FAULTS
    from tests.faults.scene import Scene

    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--times", type=int, default=10, help="how often each is injected")
    parser.add_argument("--only", default="", help="part of the name of a fault")
    options = parser.parse_args()
    print("| fault | times | promised | lost | doubled | caller told in ms | recovered in ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for fault in FAULTS:
        if options.only not in fault.name:
            continue
        outcomes = []
        for _ in range(options.times):
            with TemporaryDirectory() as folder:
                with Scene(Path(folder) / "home", fault.options) as scene:
                    outcomes.append(fault.inject(scene))
                    fault.check(outcomes[-1])

        def span(values):
            found = sorted(round(1000 * value) for value in values if value is not None)
            return f"{found[len(found) // 2]} (at most {found[-1]})" if found else ""

        cells = [
            fault.name,
            len(outcomes),
            fault.promised,
            sum(each.lost for each in outcomes),
            sum(each.doubled for each in outcomes),
            span(each.told for each in outcomes),
            span(each.recovered for each in outcomes),
        ]
        print("|", " | ".join(map(str, cells)), "|", flush=True)
