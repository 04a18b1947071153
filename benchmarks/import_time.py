"""Time imports in new processes, interleaved: medians of wall-clock and of processor time.

Run ``python -m benchmarks.import_time [--rounds 11]``. It fails when ``import segclf`` takes more
than 1.15 times as long as ``import sklearn``, or an estimator more than half a second longer than
torch and scikit-learn together, in processor time: an import has one thread, so this equals
wall-clock time on an idle machine, but depends less on other load.
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
    medians = {
        statement: [median(each) for each in zip(*times[1:], strict=True)]
        for statement, times in seconds.items()
    }
    print(f"Medians of {rounds} rounds, load {os.getloadavg()[0]:.1f}\n\n    clock  processor")
    for statement, (clock, processor) in medians.items():
        print(f"{clock:7.2f} s  {processor:7.2f} s  {statement}")
    processor = {statement: times[1] for statement, times in medians.items()}
    ratio = processor[PACKAGE] / processor["import sklearn"]
    more = max(processor[f"from segclf import {name}"] for name in ESTIMATORS) - processor[TWO]
    print(f"\n{PACKAGE} / import sklearn: {ratio:.3f}; the goal is at most {CEILING}")
    print(f"An estimator, beyond {TWO}: {more:.2f} s; the goal is at most {SECONDS} s")
    return int(ratio > CEILING or more > SECONDS)


def measure(statement):
    """Time one statement in a fresh process, without the interpreter's own start."""
    code = (
        "from time import perf_counter, process_time\n"
        f"clock, processor = perf_counter(), process_time()\n{statement}\n"
        "print(perf_counter() - clock, process_time() - processor)"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    return [float(number) for number in printed.split()]


if __name__ == "__main__":
    sys.exit(main())
