"""Where does a classifier look, and where does a segmenter of few masks?

    python -m benchmarks.saliency --data FOLDER

Training images with a finding, labeled but without a mask, as ``benchmarks.semi_supervised`` draws
them: how often the highest pixel of Grad-CAM's map of `ImageClassifier()` with all labels lies on
the finding, and how often that of `SupervisedSegmenter()` with 10 % of the masks. Chance is the
findings' share of the pixels.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from segclf_plugins.pseudo_labelers.class_maps import ClassMaps

from benchmarks.semi_supervised.runs import opened
from benchmarks.semi_supervised.settings import LAYER, SETTINGS
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import line, mean_and_spread, rule
from segclf.data import as_images

HEADER = ["set", "images", "chance", "Grad-CAM", "segmenter"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--sets", nargs="+", default=["busi", "lgg_mri"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--share", type=float, default=0.1, help="of the masks")
    options = parser.parse_args()
    print(f"{describe_machine()}\n\n{line(HEADER)}\n{rule(len(HEADER))}", flush=True)
    for name in options.sets:
        found = [shares(options.data / name, options.share, seed) for seed in options.seeds]
        counts, *columns = zip(*found, strict=True)
        cells = [mean_and_spread(list(column)) for column in columns]
        print(line([name, f"{counts[0]:.0f}", *cells]), flush=True)


def shares(folder: Path, share: float, seed: int) -> list[float]:
    """Return the number of images, and how often each highest pixel lies on the finding."""
    setting = SETTINGS["full"] | {"steps": 200}
    _, cell = opened(folder, share, seed, json.dumps(setting))
    rows = np.flatnonzero(cell.there & ~cell.given & (cell.labels == 1))
    images, truth = cell.images[rows], np.stack([cell.masks[row] for row in rows])
    saliency = ClassMaps(classifier=cell.classifier, n_classes=1, layer=LAYER)
    heat = np.stack([maps[0] for _, maps in saliency.maps(as_images(images))])
    probability = cell.teacher.predict_proba(images)[:, 1]
    return [len(rows), float(truth.mean()), hits(truth, heat), hits(truth, probability)]


def hits(truth: np.ndarray, maps: np.ndarray) -> float:
    highest = maps.reshape(len(maps), -1).argmax(axis=1)
    return float(truth.reshape(len(truth), -1)[np.arange(len(truth)), highest].mean())


if __name__ == "__main__":
    main()
