"""Show volumes as images: the slice with the largest finding, or several side by side."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL_OF_VOLUMES
from segclf.data import as_images, as_masks
from segclf.displays.montages import Mask, Montage, montage


class ShownSlices(NamedTuple):
    """The shown slices of n volumes.

    Parameters
    ----------
    images : list of n arrays (h, w, c)
        The slices.
    masks, true_masks : list of n arrays or None
        Their predicted and true masks.
    montages : list of Montage
        The slices of each volume that are shown, and their layout.
    """

    images: list[NDArray[Any]]
    masks: list[Mask]
    true_masks: list[Mask]
    montages: list[Montage]


def shown_slices(
    X: Any, masks: Any, true_masks: Any, *, n_slices: int = 1, channels: Any = None
) -> ShownSlices:
    """Choose the slice of each volume with the largest predicted finding, and a few more.

    Without a predicted finding, the slice with the largest true one is chosen; without either,
    the middle slice.

    Parameters
    ----------
    X, masks, true_masks
        Volumes, and their masks or None.
    n_slices : int
        Largest number of slices of each volume.
    channels : {"first", "last"} or None
        Position of the channels in X.

    Examples
    --------
    >>> masks = np.zeros((1, 5, 4, 4), dtype=np.uint8)
    >>> masks[0, 3, 1:3] = masks[0, 4, 1] = 1
    >>> shown_slices(np.zeros((1, 5, 4, 4)), masks, None).montages[0].numbers
    array([3])
    """
    volumes = as_images(X, channels=channels, n_spatial=N_SPATIAL_OF_VOLUMES)
    given = [as_masks(m, len(volumes), n_spatial=N_SPATIAL_OF_VOLUMES) for m in (masks, true_masks)]
    shown = ShownSlices([], [], [], [])
    for row, size in enumerate(volumes.sizes().tolist()):
        predicted, true = (each.ids(row) for each in given)
        chosen = montage(predicted, true, tuple(size), n_slices)
        numbers = chosen.numbers
        slices = volumes.slices(np.full(len(numbers), row), numbers)
        shown.images.append(chosen.image(np.asarray(slices.take(np.arange(len(numbers))))))
        shown.masks.append(chosen.mask(predicted))
        shown.true_masks.append(chosen.mask(true))
        shown.montages.append(chosen)
    return shown
