"""Recall that requires the right place: a finding counts only if its region is found.

Hooper et al., "A case for reframing automated medical image classification as segmentation"
(S4C), NeurIPS 2023, section 5, "Segmentation enables more precise model evaluation".
"""

from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segclf.axes import are_labels, is_indicator
from segclf.metrics.overlap import Masks, ious
from segclf.metrics.pixel_counts import PixelCounts, count_pixels

Place = Literal["anywhere", "overlap", "centroid"] | float


def strict_recall(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    masks_true: Masks,
    masks_pred: Masks,
    *,
    place: Place = "overlap",
    labels: ArrayLike | None = None,
) -> float:
    """Compute the share of findings that are predicted in the right place.

    "Instead of identifying a true positive as when the image-level label is positive and correct,
    we can also require that the correct region of the image is identified" (S4C, section 5). The
    paper does not define a correct region; `place` does.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        Labels: 0 for an image without a finding, j for one with the finding of mask id j (or
        channel j - 1), -1 where unlabeled. Or an indicator with one column for each mask channel.
    y_pred : array-like like `y_true`
        Predicted labels.
    masks_true : array of shape (n, h, w) or (n, k, h, w), or list of n arrays (h, w) or (k, h, w)
        Pixels that are -1, and masks that are None, are not scored.
    masks_pred : array or list like `masks_true`
        None only where `masks_true` is None.
    place : {"overlap", "centroid", "anywhere"} or float, default="overlap"
        When a place counts as right:

        - ``"overlap"``: at least one predicted pixel is on the true region.
        - ``"centroid"``: the predicted pixel nearest to the centroid of the prediction is on the
          true region.
        - a number t in (0, 1]: the intersection over union is at least t.
        - ``"anywhere"``: always. This is the plain recall of the same images, for comparison.
    labels : array-like of shape (k + 1,), optional
        Needed if labels are not mask ids: the j-th label belongs to mask id j, the first to no
        region, as in ``SegmentationClassifier().classes_``.

    Returns
    -------
    float
        Over all pairs of an image and a class that it shows. A pair does not count if the true
        mask does not show the class (there is no mask, it is empty, or it is not labeled), since
        the place is then unknown. NaN if no pair counts.

    Raises
    ------
    ValueError
        If lengths, shapes or labels do not fit, or for an unknown `place`.

    Examples
    --------
    >>> from segclf.metrics import strict_recall
    >>> masks_true = np.array([[[1, 1, 0, 0]], [[1, 1, 0, 0]], [[0, 0, 0, 0]]])
    >>> masks_pred = np.array([[[0, 1, 1, 0]], [[0, 0, 0, 1]], [[0, 0, 0, 1]]])
    >>> given = [1, 1, 0], [1, 1, 1], masks_true, masks_pred
    >>> strict_recall(*given, place="anywhere"), strict_recall(*given)
    (1.0, 0.5)
    >>> strict_recall(*given, place=0.5)
    0.0
    """
    hits = strict_hits(y_true, y_pred, masks_true, masks_pred, place=place, labels=labels)
    scored = hits[~np.isnan(hits)]
    return float(scored.mean()) if scored.size else float("nan")


def strict_hits(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    masks_true: Masks,
    masks_pred: Masks,
    *,
    place: Place = "overlap",
    labels: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Return for each image whether its finding is predicted in the right place.

    Parameters
    ----------
    y_true, y_pred, masks_true, masks_pred, place, labels
        As in :func:`strict_recall`, which is the mean of the result.

    Returns
    -------
    array of shape (n,) or (n, k)
        1 or 0; NaN where there is no finding or its place is unknown.

    Raises
    ------
    ValueError
        As :func:`strict_recall`.

    Examples
    --------
    >>> from segclf.metrics import strict_hits
    >>> masks_true = np.array([[[1, 1, 0, 0]], [[1, 1, 0, 0]], [[0, 0, 0, 0]]])
    >>> masks_pred = np.array([[[0, 1, 1, 0]], [[0, 0, 0, 1]], [[0, 0, 0, 1]]])
    >>> strict_hits([1, 1, 0], [1, 1, 1], masks_true, masks_pred)
    array([ 1.,  0., nan])
    """
    truth, called = _as_ids(y_true, labels), _as_ids(y_pred, labels)
    right = _in_place(masks_true, masks_pred, place)
    if truth.shape != called.shape or len(truth) != len(right):
        raise ValueError(
            f"Numbers of true and predicted labels and masks must agree, got labels of shape "
            f"{truth.shape} and {called.shape} and {len(right)} masks."
        )
    own = _of_indicator(truth, right) if is_indicator(truth) else _of_label(truth, right)
    return np.where(np.isnan(own), np.nan, (called == truth) & (own == 1))


def _as_ids(y: ArrayLike, labels: ArrayLike | None) -> NDArray[np.int64]:
    """Convert labels to mask ids; -1 stays -1."""
    y = np.asarray(y)
    if labels is not None:
        labels = np.asarray(labels)
        same = y[:, None] == labels
        ids = np.where(same.any(axis=1), same.argmax(axis=1), -2)
        unknown = y == -1 if y.dtype.kind in "iuf" else np.zeros(len(y), dtype=bool)
        return _checked(np.where(unknown, -1, ids), y, f"labels {labels.tolist()} or -1")
    if y.dtype.kind not in "biuf" or not (are_labels(y) or is_indicator(y)):
        raise ValueError(
            f"Expected mask ids (n,) or an indicator (n, k), got {y.dtype} {y.shape}; "
            "give other labels in labels=."
        )
    expected = "mask ids from 0, or -1" if are_labels(y) else "0, 1 or -1"
    ids = np.where((y >= -1) & ((y <= 1) | are_labels(y)) & (y == np.floor(y)), y, -2)
    return _checked(ids.astype(np.int64), y, expected)


def _checked(ids: NDArray[np.int64], y: NDArray[Any], expected: str) -> NDArray[np.int64]:
    strange = np.argwhere(ids == -2)
    if len(strange):
        given = y[tuple(strange[0])]
        raise ValueError(f"Expected {expected}; the label of sample {strange[0][0]} is {given!r}.")
    return ids


def _of_label(ids: NDArray[np.int64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value of each image's own class; NaN for images without a finding."""
    shown = np.full((len(ids), max(ids.max(initial=0), right.shape[1]) + 1), np.nan)
    shown[:, 1 : right.shape[1] + 1] = right
    return shown[np.arange(len(ids)), np.maximum(ids, 0)]


def _of_indicator(there: NDArray[np.int64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    if there.shape != right.shape:
        raise ValueError(
            f"An indicator {there.shape} needs masks of {there.shape[1]} channels, got "
            f"{right.shape[1]}."
        )
    return np.where(there == 1, right, np.nan)


def _in_place(masks_true: Masks, masks_pred: Masks, place: Place) -> NDArray[np.float64]:
    """Return for each image and class whether the place is right; NaN where it is unknown."""
    counts = count_pixels(masks_true, masks_pred)
    counts = counts if counts.multilabel else counts.foreground()
    if place == "anywhere":
        right = np.ones(counts.true.shape, dtype=bool)
    elif place == "overlap":
        right = counts.both > 0
    elif place == "centroid":
        right = _middles(masks_true, masks_pred, counts)
    elif isinstance(place, Real) and 0 < place <= 1:
        right = ious(counts, empty=0.0) >= place
    else:
        raise ValueError(
            f"place must be 'overlap', 'centroid', 'anywhere' or in (0, 1], got {place!r}."
        )
    return np.where(counts.true > 0, right, np.nan)


def _middles(masks_true: Masks, masks_pred: Masks, counts: PixelCounts) -> NDArray[np.bool_]:
    """Return whether the middle of each prediction is on the true region."""
    right = counts.both > 0
    for image, column in np.argwhere(right):
        truth, predicted = np.asarray(masks_true[image]), np.asarray(masks_pred[image])
        if counts.multilabel:
            truth, predicted = truth[column], predicted[column]
        value = 1 if counts.multilabel else column + 1
        pixels = np.argwhere((predicted == value) & (truth >= 0))
        distances = ((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1)
        right[image, column] = truth[tuple(pixels[distances.argmin()])] == value
    return right
