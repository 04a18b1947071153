"""S4C's Algorithms 1 and 2 on arrays: whether a mask is positive, and its score.

Hooper et al., "Segmentation for classification" (S4C), appendix A2.1.
"""

import math
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MIN_AREA", "POOLINGS", "binary_label", "decide", "probabilistic_label"]

MIN_AREA = 100 / 224**2  # appendix A2.1: 100 pixels of images of 224 x 224
POOLINGS = ("max", "mean", "rank", "top_mean")


def binary_label(
    probabilities: ArrayLike, *, threshold: float = 0.5, min_area: float | int = MIN_AREA
) -> NDArray[np.int64]:
    """Label masks: 1 if at least `min_area` pixels reach `threshold` (S4C, Algorithm 1).

    Parameters
    ----------
    probabilities : array-like of shape (..., h, w)
        Mask probabilities in [0, 1].
    threshold : float, default=0.5
        The probability at or above which a pixel counts.
    min_area : float or int, default=100 / 224**2
        A fraction of the image in (0, 1), or pixels.

    Returns
    -------
    ndarray of shape (...)
        0 or 1.

    Examples
    --------
    >>> from segclf_plugins.summarizers import binary_label
    >>> binary_label([[[0.9, 0.1], [0.2, 0.5]], [[0.9, 0.1], [0.2, 0.4]]], min_area=2)
    array([1, 0])
    """
    labels, _ = decide(np.asarray(probabilities), threshold, min_area, "max")
    return labels.astype(np.int64)


def probabilistic_label(
    probabilities: ArrayLike,
    *,
    threshold: float = 0.5,
    min_area: float | int = MIN_AREA,
    pooling: str = "mean",
) -> NDArray[np.float64]:
    """Score masks by the mean of the pixels that decide the label (S4C, Algorithm 2).

    Parameters
    ----------
    probabilities : array-like of shape (..., h, w)
        Mask probabilities in [0, 1].
    threshold : float, default=0.5
        The probability at or above which a pixel counts.
    min_area : float or int, default=100 / 224**2
        A fraction of the image in (0, 1), or pixels.
    pooling : {"mean", "rank", "top_mean", "max"}, default="mean"
        As for :class:`ThresholdSummarizer`.

    Returns
    -------
    ndarray of shape (...)
        Scores: at least `threshold` for positive masks, below it for all others.

    Examples
    --------
    >>> from segclf_plugins.summarizers import probabilistic_label
    >>> masks = [[[0.9, 0.1], [0.2, 0.5]], [[0.9, 0.1], [0.2, 0.4]]]
    >>> probabilistic_label(masks, min_area=2).round(4)
    array([0.7   , 0.2333])
    """
    return decide(np.asarray(probabilities), threshold, min_area, pooling)[1]


def decide(
    masks: NDArray[Any],
    threshold: float,
    min_area: float | int,
    pooling: str,
    *,
    first: int = 0,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Label and score masks together.

    Parameters
    ----------
    masks : ndarray of shape (..., h, w)
        Probabilities in [0, 1].
    threshold, min_area, pooling : float, float or int, str
        As for :func:`probabilistic_label`.
    first : int, default=0
        The number of the first sample, for error messages.

    Returns
    -------
    labels : ndarray of bool of shape (...)
        The labels of Algorithm 1; for "top_mean", whether the score reaches `threshold`.
    scores : ndarray of shape (...)
        Scores, each on the side of `threshold` that agrees with its label.

    Raises
    ------
    ValueError
        If `masks` does not hold probabilities, or `pooling` or `min_area` is not valid.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"No pooling named {pooling!r}; expected one of {', '.join(POOLINGS)}.")
    pixels = _pixels(masks, first)
    size = pixels.shape[-1]
    area = min_area if isinstance(min_area, Integral) else _area(min_area, size)
    counts = pixels >= float(threshold)
    labels = np.count_nonzero(counts, axis=-1) >= area
    if pooling == "mean":
        scores = _mean(pixels, counts == labels[..., None])
    elif pooling == "max":
        scores = pixels.max(axis=-1)
    else:
        top = _highest(pixels, min(area, size))
        scores = top[..., 0] if pooling == "rank" else top.mean(axis=-1, dtype=np.float64)
    if pooling == "top_mean":
        labels = (scores >= float(pixels.dtype.type(threshold))) & (area <= size)
    scores = scores.astype(
        np.float64
    )  # float32 cannot distinguish .7 from the numbers just below it
    below = np.nextafter(float(threshold), 0)
    return labels, np.where(labels, np.maximum(scores, threshold), np.minimum(scores, below))


def _pixels(masks: NDArray[Any], first: int = 0) -> NDArray[Any]:
    """Check masks (..., h, w) and flatten them to (..., h * w)."""
    if masks.ndim < 2 or 0 in masks.shape[-2:]:
        raise ValueError(f"Masks should have shape (..., h, w), got {masks.shape}.")
    if masks.dtype not in (np.float32, np.float64):
        masks = masks.astype(np.float32)
    pixels = masks.reshape(*masks.shape[:-2], -1)
    low, high = np.atleast_1d(pixels.min(axis=-1), pixels.max(axis=-1))
    wrong = np.argwhere(~((low >= -1e-3) & (high <= 1 + 1e-3)))  # NaN is neither
    if len(wrong):
        lowest, highest = low[tuple(wrong[0])], high[tuple(wrong[0])]
        raise ValueError(
            "Masks should hold probabilities in [0, 1]; "
            f"sample {first + wrong[0, 0]} ranges from {lowest:.4g} to {highest:.4g}."
        )
    return pixels


def _area(fraction: float, size: int) -> int:
    """Return the number of pixels of a fraction, at least 1; 100 / 224**2 of 224**2 is 100."""
    if not 0 < fraction < 1:
        raise ValueError(f"min_area is pixels (an int) or a fraction in (0, 1), got {fraction!r}.")
    return max(1, math.ceil(round(fraction * size, 6)))


def _highest(pixels: NDArray[Any], n: int) -> NDArray[Any]:
    """Return the n highest pixels of each mask, the lowest of them first."""
    return np.partition(pixels, -n, axis=-1)[..., -n:]


def _mean(pixels: NDArray[Any], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average the chosen pixels of each mask; 1 (clipped later) if there are none."""
    total = np.where(chosen, pixels, 0).sum(axis=-1, dtype=np.float64)
    count = np.count_nonzero(chosen, axis=-1)
    return np.where(count, total / np.maximum(count, 1), 1.0)
