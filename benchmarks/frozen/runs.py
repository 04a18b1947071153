"""One model on one set with one training sample: settings chosen on `val`, scored on `test`."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from segclf_plugins.summarizers import ThresholdSummarizer
from sklearn.metrics import roc_auc_score

from benchmarks.shared.real_sets import load_rgb
from segclf import ImageClassifier, SupervisedSegmenter

MODELS = ("hypercolumn", "fpn", "unet", "ImageClassifier")
SETTINGS: dict[str, Any] = {
    "recipe": {
        "encoder": "tf_efficientnet_lite0",
        "encoder_weights": "imagenet",
        "encoder_rate": 0,
        "optimizer": "adamw",
        "schedule": "one_cycle",
        "weight_decay": 1e-2,
        "batch_size": 8,
        "max_steps": 200,
        "image_size": 128,
        "n_threads": 1,
    },
    "learning_rates": {
        "hypercolumn": [1e-3, 3e-3],
        "fpn": [1e-3],
        "unet": [1e-3],
        "ImageClassifier": [1e-3, 3e-3, 1e-2],
    },
    "areas": [0.0005, 0.002, 0.008],
    "images_per_label": 45,
    "evaluated": 250,
}


def measure(folder: Path, model: str, seed: int) -> dict[str, Any]:
    """Fit with each learning rate, choose on `val`, and return the scores on `test`."""
    data = load_rgb(folder, SETTINGS["recipe"]["image_size"])
    rows = sample(data, "train", SETTINGS["images_per_label"], seed)
    found = []
    for rate in SETTINGS["learning_rates"][model]:
        started = time.process_time()
        fitted = fit(model, data, rows, {"learning_rate": rate, "random_state": seed})
        seconds = time.process_time() - started
        for area, auroc, _ in scores(fitted, data, some(data, "val")):
            found.append((auroc, -rate, area or 0, fitted, seconds))
    auroc, rate, area, fitted, seconds = max(found, key=lambda each: each[:3])
    of_test = {a or 0: rest for a, *rest in scores(fitted, data, some(data, "test"))}
    return {
        "AUROC": of_test[area][0],
        "IoU": of_test[area][1],
        "seconds to fit": seconds,
        "validation AUROC": auroc,
        "learning rate": -rate,
        "area": area,
    }


def fit(model: str, data: dict[str, Any], rows: np.ndarray, changes: dict[str, Any]) -> Any:
    X, y = data["images"][rows], data["labels"][rows]
    recipe = {**SETTINGS["recipe"], **changes}
    if model == "ImageClassifier":
        return ImageClassifier(**recipe).fit(X, y)
    return SupervisedSegmenter(architecture=model, **recipe).fit(X, findings(data, rows))


def scores(fitted: Any, data: dict[str, Any], rows: np.ndarray) -> list[tuple[Any, float, Any]]:
    """Return (area of the highest pixels, AUROC, IoU); of a classifier AUROC alone."""
    X, y = data["images"][rows], data["labels"][rows]
    if isinstance(fitted, ImageClassifier):
        return [(None, float(roc_auc_score(y, fitted.predict_proba(X)[:, 1])), None)]
    maps = fitted.predict_proba(X)
    predicted, true = maps[:, 1] > 0.5, findings(data, rows) == 1
    iou = float((predicted & true).sum() / (predicted | true).sum())
    return [(area, auroc(maps, y, area), iou) for area in SETTINGS["areas"]]


def auroc(maps: np.ndarray, y: np.ndarray, area: float) -> float:
    maps = maps[:, 1:]  # of the finding
    summarizer = ThresholdSummarizer(pooling="top_mean", min_area=area).fit(maps, y)
    return float(roc_auc_score(y, summarizer.predict_proba(maps)[:, 1]))


def findings(data: dict[str, Any], rows: np.ndarray) -> np.ndarray:
    """Return masks of 0 and 1; an image without a mask has no finding."""
    size = data["images"].shape[1:3]
    masks = [data["masks"][row] for row in rows]
    return np.stack([np.zeros(size, int) if m is None else (m == 1).astype(int) for m in masks])


def sample(data: dict[str, Any], split: str, n_each: int, seed: int) -> np.ndarray:
    """Sample the given number of images of each label."""
    order = np.random.default_rng(seed).permutation(np.flatnonzero(data["split"] == split))
    return np.concatenate([order[data["labels"][order] == k][:n_each] for k in (0, 1)])


def some(data: dict[str, Any], split: str) -> np.ndarray:
    """Return the same part of a split for every model and seed."""
    rows = np.flatnonzero(data["split"] == split)
    return np.sort(np.random.default_rng(0).permutation(rows)[: SETTINGS["evaluated"]])
