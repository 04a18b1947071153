"""How far probabilities may be believed: reliability, and expected calibration error."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_BINS = 15  # Guo et al., section 4


class Reliability(NamedTuple):
    """What was said, and what was so, in each bin of probability.

    Attributes
    ----------
    probability : float array of shape (n_bins,)
        The mean of what was said; NaN for an empty bin.
    frequency : float array of shape (n_bins,)
        How often it was so; NaN for an empty bin.
    n : int array of shape (n_bins,)
        Samples of the bin.
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
    """Compare probabilities with frequencies, bin by bin: the reliability diagram's numbers.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Numbers of classes, the columns of `y_proba`; 0 or 1 for `y_proba` of shape (n,). -1 where
        nobody said, which is not scored.
    y_proba : array-like of shape (n,) or (n, k)
        Probability of class 1, all of whose range is binned; or those of all classes, of which
        the highest is binned and compared with how often its class is right (Guo et al.).
    n_bins : int, default=15
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins as wide, or about as full; bins hold their upper edge, and the first also 0.

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
    said, was_so = _checked(np.asarray(y_true), np.asarray(y_proba, dtype=np.float64))
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins}.")
    shares = np.linspace(0, 1, n_bins + 1)[1:-1]
    if strategy not in ("uniform", "quantile"):
        raise ValueError(f"strategy must be 'uniform' or 'quantile', got {strategy!r}.")
    cuts = np.quantile(said, shares) if strategy == "quantile" and len(said) else shares
    bins = np.searchsorted(cuts, said)
    count = np.bincount(bins, minlength=n_bins)
    sums = [np.bincount(bins, values, minlength=n_bins) for values in (said, was_so)]
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
    """Average the distance of probabilities from frequencies over bins, by their samples.

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
    """Give what was said, and whether it was so, of samples that have a label."""
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
