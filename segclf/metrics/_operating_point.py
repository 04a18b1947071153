"""The decision threshold at which a classifier reaches a given sensitivity or specificity."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import are_labels


class OperatingPoint(NamedTuple):
    """A threshold, with its sensitivity and specificity on the samples that it was chosen on.

    Attributes
    ----------
    threshold : float
        Samples are positive at or above it: ``score >= threshold``.
    sensitivity : float
        Share of the positives that are called positive.
    specificity : float
        Share of the negatives that are called negative.
    """

    threshold: float
    sensitivity: float
    specificity: float


def operating_point(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    at_sensitivity: float | None = None,
    at_specificity: float | None = None,
) -> OperatingPoint:
    """Find the threshold with the highest specificity at a given sensitivity, or the reverse.

    Use images that the classifier was not trained on. The result describes these images only: on
    others the sensitivity is lower about as often as it is higher.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        0 or 1; -1 where unlabeled, which does not count.
    y_score : array-like of shape (n,)
        Such as ``predict_proba(X)[:, 1]``.
    at_sensitivity, at_specificity : float, optional
        The least sensitivity, or specificity, to reach, in [0, 1]. Give one of the two.

    Returns
    -------
    OperatingPoint
        The threshold is halfway between two neighboring scores. Samples with equal scores get the
        same label. If no sample may be positive, it is the next number above the highest score.

    Raises
    ------
    ValueError
        If none or both of the two are given, one is out of range, lengths differ, a score is NaN,
        or `y_true` does not hold both 0 and 1.

    See Also
    --------
    sklearn.model_selection.FixedThresholdClassifier : A classifier with a given threshold.

    Examples
    --------
    >>> from segclf.metrics import operating_point
    >>> y_true, score = [0, 0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.6, 0.6, 0.9]
    >>> operating_point(y_true, score, at_sensitivity=0.9)
    OperatingPoint(threshold=0.35, sensitivity=1.0, specificity=0.75)
    >>> operating_point(y_true, score, at_specificity=0.9)
    OperatingPoint(threshold=0.75, sensitivity=0.3333333333333333, specificity=1.0)
    """
    if (at_sensitivity is None) == (at_specificity is None):
        raise ValueError(
            f"Expected at_sensitivity or at_specificity, got {at_sensitivity} and {at_specificity}."
        )
    positive, score = _checked(y_true, y_score)
    cuts = _cuts(score)
    n_missed, n_spared = (
        np.searchsorted(np.sort(s), cuts) for s in (score[positive], score[~positive])
    )
    sensitivity = (positive.sum() - n_missed) / positive.sum()
    specificity = n_spared / (~positive).sum()
    bound, least, best = (
        (sensitivity, at_sensitivity, specificity)
        if at_specificity is None
        else (specificity, at_specificity, sensitivity)
    )
    if least is None or not 0 <= least <= 1:
        raise ValueError(f"The sensitivity or specificity to reach must be in [0, 1], got {least}.")
    chosen = np.lexsort((bound, best, bound >= least))[-1]
    numbers = (cuts[chosen], sensitivity[chosen], specificity[chosen])
    return OperatingPoint(*map(float, numbers))


def _checked(
    y_true: ArrayLike, y_score: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    labels, score = np.asarray(y_true), np.asarray(y_score, dtype=np.float64)
    if not are_labels(labels) or labels.shape != score.shape:
        raise ValueError(
            f"Expected as many labels as scores, both (n,), got {labels.shape} and {score.shape}."
        )
    labeled = labels != -1
    if not np.array_equal(np.unique(labels[labeled]), (0, 1)):
        found = np.unique(labels).tolist()
        raise ValueError(f"y_true must hold both 0 and 1 (and -1 where unlabeled), got {found}.")
    if np.isnan(score[labeled]).any():
        raise ValueError(
            f"y_score is NaN for sample {np.flatnonzero(labeled & np.isnan(score))[0]}."
        )
    return labels[labeled] == 1, score[labeled]


def _cuts(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one threshold for each way to split the scores, in increasing order."""
    values = np.unique(score)
    middles = values[:-1] / 2 + values[1:] / 2
    between = np.where(middles > values[:-1], middles, values[1:])
    return np.concatenate([values[:1], between, [np.nextafter(values[-1], np.inf)]])
