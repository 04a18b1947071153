"""Resample volumes, or parts of them, to another grid: each axis by its own rule.

An axis that gets fewer voxels takes means of the voxels that fall into each; one that gets more is
interpolated linearly. The outer edges keep their position. Each new voxel is a weighted sum of a
few neighbors along each axis, so a part of the result needs only a part of the volume.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Number of new positions along an axis that are computed at once.
_BLOCK = 64

#: Maps the first voxel and the size of a part to the part (d, h, w, c).
ReadPart = Callable[[tuple[int, ...], tuple[int, ...]], NDArray[Any]]


def regridded(volume: NDArray[Any], size: Sequence[int]) -> NDArray[np.float32]:
    """Resample a volume (d, h, w, c) to a size (d, h, w).

    Examples
    --------
    >>> regridded(np.arange(4.0).reshape(4, 1, 1, 1), (2, 1, 1)).ravel().tolist()
    [0.5, 2.5]
    """

    def read(corner: tuple[int, ...], part: tuple[int, ...]) -> NDArray[Any]:
        return volume[tuple(slice(start, start + n) for start, n in zip(corner, part, strict=True))]

    return regridded_part(read, volume.shape[:3], size, (0, 0, 0), size)


def regridded_part(
    read: ReadPart,
    old: Sequence[int],
    new: Sequence[int],
    corner: Sequence[int],
    part: Sequence[int],
) -> NDArray[np.float32]:
    """Return a part of a volume on another grid, reading only what is needed.

    Parameters
    ----------
    read : callable
        Returns a part of the original volume, as float32.
    old, new : (int, int, int)
        Size of the original volume, and on the other grid.
    corner, part : (int, int, int)
        First voxel and size of the part, on the other grid.
    """
    axes = [
        _weights(before, after, start, start + n)
        for before, after, start, n in zip(old, new, corner, part, strict=True)
    ]
    firsts = tuple(first for first, _ in axes)
    values = read(firsts, tuple(weights.shape[1] for _, weights in axes))
    values = np.asarray(values, dtype=np.float32)
    for axis, (_, weights) in enumerate(axes):
        if not _is_identity(weights):
            values = _along(values, weights, axis)
    return np.ascontiguousarray(values)


def _weights(old: int, new: int, start: int, stop: int) -> tuple[int, NDArray[np.float32]]:
    """Return the first old position that new ones need, and their weights (n_new, n_old)."""
    places = np.arange(start, stop)
    if new < old:
        low, high = places * old / new, (places + 1) * old / new
        first, last = int(low[0]), int(np.ceil(high[-1] - 1e-9)) - 1
        columns = np.arange(first, last + 1)
        covered = np.minimum(high[:, None], columns + 1) - np.maximum(low[:, None], columns)
        weights = np.clip(covered, 0, None) * new / old
    else:
        center = np.clip((places + 0.5) * old / new - 0.5, 0, old - 1)
        first, last = int(center[0]), min(int(center[-1]) + 1, old - 1)
        columns = np.arange(first, last + 1)
        weights = np.clip(1 - np.abs(center[:, None] - columns), 0, None)
    return first, weights.astype(np.float32)


def _is_identity(weights: NDArray[np.float32]) -> bool:
    return weights.shape[0] == weights.shape[1] and bool((np.diag(weights) == 1).all())


def _along(values: NDArray[np.float32], weights: NDArray[np.float32], axis: int) -> NDArray[Any]:
    """Sum along an axis, a block of new positions at a time, which need few of the old ones."""
    size = list(values.shape)
    size[axis] = len(weights)
    result = np.empty(size, dtype=np.float32)
    for start in range(0, len(weights), _BLOCK):
        rows = weights[start : start + _BLOCK]
        used = np.flatnonzero(rows.any(axis=0))
        old, new = [slice(None)] * values.ndim, [slice(None)] * values.ndim
        old[axis], new[axis] = slice(used[0], used[-1] + 1), slice(start, start + _BLOCK)
        summed = np.tensordot(rows[:, used[0] : used[-1] + 1], values[tuple(old)], (1, axis))
        result[tuple(new)] = np.moveaxis(summed, 0, axis)
    return result
