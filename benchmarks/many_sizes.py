"""How much longer does it take to predict images of many sizes than as many of one size?

    python -m benchmarks.many_sizes                                     # under a minute on one core
    python -m benchmarks.many_sizes --encoder resnet18 --image-size 224 --side 320

Both sides have the same number of pixels and alternate in one process. The result is the median
over the rounds of the ratio within a round, with quartiles. All of the many sizes are different;
if the network sees unresized images (image_size=None), there are three sizes. It fails if a
ratio is above 1.3.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import Spread, markdown, quotients, spread, take_turns
from segclf import ImageClassifier, SegmentationClassifier, SimSiamPretrainer, SupervisedSegmenter
from segclf.datasets import make_shapes

CEILING = 1.3
AS_THEY_ARE = "`SupervisedSegmenter(image_size=None).predict`"
Work = tuple[str, str, Callable[[], object], Callable[[], object]]


def main() -> int:
    options = parse_arguments()
    torch.set_num_threads(1)
    print(f"{describe_machine()}, 1 thread")
    print(f"{options.n_images} images of about {options.side} x {options.side} pixels")
    print(f"brought to {options.image_size} x {options.image_size}; encoder {options.encoder!r}\n")
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(work, options) for work in all_work(options, Path(folder))]
    print(markdown(["what", "given", "one size, ms an image", "many sizes", "ratio"], rows))
    worst = max(row[-1].median for row in rows)
    print(f"\nThe largest ratio is {worst:.2f}; the goal is at most {CEILING}.")
    return int(worst > CEILING)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-images", type=int, default=96)
    parser.add_argument("--side", type=int, default=96, help="of the images of one size")
    parser.add_argument("--image-size", type=int, default=64, help="that the network sees")
    parser.add_argument("--encoder", default="tiny")
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def measured(work: Work, options: argparse.Namespace) -> tuple[str, str, Spread, Spread, Spread]:
    what, given, of_one, of_many = work
    times = take_turns({"one": of_one, "many": of_many}, 1 + options.rounds)
    one, many = times["one"][1:], times["many"][1:]  # the first round warms up
    each = (spread([1e3 * run.wall / options.n_images for run in runs]) for runs in (one, many))
    return what, given, *each, quotients(many, one)[0]


def all_work(options: argparse.Namespace, folder: Path) -> Iterator[Work]:
    """Yield the name of the work, its input, and functions for one size and for many sizes."""
    one, many = images(options, n_sizes=1), images(options, n_sizes=options.n_images)
    files = write(one, folder / "one"), write(many, folder / "many")
    for what, ask in questions(options).items():
        if what == AS_THEY_ARE:
            few = images(options, n_sizes=3)
            yield what, "arrays, 3 sizes", partial(ask, one), partial(ask, few)
            continue
        yield what, "arrays", partial(ask, one), partial(ask, many)
        yield what, "files", partial(ask, files[0]), partial(ask, files[1])


def questions(options: argparse.Namespace) -> dict[str, Callable[[Any], object]]:
    """Return prediction functions by name, of briefly trained estimators."""
    shapes = make_shapes(8, image_size=options.side, n_objects=3, random_state=0)
    X, y, masks = shapes.images, shapes.target, shapes.masks
    shared = {"encoder": options.encoder, "image_size": options.image_size, "max_epochs": 1}
    shared |= {"n_threads": 1, "precision": "fp32", "random_state": 0}
    segmenter = SupervisedSegmenter(**shared)
    classifier = SegmentationClassifier(segmenter=segmenter).fit(X, y, masks=masks)
    segmenter = segmenter.fit(X, masks)
    as_they_are = clone(segmenter).set_params(image_size=None).fit(X, masks)
    return {
        "`SupervisedSegmenter.predict`": segmenter.predict,
        "`SupervisedSegmenter.embed_batches`": lambda X: list(segmenter.embed_batches(X)),
        "`SegmentationClassifier.predict`": classifier.predict,
        "`ImageClassifier.predict`": ImageClassifier(**shared).fit(X, y).predict,
        "`SimSiamPretrainer.transform`": SimSiamPretrainer(**shared).fit(X).transform,
        AS_THEY_ARE: as_they_are.predict,
    }


def images(options: argparse.Namespace, n_sizes: int) -> list[NDArray[np.uint8]]:
    """Draw images of about the same area, in turns of each size."""
    random = np.random.default_rng(0)
    heights = np.linspace(0.8, 1.25, n_sizes) if n_sizes > 1 else np.ones(1)
    sizes = [(round(options.side * h), round(options.side / h), 3) for h in heights]
    return [
        random.integers(0, 256, sizes[i % n_sizes], dtype=np.uint8) for i in range(options.n_images)
    ]


def write(pixels: list[NDArray[np.uint8]], folder: Path) -> list[Path]:
    """Write PNG files."""
    folder.mkdir()
    paths = [folder / f"{i}.png" for i in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    return paths


if __name__ == "__main__":
    sys.exit(main())
