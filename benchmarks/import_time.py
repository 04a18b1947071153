"""Time imports in fresh processes that take turns, medians.

Run ``python -m benchmarks.import_time [--rounds 11]``. It fails when ``import segclf`` takes more
than 1.15 times as long as ``import sklearn``, or an estimator more than half a second longer than
torch and scikit-learn together.
"""

import argparse
import os
import subprocess
import sys
from statistics import median

CEILING = 1.15
SECONDS = 0.5
PACKAGE, TWO = "import segclf", "import torch, sklearn"
ESTIMATORS = ("SegmentationClassifier", "SupervisedSegmenter", "ImageClassifier")
STATEMENTS = [
    "import sklearn",
    "import torch",
    TWO,
    PACKAGE,
    *(f"from segclf import {name}" for name in ESTIMATORS),
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
    print(f"Medians of {rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    for statement, time in medians.items():
        print(f"{time * 1e3:9.1f} ms  {statement}")
    ratio = medians[PACKAGE] / medians["import sklearn"]
    more = max(medians[f"from segclf import {name}"] for name in ESTIMATORS) - medians[TWO]
    print(f"\n{PACKAGE} / import sklearn: {ratio:.3f}; the goal is at most {CEILING}")
    print(f"An estimator, beyond {TWO}: {more:.2f} s; the goal is at most {SECONDS} s")
    return int(ratio > CEILING or more > SECONDS)


def measure(statement):
    """Seconds that one statement takes in a fresh process, without the interpreter's own start."""
    code = f"from time import perf_counter as t\ns = t()\n{statement}\nprint(t() - s)"
    return float(subprocess.check_output([sys.executable, "-c", code], text=True))


if __name__ == "__main__":
    sys.exit(main())
