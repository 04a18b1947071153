"""Choose the probability and area thresholds that best turn masks into labels."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_CANDIDATES = 512
FEW_PIXELS = 2**14  # of all images together; up to this number each value is a candidate

Counts = NDArray[np.float64]


class AreaRule(NamedTuple):
    """A rule that calls an image positive if enough of its pixels reach a threshold.

    Attributes
    ----------
    threshold : float
        The probability at or above which a pixel counts.
    min_area : float
        The share of its pixels at or above which an image is positive, in (0, 1).
    score : float
        The score of the rule on the images that it was chosen on, which is optimistic.
    """

    threshold: float
    min_area: float
    score: float


def balanced_accuracy(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> Counts:
    """Average sensitivity and specificity, given counts of right and wrong labels.

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

    All areas are tried at each threshold, in one pass over the pixels: n images can be split by
    area in at most n + 1 ways. Thresholds are tried where the scores are, however low: halfway
    between the values of the 1st, 2nd, 4th, 8th, ... highest pixel of each image, down to the
    lowest (of all pixels if there are few), at most 512.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        0 or 1; -1 where unlabeled.
    scores : array of shape (n, h, w), or list of n arrays (h, w)
        Probability of the target at each pixel, for images that the segmenter was not trained on.
        A segmenter is more confident on its own training images, and the rule would be too strict.
    grid : array-like of shape (t,), optional
        The thresholds to try instead, increasing in (0, 1).
    objective : callable, default=balanced_accuracy
        ``objective(tp, fp, fn, tn)`` gets arrays of counts, one count for each rule, and returns
        the scores to maximize. ``lambda tp, fp, fn, tn: -(10 * fn + fp)`` is a cost. NaN never
        wins, so ``lambda tp, fp, fn, tn: np.where(tp >= 0.95 * (tp + fn), tn, np.nan)`` gives the
        highest specificity at a sensitivity of 95 %.

    Returns
    -------
    AreaRule
        Its `threshold` and `min_area` are parameters of ``ThresholdSummarizer``. Among equally
        good thresholds, the one nearest to the middle of their widest range; among equally good
        areas, the middle of the widest gap between images.

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
    labels = np.asarray(y_true)
    if labels.ndim != 1 or len(labels) != len(scores):
        raise ValueError(f"y_true has shape {labels.shape} but there are {len(scores)} scores.")
    labeled = labels != -1
    if not np.array_equal(np.unique(labels[labeled]), (0, 1)):
        found = np.unique(labels).tolist()
        raise ValueError(f"y_true must hold both 0 and 1 (and -1 where unlabeled), got {found}.")
    pixels = [_pixels(np.asarray(scores[i]), i) for i in np.flatnonzero(labeled).tolist()]
    thresholds = _candidates(pixels) if grid is None else _checked(grid)
    areas = np.array([_areas(each, thresholds) for each in pixels])
    return _middle(
        [
            _best_at(threshold, areas[:, column], labels[labeled] == 1, objective)
            for column, threshold in enumerate(thresholds)
        ]
    )


def _checked(grid: ArrayLike) -> NDArray[np.float64]:
    grid = np.asarray(grid, dtype=np.float64)
    if grid.ndim != 1 or not len(grid) or not (np.diff(grid, prepend=0, append=1) > 0).all():
        raise ValueError(f"grid must increase in (0, 1), got {grid.tolist()}.")
    return grid


def _pixels(scores: NDArray[Any], index: int) -> NDArray[Any]:
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f"Expected scores (h, w), got {scores.shape} for sample {index}.")
    if np.isnan(scores).any():
        raise ValueError(f"The scores of sample {index} hold NaN.")
    return scores.ravel()


def _candidates(pixels: list[NDArray[Any]]) -> NDArray[np.float64]:
    """Choose thresholds halfway between neighboring scores, or between some of them."""
    sizes = [each.size for each in pixels]
    if sum(sizes) > FEW_PIXELS:
        halvings = np.arange(int(np.log2(max(sizes))) + 1)
        pixels = [_of_ranks(each, halvings) for each in pixels]
    values = np.unique(np.concatenate(pixels).astype(np.float64).clip(0, 1))
    between = (values[1:] + values[:-1]) / 2
    if len(between) > N_CANDIDATES:
        between = between[np.linspace(0, len(between) - 1, N_CANDIDATES).round().astype(int)]
    between = between[(between > 0) & (between < 1)]
    return between if len(between) else np.array([0.5])


def _of_ranks(pixels: NDArray[Any], halvings: NDArray[np.int64]) -> NDArray[Any]:
    """Return the lowest of all pixels, of their upper half, of the upper half of that, ..."""
    places = np.unique(pixels.size - np.maximum(pixels.size >> halvings, 1))
    return np.asarray(np.partition(pixels, places)[places])


def _areas(scores: NDArray[Any], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the share of an image's pixels that reach each threshold."""
    # Compare in the dtype of the scores: .7 as a float32 is less than .7 as a float64.
    cuts = grid.astype(scores.dtype) if scores.dtype.kind == "f" else grid
    reached = np.searchsorted(cuts, scores, side="right")
    counts = np.bincount(reached, minlength=len(grid) + 1)
    return np.asarray(counts[:0:-1].cumsum()[::-1] / scores.size)


def _best_at(
    threshold: float,
    areas: NDArray[np.float64],
    positive: NDArray[np.bool_],
    objective: Callable[[Counts, Counts, Counts, Counts], Counts],
) -> AreaRule:
    """Find the best area at a threshold; among equals, the one in the widest gap."""
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
    return AreaRule(float(threshold), float(cuts[best]), float(values[best]))


def _middle(rules: list[AreaRule]) -> AreaRule:
    """Choose the best rule; among equals, the middle one of the widest range of thresholds."""
    thresholds = np.array([rule.threshold for rule in rules])
    scores = np.array([rule.score for rule in rules])
    between = (thresholds[1:] + thresholds[:-1]) / 2
    edges = np.concatenate([thresholds[:1], between, thresholds[-1:]])
    best = scores >= scores.max() - 1e-12
    steps = np.diff(best.astype(int), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    widest = (edges[ends] - edges[starts]).argmax()
    start, end = starts[widest], ends[widest]
    middle = (edges[start] + edges[end]) / 2
    return rules[start + np.abs(thresholds[start:end] - middle).argmin()]
