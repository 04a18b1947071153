"""Do image labels and images without a mask help a segmenter that has few masks?

All methods use the default frozen encoder, without arguments except seed and steps: every tested
network takes the same number of steps with the same number of images with a mask. Each set has at
most 400 training images, with all labels and 5, 10, 25 or 50 % of their masks, at least two of each
label.

- Masks alone, and boxes in their place; the empty masks of all images labeled 0, which are free.
- Pseudo labels: self-training; boosted by labels; Grad-CAM's, IRNet's and a thresholder's masks.
- Consistency; weak to strong; two heads that teach each other with half of the masks; PiCIE.
- Distillation from an equal teacher, an ensemble, one of twice the masks, a fine-tuned one.
- The joint summarizer, with and without pseudo labels, with labels of all and of the few alone.
- Ceilings: all masks, and boxes in their place; ImageClassifier with all labels, and with those.
- On two sets p runs over the values of CheXseg (MIDL, Table 1), and so do temperatures; and pseudo
  masks of a known IoU, the true ones dilated, tell how good pseudo masks have to be.

IoU is of all pixels of the test images with a mask, at the threshold that is best on
`val` (CheXseg) and at one half; with ``--test-on val`` the former is chosen on the test images.
AUROC is of the mean of the highest pixels, or of the joint summarizer.

    python -m benchmarks.semi_supervised --data FOLDER --jobs 16

The most important runs come first, ``--stop-after 300`` starts no run after 300 seconds, and a run
that ended early resumes; tables show the existing results. ``--smoke`` runs everything briefly.
"""

import argparse
import itertools
import json
import os
import time
from pathlib import Path

import joblib

from benchmarks.semi_supervised.methods import (
    ALL_LABELS,
    ALL_MASKS,
    BALANCED,
    BOOSTED,
    BOXES,
    CROSS,
    EMPTY,
    GUARDED,
    MASKS,
    METHODS,
    SELF_TRAINING,
    SWEEP_IOU,
    SWEEP_P,
    SWEEP_T,
    THOSE_LABELS,
)
from benchmarks.semi_supervised.runs import Task, run_chain
from benchmarks.semi_supervised.settings import (
    CHEXSEG_PROBABILITIES,
    CONSTANTS,
    DILATED_IOUS,
    FRACTIONS,
    SETTINGS,
    TEMPERATURES,
)
from benchmarks.semi_supervised.tables import make_report
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.records import missing, rows_by_task

FIRST = (MASKS, EMPTY, BALANCED, SELF_TRAINING, BOOSTED, THOSE_LABELS)
WITHOUT_FRACTION = (ALL_MASKS, ALL_LABELS, BOXES, "PiCIE, no masks")
SWEEPS = {
    SWEEP_P: CHEXSEG_PROBABILITIES,
    SWEEP_T: TEMPERATURES,
    SWEEP_IOU: DILATED_IOUS,
}
Block = list[tuple[float | None, str, float | None]]  # fraction, method, its value


def main() -> None:
    options = parse_arguments()
    os.environ["SEGCLF_NUM_THREADS"] = str(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    machine = f"{describe_machine()}, {options.jobs} at a time on {options.threads} thread(s)"
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    tasks = make_tasks(options)
    to_do = missing(tasks, options)
    n_fits = sum(METHODS[task[3]].n_fits for task in to_do)
    print(f"{len(to_do)} of {len(tasks)} tasks to do, about {n_fits} trainings\n", flush=True)
    parallel = joblib.Parallel(n_jobs=options.jobs, batch_size=1)
    parallel(joblib.delayed(run_chain)(chain, options) for chain in chains(to_do))
    rows = rows_by_task(options)
    report = make_report([rows[task] for task in tasks if task in rows], len(tasks))
    text = f"{machine}; {json.dumps(options.settings)}.\n\n{report}"
    (options.output / f"{options.name}.md").write_text(text)
    print(f"\n{text}")


def make_tasks(options: argparse.Namespace) -> list[Task]:
    """Order tasks so that the first ones give a table of all sets."""
    tasks = [
        (name, seed, fraction, method, value)
        for block in blocks(options)
        for seed in options.seeds
        for name in options.sets
        for fraction, method, value in block
        if method in options.methods and (method not in SWEEPS or name in options.sweep_sets)
    ]
    return list(dict.fromkeys(tasks))


def blocks(options: argparse.Namespace) -> list[Block]:
    small = [fraction for fraction in options.fractions if fraction <= 0.1]
    large = [fraction for fraction in options.fractions if fraction > 0.1]
    others = [m for m in METHODS if m not in {*FIRST, *WITHOUT_FRACTION, *SWEEPS, CROSS, GUARDED}]
    swept: Block = [(0.1, method, value) for method, values in SWEEPS.items() for value in values]
    return [
        [(None, m, None) for m in WITHOUT_FRACTION[:2]] + of_each(small, FIRST),
        of_each(large, FIRST),
        of_each(small, others),
        [(0.5, CROSS, None)],
        of_each(small, (GUARDED,)),
        swept,
        of_each(large, (*others, GUARDED)),
        [(None, m, None) for m in WITHOUT_FRACTION[2:]],
    ]


def of_each(fractions: list[float], methods: tuple[str, ...] | list[str]) -> Block:
    return [(fraction, method, None) for fraction in fractions for method in methods]


def chains(tasks: list[Task]) -> list[list[Task]]:
    """Put together what follows each other with the same masks, and may share a teacher."""
    return [list(same) for _, same in itertools.groupby(tasks, key=lambda task: task[:3])]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--smoke", action="store_true", help="everything, with tiny numbers")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--sweep-sets", nargs="+", default=["lgg_mri", "busi"])
    parser.add_argument("--fractions", nargs="+", type=float)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--steps", type=int, help="of each training")
    parser.add_argument("--test-on", choices=("val", "test"), default="test")
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--name", default="semi_supervised")
    options = parser.parse_args()
    complete(options)
    return options


def complete(options: argparse.Namespace) -> None:
    """Fill in what the setting says, and what a result depends on."""
    every = ["busi", "lgg_mri", "road_pothole", "magnetic_tile", "coffee_leaf"]
    options.sets = options.sets or (every[-2:] if options.smoke else every)
    options.sweep_sets = options.sets[:1] if options.smoke else options.sweep_sets
    options.fractions = options.fractions or ([0.1, 0.5] if options.smoke else list(FRACTIONS))
    options.seeds = options.seeds or ([0] if options.smoke else [0, 1, 2, 3, 4])
    steps = options.steps or (1 if options.smoke else 200)
    options.setting = SETTINGS["smoke" if options.smoke else "full"] | {"steps": steps}
    options.deadline = time.time() + options.stop_after
    options.settings = {"setting": options.setting, "test_on": options.test_on} | CONSTANTS


if __name__ == "__main__":
    main()
