"""How many masks are saved if the model chooses the images to annotate next?

From 20 annotated images on (10 of each label), 20 more in each of four rounds: those that `query`
chooses of up to 400, against the first of these in random order. The model is that of
`benchmarks/frozen` (hypercolumn on a frozen EfficientNet-Lite0 with ImageNet's weights, 200 steps)
under a `SegmentationClassifier`; nothing is chosen on `val`, the table is of `test`. Both ways
start from the same images with the same seed, so differences are paired; their 95 % intervals are
of Student's t over the seeds.

    python -m benchmarks.active_queries --data FOLDER

A run that ended early resumes at the set, way and seed where it ended. Maps of training images are
kept in a folder for all rounds and ways.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.active_queries.runs import SETTINGS, WAYS, measure
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import NONE, line, mean_and_spread, rule
from benchmarks.shared.records import Records

METRICS = ("AUROC", "IoU")


def main() -> None:
    options = parse_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    records = Records(options.output / "active_queries.jsonl", SETTINGS)
    machine = f"{describe_machine()}, 1 thread"
    print(f"{machine}\n", flush=True)
    with tempfile.TemporaryDirectory() as memory:
        for name in options.sets:
            for seed in options.seeds:
                for way in options.ways:
                    run(records, options, (name, way, seed), Path(memory))
    report = "\n".join([f"{machine}.\n", *table(records.rows(), options)])
    (options.output / "active_queries.md").write_text(report + "\n")
    print(f"\n{report}")


def run(records: Records, options: argparse.Namespace, task: tuple, memory: Path) -> None:
    """Measure all rounds of one way, unless that was done before."""
    done = [row["task"] for row in records.rows() if row["task"][:3] == list(task)]
    if len(done) > options.rounds:
        return
    name, way, seed = task
    rounds = measure(options.data / name, way, seed, options.rounds, memory)
    for n_images, scores, seconds in rounds:
        if [*task, n_images] not in done:
            records.write((*task, n_images), scores, seconds)


def table(rows: list[dict], options: argparse.Namespace) -> list[str]:
    by_task = {tuple(row["task"]): row for row in rows}
    first, *others = options.ways
    header = ["set", "score", "images", *options.ways, *(f"{way} - {first}" for way in others)]
    lines = [line([*header, *(f"{first} for {way}" for way in others)])]
    lines.append(rule(len(header) + len(others)))
    start, step = 2 * SETTINGS["start_per_label"], SETTINGS["each_round"]
    counts = start + step * np.arange(options.rounds + 1)
    for name in options.sets:
        for metric in METRICS:
            found = {
                way: np.array(
                    [[by_task[name, way, s, n][metric] for s in options.seeds] for n in counts]
                )
                for way in options.ways
            }
            lines += [
                line([name, metric, str(n), *cells(found, counts, i)]) for i, n in enumerate(counts)
            ]
    return lines


def cells(found: dict[str, np.ndarray], counts: np.ndarray, i: int) -> list[str]:
    """Return the scores of each way, their differences, and what these are worth in images."""
    first, *others = found
    differences = [found[way][i] - found[first][i] for way in others]
    return [
        *(mean_and_spread(list(scores[i])) for scores in found.values()),
        *(with_interval(each) for each in differences),
        *(as_many(found[first].mean(axis=1), counts, found[way][i].mean()) for way in others),
    ]


def with_interval(differences: np.ndarray) -> str:
    """Return the mean of paired differences with its 95 % interval."""
    if len(differences) < 2:
        return f"{differences.mean():+.3f}"
    error = stats.sem(differences) * stats.t.ppf(0.975, len(differences) - 1)
    low, high = differences.mean() - error, differences.mean() + error
    return f"{differences.mean():+.3f} ({low:+.3f} to {high:+.3f})"


def as_many(curve: np.ndarray, counts: np.ndarray, score: Any) -> str:
    """Return the number of images at which a curve reaches a score, interpolated."""
    best = np.maximum.accumulate(curve)
    if score > best[-1]:
        return f"> {counts[-1]}"
    return NONE if score < best[0] else f"{np.interp(score, best, counts):.0f}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--sets", nargs="+", default=["lgg_mri", "busi"])
    parser.add_argument("--ways", nargs="+", default=["random", "query"], choices=list(WAYS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
