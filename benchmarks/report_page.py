"""The report of a real data set: train a small model for minutes, and write what it does.

    python -m benchmarks.report_page --data FOLDER/busi --weights mobilenet_v2.pth

The folder is one of those that `benchmarks.few_labels` reads. Trained on the training split,
reported on the others; `--weights` may be left out, the encoder then starts from scratch.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from segclf import SegmentationClassifier, SupervisedSegmenter, load_plugin, report

RECIPE: dict[str, Any] = {
    "encoder": "mobilenet_v2",
    "loss": "dice_cross_entropy",
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
    "augmentation": "light",
}


def main() -> None:
    options = parse_arguments()
    names = json.loads((options.data / "classes.json").read_text())["label_classes"]
    training, rest = (read(options.data, train) for train in (True, False))
    segmenter = SupervisedSegmenter(
        **RECIPE,
        encoder_weights=options.weights,
        image_size=options.size,
        max_epochs=options.epochs,
        verbose=1,
    )
    # Algorithm 2 of the paper ranks worse on real images than the mean of the highest pixels.
    summarizer = load_plugin("summarizer", "threshold")(pooling="top_mean")
    classifier = SegmentationClassifier(segmenter=segmenter, summarizer=summarizer, random_state=0)
    classifier.fit(training["X"], training["y"], masks=training["masks"])
    written = report(
        classifier,
        **rest,
        path=options.out,
        class_names={int(label): name for label, name in names.items()},
        title=options.title or options.data.name,
        description=options.description,
    )
    print(f"{written}: {written.stat().st_size / 1e6:.1f} MB")


def read(folder: Path, train: bool) -> dict[str, Any]:
    """Return paths, labels, masks and groups of the training split, or of all others."""
    group = {row["image"]: row["group"] for row in csv.DictReader((folder / "meta.csv").open())}
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    rows = [row for row in rows if (row["split"] == "train") == train]
    return {
        "X": [str(folder / row["image"]) for row in rows],
        "y": np.array([int(row["label"]) for row in rows]),
        "masks": [str(folder / row["mask"]) if row["mask"] else None for row in rows],
        "groups": np.array([group[row["image"]] for row in rows]),
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--out", type=Path, default=Path("report.html"))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--title")
    parser.add_argument("--description", default="")
    return parser.parse_args()


if __name__ == "__main__":
    main()
