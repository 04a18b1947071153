"""Of each volume one slice, as an image: that with the largest finding."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL_OF_VOLUMES
from segclf.data import Images, as_images, as_masks

Mask = NDArray[Any] | None


class ShownSlices(NamedTuple):
    """Of n volumes.

    Parameters
    ----------
    images : Images
        The slices.
    masks, true_masks : list of n arrays or None
        Their parts of predicted and true masks.
    numbers : array of int, shape (n,)
        Which slice it is of its volume.
    """

    images: Images
    masks: list[Mask]
    true_masks: list[Mask]
    numbers: NDArray[np.intp]


def shown_slices(X: Any, masks: Any, true_masks: Any, *, channels: Any = None) -> ShownSlices:
    """Choose the slice of each volume that shows most of what was predicted.

    Where that is nothing, most of what is there; the middle one where neither is.

    Parameters
    ----------
    X, masks, true_masks
        Volumes, and masks of them or None.
    channels : {"first", "last"} or None
        Where they are in X.

    Examples
    --------
    >>> masks = np.zeros((1, 5, 4, 4), dtype=np.uint8)
    >>> masks[0, 3, 1:3] = masks[0, 4, 1] = 1
    >>> shown_slices(np.zeros((1, 5, 4, 4)), masks, None).numbers
    array([3])
    """
    volumes = as_images(X, channels=channels, n_spatial=N_SPATIAL_OF_VOLUMES)
    given = [as_masks(m, len(volumes), n_spatial=N_SPATIAL_OF_VOLUMES) for m in (masks, true_masks)]
    pairs = [(given[0].ids(row), given[1].ids(row)) for row in range(len(volumes))]
    depths = volumes.sizes()[:, 0].tolist()
    numbers = np.array([_largest(*pair, depth) for pair, depth in zip(pairs, depths, strict=True)])
    predicted, true = (
        [None if m is None else m[..., z, :, :] for m, z in zip(each, numbers, strict=True)]
        for each in zip(*pairs, strict=True)
    )
    return ShownSlices(volumes.slices(np.arange(len(volumes)), numbers), predicted, true, numbers)


def _largest(predicted: Mask, true: Mask, depth: int) -> int:
    for mask in (predicted, true):
        shown = [] if mask is None else [(mask[..., z, :, :] > 0).sum() for z in range(depth)]
        if any(shown):
            return int(np.argmax(shown))
    return depth // 2
