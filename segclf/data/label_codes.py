"""Labels as numbers: positions among classes, indicators, and the ids that masks hold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_consistent_length

from segclf.data.labels import LabelsLike, as_label_array, is_labeled, is_labeled_for, natural
from segclf.data.mask_checks import MAX_ID


def as_positions(
    y: LabelsLike, classes: NDArray[Any], *, unseen: int | None = None
) -> NDArray[np.int64]:
    """Return the position of each label in the classes that `fit` learned, -1 if unlabeled.

    Parameters
    ----------
    y : array-like of shape (n,)
    classes : array of shape (k,)
        If -1 is one of them, it is a class.
    unseen : int, optional
        Value for a label that is not one of the classes; None raises an error.

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    ValueError
        With the first label that is not one of the classes.

    Examples
    --------
    >>> as_positions(["ill", None, "well"], np.array(["ill", "well"])).tolist()
    [0, -1, 1]
    """
    labels = as_label_array(y)
    labeled = is_labeled_for(labels, classes)
    values = natural(labels[labeled])
    same = values[:, None] == classes
    there = same.any(axis=1)
    for row in np.flatnonzero(~there)[:1] if unseen is None else ():
        raise ValueError(
            f"Label {values[row].item()!r} of sample {np.flatnonzero(labeled)[row]} is not one of "
            f"the classes: {classes.tolist()}."
        )
    positions = np.full(len(labels), -1, dtype=np.int64)
    positions[labeled] = np.where(there, same.argmax(axis=1), -1 if unseen is None else unseen)
    return positions


def as_indicator(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return a multi-label indicator (n, k) of 0, 1 and -1.

    Parameters
    ----------
    labels : array of shape (n, k)
        From `as_label_array`.

    Returns
    -------
    array of shape (n, k)

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    labeled = is_labeled(labels)
    values = natural(labels[labeled])
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(
            "Unknown label type: a y of two dimensions must be a multi-label indicator (n, k) of "
            f"0, 1 and -1 (unlabeled); got values {np.unique(values)[:5]} and shape "
            f"{labels.shape}."
        )
    indicator = np.full(labels.shape, -1, dtype=np.int64)
    indicator[labeled] = values
    return indicator


def as_mask_ids(labels: LabelsLike, n_samples: int) -> NDArray[np.int64]:
    """Check labels of images that are mask ids, as segmenters take them.

    Parameters
    ----------
    labels : array-like of shape (n,) or (n, k)
        Mask ids, 0 if an image shows nothing; or a multi-label indicator.
    n_samples : int
        Number of images.

    Returns
    -------
    array of shape (n,) or (n, k)
        -1 if unlabeled.

    Raises
    ------
    ValueError
        For text, fractions, ids below -1 or above 254, and a wrong number of labels.

    Examples
    --------
    >>> as_mask_ids([2, None, 0], 3).tolist()
    [2, -1, 0]
    """
    array = as_label_array(labels)
    check_consistent_length(np.empty(n_samples), array)
    if issparse(array) or array.ndim not in (1, 2):
        raise ValueError(
            f"labels have shape {array.shape}; expected ({n_samples},), a mask id for each image, "
            f"or ({n_samples}, k), a multi-label indicator."
        )
    if array.ndim == 2:
        return as_indicator(array)
    labeled = is_labeled(array)
    values = natural(array[labeled])
    _require_ids(values, np.flatnonzero(labeled))
    ids = np.full(n_samples, -1, dtype=np.int64)
    ids[labeled] = values
    return ids


def _require_ids(values: NDArray[Any], rows: NDArray[np.intp]) -> None:
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"Label {rows[0]} is {values[0].item()!r}; expected a mask id: 0 if the image shows "
            "nothing, 1 to K, and -1 if unlabeled."
        )
    wrong = ~((values >= 0) & (values <= MAX_ID) & (values == np.floor(values)))
    for row in np.flatnonzero(wrong)[:1]:
        hint = " If 255 means 'unknown', set it to -1." if values[row] == 255 else ""
        raise ValueError(
            f"Label {rows[row]} is {values[row].item()!r}; expected whole mask ids from 0 to "
            f"{MAX_ID}, as in masks, and -1 if unlabeled.{hint}"
        )
