"""One set with one seed: more images are annotated in each round; scores are on `test`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from segclf_plugins.summarizers import ThresholdSummarizer
from sklearn.metrics import roc_auc_score

from benchmarks.frozen.runs import SETTINGS as FROZEN
from benchmarks.frozen.runs import findings, sample, some
from benchmarks.shared.real_sets import load_rgb
from segclf import SegmentationClassifier, SupervisedSegmenter, query

# How images are chosen: at random, or by `query` with a diversity.
WAYS: dict[str, float | None] = {"random": None, "query": 0.5, "uncertain": 0.0, "diverse": 1.0}
SETTINGS: dict[str, Any] = {
    "recipe": {**FROZEN["recipe"], "architecture": "hypercolumn", "learning_rate": 1e-3},
    "summarizer": {"pooling": "top_mean", "min_area": 0.002},
    "start_per_label": 10,
    "each_round": 20,
    "pool": 400,
    "evaluated": FROZEN["evaluated"],
}


def measure(
    folder: Path, way: str, seed: int, n_rounds: int, memory: Path
) -> Iterator[tuple[int, dict[str, float], float]]:
    """Yield how many images are annotated, the scores, and the processor seconds of each round."""
    data = load_rgb(folder, SETTINGS["recipe"]["image_size"])
    chosen = sample(data, "train", SETTINGS["start_per_label"], seed)
    pool = left_over(data, chosen, seed)
    fitted = None
    for _ in range(n_rounds + 1):
        started = time.process_time()
        if fitted is not None:
            new = choose(fitted, data["images"][pool], WAYS[way])
            chosen, pool = np.append(chosen, pool[new]), np.delete(pool, new)
        fitted = fit(data, chosen, seed, memory)
        yield len(chosen), scores(fitted, data, some(data, "test")), time.process_time() - started


def left_over(data: dict[str, Any], chosen: np.ndarray, seed: int) -> np.ndarray:
    """Return the unannotated images of `train`, in random order."""
    rows = np.setdiff1d(np.flatnonzero(data["split"] == "train"), chosen)
    return np.random.default_rng(seed).permutation(rows)[: SETTINGS["pool"]]


def choose(fitted: Any, pool: np.ndarray, diversity: float | None) -> np.ndarray:
    n = SETTINGS["each_round"]
    return np.arange(n) if diversity is None else query(fitted, pool, n, diversity=diversity)


def fit(data: dict[str, Any], rows: np.ndarray, seed: int, memory: Path) -> SegmentationClassifier:
    classifier = SegmentationClassifier(
        segmenter=SupervisedSegmenter(**SETTINGS["recipe"], memory=memory),
        summarizer=ThresholdSummarizer(**SETTINGS["summarizer"]),
        random_state=seed,
    )
    return classifier.fit(data["images"][rows], data["labels"][rows], masks=findings(data, rows))


def scores(fitted: Any, data: dict[str, Any], rows: np.ndarray) -> dict[str, float]:
    """Return AUROC, and IoU over all pixels, from maps that are predicted once."""
    maps = fitted.predict_mask_proba(data["images"][rows])[:, 1:]
    label = fitted.summarizer_.predict_proba(maps)[:, 1]
    predicted, true = maps[:, 0] > 0.5, findings(data, rows) == 1
    return {
        "AUROC": float(roc_auc_score(data["labels"][rows], label)),
        "IoU": float((predicted & true).sum() / max((predicted | true).sum(), 1)),
    }
