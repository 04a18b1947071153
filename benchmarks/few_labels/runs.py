"""The runs of ``benchmarks.few_labels``: sample training images, fit, score, record.

This is a separate module so that worker processes keep the data that they read.
"""

import argparse
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.shared.models import BOXES, fit, make, predictions, resolved
from benchmarks.shared.real_sets import load_rgb, sample_units, with_boxes
from benchmarks.shared.records import records

Task = tuple[str, float, int, int, str]  # data set, share of labels, split, seed, method
SETTINGS: dict[str, dict[str, Any]] = {
    "quick": {
        "sets": ["lgg_mri", "magnetic_tile"],
        "shares": [0.1],
        "seeds": [0],
        "at_least": 100,
        "test_cap": None,
        "parameters": {},
    },
    "full": {
        "sets": ["busi", "lgg_mri", "road_pothole", "magnetic_tile", "coffee_leaf"],
        "shares": [0.1, 1.0],
        "seeds": [0, 1, 2, 3, 4],
        "at_least": 100,
        "test_cap": None,
        "parameters": {},
    },
    "smoke": {
        "sets": ["magnetic_tile", "coffee_leaf"],
        "shares": [0.01],
        "seeds": [0, 1],
        "at_least": 24,
        "test_cap": 40,
        "parameters": {"encoder": "tiny", "encoder_weights": None, "max_steps": 2},
    },
}


def run(task: Task, options: argparse.Namespace) -> None:
    name, share, split, seed, method = task
    data = load_rgb(options.data / name)
    pool, test = split_of(data, split)
    test = test[: options.test_cap]
    rows = draw(data, pool, share, seed, options)
    model = make(method, seed, options.parameters | options.kept)
    seconds = fit(model, with_boxes(data, rows) if method == BOXES else data, rows)
    row = {
        "labels": data["labels"][test].tolist(),
        "groups": data["groups"][test].tolist(),
        "n_train": len(rows),
        "n_positive": int(data["labels"][rows].sum()),
        "n_masks": sum(data["masks"][row] is not None for row in rows),
        "kept": bool(options.kept),
        "resolved": resolved(model),
        **predictions(model, data, test),
    }
    records(options).write(task, row, seconds)


def split_of(data: dict[str, Any], split: int) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test images: the set's own (0), or two thirds and a third by groups."""
    if split == 0:
        return np.flatnonzero(data["split"] == "train"), np.flatnonzero(data["split"] == "test")
    folds = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=split)
    labels, groups = data["labels"], data["groups"]
    train, test = next(iter(folds.split(np.zeros(len(labels)), labels, groups)))
    return train, test


def draw(
    data: dict[str, Any], pool: np.ndarray, share: float, seed: int, options: argparse.Namespace
) -> np.ndarray:
    """Return the training images: a share of the pool, but no fewer than `at_least`."""
    n = min(len(pool), max(options.at_least, round(share * len(pool))))
    by_group = options.units == "groups"
    return sample_units(data, pool, n, seed, whole_groups=by_group, balanced=options.balanced)
