"""Measure the effect of each default: one is changed at a time, the others keep their values.

`SegmentationClassifier()` on about 10 % of the labels of `train`, drawn by whole groups as in
``benchmarks.few_labels``; scores are of `val`. Every change learns from the same images with the
same seeds; its interval is of the mean difference over the seeds (Student's t, 95 %). Changes of
the score, and flips at prediction, read the maps of the default's own fit.

    python -m benchmarks.ablations --data FOLDER --setting full --memory FOLDER

Seconds are processor time of `fit`; with ``--memory`` the encoder's maps are computed by the first
fit alone, so seconds are not reported. A run that ended early resumes.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from scipy.stats import t as student

from benchmarks.ablations.changes import CHANGES, DEFAULT, FLIPS, SCORES
from benchmarks.ablations.runs import SETTINGS, run_cell
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import NONE, line, mean_and_spread, rule
from benchmarks.shared.records import rows_by_task

ROWS = (*CHANGES, *SCORES, FLIPS)
Found = dict[tuple[str, int, str], dict[str, Any]]


def main() -> None:
    options = parse_arguments()
    os.environ["SEGCLF_NUM_THREADS"] = "1"
    options.output.mkdir(parents=True, exist_ok=True)
    machine = f"{describe_machine()}, {options.jobs} at a time on 1 thread"
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    joblib.Parallel(n_jobs=options.jobs)(
        joblib.delayed(run_cell)(name, seed, options)
        for seed in options.seeds
        for name in options.sets
    )
    found = rows_by_task(options)
    text = f"{machine}; {json.dumps(options.settings)}.\n\n{table(found, options)}\n"
    (options.output / f"{options.name}.md").write_text(text)
    print(f"\n{text}")


def table(found: Found, options: argparse.Namespace) -> str:
    """Return the default's own scores, then what each change adds to them."""
    columns = [f"{name}: {what}" for name in options.sets for what in ("AUROC", "IoU", "seconds")]
    lines = [line(["change", *columns]), rule(1 + len(columns))]
    for change in (DEFAULT, *(c for c in ROWS if c in options.changes and c != DEFAULT)):
        cells = [cell for name in options.sets for cell in cells_of(found, name, change, options)]
        lines.append(line([change, *cells]))
    return "\n".join(lines)


def cells_of(found: Found, name: str, change: str, options: argparse.Namespace) -> list[str]:
    rows = [found[name, seed, change] for seed in options.seeds]
    fits = change in CHANGES and not options.memory
    seconds = NONE if not fits else f"{np.mean([row['seconds'] for row in rows]):.1f}"
    if change == DEFAULT:
        return [*(mean_and_spread([row[what] for row in rows]) for what in METRICS), seconds]
    default = [found[name, seed, DEFAULT] for seed in options.seeds]
    return [*(gain(rows, default, what) for what in METRICS), seconds]


METRICS = ("AUROC", "IoU")


def gain(rows: list[dict[str, Any]], default: list[dict[str, Any]], what: str) -> str:
    """Return the mean difference over the seeds and its interval; nothing for the same masks."""
    if any("is default" in row for row in rows):
        return "is the default"
    if rows[0][what] is None:
        return NONE
    differences = [row[what] - other[what] for row, other in zip(rows, default, strict=True)]
    mean, n = float(np.mean(differences)), len(differences)
    if n < 2:
        return f"{mean:+.3f}"
    half = student.ppf(0.975, n - 1) * np.std(differences, ddof=1) / np.sqrt(n)
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--setting", choices=SETTINGS, default="quick")
    parser.add_argument("--sets", nargs="+", default=["lgg_mri", "magnetic_tile"])
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--changes", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--units", choices=("groups", "images"), default="groups")
    parser.add_argument("--test-on", choices=("val", "test"), default="val")
    parser.add_argument("--memory", type=Path, help="folder that keeps the encoder's maps")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--name", default="ablations")
    options = parser.parse_args()
    setting = SETTINGS[options.setting]
    options.seeds = options.seeds or setting["seeds"]
    for name in ("share", "at_least", "test_cap", "parameters"):
        setattr(options, name, setting[name])
    options.kept = {"memory": str(options.memory)} if options.memory else {}
    options.settings = {**setting, "units": options.units, "test_on": options.test_on}
    del options.settings["seeds"]
    return options


if __name__ == "__main__":
    main()
