"""The runs of ``benchmarks.summarizers``: train, score, and record.

This is a separate module so that worker processes keep the data that they read.
"""

import argparse
import functools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from benchmarks.shared.real_sets import load_rgb, sample
from benchmarks.shared.records import records
from segclf import (
    ImageClassifier,
    MultitaskClassifier,
    SegmentationClassifier,
    SupervisedSegmenter,
    load_plugin,
)
from segclf.metrics import mean_iou

Task = tuple[str, float, int, str]  # data set, fraction, seed, method

SEGMENTER, PLAIN, MULTITASK = "segmenter", "ImageClassifier", "MultitaskClassifier"
# Each by its name among the installed plugins, and what differs from its own defaults.
SUMMARIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "threshold": ("threshold", {}),
    "tuned threshold": ("tuned_threshold", {}),
    "pooled": ("pooled", {}),
    "fully connected": ("fully_connected", {}),
    "mask features": ("mask_features", {}),
    "squeezenet": ("squeezenet", {}),
    "resnet50": ("resnet50", {}),
    **{
        f"{layer} embedding, {head} head": ("embedding", {"layer": layer, "head": head})
        for layer in ("deep", "shallow")
        for head in ("simple", "complex")
    },
}
METHODS = (SEGMENTER, *SUMMARIZERS, MULTITASK, PLAIN)

RECIPE: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
    "precision": "bf16",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {
        "size": 96,
        "steps": 120,
        "batch": 16,
        "encoder": "mobilenet_v2",
        "decoder": (128, 64, 32, 16, 8),
        "n_threads": 1,
        "test_cap": None,
    },
    "large": {
        "size": 224,
        "steps": 4000,
        "batch": 16,
        "encoder": "resnet50",
        "decoder": (256, 128, 64, 32, 16),
        "n_threads": None,
        "test_cap": None,
    },
}
SETTINGS["smoke"] = {**SETTINGS["small"], "size": 64, "steps": 1, "batch": 32, "test_cap": 32}


def run_cell(tasks: list[Task], options: argparse.Namespace) -> None:
    """Do all methods on the same images, one after the other."""
    name, fraction, seed, _ = tasks[0]
    setting = options.setting
    data = load_rgb(options.data / name, setting["size"], setting["test_cap"])
    cell = Cell(data, sample(data, fraction, seed), seed, options)
    if tasks[0][3] in SUMMARIZERS:
        _ = cell.segmenter  # was measured before, and is no summarizer's to pay for
    for task in tasks:
        started = time.process_time()
        scores = cell.score(task[3])
        records(options).write(task, scores, time.process_time() - started)


@dataclass(frozen=True, eq=False)
class Cell:
    """One data set with so many of its training images, drawn by one seed."""

    data: dict[str, Any]
    train: np.ndarray
    seed: int
    options: argparse.Namespace

    def score(self, method: str) -> dict[str, Any]:
        """Train by one method, and test it."""
        if method == SEGMENTER:
            return {"n_train": len(self.train), "iou": self.iou()}
        model = self.make(method)
        masks = {} if method == PLAIN else {"masks": self.masks_of(self.train)}
        model.fit(self.images, self.data["labels"][self.train], **masks)
        scores = model.predict_proba(self.data["images"][self.test])[:, 1]
        labels = self.data["labels"][self.test]
        return {
            "n_train": len(self.train),
            "auroc": float(roc_auc_score(labels, scores)),
            "balanced_accuracy": float(balanced_accuracy_score(labels, scores > 0.5)),
            "scores": scores.tolist(),
            "labels": labels.tolist(),
            "groups": self.data["groups"][self.test].tolist(),
        }

    def make(self, method: str) -> Any:
        if method == PLAIN:
            return ImageClassifier(**self.encoder, **self.training())
        if method == MULTITASK:
            return MultitaskClassifier(**self.encoder, **self.decoder, **self.training())
        name, changes = SUMMARIZERS[method]
        summarizer = load_plugin("summarizer", name)(**changes)
        if hasattr(summarizer, "max_epochs"):
            summarizer.set_params(**self.training(augmentation=None))
        return SegmentationClassifier(
            segmenter=FrozenEstimator(self.segmenter), summarizer=summarizer
        )

    @functools.cached_property
    def segmenter(self) -> SupervisedSegmenter:
        """Return the segmenter whose predictions all summarizers read."""
        segmenter = SupervisedSegmenter(**self.encoder, **self.decoder, **self.training())
        labels = self.data["labels"][self.train]
        return segmenter.fit(self.images, self.masks_of(self.train), labels=labels)

    def iou(self) -> float:
        """Return the IoU of the finding over all test images that have a mask."""
        with_mask = [i for i in self.test if self.data["masks"][i] is not None]
        found = self.segmenter.predict(self.data["images"][with_mask]) == 1
        truth = [(mask == 1).astype(np.uint8) for mask in self.masks_of(with_mask)]
        return mean_iou(truth, found.astype(np.uint8), n_classes=2)

    @property
    def encoder(self) -> dict[str, Any]:
        weights = self.options.weights
        return {"encoder": self.options.setting["encoder"], "encoder_weights": weights}

    @property
    def decoder(self) -> dict[str, Any]:
        return {"decoder_channels": self.options.setting["decoder"]}

    def training(self, augmentation: str | None = "light") -> dict[str, Any]:
        """Return the parameters of a training with a number of steps, for any number of images."""
        setting = self.options.setting
        steps_per_epoch = -(-len(self.train) // setting["batch"])
        return {
            **self.options.recipe,
            "augmentation": augmentation,
            "batch_size": setting["batch"],
            "max_epochs": max(1, round(setting["steps"] / steps_per_epoch)),
            "n_threads": setting["n_threads"],
            "random_state": self.seed,
        }

    @property
    def images(self) -> np.ndarray:
        return self.data["images"][self.train]

    @property
    def test(self) -> np.ndarray:
        return np.flatnonzero(self.data["split"] == self.options.test_on)

    def masks_of(self, indices: Any) -> list[Any]:
        return [self.data["masks"][i] for i in indices]
