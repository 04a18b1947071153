"""Processor seconds to a given quality: the default against usual scripts with other libraries.

All learn from the same 100 images of `train` (drawn by whole groups, anew for each seed) on as many
threads, and are tested on the same images of `test`.

- lgg_mri, to an AUROC of .90 and an IoU of .45: `SegmentationClassifier()`, from nothing to the end
  of its fit, with all encoding; a script with segmentation-models-pytorch (U-Net on the same
  encoder and weights, fine-tuned, Dice, Adam at 1e-4, 224 x 224, batches of 8, flips); fastai's
  DynamicUnet on that encoder (`fine_tune` for 8 epochs, 224 x 224); MONAI's UNet (Dice, Adam at
  1e-3, flips and quarter turns, from scratch, 224 x 224).
- magnetic_tile, to the AUROC and the IoU that the default ends with: a network like SuperSimpleNet
  on that encoder, which is frozen (``benchmarks.time_to_quality.simple_net`` says what differs).

The others are tested whenever the time has grown by a quarter, and end when both goals are met or
the budget is spent. Testing does not count, and a goal is met at the first test that meets
it. The default is tested only at its end. A label's score is the mean of the highest .2 % of the
pixels of a map, of SimpleNet its label head. fastai and MONAI are left out where they are not
installed (``pip install fastai monai``).

    python -m benchmarks.time_to_quality --data FOLDER --setting full

A run that ended early resumes.
"""

import argparse
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import NONE, line, rule
from benchmarks.shared.records import records
from benchmarks.time_to_quality.runs import DEFAULT, GOALS, NEEDS, SETTINGS, SIDES, run


def main() -> None:
    options = parse_arguments()
    os.environ["SEGCLF_NUM_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    machine = f"{describe_machine()}, {options.threads} thread(s)"
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    tasks = [
        (name, side, seed)
        for name in options.sets
        for seed in options.seeds
        for side in SIDES[name]
        if side not in options.left_out
    ]
    for task in tasks:
        if task not in {tuple(row["task"]) for row in records(options).rows()}:
            run(task, options)
    rows = {tuple(row["task"]): row for row in records(options).rows()}
    text = f"{machine}; {json.dumps(options.settings)}.\n\n{table(rows, options)}\n"
    (options.output / f"{options.name}.md").write_text(text)
    print(f"\n{text}")


def table(rows: dict[Any, dict[str, Any]], options: argparse.Namespace) -> str:
    """Return medians over the seeds."""
    head = ["set", "who", "seconds to the AUROC", "to the IoU", "to both"]
    head += ["to both, times the default's", "best AUROC", "best IoU", "seconds at the end"]
    lines = [line(head), rule(len(head))]
    for name in options.sets:
        default = [rows[name, DEFAULT, seed] for seed in options.seeds]
        for side in SIDES[name]:
            if side not in options.left_out:
                found = [rows[name, side, seed] for seed in options.seeds]
                lines.append(line([name, side, *cells(found, default)]))
    return "\n".join(lines)


def cells(found: list[dict[str, Any]], default: list[dict[str, Any]]) -> list[str]:
    reached = [[when(row, what) for row in found] for what in (["AUROC"], ["IoU"], GOALS)]
    ours = float(np.median([when(row, GOALS) for row in default]))
    ends = [row["curve"][-1]["seconds"] for row in found]
    best = [np.median([max(p[what] for p in row["curve"]) for row in found]) for what in GOALS]
    return [
        *(seconds(each) for each in reached),
        quotient(float(np.median(reached[2])), float(np.median(ends)), ours),
        *(f"{each:.3f}" for each in best),
        f"{np.median(ends):.0f}",
    ]


def quotient(reached: float, end: float, ours: float) -> str:
    """Return how many times the default's seconds it took; more than that, if never enough."""
    if not np.isfinite(ours):
        return NONE
    return f"{reached / ours:.1f}" if np.isfinite(reached) else f"over {end / ours:.1f}"


def when(row: dict[str, Any], goals: Any) -> float:
    """Return when the last of the goals was first met; infinite where one never was."""
    return max(
        min((p["seconds"] for p in row["curve"] if p[what] >= row["goals"][what]), default=np.inf)
        for what in goals
    )


def seconds(values: list[float]) -> str:
    median = float(np.median(values))
    met = f"{sum(np.isfinite(values))} of {len(values)}"
    return f"{median:.0f} (met by {met})" if np.isfinite(median) else f"not met ({met})"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--setting", choices=SETTINGS, default="quick")
    parser.add_argument("--sets", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--units", choices=("groups", "images"), default="groups")
    parser.add_argument("--budget", type=float, help="seconds of each fit, at most")
    parser.add_argument("--left-out", nargs="+", default=[], help="who is not run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--name", default="time_to_quality")
    options = parser.parse_args()
    setting = SETTINGS[options.setting]
    options.seeds = options.seeds or setting["seeds"]
    options.budget = options.budget or setting["budget"]
    options.n_train, options.test_cap = setting["n_train"], setting["test_cap"]
    options.parameters = setting["parameters"]
    for side, (package, _) in NEEDS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{side} is left out: pip install {package}")
            options.left_out.append(side)
    names = ("n_train", "test_cap", "budget", "units", "threads", "parameters")
    options.settings = {name: getattr(options, name) for name in names}
    return options


if __name__ == "__main__":
    main()
