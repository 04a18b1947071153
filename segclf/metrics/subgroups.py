"""Scores with intervals of subgroups, such as small targets or targets in one corner."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UndefinedMetricWarning

from segclf.axes import axes_from
from segclf.metrics._confidence_interval import ConfidenceInterval, confidence_interval
from segclf.metrics.groupings import Grouping
from segclf.progress import counted

_UNDEFINED = ConfidenceInterval(float("nan"), float("nan"), float("nan"))


class Subgroup(NamedTuple):
    """The score of one subgroup.

    Attributes
    ----------
    name : str
    n : int
        Number of its own samples.
    n_shared : int
        Number of negatives that it shares with all other subgroups.
    estimate, low, high : float
        The score and its interval; NaN where undefined.
    """

    name: str
    n: int
    n_shared: int
    estimate: float
    low: float
    high: float


def subgroup_scores(
    metric: Callable[[NDArray[Any], NDArray[Any]], float],
    y_true: ArrayLike,
    y_score: ArrayLike,
    subgroups: Grouping | ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> list[Subgroup]:
    """Score each subgroup by itself.

    A negative has no target, so its size and place are undefined, and it belongs to every
    subgroup. AUROC of "small" is then that of small targets against all negatives, and specificity
    is the same in all subgroups. (S4C, section 5, reports recall by size and by region, for which
    negatives do not matter.) A positive of unknown size or place belongs to no subgroup.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_score) -> float``.
    y_true : array-like of shape (n,) or (n, ...)
        Labels, an indicator or masks. A sample of zeros only is negative; one of -1 only is not
        scored.
    y_score : array-like of shape (n,) or (n, ...)
        Whatever `metric` takes.
    subgroups : Grouping or array-like of shape (n,)
        From :func:`group_by_area` or :func:`group_by_region`; or any labels, such as hospitals. For
        labels, negatives belong to their own subgroup, and only the number -1 means none.
    groups : array-like of shape (n,), optional
        Group of each sample, such as its patient; the bootstrap resamples whole groups.
    n_resamples, level, random_state
        As in :func:`confidence_interval`.

    Returns
    -------
    list of Subgroup
        In the order of the grouping; for labels, sorted.

    Raises
    ------
    ValueError
        If lengths differ.

    Examples
    --------
    >>> from sklearn.metrics import recall_score
    >>> from segclf.metrics import Grouping, subgroup_scores
    >>> y_true, y_pred = [1] * 40 + [0] * 40, [1, 0, 1, 1] * 10 + [0] * 40
    >>> sizes = Grouping(np.array([0, 0, 1, 1] * 10 + [-1] * 40), ["small", "large"])
    >>> for row in subgroup_scores(recall_score, y_true, y_pred, sizes, random_state=0):
    ...     print(row.name, row.n, row.n_shared, row.estimate)
    small 20 40 0.5
    large 20 40 1.0
    """
    y_true, y_score, grouping = np.asarray(y_true), np.asarray(y_score), _as_grouping(subgroups)
    patients = np.arange(len(y_true)) if groups is None else np.asarray(groups)
    lengths = [len(values) for values in (y_true, y_score, grouping.group, patients)]
    if len(set(lengths)) > 1:
        raise ValueError(f"y_true, y_score, subgroups, groups need equal lengths, got {lengths}.")
    options: dict[str, Any] = {
        "n_resamples": n_resamples,
        "level": level,
        "random_state": random_state,
    }
    shared = (grouping.group == -1) & _throughout(y_true, 0)
    rows = []
    names = counted(grouping.names, "comparison", total=len(grouping.names), unit="subgroups")
    for number, name in enumerate(names):
        own = (grouping.group == number) & ~_throughout(y_true, -1)
        given = [values[own | shared] for values in (y_true, y_score, patients)]
        interval = _interval(metric, *given, **options) if own.any() else _UNDEFINED
        rows.append(Subgroup(name, int(own.sum()), int(shared.sum()), *interval))
    return rows


def _as_grouping(subgroups: Grouping | ArrayLike) -> Grouping:
    if isinstance(subgroups, Grouping):
        return subgroups
    labels = np.asarray(subgroups)
    none = labels == -1 if labels.dtype.kind in "if" else np.zeros(len(labels), dtype=bool)
    names = np.unique(labels[~none])
    index = np.where(none, -1, np.searchsorted(names, labels))
    return Grouping(index, [str(name) for name in names])


def _throughout(y: NDArray[Any], value: int) -> NDArray[np.bool_]:
    """Return which samples hold only the given value."""
    if y.dtype.kind not in "biuf":
        return np.zeros(len(y), dtype=bool)
    return np.asarray((y == value).all(axis=axes_from(1, y)))


def _interval(
    metric: Callable[[NDArray[Any], NDArray[Any]], float],
    y_true: NDArray[Any],
    y_score: NDArray[Any],
    groups: NDArray[Any],
    **options: Any,
) -> ConfidenceInterval:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return confidence_interval(metric, y_true, y_score, groups=groups, **options)
