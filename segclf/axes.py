"""Which axes arrays and tensors of ours have; nobody else counts them.

Two spatial axes, rows and columns, are assumed here: that a mask of three axes is multi-label
follows from it. Where a `Masks` is at hand, ask its `multilabel` instead.
"""

from typing import Any

import numpy as np

__all__ = [
    "N_SPATIAL",
    "across",
    "are_labels",
    "are_maps",
    "are_multilabel",
    "are_tokens",
    "axes_from",
    "is_gray",
    "is_indicator",
    "is_map",
    "is_mask",
    "is_multilabel",
]

#: Rows and columns.
N_SPATIAL = 2


def is_mask(array: Any) -> bool:
    """Tell whether an array is one mask: ids (h, w), or channels (k, h, w)."""
    return np.ndim(array) in (N_SPATIAL, N_SPATIAL + 1)


def is_multilabel(mask: Any) -> bool:
    """Tell one mask of channels (k, h, w) from one of ids (h, w)."""
    return np.ndim(mask) == N_SPATIAL + 1


def are_multilabel(masks: Any) -> bool:
    """Tell masks of channels (n, k, h, w) from masks of ids (n, h, w)."""
    return np.ndim(masks) == N_SPATIAL + 2


def is_map(values: Any) -> bool:
    """Tell the maps (c, h, w) of one image from its vector or tokens."""
    return np.ndim(values) == N_SPATIAL + 1


def are_maps(values: Any) -> bool:
    """Tell maps (n, c, h, w) from vectors (n, c) and tokens (n, l, d) of images."""
    return np.ndim(values) == N_SPATIAL + 2


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
    """Tell labels (n,), one an image, from an indicator (n, k) and from masks."""
    return np.ndim(labels) == 1


def axes_from(first: int, array: Any) -> tuple[int, ...]:
    """Return the axes of an array from one on, such as the spatial ones of maps from 2 on."""
    return tuple(range(first, np.ndim(array)))


def across(values: Any, like: Any, axis: int = 0) -> Any:
    """Return values (m,) so that they broadcast along an axis of another array.

    Examples
    --------
    >>> across(np.ones(3), np.zeros((2, 3, 8, 8)), axis=1).shape
    (1, 3, 1, 1)
    """
    shape = [1] * np.ndim(like)
    shape[axis] = len(values)
    return values.reshape(shape)
