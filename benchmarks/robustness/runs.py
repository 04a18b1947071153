"""The runs of ``benchmarks.robustness`` on real images: plant a mark, train, and score.

This is a separate module so that worker processes keep the data that they read.
"""

import argparse
from typing import Any

import numpy as np
from segclf_plugins.pseudo_labelers import GradCAMLabeler
from sklearn.frozen import FrozenEstimator

from benchmarks.shared.models import ALONE, CLASSIFIER, DEFAULT, fit, make
from benchmarks.shared.real_sets import load_rgb, sample, without_masks
from benchmarks.shared.records import records
from segclf import SegmentationClassifier
from segclf.metrics import auroc_by_attribute, strict_hits

Task = tuple[str, float, int, str]  # data set, share of the findings that are marked, seed, framing

ALL_MASKS, FEW_MASKS = "default, all masks", "default, 10 % of masks"
ALONE_ALL, ALONE_FEW = "masks alone, all masks", "masks alone, 10 % of masks"
CLASSIFICATION = "classification"
# Each is its class with no other argument; and the share of the findings that have a mask.
FRAMINGS: dict[str, tuple[str, float]] = {
    ALL_MASKS: (DEFAULT, 1.0),
    FEW_MASKS: (DEFAULT, 0.1),
    ALONE_ALL: (ALONE, 1.0),
    ALONE_FEW: (ALONE, 0.1),
    CLASSIFICATION: (CLASSIFIER, 0.0),
}
# layer: whose maps say where the classifier looks; images: for training, at most.
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {
        "size": 128,
        "images": 400,
        "parameters": {},
        "layer": "encoder.blocks.4",
        "test_cap": None,
    },
    "large": {
        "size": 256,
        "images": None,
        "parameters": {},
        "layer": "encoder.blocks.4",
        "test_cap": None,
    },
    "smoke": {
        "size": 64,
        "images": 60,
        "parameters": {"encoder": "tiny", "encoder_weights": None, "max_steps": 2},
        "layer": None,
        "test_cap": 60,
    },
}
HOTTEST = 0.95  # of the highest value of a Grad-CAM: its peak


def run(task: Task, options: argparse.Namespace) -> None:
    """Train on images with some marks; score test images with and without the mark."""
    name, share, seed, framing = task
    setting = options.setting
    data = load_rgb(options.data / name, setting["size"], setting["test_cap"])
    train = sample(data, 1.0, seed)
    train = np.random.default_rng(seed).permutation(train)[: setting["images"]]
    method, share_of_masks = FRAMINGS[framing]
    shown = without_masks(data, train, share_of_masks, seed)
    shown["images"] = data["images"].copy()
    chosen = train[marked(data["labels"][train], share, seed)]
    shown["images"][chosen] = painted(data["images"][chosen])
    model = make(method, seed, options.parameters)
    seconds = fit(model, shown, train)
    scores = test(model, data, np.flatnonzero(data["split"] == options.test_on), options)
    records(options).write(task, scores, seconds)


def marked(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose a share of the positive images, and the complementary share of the others; (n,) bool.

    With the same seed, the positives of a smaller share are among those of a larger one.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    chosen = np.zeros(len(labels), dtype=bool)
    for label, part in ((1, share), (0, 1 - share)):
        members = order[labels[order] == label]
        chosen[members[: round(part * len(members))]] = True
    return chosen


def painted(images: np.ndarray) -> np.ndarray:
    """Return a copy with the mark in white."""
    images = images.copy()
    images[:, mark(images.shape[1]) > 0] = 255
    return images


def mark(size: int) -> np.ndarray:
    """Return the pixels of the mark: a scale bar with ticks, lower left, a quarter of the side."""
    unit = max(1, size // 32)
    left, bottom, tick = size // 16, size - size // 16, size // 16
    pixels = np.zeros((size, size), dtype=np.uint8)
    pixels[bottom - unit : bottom, left : left + 4 * tick + unit] = 1
    for place in range(left, left + 4 * tick + 1, tick):
        pixels[bottom - 3 * unit : bottom, place : place + unit // 2 + 1] = 1
    return pixels


def around(pixels: np.ndarray) -> np.ndarray:
    """Return the box of the mark and a sixteenth of the side around it."""
    margin = len(pixels) // 16
    box = np.zeros_like(pixels)
    (top, left), (bottom, right) = (f(np.argwhere(pixels), axis=0) for f in (np.min, np.max))
    box[max(top - margin, 0) : bottom + margin + 1, max(left - margin, 0) : right + margin + 1] = 1
    return box


def test(
    model: Any, data: dict[str, Any], chosen: np.ndarray, options: argparse.Namespace
) -> dict[str, Any]:
    """Score each image without the mark and with it; arrays (n, 2) as lists."""
    labels, plain = data["labels"][chosen], data["images"][chosen]
    truth = [data["masks"][i] for i in chosen]
    bars = [around(mark(plain.shape[1]))] * len(plain)
    versions = []
    for images in (plain, painted(plain)):
        scores = model.predict_proba(images)[:, 1]
        called = (scores > 0.5).astype(int)
        found = regions(model, images, options)
        versions.append(
            {
                "scores": scores,
                "called": called,
                "overlap": strict_hits(labels, called, truth, found),
                "middle": strict_hits(labels, called, truth, found, place="centroid"),
                "on_mark": strict_hits(labels, called, bars, found, place="centroid"),
            }
        )
    marks = np.repeat([0, 1], len(labels))
    matrix = auroc_by_attribute(
        np.tile(labels, 2), np.concatenate([v["scores"] for v in versions]), marks
    )
    return {
        "auroc, none marked": float(matrix[0, 0]),
        "auroc, robust": float(matrix[0, 1]),
        "labels": labels.tolist(),
        "groups": data["groups"][chosen].tolist(),
        **{k: np.stack([v[k] for v in versions], axis=1).tolist() for k in versions[0]},
    }


def regions(model: Any, images: np.ndarray, options: argparse.Namespace) -> Any:
    """Return the regions that a model predicts: its masks, or the peak of its Grad-CAM."""
    if isinstance(model, SegmentationClassifier):
        return model.predict_masks(images)
    labeler = GradCAMLabeler(
        classifier=FrozenEstimator(model), threshold=HOTTEST, layer=options.setting["layer"]
    )
    shown = np.ones(len(images), dtype=int)
    return np.maximum(labeler.fit(images, labels=shown).predict(images, labels=shown), 0)
