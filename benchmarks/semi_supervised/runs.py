"""The runs of ``benchmarks.semi_supervised``: learn from few masks, score, and record.

This is a separate module so that worker processes keep the data that they read.
"""

import argparse
import functools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.semi_supervised.cells import Cell, make_cell
from benchmarks.semi_supervised.methods import METHODS
from benchmarks.semi_supervised.settings import THRESHOLDS, TOP_SHARE
from benchmarks.shared.real_sets import findings, load_rgb
from benchmarks.shared.records import records
from segclf import ImageClassifier, SegmentationClassifier
from segclf.metrics import best_thresholds, mean_iou

Task = tuple[str, int, float | None, str, float | None]  # set, seed, fraction, method, its value
# Chains of one worker go from set to set.
load = functools.lru_cache(maxsize=5)(load_rgb.__wrapped__)


def run_chain(tasks: list[Task], options: argparse.Namespace) -> None:
    """Do all methods with the same masks, one after the other, as long as there is time."""
    for task in tasks:
        if time.time() < options.deadline:
            run(task, options)


def run(task: Task, options: argparse.Namespace) -> None:
    """Train and score one method; models shared with the previous run are not trained again."""
    name, seed, fraction, method, value = task
    data, cell = opened(options.data / name, fraction, seed, json.dumps(options.setting))
    started = time.process_time()
    model = METHODS[method].fit(cell, value)
    seconds = time.process_time() - started
    records(options).write(task, score(model, cell, data, options.test_on), seconds)


@functools.lru_cache(maxsize=1)
def opened(
    folder: Path, fraction: float | None, seed: int, setting: str
) -> tuple[dict[str, Any], Cell]:
    known = json.loads(setting)
    data = load(folder, known["sizes"].get(folder.name, known["size"]), known["test_cap"])
    return data, make_cell(data, fraction, known, seed)


def score(model: Any, cell: Cell, data: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the scores of a model on the test images, and those of its pseudo masks."""
    found: dict[str, Any] = {
        "n_masks": int(cell.given.sum()),
        "n_positive": int(cell.labels[cell.given].sum()),
    }
    chosen = np.flatnonzero(data["split"] == split)
    images, labels = data["images"][chosen], data["labels"][chosen]
    if isinstance(model, ImageClassifier):
        return found | {"auroc": auroc(labels, model.predict_proba(images)[:, 1])}
    if isinstance(model, SegmentationClassifier):
        found["auroc_joint"] = auroc(labels, model.predict_proba(images)[:, 1])
        model = model.segmenter_
    found |= score_masks(model, data, chosen, cell.setting["threshold_images"])
    if hasattr(model, "teacher_"):
        taught_by = score_masks(model.teacher_, data, chosen, cell.setting["threshold_images"])
        found |= {f"teacher_{name}": taught_by[name] for name in ("iou", "auroc")}
    return found | score_pseudo_masks(model, cell)


def score_masks(
    segmenter: Any, data: dict[str, Any], chosen: np.ndarray, n_images: int
) -> dict[str, float]:
    """Score masks by IoU, and images by the mean of their highest pixels.

    As in CheXseg, the threshold is the one that makes the best masks of images of the validation
    split; how good masks are at one half stands beside it.
    """
    threshold = val_threshold(segmenter, data, n_images)
    maps = segmenter.predict_proba(data["images"][chosen])[:, 1]
    truth = findings(data, chosen)
    ious = {
        name: foreground_iou(truth, maps > cut)
        for name, cut in (("iou", threshold), ("iou_at_half", 0.5))
    }
    return {**ious, "threshold": threshold, "auroc": auroc(data["labels"][chosen], highest(maps))}


def val_threshold(segmenter: Any, data: dict[str, Any], n_images: int) -> float:
    there = np.array([mask is not None for mask in data["masks"]])
    of_val = np.flatnonzero(there & (data["split"] == "val"))
    chosen = np.random.default_rng(0).permutation(of_val)[:n_images]
    maps = segmenter.predict_proba(data["images"][chosen])[:, 1:2]
    return float(best_thresholds(findings(data, chosen), maps, grid=np.array(THRESHOLDS))[0])


def highest(maps: np.ndarray) -> np.ndarray:
    """Return the mean of the highest pixels of each map (n, h, w)."""
    pixels = maps.reshape(len(maps), -1)
    n_pixels = max(1, round(TOP_SHARE * pixels.shape[1]))
    return np.partition(pixels, -n_pixels, axis=1)[:, -n_pixels:].mean(axis=1)


def score_pseudo_masks(model: Any, cell: Cell) -> dict[str, float]:
    """Compare the masks predicted by a labeler with the held-back true masks."""
    if not hasattr(model, "transduction_"):
        return {}
    used = (model.labeled_iter_ > 0) & (cell.labels == 1)
    rows = np.flatnonzero(used & cell.there)
    found = {"pseudo_share": float(used.sum() / max(1, (~cell.given & (cell.labels == 1)).sum()))}
    if len(rows):
        masks = np.stack([model.transduction_[row] for row in rows])
        found["pseudo_iou"] = foreground_iou([cell.masks[row] for row in rows], masks > 0)
    if model.baseline:
        found["kept"] = float(model.winner_ == "result")
    return found


def foreground_iou(truth: list[np.ndarray | None], found: np.ndarray) -> float:
    """Return the IoU of the pixels of all images that have a mask."""
    pairs = [(t, f) for t, f in zip(truth, found, strict=True) if t is not None]
    masks, cut = (list(each) for each in zip(*pairs, strict=True))
    return mean_iou(masks, np.stack(cut).astype(np.uint8), n_classes=2)


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(roc_auc_score(labels, scores))
