"""Scores of several seeds and methods on the same images, and their intervals by group."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from segclf.metrics import ConfidenceInterval, confidence_interval

N_RESAMPLES = 1000
Contrast = Callable[[np.ndarray], float]  # of the means over the seeds, one for each method


def aurocs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the AUROC of each column of scores (n, ...)."""
    n_positive = int(labels.sum())
    n_pairs = n_positive * (len(labels) - n_positive)
    ranks = rankdata(scores, axis=0)[labels == 1].sum(axis=0)
    return (ranks - n_positive * (n_positive + 1) / 2) / n_pairs


def contrast_of_aurocs(methods: Sequence[list[dict[str, Any]]], contrast: Contrast) -> Any:
    """Return the interval of a contrast between methods, each with rows of the same seeds."""
    scores = np.array([[row["scores"] for row in rows] for rows in methods]).transpose(2, 1, 0)
    return by_groups(lambda y, s: contrast(aurocs(y, s).mean(axis=0)), methods[0][0], scores)


def by_groups(
    score: Callable[[np.ndarray, np.ndarray], float], row: dict[str, Any], values: np.ndarray
) -> ConfidenceInterval:
    """Resample the groups of a row's images; a resample of one label alone is skipped."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*resamples held one class")
        return confidence_interval(
            score,
            np.array(row["labels"]),
            values,
            groups=row["groups"],
            n_resamples=N_RESAMPLES,
            random_state=0,
        )


def mean_of(intervals: Sequence[ConfidenceInterval]) -> ConfidenceInterval:
    """Return the mean of independent estimates; half its width is that of a sum of normals."""
    mean = float(np.mean([each.estimate for each in intervals]))
    halves = [(each.high - each.low) / 2 for each in intervals]
    half = float(np.sqrt(np.sum(np.square(halves)))) / len(intervals)
    return ConfidenceInterval(mean, mean - half, mean + half)


def shown(interval: ConfidenceInterval, sign: str = "") -> str:
    mean, low, high = (f"{number:{sign}.3f}" for number in interval)
    return f"{mean} ({low} to {high})"
