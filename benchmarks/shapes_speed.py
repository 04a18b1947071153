"""Measure how many synthetic images make_shapes draws per second on one core, by default.

Wall time is what a user waits; processor time varies less with other load.
The slowest repeat is usually the first, whose memory the system has yet to hand out.

Run: python -m benchmarks.shapes_speed [--n-samples 1000] [--repeats 5]
"""

import argparse
import datetime
import os
import platform
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from segclf.datasets import make_shapes


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-samples", type=int, default=1000, help="images per repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--n-objects", type=int, default=50)
    options = parser.parse_args()
    n_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        speeds = measure(options)
    finally:
        cv2.setNumThreads(n_threads)
    report(options, speeds)


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Return images per second of wall time and of processor time, one number per repeat."""
    settings = {"image_size": options.image_size, "n_objects": options.n_objects}
    make_shapes(10, **settings, random_state=0)
    speeds: dict[str, list[float]] = {"wall": [], "processor": []}
    for seed in range(options.repeats):
        wall, processor = time.perf_counter(), time.process_time()
        make_shapes(options.n_samples, **settings, random_state=seed)
        speeds["wall"].append(options.n_samples / (time.perf_counter() - wall))
        speeds["processor"].append(options.n_samples / (time.process_time() - processor))
    return speeds


def report(options: argparse.Namespace, speeds: dict[str, list[float]]) -> None:
    """Print the numbers with the machine and the date that they belong to."""
    print(f"date      {datetime.date.today().isoformat()}")
    print(f"machine   {platform.machine()}, {_processor()}, {os.cpu_count()} cores; 1 used")
    print(f"software  Python {platform.python_version()}, numpy {np.__version__}")
    print(
        f"data      {options.n_samples} images of {options.image_size} x {options.image_size}, "
        f"{options.n_objects} objects, {options.repeats} repeats"
    )
    for clock, values in speeds.items():
        print(
            f"speed     {statistics.median(values):.0f} images per second of {clock} time "
            f"(median; {min(values):.0f} to {max(values):.0f})"
        )


def _processor() -> str:
    """The processor's name where the system tells it (Linux), else what Python knows."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown processor"


if __name__ == "__main__":
    main()
