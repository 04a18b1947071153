"""Functions of all pseudo-labelers for their predicted masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import across
from segclf.data import LabelsLike

__all__ = ["Mask", "Masks", "empty_negatives"]

Mask = NDArray[Any]
Masks = Mask | list[Mask]


def empty_negatives(mask: Mask, label: Any) -> Mask:
    """Remove objects from a mask that the label of its image excludes.

    Parameters
    ----------
    mask : ndarray of shape (h, w) or (k, h, w), or of volumes (d, h, w) or (k, d, h, w)
        Ids; or 0 and 1 for each class. -1 where unlabeled.
    label : int or ndarray of shape (k,) or None
        Label of the image, or of each class; 0 means no object.

    Returns
    -------
    ndarray
        The same mask, or a new one.

    Examples
    --------
    >>> import numpy as np
    >>> empty_negatives(np.array([[0, 2, -1]]), label=0)
    array([[0, 0, 0]])
    >>> empty_negatives(np.array([[[1, 0]], [[1, -1]]]), label=np.array([-1, 0])).tolist()
    [[[1, 0]], [[0, 0]]]
    """
    if label is None:
        return mask
    ruled_out = across(label == 0, mask) if isinstance(label, np.ndarray) else label == 0
    return np.where(ruled_out, mask.dtype.type(0), mask)


def each_label(labels: LabelsLike | None, n_samples: int) -> list[Any]:
    """Return the label of each image; None for all images without labels."""
    return [None] * n_samples if labels is None else list(np.asarray(labels))
