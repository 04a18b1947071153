"""The threshold of a score at which a classifier is to work: sensitive, or specific, enough."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import are_labels


class OperatingPoint(NamedTuple):
    """A threshold, and what it reaches on the samples that chose it.

    Attributes
    ----------
    threshold : float
        Samples are positive from this score on, ``score >= threshold``.
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
    """Find the threshold that is sensitive enough and as specific as can be, or the reverse.

    Choose it on images that the classifier did not learn from. What it reaches is known of these
    alone: on others the sensitivity is lower about as often as it is higher.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        0 or 1; -1 where unlabeled, which does not count.
    y_score : array-like of shape (n,)
        Such as ``predict_proba(X)[:, 1]``.
    at_sensitivity, at_specificity : float, optional
        What is reached at least, in [0, 1]; one of the two.

    Returns
    -------
    OperatingPoint
        All scores between two neighbors are the same threshold to these samples; it is in their
        middle. Samples of one score are called alike. Where nothing may be positive, it is the
        number after the highest score.

    Raises
    ------
    ValueError
        If not one of the two is given or it is out of range, lengths do not fit, a score is NaN,
        or `y_true` does not hold both 0 and 1.

    See Also
    --------
    sklearn.model_selection.FixedThresholdClassifier : A classifier that works at a threshold.

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
        raise ValueError(f"Expected a share between 0 and 1 to reach, got {least}.")
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
    """Return one threshold for each way to part the scores, increasing."""
    values = np.unique(score)
    middles = values[:-1] / 2 + values[1:] / 2
    between = np.where(middles > values[:-1], middles, values[1:])
    return np.concatenate([values[:1], between, [np.nextafter(values[-1], np.inf)]])
