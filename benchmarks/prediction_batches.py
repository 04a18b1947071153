"""How many pixels should a batch have that is predicted on a CPU?

Run ``python -m benchmarks.prediction_batches [--rounds 4]``. Each network predicts the same images
in batches of several numbers of pixels, in turns, on one thread: processor time an image, divided
by that with 2**20 pixels. Short batches are filled up, so that smaller ones spare time where there
is a single image, if they cost no more where there are many.
"""

import argparse
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.markdown import line, rule
from benchmarks.shared.turns import quotients, take_turns
from segclf import ImageClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.training import prediction_plan

LIMITS = [2**14, 2**15, 2**16, 2**17, 2**18, 2**20]
SIZES = {32: 32, 64: 32, 128: 32, 256: 16}  # of a side, and how many images
SHORT = {"max_epochs": 1, "random_state": 0, "precision": "fp32", "n_threads": 1}
NETWORKS = {
    "hypercolumn, tf_efficientnet_lite0": SupervisedSegmenter(
        architecture="hypercolumn", encoder="tf_efficientnet_lite0", **SHORT
    ),
    "unet, resnet18": SupervisedSegmenter(architecture="unet", encoder="resnet18", **SHORT),
    "classifier, tf_efficientnet_lite0": ImageClassifier(
        encoder="tf_efficientnet_lite0", encoder_weights=None, **SHORT
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    n_rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    header = ["network", "side", "ms an image", *(f"2^{n.bit_length() - 1}" for n in LIMITS)]
    print(f"{describe_machine()}\n\n{line(header)}\n{rule(len(header))}", flush=True)
    shapes = make_shapes(8, image_size=48, n_objects=3, random_state=0)
    for name, estimator in NETWORKS.items():
        is_segmenter = isinstance(estimator, SupervisedSegmenter)
        estimator.fit(shapes.images, shapes.masks if is_segmenter else shapes.target)
        for size, n_images in SIZES.items():
            print(
                line([name, str(size), *compared(estimator, size, n_images, n_rounds)]), flush=True
            )


def compared(estimator, size: int, n_images: int, n_rounds: int) -> list[str]:
    X = np.random.default_rng(0).integers(0, 255, (n_images, size, size, 3), np.uint8)

    def predict(limit: int) -> None:
        with patch.object(prediction_plan, "PIXELS_A_BATCH_ON_CPU", limit):
            estimator.predict_proba(X)

    sides = {str(limit): lambda limit=limit: predict(limit) for limit in LIMITS}
    take_turns(sides, 1)
    times = take_turns(sides, n_rounds)
    base = times[str(LIMITS[-1])]
    milliseconds = np.median([each.cpu for each in base]) / n_images * 1e3
    shares = [quotients(times[name], base)[1].median for name in sides]
    return [f"{milliseconds:.1f}", *(f"{share:.2f}" for share in shares)]


if __name__ == "__main__":
    main()
