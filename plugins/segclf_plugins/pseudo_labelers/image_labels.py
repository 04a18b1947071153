"""The classes that each image shows, by its label or its mask."""

import numpy as np
from numpy.typing import NDArray

from segclf.axes import are_labels, is_indicator
from segclf.data import LabelsLike, Masks, as_mask_ids

__all__ = ["as_indicator", "image_labels", "shown_in_masks"]


def image_labels(masks: Masks, labels: LabelsLike | None, n_classes: int = 1) -> NDArray[np.int64]:
    """Return the classes that each image shows, by its label or otherwise by its mask.

    Parameters
    ----------
    masks : Masks
        Masks of the n images.
    labels : array-like of shape (n,) or (n, k), optional
        Mask ids, 0 for none, -1 where unlabeled; or a multi-label indicator.
    n_classes : int
        The least number of classes, without the background.

    Returns
    -------
    array of shape (n, k)
        For each class from mask id 1 (or channel 0) on: 1 if present, 0 if absent, -1 where
        unlabeled.

    Raises
    ------
    ValueError
        If labels are not as described or do not fit the masks.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import as_masks
    >>> masks = as_masks([np.array([[0, 2]]), np.array([[0, -1]]), None, None], 4)
    >>> image_labels(masks, [-1, -1, 1, -1]).tolist()
    [[0, 1], [-1, -1], [1, 0], [-1, -1]]
    """
    has_masks = bool(masks.labeled.any())
    n_in_masks = masks.n_classes - (not masks.multilabel) if has_masks else 1
    if labels is None:
        return shown_in_masks(masks, max(n_in_masks, n_classes))
    ids = as_mask_ids(labels, len(masks))
    many = is_indicator(ids)
    n_said = ids.shape[1] if many else int(ids.max(initial=1))
    said = as_indicator(ids, max(n_in_masks, n_said, n_classes), len(masks))
    if has_masks and masks.multilabel != many:
        raise ValueError(
            f"labels of shape {ids.shape} do not go with masks of "
            f"{'channels, expected an indicator (n, k)' if masks.multilabel else 'ids'}."
        )
    return np.where(said >= 0, said, shown_in_masks(masks, said.shape[1]))


def shown_in_masks(masks: Masks, n_classes: int) -> NDArray[np.int64]:
    """Return the classes (n, k) that each mask shows; -1 if only unlabeled pixels may show one.

    Parameters
    ----------
    masks : Masks
        Masks of the n images.
    n_classes : int
        Number of classes, without the background.
    """
    background = int(not masks.multilabel)
    return masks.shown(background + n_classes)[:, background:].astype(np.int64)


def as_indicator(labels: LabelsLike, n_classes: int, n_samples: int) -> NDArray[np.int64]:
    """Convert labels (n,) or (n, k) to an indicator (n, k) of 1, 0 and -1.

    Parameters
    ----------
    labels : array-like of shape (n,) or (n, k)
        As in :func:`image_labels`.
    n_classes : int
        Number of classes, without the background.
    n_samples : int
        Number of images.

    Raises
    ------
    ValueError
        If the number of labels or classes does not fit.
    """
    array = as_mask_ids(labels, n_samples)
    many = is_indicator(array)
    fits = array.shape == (n_samples, n_classes) if many else are_labels(array)
    if not fits or array.max() > n_classes:
        raise ValueError(
            f"labels of shape {array.shape} hold {array.min()} to {array.max()}; expected ids "
            f"(n,) from -1 to {n_classes}, or an indicator (n, {n_classes}) of 0, 1 and -1."
        )
    if many:
        return array
    return np.where(array[:, None] < 0, -1, array[:, None] == np.arange(1, n_classes + 1))
