"""Write the report of a real data set, with a small model trained for minutes.

    python -m benchmarks.report_page --data FOLDER/busi --weights mobilenet_v2.pth
    python -m benchmarks.report_page volumes          # 500 in a page of at most 20 MB

The folder is one of those that `benchmarks.few_labels` reads. Trained on the training split,
reported on the others; `--weights` may be left out, the encoder then starts from scratch.

The volumes are phantoms in NIfTI files, with noise, and a nodule in every second one. Predictions
are slightly shifted true masks, so only the report is measured, in a separate process. It
fails if the page is larger than 20 MB.
"""

import argparse
import csv
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.volumes import in_a_process, peak_bytes
from segclf import SegmentationClassifier, SupervisedSegmenter, load_plugin, report
from segclf.data import load_mask

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
    if options.part == "volumes":
        sys.exit(0 if of_volumes(options) else 1)
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


def of_volumes(options: argparse.Namespace) -> bool:
    """Write a report of phantoms, and print its size and cost."""
    with tempfile.TemporaryDirectory() as folder:
        make = partial(write_phantom, folder=Path(folder), shape=tuple(options.shape))
        for number in range(options.volumes):
            make(number)
        seconds, before, peak = in_a_process(report_phantoms, folder, options)
    megabytes = options.out.stat().st_size / 1e6
    size = " x ".join(map(str, options.shape))
    print(
        f"{options.volumes} volumes of {size}: {megabytes:.1f} MB, {seconds:.0f} s, "
        f"{(peak - before) / 1e9:.2f} GB beyond the {before / 1e9:.2f} GB before"
    )
    return megabytes <= 20


def write_phantom(number: int, folder: Path, shape: tuple[int, int, int]) -> None:
    """Write a chest, and its nodule where the number is odd."""
    import nibabel

    random = np.random.default_rng(number)
    z, y, x = np.ix_(*(np.linspace(-1, 1, side) for side in shape))
    body = (y / 0.85) ** 2 + (x / 0.9) ** 2 < 1
    lungs = (y / 0.5) ** 2 + ((np.abs(x) - 0.4) / 0.28) ** 2 + z**2 < 1
    center, radius = random.uniform(-0.3, 0.3, 3) - (0, 0, 0.4), random.uniform(0.04, 0.12)
    nodule = (z - center[0]) ** 2 + (y - center[1]) ** 2 + (x - center[2]) ** 2 < radius**2
    nodule = nodule & bool(number % 2)
    volume = np.select([nodule, lungs, body], [60.0, -800.0, 40.0], -1000.0)
    volume = volume + random.normal(0, 30, shape)
    affine = np.diag([-0.7, -0.7, 2.5, 1.0])
    for name, values in (("image", volume.astype(np.int16)), ("mask", nodule.astype(np.uint8))):
        nibabel.save(nibabel.Nifti1Image(values.T, affine), folder / f"{number:04}_{name}.nii")


class Rolling:
    """Predicts slightly shifted true masks, and probabilities that are slightly wrong, too."""

    classes_ = np.array([0, 1])
    _n_spatial = 3

    def predict_proba(self, X: list[Path]) -> Any:
        scores = [self._score(path) for path in X]
        return np.array([[1 - score, score] for score in scores])

    def predict(self, X: list[Path]) -> Any:
        return self.predict_proba(X).argmax(axis=1)

    def predict_masks(self, X: list[Path]) -> Any:
        return [
            np.roll(load_mask(mask_of(path)).array, (1, 2), (0, 2)) * (self._score(path) > 0.5)
            for path in X
        ]

    def _score(self, path: Path) -> float:
        number = int(path.name[:4])
        noise = np.random.default_rng(number).normal(0, 0.4)
        return float(np.clip(0.5 + 0.35 * (2 * (number % 2) - 1) + noise, 0.01, 0.99))


def mask_of(path: Path) -> Path:
    return path.with_name(path.name.replace("image", "mask"))


def report_phantoms(folder: str, options: argparse.Namespace) -> tuple[float, float, float]:
    paths = sorted(Path(folder).glob("*_image.nii"))
    y, masks = np.arange(len(paths)) % 2, [mask_of(path) for path in paths]
    load_mask(masks[0])  # nibabel is imported before
    before, start = peak_bytes(), time.perf_counter()
    names = ["no nodule", "nodule"]
    report(Rolling(), paths, y, masks, options.out, class_names=names, title="Phantoms")
    return time.perf_counter() - start, before, peak_bytes()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", choices=["images", "volumes"], default="images")
    parser.add_argument("--data", type=Path, help="of images; they need it")
    parser.add_argument("--volumes", type=int, default=500)
    parser.add_argument("--shape", type=int, nargs=3, default=[40, 128, 128])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--out", type=Path, default=Path("report.html"))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--title")
    parser.add_argument("--description", default="")
    options = parser.parse_args()
    if options.part == "images" and options.data is None:
        parser.error("the report of images needs --data")
    return options


if __name__ == "__main__":
    main()
