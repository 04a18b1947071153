"""What does bf16 gain, and does the rule of ``precision="auto"`` agree?

Run ``python -m benchmarks.precision [NAME ...]``: a training step in fp32 over one in bf16, in time
of the processor (on CUDA, wall-clock time) for each network, and the choice of the rule; about four
minutes for all networks.
"""

import argparse
import time
import warnings

import numpy as np
import torch

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import markdown
from segclf import ImageClassifier, SupervisedSegmenter
from segclf.training import choose_device

N_STEPS = 6
CLEAR, LOSS = 1.15, 0.95
SEGMENTERS = {  # encoder: (side, images in a batch)
    "tiny": [(32, 16), (64, 8), (96, 8)],
    "resnet18": [(32, 4), (64, 8), (128, 8)],
    "mobilenet_v2": [(128, 4)],
    "efficientnet-b0": [(128, 4)],
    "densenet121": [(64, 4)],
    "mit_b0": [(128, 4)],
}
CLASSIFIERS = {
    "tiny": [(64, 16)],
    "resnet18": [(32, 4), (64, 8), (128, 8)],
    "mobilenetv2_100": [(64, 8)],
    "tf_efficientnet_lite0": [(64, 8), (128, 8)],
    "convnext_tiny": [(64, 4)],
    "vit_tiny_patch16_224": [(32, 4), (224, 2)],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoders", nargs="*", help="only those")
    wanted = parser.parse_args().encoders
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"{describe_machine()}\n")
    rows = [
        row(kind, encoder, side, batch_size)
        for kind, encoders in ((SupervisedSegmenter, SEGMENTERS), (ImageClassifier, CLASSIFIERS))
        for encoder, sizes in encoders.items()
        if not wanted or encoder in wanted
        for side, batch_size in sizes
    ]
    print(markdown(["estimator", "encoder", "batch", "fp32 / bf16", "the rule", ""], rows))


def row(kind, encoder, side, batch_size):
    estimator = kind(
        encoder=encoder,
        encoder_weights=None,
        encoder_rate=1.0,
        image_size=None,
        augmentation=None,
        batch_size=batch_size,
        n_threads=1,
        random_state=0,
    )
    gain = step(estimator, "fp32", side) / step(estimator, "bf16", side)
    taken = fit(estimator, "auto", side, 1).precision_
    missed = taken == "fp32" and gain >= CLEAR
    verdict = "missed" if missed else "slower" if taken == "bf16" and gain < LOSS else ""
    return kind.__name__, encoder, f"{batch_size} x {side}²", f"{gain:.2f}", taken, verdict


def step(estimator, precision, side):
    """Return the seconds of a step: a long fit less a short one, the quickest of two each."""
    short, long = (
        min(seconds(estimator, precision, side, n_steps) for _ in range(2))
        for n_steps in (2, 2 + N_STEPS)
    )
    return (long - short) / N_STEPS


def seconds(estimator, precision, side, n_steps):
    clock = time.process_time if choose_device("auto").type == "cpu" else time.perf_counter
    started = clock()
    fit(estimator, precision, side, n_steps)
    return clock() - started


def fit(estimator, precision, side, n_steps):
    estimator.set_params(precision=precision, max_steps=n_steps)
    n_images = 2 * estimator.batch_size
    rng = np.random.default_rng(0)
    images = rng.random((n_images, side, side, 3), dtype=np.float32)
    if isinstance(estimator, ImageClassifier):
        return estimator.fit(images, np.arange(n_images) % 2)
    return estimator.fit(images, list((rng.random((n_images, side, side)) < 0.2).astype(int)))


if __name__ == "__main__":
    main()
