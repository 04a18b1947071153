"""Can files do harm? Damaged images, hostile files and broken plugins, each monitored.

    python -m benchmarks.hostile                     # everything: minutes on one core
    python -m benchmarks.hostile --short             # a few of each: half a minute, and a test
    python -m benchmarks.hostile --parts models      # of some parts alone
    python -m benchmarks.hostile --seed 1 --show 20  # other cases, and their failures

Cases are a pure function of part, seed and number. Each runs in a worker process, which continues
with the next case as long as it lives. The following are counted, and each must be 0:

- crashes: the process ended; hangs: no answer in 5 seconds;
- code run: a marker that each payload would leave, pickles with names, modules imported
  from the case's folder, other processes started;
- writes outside the case's folder, and connections;
- more memory than three times that of the valid file, and 64 MB; for JPEG, TIFF and WebP, plus
  the pixels in the header, since only decoders detect that some are missing;
- errors that do not name the file (or the plugin);
- wrong: a damaged image that is accepted with other pixels although the format can detect it; a
  poisoned folder that silently changed a prediction; a plugin that changed global state.

"Documented" counts wrong results that SECURITY.md documents: a changed byte in a format
without checksums.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.hostile.pool import PARTS, Pool, Verdict
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import line, rule

NUMBERS = {
    "images": 10_584,
    "volumes": 1_170,
    "models": 1_027,
    "weights": 408,
    "folders": 120,
    "plugins": 92,
}
SHORT = {"images": 378, "volumes": 117, "models": 79, "weights": 34, "folders": 4, "plugins": 12}
FAULTS = ("crash", "hang", "code", "outside", "memory", "unnamed", "wrong")


def main() -> None:
    options = parse_arguments()
    print(f"{describe_machine()}; seed {options.seed}\n", flush=True)
    rows, failed = [], []
    with tempfile.TemporaryDirectory() as folder, Pool(options.seed, Path(folder)) as pool:
        for part in options.parts:
            start = time.perf_counter()
            number = options.number or (SHORT if options.short else NUMBERS)[part]
            verdicts = list(pool.tried(part, number))
            failed += [each for each in verdicts if each.faults]
            rows.append([part, *counts(verdicts), f"{time.perf_counter() - start:.0f}"])
    header = ["part", "cases", "families", "accepted", "refused", "documented", *FAULTS, "seconds"]
    print(line(header), rule(len(header)), *map(line, rows), sep="\n")
    for each in failed[: options.show]:
        print(f"\n{each.part} {each.number} ({each.family}): {', '.join(each.faults)}")
        print(f"    {each.message}")
    sys.exit(1 if failed else 0)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--number", type=int, help="cases of each part")
    parser.add_argument("--show", type=int, default=10, help="how many faults to tell of")
    return parser.parse_args()


def counts(verdicts: list[Verdict]) -> list[str]:
    outcomes = Counter(each.outcome for each in verdicts)
    faults = Counter(fault for each in verdicts for fault in each.faults)
    families = {each.family for each in verdicts}
    found = [outcomes[each] for each in ("accepted", "refused", "documented")]
    return [str(n) for n in (len(verdicts), len(families), *found, *(faults[f] for f in FAULTS))]


if __name__ == "__main__":
    main()
