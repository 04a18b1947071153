"""The rule from mask to label that is best on held-out images: which probability, which area."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

GRID = np.arange(1, 20) / 20

Counts = NDArray[np.float64]


class AreaRule(NamedTuple):
    """An image is positive if enough of its pixels reach a threshold.

    Attributes
    ----------
    threshold : float
        The probability from which on a pixel counts.
    min_area : float
        The share of the image's pixels from which on it is positive, in (0, 1).
    score : float
        What the rule reached on the images that chose it: an optimistic number.
    """

    threshold: float
    min_area: float
    score: float


def balanced_accuracy(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> Counts:
    """Average recall and specificity, given counts of right and wrong labels.

    Parameters
    ----------
    tp, fp, fn, tn : array of shape (m,)
        True positives, false positives, false negatives and true negatives of m rules.

    Returns
    -------
    array of shape (m,)
    """
    return (tp / (tp + fn) + tn / (tn + fp)) / 2


def best_area_rule(
    y_true: ArrayLike,
    scores: NDArray[Any] | Sequence[NDArray[Any]],
    *,
    grid: ArrayLike | None = None,
    objective: Callable[[Counts, Counts, Counts, Counts], Counts] = balanced_accuracy,
) -> AreaRule:
    """Find the threshold and the area that label held-out images best (S4C, Algorithm 1).

    All areas are tried at each threshold of the grid, which takes one pass over the pixels: an
    area matters only by which images it parts, so n images leave at most n + 1.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        0 or 1; -1 where nobody said.
    scores : array of shape (n, h, w), or list of n arrays (h, w)
        Probability of the target at each pixel, of images that the segmenter did not learn from:
        on those that it did, masks are too sure and the rule too strict.
    grid : array-like of shape (t,), optional
        The thresholds to try, increasing in (0, 1); 0.05, 0.1, ..., 0.95 by default.
    objective : callable, default=balanced_accuracy
        ``objective(tp, fp, fn, tn)``, arrays of counts, one of each per rule; the greatest wins.
        ``lambda tp, fp, fn, tn: -(10 * fn + fp)`` is a cost. NaN never wins.

    Returns
    -------
    AreaRule
        Its `threshold` and `min_area` are those of ``ThresholdSummarizer``. Of rules that are as
        good, the one with the most room between the areas that it parts, in the middle of which
        `min_area` is; then the one with the smallest threshold.

    Raises
    ------
    ValueError
        If lengths or shapes do not fit, or `y_true` does not hold both 0 and 1.

    Examples
    --------
    >>> from segclf.metrics import best_area_rule
    >>> scores = np.array([[[0.9, 0.9, 0.9, 0.1]], [[0.7, 0.1, 0.1, 0.1]], [[0.3, 0.3, 0.3, 0.3]]])
    >>> best_area_rule([1, 0, 0], scores, grid=[0.2, 0.5])
    AreaRule(threshold=0.5, min_area=0.5, score=1.0)
    """
    grid = np.asarray(GRID if grid is None else grid, dtype=np.float64)
    if grid.ndim != 1 or not len(grid) or not (np.diff(grid, prepend=0, append=1) > 0).all():
        raise ValueError(f"grid must increase in (0, 1), got {grid.tolist()}.")
    labels = np.asarray(y_true)
    if labels.ndim != 1 or len(labels) != len(scores):
        raise ValueError(f"y_true {labels.shape} needs as many scores, got {len(scores)}.")
    labeled = labels != -1
    if not np.array_equal(np.unique(labels[labeled]), (0, 1)):
        found = np.unique(labels).tolist()
        raise ValueError(f"y_true must hold both 0 and 1 (and -1 where nobody said), got {found}.")
    areas = np.array(
        [_areas(np.asarray(scores[i]), grid, i) for i in np.flatnonzero(labeled).tolist()]
    )
    candidates = [
        _best_at(threshold, areas[:, column], labels[labeled] == 1, objective)
        for column, threshold in enumerate(grid)
    ]
    found = max(candidates, key=lambda candidate: (candidate[0].score, candidate[1]))
    return found[0]


def _areas(scores: NDArray[Any], grid: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Measure the share of an image's pixels that reach each threshold."""
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f"Expected scores (h, w), got {scores.shape} for sample {index}.")
    if np.isnan(scores).any():
        raise ValueError(f"The scores of sample {index} hold NaN.")
    # Compared as floats of the scores' own length: as a float32, .7 is less than .7.
    cuts = grid.astype(scores.dtype) if scores.dtype.kind == "f" else grid
    reached = np.searchsorted(cuts, scores.ravel(), side="right")
    counts = np.bincount(reached, minlength=len(grid) + 1)
    return np.asarray(counts[:0:-1].cumsum()[::-1] / scores.size)


def _best_at(
    threshold: float,
    areas: NDArray[np.float64],
    positive: NDArray[np.bool_],
    objective: Callable[[Counts, Counts, Counts, Counts], Counts],
) -> tuple[AreaRule, float]:
    """Find the best area at a threshold, and the room around it."""
    steps = np.unique(np.concatenate([[0.0], areas, [1.0]]))
    cuts, room = (steps[1:] + steps[:-1]) / 2, np.diff(steps).round(12)
    tp, fp = (
        len(some) - np.searchsorted(np.sort(some), cuts)
        for some in (areas[positive], areas[~positive])
    )
    fn, tn = positive.sum() - tp, (~positive).sum() - fp
    values = np.asarray(objective(*(count.astype(np.float64) for count in (tp, fp, fn, tn))))
    values = np.where(np.isnan(values), -np.inf, values)
    best = np.lexsort((-np.arange(len(cuts)), room, values))[-1]
    rule = AreaRule(float(threshold), float(cuts[best]), float(values[best]))
    return rule, float(room[best])
