"""Choose the label of an image with several findings: the one of the greatest expected area."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def expected_areas(masks: NDArray[Any], threshold: float) -> NDArray[np.float64]:
    """Sum the probabilities of masks (..., h, w) over the pixels that reach the threshold.

    Examples
    --------
    >>> expected_areas(np.array([[0.9, 0.8, 0.1]]), 0.5).round(6)
    np.float64(1.7)
    """
    counts = masks >= float(threshold)
    return np.asarray(np.where(counts, masks, 0).sum(axis=(-2, -1), dtype=np.float64))


def shared_by_area(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], areas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scale the scores of an image's positive findings by their expected areas.

    The largest finding gets the highest score, and each other one a part of it in proportion to its
    area. Findings that are not positive keep their scores, scaled to stay below all positive ones.
    If at most one finding is positive, nothing changes.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
        Scores in [0, 1], at least one half for positive findings.
    positive : ndarray of bool of shape (n, k)
        Whether each finding is positive.
    areas : ndarray of shape (n, k)
        Expected areas.

    Returns
    -------
    ndarray of shape (n, k)

    Examples
    --------
    >>> both = np.array([[True, True, False]])
    >>> shared_by_area(np.array([[0.9, 0.8, 0.4]]), both, np.array([[10, 40, 0]]))
    array([[0.225, 0.9  , 0.18 ]])
    """
    areas = np.where(positive, np.maximum(areas, np.finfo(np.float64).tiny), 0)
    largest = areas.max(axis=1, keepdims=True)
    parts = np.divide(areas, largest, out=np.zeros_like(areas), where=largest > 0)
    shared = scores.max(axis=1, keepdims=True) * parts
    least = np.where(positive, shared, np.inf).min(axis=1, keepdims=True)
    shared = np.where(positive, shared, scores * np.minimum(1, 2 * least))
    return np.where(positive.sum(axis=1, keepdims=True) > 1, shared, scores)
