"""The axes of our arrays and tensors; no other code counts them.

Images have two spatial axes, rows and columns; volumes have three, slices, rows and columns. A mask
with three axes is a multi-label mask of an image, or ids of a volume: the caller says which by
`n_spatial`, whose default is images. If there is a `Masks`, use its `multilabel` and `n_spatial`
instead. Maps always have a channel axis, so their axes determine the kind.
"""

from typing import Any

import numpy as np

__all__ = [
    "N_SPATIAL",
    "N_SPATIAL_OF_VOLUMES",
    "across",
    "are_labels",
    "are_maps",
    "are_multilabel",
    "are_tokens",
    "are_volumetric",
    "as_planes",
    "axes_from",
    "is_gray",
    "is_indicator",
    "is_map",
    "is_mask",
    "is_multilabel",
]

#: Rows and columns.
N_SPATIAL = 2
#: Slices, rows and columns.
N_SPATIAL_OF_VOLUMES = 3


def is_mask(array: Any, n_spatial: int = N_SPATIAL) -> bool:
    """Tell whether an array is one mask: ids (h, w), or channels (k, h, w)."""
    return np.ndim(array) in (n_spatial, n_spatial + 1)


def is_multilabel(mask: Any, n_spatial: int = N_SPATIAL) -> bool:
    """Tell one mask of channels (k, h, w) from one of ids (h, w)."""
    return np.ndim(mask) == n_spatial + 1


def are_multilabel(masks: Any, n_spatial: int = N_SPATIAL) -> bool:
    """Tell masks of channels (n, k, h, w) from masks of ids (n, h, w)."""
    return np.ndim(masks) == n_spatial + 2


def is_map(values: Any) -> bool:
    """Tell the maps (c, h, w) or (c, d, h, w) of one image from its vector or tokens."""
    return np.ndim(values) in (N_SPATIAL + 1, N_SPATIAL_OF_VOLUMES + 1)


def are_maps(values: Any) -> bool:
    """Tell maps (n, c, h, w) or (n, c, d, h, w) from vectors (n, c) and tokens (n, l, d)."""
    return np.ndim(values) in (N_SPATIAL + 2, N_SPATIAL_OF_VOLUMES + 2)


def are_volumetric(maps: Any) -> bool:
    """Tell maps of volumes (n, c, d, h, w), or (c, d, h, w) in a list, from those of images."""
    if isinstance(maps, list | tuple):
        return any(np.ndim(each) == N_SPATIAL_OF_VOLUMES + 1 for each in maps)
    return np.ndim(maps) == N_SPATIAL_OF_VOLUMES + 2


def as_planes(maps: Any) -> Any:
    """Return maps (n, k, d, h, w) as (n, k, d * h, w), for code that counts pixels anywhere.

    Maps of images are unchanged; a list of (k, d, h, w) becomes one of (k, d * h, w).

    Examples
    --------
    >>> as_planes(np.zeros((5, 2, 3, 8, 9))).shape
    (5, 2, 24, 9)
    """
    if not are_volumetric(maps):
        return maps
    if isinstance(maps, list | tuple):
        return [np.reshape(each, (len(each), -1, np.shape(each)[-1])) for each in maps]
    return np.reshape(maps, (*np.shape(maps)[:2], -1, np.shape(maps)[-1]))


def are_tokens(values: Any) -> bool:
    """Tell tokens (n, l, d), as of a transformer, from maps (n, c, h, w)."""
    return np.ndim(values) == 3


def is_gray(picture: Any) -> bool:
    """Tell a gray picture (h, w) from one with channels (h, w, c)."""
    return np.ndim(picture) == N_SPATIAL


def is_indicator(labels: Any) -> bool:
    """Tell a multi-label indicator (n, k) from labels (n,)."""
    return np.ndim(labels) == 2


def are_labels(labels: Any) -> bool:
    """Tell labels (n,), one for each image, from an indicator (n, k) and from masks."""
    return np.ndim(labels) == 1


def axes_from(first: int, array: Any) -> tuple[int, ...]:
    """Return the axes of an array from a given one, such as the spatial axes of maps from 2."""
    return tuple(range(first, np.ndim(array)))


def across(values: Any, like: Any, axis: int = 0) -> Any:
    """Return values (m,) so that they broadcast along an axis of another array.

    Examples
    --------
    >>> across(np.ones(3), np.zeros((2, 3, 8, 8)), axis=1).shape
    (1, 3, 1, 1)
    """
    shape = [1] * like.ndim
    shape[axis] = len(values)
    return values.reshape(shape)
