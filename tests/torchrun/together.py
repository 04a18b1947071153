"""A script for ``torchrun``: fit every method, and let the first process write what came of it."""

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from every_method import METHODS, fitted, outputs
from timm.layers import BatchNormAct2d
from torch import nn

from segclf import ImageClassifier, SupervisedSegmenter
from segclf.data import loader
from segclf.datasets import make_shapes
from segclf.distributed import (
    average_gradients,
    in_shares,
    is_first,
    n_processes,
    synchronized,
)

SHAPES = make_shapes(14, image_size=32, n_objects=3, random_state=1)


# Adam divides by the size of a gradient, and so makes a step of rounding noise where that is 0.
SGD = {"optimizer": "sgd", "learning_rate": 0.01}


def learned(estimator):
    """Return all numbers that its network holds, which may be that of a part."""
    while not hasattr(estimator, "network_"):
        inside = (getattr(estimator, name, None) for name in ("segmenter_", "estimator_"))
        estimator = next((each for each in inside if each is not None), None)
        if estimator is None:
            return np.zeros(0)
    state = estimator.network_.state_dict().values()
    return np.concatenate([each.double().numpy().ravel() for each in state])


def numbers(estimator, images=None):
    said = outputs(estimator) if images is None else estimator.predict_proba(images)
    return {"said": np.asarray(said, dtype=float), "learned": learned(estimator)}


def every_method():
    return {kind.__name__: numbers(fitted(kind, **settings_of(kind))) for kind in METHODS}


def settings_of(kind):
    return {name: value for name, value in SGD.items() if name in kind().get_params()}


def segmenter(**settings):
    settings = {**SGD, "encoder": "tiny", "max_epochs": 2, "batch_size": 5, **settings}
    model = SupervisedSegmenter(random_state=0, **settings).fit(SHAPES.images, SHAPES.masks)
    return numbers(model, SHAPES.images)


def normalized(kind):
    """Train a normalization for a step, with 5 images; torch's own rounds more than ours."""
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(3, 4, 3), kind(4), nn.Conv2d(4, 2, 1)).double()
    images = torch.from_numpy(SHAPES.images[:5]).double().movedim(3, 1) / 255
    with synchronized(layer):
        in_shares(layer, images).square().mean().backward()
    average_gradients(layer.parameters())
    values = [*layer.state_dict().values(), *(each.grad for each in layer.parameters())]
    return {"learned": np.concatenate([each.detach().double().numpy().ravel() for each in values])}


def chained():
    """One after the other computed in shares, with what all compute between them."""
    torch.manual_seed(0)
    first, second = nn.Linear(3, 4), nn.Linear(4, 2)
    between = in_shares(first, torch.rand(5, 3))
    said = in_shares(second, (between - between.mean(0)).relu())
    (said.std() + between.square().mean()).backward()
    parameters = [*first.parameters(), *second.parameters()]
    average_gradients(parameters)
    return {"learned": np.concatenate([each.grad.numpy().ravel() for each in parameters])}


def cases():
    """What has its own way of looking at a batch, or of making one."""
    loader.PRELOADED_BYTES, before = 0, loader.PRELOADED_BYTES
    unread = segmenter()
    loader.PRELOADED_BYTES = before
    classifier = ImageClassifier(encoder="tiny", max_epochs=2, n_iter_no_change=1, random_state=0)
    return {
        "chained": chained(),
        "batch norm": normalized(nn.BatchNorm2d),
        "timm's batch norm": normalized(BatchNormAct2d),
        "dropout and statistics": segmenter(architecture="hypercolumn", max_epochs=6),
        "frozen encoder": segmenter(architecture="hypercolumn", encoder_rate=0.0),
        "turned maps": segmenter(encoder_rate=0.0, augmentation="light"),
        "files": unread,
        "single image": segmenter(batch_size=1),
        "early stopping": numbers(classifier.fit(SHAPES.images, SHAPES.target), SHAPES.images),
        "dice over the batch": segmenter(loss="dice", accumulate_batches=2),
    }


def main(path):
    warnings.simplefilter("ignore")
    found = cases() | every_method()
    if is_first():
        flat = {f"{name}/{what}": each for name, n in found.items() for what, each in n.items()}
        np.savez(path, n_processes=n_processes(), **flat)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
