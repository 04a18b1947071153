"""Time IRNet's propagation for one image, and measure its memory.

The map of one class walks over the boundaries of a 512 x 512 image, on IRNet's grid of every fourth
pixel, 256 steps of radius 5, in one process on one thread. Time is the processor's, the median of
the rounds. Memory is the growth of the process by the walk after all imports; the total is also
given. IRNet's own dense matrix takes 1 GB.

Run ``python -m benchmarks.random_walk [--sizes 512] [--strides 4] [--rounds 5]``. It fails when an
image takes more than 2 s or 1 GB more.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import resource
import statistics
import sys
import time

import numpy as np
import torch
from segclf_plugins.pseudo_labelers.random_walk import random_walk

from benchmarks.shared.machine import describe_machine

MOST_SECONDS, MOST_BYTES = 2.0, 10**9
KILOBYTE = 1 if sys.platform == "darwin" else 1024


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(1)
    random_walk(*make_maps(16))
    print(f"{describe_machine()}, 1 thread\n")
    print("| image | grid | s | MB more | MB in all | met |\n|---|---|---|---|---|---|")
    passed = [measure(size, stride, options.rounds) for size, stride in pairs(options)]
    sys.exit(0 if all(passed) else 1)


def measure(size: int, stride: int, rounds: int) -> bool:
    maps, edge = make_maps(size // stride)
    before, seconds = resident(), []
    for _ in range(rounds):
        started = time.process_time()
        random_walk(maps, edge)
        seconds.append(time.process_time() - started)
    grown, median = resident() - before, statistics.median(seconds)
    met = median <= MOST_SECONDS and grown <= MOST_BYTES
    numbers = f"{median:.2f} | {grown / 1e6:.0f} | {resident() / 1e6:.0f}"
    print(f"| {size} x {size} | {len(edge)} x {len(edge)} | {numbers} | {'yes' if met else 'no'} |")
    return met


def make_maps(side: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(side)
    maps, edge = generator.random((2, 1, side, side), dtype=np.float32)
    return maps, edge[0]


def resident() -> int:
    """Return the most memory that was ever resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE


def pairs(options: argparse.Namespace) -> list[tuple[int, int]]:
    return [(size, stride) for size in options.sizes for stride in options.strides]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512])
    parser.add_argument("--strides", type=int, nargs="+", default=[4])
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
