"""Calibration of probabilities: reliability diagrams and expected calibration error."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_BINS = 15  # Guo et al., section 4


class Reliability(NamedTuple):
    """Predicted probability and observed frequency in each bin of probability.

    Attributes
    ----------
    probability : float array of shape (n_bins,)
        Mean predicted probability; NaN for an empty bin.
    frequency : float array of shape (n_bins,)
        Observed frequency; NaN for an empty bin.
    n : int array of shape (n_bins,)
        Number of samples.
    """

    probability: NDArray[np.float64]
    frequency: NDArray[np.float64]
    n: NDArray[np.int64]


def reliability(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Literal["uniform", "quantile"] = "uniform",
) -> Reliability:
    """Compare predicted probabilities with frequencies in bins, as in a reliability diagram.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Class numbers, which are columns of `y_proba`; 0 or 1 if `y_proba` is of shape (n,). -1
        where unlabeled. Unlabeled samples are not scored.
    y_proba : array-like of shape (n,) or (n, k)
        Probabilities of class 1, binned over their whole range. Or the probabilities of all
        classes: the highest is binned and compared with the accuracy of its class (Guo et al.).
    n_bins : int, default=15
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or with about equal numbers of samples. A bin includes its upper edge;
        the first also includes 0.

    Returns
    -------
    Reliability

    Raises
    ------
    ValueError
        If shapes, labels or probabilities do not fit.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML
    2017, section 2.

    Examples
    --------
    >>> from segclf.metrics import reliability
    >>> reliability([0, 1, 1, 1], [0.2, 0.4, 0.9, 0.9], n_bins=2)
    Reliability(probability=array([0.3, 0.9]), frequency=array([0.5, 1. ]), n=array([2, 2]))
    """
    predicted, observed = _checked(np.asarray(y_true), np.asarray(y_proba, dtype=np.float64))
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins}.")
    shares = np.linspace(0, 1, n_bins + 1)[1:-1]
    if strategy not in ("uniform", "quantile"):
        raise ValueError(f"strategy must be 'uniform' or 'quantile', got {strategy!r}.")
    by_quantile = strategy == "quantile" and len(predicted)
    cuts = np.quantile(predicted, shares) if by_quantile else shares
    bins = np.searchsorted(cuts, predicted)
    count = np.bincount(bins, minlength=n_bins)
    sums = [np.bincount(bins, values, minlength=n_bins) for values in (predicted, observed)]
    nothing = np.full(n_bins, np.nan)
    probability, frequency = (
        np.divide(total, count, out=nothing.copy(), where=count > 0) for total in sums
    )
    return Reliability(probability, frequency, count)


def expected_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Literal["uniform", "quantile"] = "uniform",
) -> float:
    """Average the gap between probability and frequency over bins, weighted by their samples.

    Parameters
    ----------
    y_true, y_proba, n_bins, strategy
        As in :func:`reliability`. For two classes ``y_proba[:, 1]`` and `y_proba` differ: the
        first bins the probability of class 1, the second that of the predicted class.

    Returns
    -------
    float
        Between 0 and 1 (Guo et al., 2017, equation 3); NaN without samples.

    Raises
    ------
    ValueError
        As :func:`reliability`.

    Examples
    --------
    >>> from segclf.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 1, 1, 1], [0.2, 0.4, 0.9, 0.9], n_bins=2), 3)
    0.15
    """
    probability, frequency, count = reliability(y_true, y_proba, n_bins=n_bins, strategy=strategy)
    if not count.sum():
        return float("nan")
    return float(np.nansum(count * np.abs(probability - frequency)) / count.sum())


def _checked(
    y_true: NDArray[Any], y_proba: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the binned probability of each labeled sample, and whether its class is right."""
    if y_proba.ndim not in (1, 2) or y_true.shape != y_proba.shape[:1]:
        raise ValueError(
            "Expected y_true (n,) and y_proba (n,) or (n, k), got "
            f"{y_true.shape} and {y_proba.shape}."
        )
    n_classes = y_proba.shape[1] if y_proba.ndim == 2 else 2
    if not np.isin(y_true, np.arange(-1, n_classes)).all():
        raise ValueError(f"y_true must hold -1 to {n_classes - 1}, got {np.unique(y_true)[:5]}.")
    if not ((y_proba >= 0) & (y_proba <= 1)).all():
        raise ValueError("y_proba must hold probabilities in [0, 1].")
    labeled = y_true != -1
    y_true, y_proba = y_true[labeled], y_proba[labeled]
    if y_proba.ndim == 1:
        return y_proba, y_true.astype(np.float64)
    return y_proba.max(axis=1), (y_proba.argmax(axis=1) == y_true).astype(np.float64)
