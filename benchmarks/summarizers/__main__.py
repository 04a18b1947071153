"""From mask to label: every summarizer, two heads on one encoder, and the plain classifier.

Does an image show a finding? The S4C paper's Figure 6 on real data sets, with 10 % and 100 % of the
labeled images: AUROC of each method on the test split, means over 3 seeds, 95 % intervals by
resampling whole groups (patients, tiles). One segmenter is trained for each set, fraction and seed,
and all summarizers read its predictions for the same images. The segmenter, MultitaskClassifier and
ImageClassifier have the same encoder and number of steps, with one recipe; a summarizer that
trains a network takes the same number of steps again, after the segmenter's.

    python -m benchmarks.summarizers --data FOLDER --weights mobilenet_v2.pth --jobs 2

The small setting ends in an hour on 2 cores; ``--setting large --jobs 1`` needs a GPU. A run that
ended early resumes; ``--smoke`` goes through everything with next to no training.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import line, mean_and_spread, mean_over_seeds, ordered, rule
from benchmarks.shared.records import records, settings_of
from benchmarks.summarizers.runs import (
    METHODS,
    PLAIN,
    RECIPE,
    SEGMENTER,
    SETTINGS,
    SUMMARIZERS,
    Task,
    run_cell,
)
from segclf.metrics import confidence_interval

Row = dict[str, Any]
N_RESAMPLES = 500


def main() -> None:
    options = parse_arguments()
    machine = describe_machine()
    print(f"{machine}\n{json.dumps(options.settings)}\n", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    cells = [
        [(name, fraction, seed, method) for method in options.methods]
        for seed in options.seeds
        for name in options.sets
        for fraction in options.fractions
    ]
    done = {tuple(row["task"]) for row in records(options).rows()}
    missing = [[task for task in cell if task not in done] for cell in cells]
    joblib.Parallel(n_jobs=options.jobs)(
        joblib.delayed(run_cell)(tasks, options) for tasks in missing if tasks
    )
    asked = {task for cell in cells for task in cell}
    rows = [row for row in records(options).rows() if tuple(row["task"]) in asked]
    report = make_report(rows, options, f"{machine}, {options.jobs} at a time")
    (options.output / f"{options.name}.md").write_text(report)
    print(report)


def make_report(rows: list[Row], options: argparse.Namespace, machine: str) -> str:
    """Return the table, and what it was made with."""
    seconds = sum(row["seconds"] for row in rows)
    setting = options.setting
    start = options.weights.name if options.weights else "from scratch"
    return "\n".join(
        [
            f"{machine}. {len(rows)} runs, which took {seconds:,.0f} s one after the other.\n",
            f"- AUROC on the test split, mean over {len(options.seeds)} seeds (95 % interval by "
            f"group). Images of {setting['size']} x {setting['size']}; {setting['encoder']}, "
            f"{start}.",
            f"- Every training: about {setting['steps']} steps (whole epochs) of "
            f"{setting['batch']} images, {json.dumps(options.recipe)}; light augmentation, but "
            "none of masks and embeddings.",
            f"- {SEGMENTER}: foreground IoU instead, and its own training; the seconds of a "
            "summarizer come on top.\n",
            auroc_table(rows),
        ]
    )


def auroc_table(rows: list[Row]) -> str:
    """Return methods by data sets and fractions."""
    columns = ordered(sorted((name, fraction) for name, fraction, *_ in map(task_of, rows)))
    sizes = {task_of(row)[:2]: row["n_train"] for row in rows}
    heads = [f"{name}, {fraction:.0%} ({sizes[name, fraction]})" for name, fraction in columns]
    lines = [line(["", *heads, f"better than {PLAIN}", "s"]), rule(len(heads) + 3)]
    for method in ordered(task_of(row)[3] for row in rows):
        of_method = [row for row in rows if task_of(row)[3] == method]
        cells = [cell_of([r for r in of_method if task_of(r)[:2] == c]) for c in columns]
        seconds = np.mean([row["seconds"] for row in of_method])
        lines.append(line([method, *cells, wins(of_method, rows), f"{seconds:.0f}"]))
    return "\n".join(lines) + "\n"


def cell_of(seeds: list[Row]) -> str:
    """Return the mean over seeds with its interval."""
    if not seeds or "iou" in seeds[0]:
        return mean_and_spread([row["iou"] for row in seeds])
    scores = np.array([row["scores"] for row in seeds]).T
    first = seeds[0]
    mean, low, high = confidence_interval(
        mean_over_seeds(roc_auc_score),
        first["labels"],
        scores,
        groups=first["groups"],
        n_resamples=N_RESAMPLES,
        random_state=0,
    )
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def wins(of_method: list[Row], rows: list[Row]) -> str:
    """Count the sets, fractions and seeds in which a method beats the plain classifier."""
    plain = {task_of(row)[:3]: row["auroc"] for row in rows if task_of(row)[3] == PLAIN}
    pairs = [
        (row["auroc"], plain[task_of(row)[:3]])
        for row in of_method
        if "auroc" in row and task_of(row)[3] != PLAIN and task_of(row)[:3] in plain
    ]
    return f"{sum(ours > theirs for ours, theirs in pairs)} of {len(pairs)}" if pairs else ""


def task_of(row: Row) -> Task:
    name, fraction, seed, method = row["task"]
    return name, fraction, seed, method


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--weights", type=Path, help="pretrained weights of the encoder")
    parser.add_argument("--setting", choices=("small", "large"), default="small")
    parser.add_argument("--smoke", action="store_true", help="everything, with tiny numbers")
    parser.add_argument("--sets", nargs="+", default=["busi", "lgg_mri", "magnetic_tile"])
    parser.add_argument("--fractions", nargs="+", type=float, default=[0.1, 1.0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--steps", type=int, help="of each training")
    parser.add_argument("--recipe", type=json.loads, default={}, help="changes to it, as JSON")
    parser.add_argument("--encoder")
    parser.add_argument("--test-on", choices=("val", "test"), default="test")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("results"))
    parser.add_argument("--name", default="summarizers")
    options = parser.parse_args()
    changes = {k: v for k in ("steps", "encoder") if (v := getattr(options, k)) is not None}
    options.recipe = RECIPE | options.recipe
    options.setting = SETTINGS["smoke" if options.smoke else options.setting] | changes
    if options.smoke:
        options.sets, options.fractions, options.seeds = options.sets[:1], [0.1], [0]
    options.settings = settings_of(
        options, recipe=options.recipe, summarizers=SUMMARIZERS, test_on=options.test_on
    )
    return options


if __name__ == "__main__":
    main()
