"""Bootstrap confidence intervals of scores; whole groups, such as patients, can be resampled."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_random_state

from segclf.axes import are_labels
from segclf.progress import counted


class SkippedResamplesWarning(UserWarning):
    """Some resamples have no score, for example no AUROC for one class, and were skipped."""


class ConfidenceInterval(NamedTuple):
    """The score of the whole sample, with its interval.

    Attributes
    ----------
    estimate, low, high : float
        The score, and the lower and upper end of its interval.
    """

    estimate: float
    low: float
    high: float


def confidence_interval(
    scorer: Callable[[NDArray[Any], NDArray[Any]], float],
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> ConfidenceInterval:
    """Bootstrap the percentile interval of a score (Efron and Tibshirani, 1993, Chapter 13).

    Resamples in which the score is undefined (only one of several classes occurs, or the score is
    NaN) are skipped, and a warning counts them. The interval is then conditional on the presence
    of both classes.

    Parameters
    ----------
    scorer : callable
        ``scorer(y_true, y_score) -> float``, such as :func:`sklearn.metrics.roc_auc_score`.
    y_true : array of shape (n,) or (n, ...)
        True labels, or whatever else `scorer` takes first.
    y_score : array of shape (n,) or (n, ...)
        Whatever `scorer` takes.
    groups : array of shape (n,), optional
        Group of each sample, such as its patient. Whole groups are resampled, since images of one
        patient are not independent. By default every sample is its own group.
    n_resamples : int, default=1000
        Number of resamples.
    level : float, default=0.95
        Confidence level of the interval.
    random_state : int, RandomState or None, default=None
        Seed of the resamples.

    Returns
    -------
    ConfidenceInterval
        ``(estimate, low, high)``; `low` and `high` are NaN if every resample was skipped.

    Warns
    -----
    UserWarning
        If resamples were skipped; the message counts them.

    Raises
    ------
    ValueError
        If lengths differ, or `level` or `n_resamples` is out of range.

    Examples
    --------
    >>> from sklearn.metrics import accuracy_score
    >>> from segclf.metrics import confidence_interval
    >>> y_true, y_pred = [0, 1] * 50, [0, 1, 0, 1, 1] * 20
    >>> estimate, low, high = confidence_interval(accuracy_score, y_true, y_pred, random_state=0)
    >>> estimate, low < estimate < high
    (0.5, True)
    """
    y_true, y_score = np.asarray(y_true), np.asarray(y_score)
    members = _members(groups, len(y_true))
    _check(len(y_true), len(y_score), n_resamples, level)
    estimate = float(scorer(y_true, y_score))
    random = check_random_state(random_state)
    needs_both = are_labels(y_true) and not _is_constant(y_true)
    scores = []
    for _ in counted(range(n_resamples), "bootstrap", total=n_resamples, unit="resamples"):
        sampled = random.randint(len(members), size=len(members))
        index = np.concatenate([members[group] for group in sampled])
        skip = needs_both and _is_constant(y_true[index])
        scores.append(float("nan") if skip else _score(scorer, y_true[index], y_score[index]))
    return ConfidenceInterval(estimate, *_percentiles(np.array(scores), level))


def _members(groups: ArrayLike | None, n_samples: int) -> list[NDArray[np.intp]]:
    """List the samples of every group."""
    groups = np.arange(n_samples) if groups is None else np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(f"groups must be of shape ({n_samples},), got {groups.shape}.")
    _, codes = np.unique(groups, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes))[:-1])


def _check(n_true: int, n_score: int, n_resamples: int, level: float) -> None:
    if n_true != n_score or n_true == 0:
        raise ValueError(f"y_true and y_score need equal lengths, got {n_true} and {n_score}.")
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}.")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}.")


def _is_constant(y: NDArray[Any]) -> bool:
    return bool((y == y[0]).all())


def _score(
    scorer: Callable[[NDArray[Any], NDArray[Any]], float],
    y_true: NDArray[Any],
    y_score: NDArray[Any],
) -> float:
    """Score a resample; NaN where that is undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return float(scorer(y_true, y_score))


def _percentiles(scores: NDArray[np.float64], level: float) -> tuple[float, float]:
    skipped = np.isnan(scores)
    if skipped.any():
        warnings.warn(
            f"{skipped.sum()} of {len(scores)} resamples held one class only, or had no score, "
            "and were skipped.",
            SkippedResamplesWarning,
            stacklevel=3,
        )
    if skipped.all():
        return float("nan"), float("nan")
    low, high = np.quantile(scores[~skipped], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
