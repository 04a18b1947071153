"""Time `import segclf` beside `import sklearn`: medians over interleaved fresh processes.

Run ``python -m benchmarks.import_time``. It fails when segclf takes more than 1.15 times as long.
"""

import argparse
import subprocess
import sys
from statistics import median

CEILING = 1.15
STATEMENTS = [
    "import sklearn",
    "import segclf",
    "import torch",
    "from segclf import SegmentationClassifier",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    seconds = {statement: [] for statement in STATEMENTS}
    for _ in range(rounds + 1):
        for statement, times in seconds.items():
            times.append(measure(statement))
    # The first round warms the disk cache.
    medians = {statement: median(times[1:]) for statement, times in seconds.items()}
    for statement, time in medians.items():
        print(f"{time * 1e3:9.1f} ms  {statement}")
    ratio = medians["import segclf"] / medians["import sklearn"]
    print(f"segclf / sklearn: {ratio:.3f} (at most {CEILING}), {rounds} rounds")
    return int(ratio > CEILING)


def measure(statement):
    """Seconds that one statement takes in a fresh process, without the interpreter's own start."""
    code = f"from time import perf_counter as t\ns = t()\n{statement}\nprint(t() - s)"
    return float(subprocess.check_output([sys.executable, "-c", code], text=True))


if __name__ == "__main__":
    sys.exit(main())
