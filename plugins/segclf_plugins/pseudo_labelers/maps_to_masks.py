"""Convert class maps to masks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from segclf.axes import is_multilabel
from segclf.data import resize_mask

__all__ = ["Refine", "mask_from_maps", "refined", "resized", "sure_mask"]

Refine = Callable[[NDArray[Any], NDArray[np.float32]], NDArray[Any]]

_SURE = 0.7  # probability of the classes of a mask before refinement, as in IRNet's code


def mask_from_maps(
    maps: NDArray[Any], threshold: float, present: NDArray[Any], *, multilabel: bool
) -> NDArray[np.int16]:
    """Return the class with the largest map, or the background if none exceeds the threshold.

    Parameters
    ----------
    maps : array (m, h, w)
        Maps of the m classes that are present.
    threshold : float
        Threshold in units of the maps.
    present : array of shape (k,)
        1 for classes that are present, 0 for others, -1 where unlabeled.
    multilabel : bool
        Whether each class is decided by itself.

    Returns
    -------
    array (h, w) or (k, h, w)
        Ids, or 0 and 1. All -1 if unlabeled, or if the map of a class that is present is all 0
        (without `multilabel`, if the maps of all such classes are).

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.array([[[0.1, 0.9, 0.5]], [[0.2, 0.3, 0.7]]])
    >>> mask_from_maps(maps, 0.25, np.array([1, 0, 1]), multilabel=False)
    array([[0, 1, 3]], dtype=int16)
    >>> mask_from_maps(maps, 0.25, np.array([1, 0, 1]), multilabel=True)[:, 0]
    array([[0, 1, 1],
           [0, 0, 0],
           [0, 1, 1]], dtype=int16)
    """
    classes = np.flatnonzero(present == 1)
    if multilabel:
        mask = np.empty((len(present), *maps.shape[1:]), dtype=np.int16)
        mask[:] = present[:, None, None]
        mask[classes] = np.where(maps.any((1, 2), keepdims=True), maps > threshold, -1)
        return mask
    if not maps.any():
        return np.full(maps.shape[1:], -1, dtype=np.int16)
    largest = np.concatenate([np.full_like(maps[:1], threshold), maps]).argmax(0)
    return np.append(0, classes + 1).astype(np.int16)[largest]


def sure_mask(certain: NDArray[Any], possible: NDArray[Any]) -> NDArray[Any]:
    """Combine masks of a high and a low threshold: -1 where only the low one shows a class.

    Examples
    --------
    >>> import numpy as np
    >>> sure_mask(np.array([[0, 0, 2]]), np.array([[0, 1, 2]]))
    array([[ 0, -1,  2]])
    """
    return np.where(certain != 0, certain, np.where(possible != 0, -1, 0))


def refined(
    mask: NDArray[Any], image: NDArray[Any], present: NDArray[Any], refine: Refine
) -> NDArray[Any]:
    """Refine a mask at the size of its image; each channel of a multi-label mask separately.

    Parameters
    ----------
    mask : array (h', w') or (k, h', w')
        From :func:`mask_from_maps`.
    image : array (h, w, c)
        The image.
    present : array of shape (k,)
        1 for the classes that the image shows.
    refine : callable
        ``refine(image, probabilities)`` returns probabilities; the first is the background's.

    Returns
    -------
    array (h, w) or (k, h, w)
        The most probable of the classes that are present; a mask of only -1 stays unchanged.
    """
    mask = resize_mask(mask, (image.shape[0], image.shape[1]))
    if is_multilabel(mask):
        return np.stack([refined(channel, image, np.ones(1), refine) for channel in mask])
    if (mask < 0).any():
        return mask
    ids = np.append(0, np.flatnonzero(present == 1) + 1)
    rest = (1 - _SURE) / (len(ids) - 1)
    said = np.where(mask == ids[:, None, None], _SURE, rest).astype(np.float32)
    return ids[np.asarray(refine(image, said)).argmax(0)]


def resized(maps: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize maps (m, h, w) bilinearly."""
    return F.interpolate(torch.from_numpy(maps)[None], size, mode="bilinear")[0].numpy()
