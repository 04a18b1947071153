"""Volumes: compare networks of volumes with networks of slices, and measure memory for a large one.

    python -m benchmarks.volumes                      # both parts, on synthetic volumes
    python -m benchmarks.volumes quality --folder F   # those of F/labels.csv, as below
    python -m benchmarks.volumes quality --methods unet3d classifier3d --seeds 5
    python -m benchmarks.volumes memory               # 512 x 512 x 400: less than 2 GB added
    python -m benchmarks.volumes --smoke              # does it run? Claims are not checked

Each method is trained and tested in its own process, with one thread; the peak memory is that of
the process. Half of the training volumes have masks, all have labels. Numbers are means over seeds,
each with its own volumes and initial weights, and after ± the standard deviation over seeds.
Networks of slices take as many steps as those of volumes. A step takes 8 slices or 2 crops of
volumes; half of the crops show a finding. Pretrainers use whole volumes, twice as many.

The synthetic volumes are `make_shapes(depth=...)`. Their spurious object is correlated with the
target in the training set, but not in the test set. A folder needs ``labels.csv`` (image, mask,
label, split), with paths relative to the folder and the splits "train" and "test"; an empty mask
means that there is none. Memory is measured with the encoder "tiny", and excludes the volume and
what was in memory before. The exit status is 1 if the claim about memory fails.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")

import argparse
import csv
import itertools
import multiprocessing
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import line, mean_and_spread, rule
from benchmarks.shared.turns import markdown
from segclf import (
    ImageClassifier,
    MAEPretrainer,
    OtsuPretrainer,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SliceWise,
    SupervisedSegmenter,
)
from segclf.datasets import make_shapes
from segclf.metrics import dice_score

LARGE = (400, 512, 512)
MOST_BYTES = 2 * 2**30


def slice_wise(options: argparse.Namespace, **how: Any) -> Any:
    encoder = {"encoder": "tiny", "encoder_weights": None, "learning_rate": 1e-2}
    encoder |= {"max_steps": options.steps}
    return SegmentationClassifier(SliceWise(SupervisedSegmenter(**encoder), **how))


def frozen(options: argparse.Namespace, **how: Any) -> Any:
    weights = None if options.smoke else "imagenet"
    segmenter = SupervisedSegmenter(encoder=options.encoder, encoder_weights=weights)
    segmenter.set_params(encoder_rate=0.0, max_steps=options.steps)
    return SegmentationClassifier(SliceWise(segmenter, **how))


def unet3d(options: argparse.Namespace, **how: Any) -> SupervisedSegmenter:
    parts = {"crop_size": tuple(options.crop), "finding_fraction": 0.5}
    segmenter = SupervisedSegmenter(architecture="unet3d", encoder=options.encoder3d, **parts)
    return segmenter.set_params(max_steps=options.steps, **how)


def pretrained3d(options: argparse.Namespace, kind: type[Any]) -> Any:
    schedule = {"max_epochs": max(1, 4 * options.steps // options.volumes), "batch_size": 4}
    return SegmentationClassifier(unet3d(options, pretrainer=kind(**schedule, learning_rate=1e-3)))


METHODS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "slices": slice_wise,
    "slices3": lambda options: slice_wise(options, neighbors=1),
    "frozen": frozen,
    "frozen3": lambda options: frozen(options, neighbors=1),
    "classifier3d": lambda options: ImageClassifier(
        encoder=options.encoder3d, max_steps=options.steps
    ),
    "unet3d": lambda options: SegmentationClassifier(unet3d(options)),
    "unet3d, otsu": lambda options: pretrained3d(options, OtsuPretrainer),
    "unet3d, mae": lambda options: pretrained3d(options, MAEPretrainer),
    "unet3d, boosted": lambda options: SegmentationClassifier(
        PseudoLabelSemiSupervised(unet3d(options), labeler="boosted", baseline=False)
    ),
}


def main() -> None:
    options = parse_arguments()
    print(f"{describe_machine()}, 1 thread\n", flush=True)
    parts = {"quality": quality, "memory": memory}
    passed = [parts[part](options) for part in options.parts or parts]
    sys.exit(0 if options.smoke or all(passed) else 1)


def quality(options: argparse.Namespace) -> bool:
    header = ["method", "AUROC", "Dice", "s, processor", "peak, GB"]
    print(line(header), rule(len(header)), sep="\n", flush=True)
    for name in options.methods or METHODS:
        found = [in_a_process(judge, name, options, seed) for seed in range(options.seeds)]
        auroc, dice, seconds, peak = np.array(found).T
        scores = [mean_and_spread(each[~np.isnan(each)].tolist()) for each in (auroc, dice)]
        costs = f"{seconds.mean():.0f}", f"{peak.max() / 2**30:.2f}"
        print(line([name, *scores, *costs]), flush=True)
    print(flush=True)
    return True


def judge(name: str, options: argparse.Namespace, seed: int) -> tuple[float, float, float, float]:
    train, test = data(options, seed)
    start = time.process_time()
    classifier = METHODS[name](options).set_params(random_state=seed)
    classifier.fit(train[0], train[2], masks=train[1])
    scores = classifier.predict_proba(test[0])[:, 1]
    dice = float("nan")
    if hasattr(classifier, "predict_masks"):
        masks = classifier.predict_masks(test[0])
        dice = dice_score(test[1], masks, n_spatial=3, per_image=True)
    seconds = time.process_time() - start
    return float(roc_auc_score(test[2], scores)), dice, seconds, peak_bytes()


def data(options: argparse.Namespace, seed: int) -> tuple[Any, Any]:
    """Return volumes, masks (None for half of the training volumes) and labels, per split."""
    if options.folder is not None:
        return from_folder(options.folder)
    scene: dict[str, Any] = {"image_size": options.size, "depth": options.depth, "n_objects": 6}
    scene |= {"target_radius": (2, 5), "background_radius": (2, 5), "spurious_radius": (2, 5)}
    parts = []
    for part, tied in enumerate((0.9, 0.5)):
        scene |= {"spurious_correlation": tied, "random_state": 2 * seed + part}
        shapes = make_shapes(options.volumes, **scene)
        parts.append([shapes.images, list(shapes.masks), shapes.target])
    parts[0][1] = [mask if row % 2 else None for row, mask in enumerate(parts[0][1])]
    return parts[0], parts[1]


def from_folder(folder: Path) -> tuple[Any, Any]:
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    parts = []
    for split in ("train", "test"):
        part = [row for row in rows if row["split"] == split]
        masks = [str(folder / row["mask"]) if row["mask"] else None for row in part]
        images = [str(folder / row["image"]) for row in part]
        parts.append([images, masks, np.array([int(row["label"]) for row in part])])
    return parts[0], parts[1]


def memory(options: argparse.Namespace) -> bool:
    shape = (40, 64, 64) if options.smoke else LARGE
    rows, passed = [], True
    for name, what in itertools.product(SEGMENTERS, ("predict_masks", "predict_proba")):
        beyond, seconds = in_a_process(measure, name, what, shape)
        passed = passed and beyond <= MOST_BYTES
        rows.append([f"{name}, {what}", f"{beyond / 2**30:.2f}", f"{seconds:.0f}"])
    print(f"### A volume of {' x '.join(map(str, shape))}, int16: claim, less than 2 GB added\n")
    print(markdown(["", "GB added", "s, processor"], rows) + "\n", flush=True)
    return passed


SEGMENTERS: dict[str, Callable[[], Any]] = {
    "slices": lambda: SliceWise(
        SupervisedSegmenter(encoder="tiny", encoder_weights=None, max_epochs=1), max_slices=2
    ),
    "unet3d": lambda: SupervisedSegmenter(
        architecture="unet3d", encoder="tiny3d", max_epochs=1, tile_size=(32, 128, 128)
    ),
}


def measure(name: str, what: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the peak memory that a prediction adds, in bytes, and its processor time."""
    small = make_shapes(6, image_size=32, depth=4, n_objects=3, target_radius=4, random_state=1)
    classifier = SegmentationClassifier(SEGMENTERS[name](), random_state=0)
    classifier.fit(small.images.astype(np.int16), small.target, masks=small.masks)
    volume = np.random.default_rng(0).integers(0, 255, (1, *shape), dtype=np.int16)
    before, start = resident_bytes(), time.process_time()
    with Peak() as peak:
        getattr(classifier, what)(volume)
    return peak.bytes - before, time.process_time() - start


class Peak:
    """Measure the peak resident memory of this process inside the block, 50 times per second."""

    bytes = 0

    def __enter__(self) -> "Peak":
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            self.bytes = max(self.bytes, resident_bytes())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._watch.join()


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def peak_bytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="quality, memory; both by default")
    parser.add_argument("--folder", type=Path, help="real volumes in place of synthetic ones")
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--encoder", default="tf_efficientnet_lite0", help="of the frozen method")
    parser.add_argument("--encoder3d", default="tiny3d", help="for volumes")
    parser.add_argument("--volumes", type=int, default=60, help="per split")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--depth", type=int, default=16)
    parser.add_argument("--crop", type=int, nargs=3, default=[16, 32, 32], help="of unet3d")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--smoke", action="store_true", help="a minute, with tiny settings")
    options = parser.parse_args()
    if unknown := set(options.parts) - {"quality", "memory"}:
        parser.error(f"unknown parts {sorted(unknown)}, expected quality or memory")
    if options.smoke:
        options.volumes, options.size, options.depth, options.steps = 8, 32, 4, 2
        options.encoder, options.seeds, options.crop = "tiny", 1, [4, 16, 16]
    return options


if __name__ == "__main__":
    main()
