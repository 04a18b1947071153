"""Do threads and processes compute the same bits as the main thread, without hanging?

Run ``python -m benchmarks.processes [--places fork loky ...] [--threads 1 2] [--limit 120]``: a row
for each place and number of threads, in a separate process with a time limit. The main thread
has fitted with that number before, so OpenMP's pool of threads exists before a fork, which loses
it. Results are compared with those of the main thread with the same number of threads. It fails if
bits differ or a process does not end.
"""

import argparse
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import joblib

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import markdown
from segclf import SupervisedSegmenter
from segclf.datasets import make_shapes

SHAPES = make_shapes(12, image_size=64, n_objects=3, random_state=0)
WORK = ("predict_proba", "fit")
AT_ONCE = 2


def fitted(n_threads, max_epochs=2):
    settings = {"encoder": "tiny", "learning_rate": 1e-2, "precision": "fp32", "random_state": 0}
    model = SupervisedSegmenter(max_epochs=max_epochs, n_threads=n_threads, **settings)
    return model.fit(SHAPES.images, SHAPES.masks)


def work(what, model):
    """Return the bits of what a model predicts, or of one that is fitted as it was."""
    if what == "fit":
        model = fitted(model.n_threads)
    return hashlib.sha256(model.predict_proba(SHAPES.images).tobytes()).hexdigest()


def in_main_thread(tasks):
    return [work(*task) for task in tasks]


def in_threads(tasks):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, *zip(*tasks, strict=True)))


def in_processes(method):
    def run(tasks):
        with multiprocessing.get_context(method).Pool(AT_ONCE) as pool:
            return pool.starmap(work, tasks, chunksize=1)

    return run


def in_fork_beside_fits(tasks):
    with fits_in_threads(tasks[0][1].n_threads):
        return [found for task in tasks for found in in_processes("fork")([task] * AT_ONCE)]


def in_loky(tasks):
    return joblib.Parallel(n_jobs=AT_ONCE)(joblib.delayed(work)(*task) for task in tasks)


@contextmanager
def fits_in_threads(n_threads):
    """Let two threads fit continually, so that their locks and pools are in use during a fork."""
    over = threading.Event()

    def fit_on():
        while not over.is_set():
            fitted(n_threads, max_epochs=1)

    threads = [threading.Thread(target=fit_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


PLACES = {
    "main thread": in_main_thread,
    "two threads at once": in_threads,
    "fork": in_processes("fork"),
    "fork beside threads that fit": in_fork_beside_fits,
    "spawn": in_processes("spawn"),
    "forkserver": in_processes("forkserver"),
    "loky": in_loky,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--places", nargs="+", choices=PLACES, default=list(PLACES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--limit", type=float, default=120, help="seconds of a row")
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        return print_bits(options.row[0], int(options.row[1]))
    expected = {n: run("main thread", n, options.limit) for n in {1, *options.threads}}
    rows = [
        row(place, n, expected, options.limit) for place in options.places for n in options.threads
    ]
    print(f"{describe_machine()}\n")
    print(markdown(["where", "`n_threads`", "computes on", *WORK], rows))
    return int(any(cell != "same bits" for *_, first, second in rows for cell in (first, second)))


def print_bits(place, n_threads):
    model = fitted(1)
    fitted(n_threads)  # starts OpenMP's pool
    model.set_params(n_threads=n_threads)
    for what in WORK:
        print(what, *PLACES[place]([(what, model)] * AT_ONCE), flush=True)
    return 0


def run(place, n_threads, limit):
    """Return the results of each kind of work, once for each run."""
    command = [sys.executable, "-m", "benchmarks.processes", "--row", place, str(n_threads)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        end(process)
        output, _ = process.communicate()
    return {line.split()[0]: line.split()[1:] for line in output.splitlines()}


def end(process):
    """Kill the process and all processes that it started."""
    os.killpg(process.pid, signal.SIGKILL)


def row(place, n_threads, expected, limit):
    on = 1 if place.startswith("fork") and place != "forkserver" else n_threads
    found = run(place, n_threads, limit)
    return place, n_threads, on, *(verdict(found, expected[on], what) for what in WORK)


def verdict(found, expected, what):
    if what not in found:
        return "hangs"
    return "same bits" if {*found[what]} == {*expected[what]} else "other bits"


if __name__ == "__main__":
    sys.exit(main())
