"""A test of whether one model is better than another on the same samples."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from segclf.metrics._confidence_interval import confidence_interval
from segclf.progress import counted

# Sums in different orders differ in their last bits, but such ties count as ties.
_ROUNDING = 1e-12


class PairedTest(NamedTuple):
    """How much better the first of two models is, and whether chance can explain it.

    Attributes
    ----------
    difference : float
        The score of the first model minus that of the second.
    low, high : float
        The bootstrap interval of the difference.
    p_value : float
        Two-sided p-value of the permutation test.
    """

    difference: float
    low: float
    high: float
    p_value: float


def paired_test(
    metric: Callable[[NDArray[Any], NDArray[Any]], float],
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> PairedTest:
    """Compare two models by any score on the same samples, with a paired permutation test.

    If both models were equally good, it would not matter which of them predicted which sample. So
    the predictions of each group are swapped at random, and the p-value is the share of swaps
    whose difference is at least as large as that of the models (Good, "Permutation, parametric
    and bootstrap tests of hypotheses", 2005). With accuracy this is McNemar's exact test. The
    interval resamples whole groups with both predictions, like :func:`confidence_interval`.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_score) -> float``.
    y_true : array-like of shape (n,) or (n, ...)
        True labels, or whatever else `metric` takes first.
    first, second : array-like of shape (n,) or (n, ...)
        Predictions of each model. Both must be on one scale, since they are swapped: if only their
        order matters (AUROC) and the scales differ, give ranks (:func:`scipy.stats.rankdata`).
    groups : array-like of shape (n,), optional
        Group of each sample, such as its patient. The samples of a group are swapped together. By
        default every sample is its own group.
    n_resamples : int, default=1000
        Number of swaps and of resamples. If there are no more possible swaps than that, all are
        tried and the p-value is exact; otherwise it is at least 1 / (n_resamples + 1).
    level : float, default=0.95
        Confidence level of the interval.
    random_state : int, RandomState or None, default=None
        Seed of the swaps and resamples.

    Returns
    -------
    PairedTest
        Values that are undefined are NaN.

    Warns
    -----
    UserWarning
        If resamples were skipped, as in :func:`confidence_interval`.

    Raises
    ------
    ValueError
        If lengths or shapes differ, or an argument is out of range.

    Examples
    --------
    >>> from sklearn.metrics import accuracy_score
    >>> from segclf.metrics import paired_test
    >>> y_true = [0, 1] * 20
    >>> first, second = [0, 1] * 20, [1, 0] * 3 + [0, 1] * 17
    >>> result = paired_test(accuracy_score, y_true, first, second, random_state=0)
    >>> round(result.difference, 2), result.low > 0, result.p_value < 0.05
    (0.15, True, True)
    """
    y_true, first, second = np.asarray(y_true), np.asarray(first), np.asarray(second)
    if first.shape != second.shape:
        raise ValueError(
            f"Predictions of both models need equal shapes, got {first.shape} and {second.shape}."
        )
    random = check_random_state(random_state)
    interval = confidence_interval(
        lambda y_true, both: float(metric(y_true, both[:, 0]) - metric(y_true, both[:, 1])),
        y_true,
        np.stack([first, second], axis=1),
        groups=groups,
        n_resamples=n_resamples,
        level=level,
        random_state=random,
    )
    _, codes = np.unique(_or_each(groups, len(y_true)), return_inverse=True)
    differences = _swapped(metric, y_true, np.stack([first, second]), codes, n_resamples, random)
    return PairedTest(*interval, _p_value(interval.estimate, *differences))


def _or_each(groups: ArrayLike | None, n_samples: int) -> NDArray[Any]:
    return np.arange(n_samples) if groups is None else np.asarray(groups)


def _swapped(
    metric: Callable[[NDArray[Any], NDArray[Any]], float],
    y_true: NDArray[Any],
    both: NDArray[Any],
    codes: NDArray[np.intp],
    n_resamples: int,
    random: np.random.RandomState,
) -> tuple[NDArray[np.float64], bool]:
    """Compute the differences after swaps, and whether all possible swaps were made."""
    n_groups, rows = codes.max() + 1, np.arange(len(codes))
    exact = 2.0**n_groups <= n_resamples
    n_swaps = 2**n_groups if exact else n_resamples
    swaps: Iterator[Any] = (
        product((0, 1), repeat=n_groups)
        if exact
        else (random.randint(2, size=n_groups) for _ in range(n_swaps))
    )
    differences = []
    for swap in counted(swaps, "permutation test", total=n_swaps, unit="swaps"):
        model = np.asarray(swap)[codes]
        scores = [metric(y_true, both[chosen, rows]) for chosen in (model, 1 - model)]
        differences.append(scores[0] - scores[1])
    return np.array(differences), exact


def _p_value(observed: float, differences: NDArray[np.float64], exact: bool) -> float:
    if np.isnan(observed) or np.isnan(differences).any():
        return float("nan")
    as_far = np.count_nonzero(np.abs(differences) >= abs(observed) - _ROUNDING)
    # The observed difference counts as one of the swaps (Phipson and Smyth, 2010: never zero).
    return float(as_far / len(differences) if exact else (as_far + 1) / (len(differences) + 1))
