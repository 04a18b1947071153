"""Turn anything that holds volumes into a source: arrays with three spatial axes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL_OF_VOLUMES
from segclf.data.arrays import (
    chunks,
    is_mapped,
    require_finite,
    require_real,
    require_unmasked,
    to_numpy,
    unwrap,
)
from segclf.data.channels import Channels
from segclf.data.intake import source_of_files
from segclf.data.kinds import column, image_of, is_dataset, why_not
from segclf.data.path_images import PathImages
from segclf.data.sources import ArraySource, ListSource, Source
from segclf.hookspecs import ImageData

__all__ = ["EXPECTED_VOLUMES", "volume_source"]

EXPECTED_VOLUMES = (
    "volumes: an array (n, d, h, w), or (n, d, h, w, c) with channels, a torch tensor "
    "(n, c, d, h, w), or a list of arrays (d, h, w) or (d, h, w, c), of tensors (c, d, h, w), or "
    "of paths"
)
_USUAL = (1, 3, 4)
_SURELY_CHANNELS = 16
_FEW_PIXELS = 16


def volume_source(
    X: object, n_channels: int | None, channels: Channels, reader: Any = None
) -> Source:
    """Check volumes and wrap them as a source; see `segclf.data.images.as_images`.

    Parameters
    ----------
    X : object
    n_channels : int or None
        For files: the required number.
    channels : {"first", "last"} or None
        Their position in arrays.
    reader : str, Reader or None
        Reader of files; None chooses by suffix.

    Returns
    -------
    Source

    Raises
    ------
    ValueError
        If `X` holds no volumes, or may hold either volumes or images with channels.

    Examples
    --------
    >>> source = volume_source(np.zeros((2, 5, 8, 9)), None, None)
    >>> source.n_spatial, source.n_channels, source.sizes(np.arange(2)).tolist()
    (3, 1, [[5, 8, 9], [5, 8, 9]])
    """
    if reason := why_not(X):
        raise ValueError(f"{reason}. Expected {EXPECTED_VOLUMES}.")
    if isinstance(X, PathImages):
        X = [X.key(index) for index in range(len(X))]
    values: Any = X if is_dataset(X) else column(unwrap(X))
    if isinstance(values, torch.Tensor):
        return _from_tensor(values)
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OUST":
        return _from_array(values, channels)
    given = [values[number] for number in range(len(values))]
    items = [image_of(each, number) for number, each in enumerate(given)]
    if isinstance(items[0], str | os.PathLike):
        return source_of_files(items, n_channels, reader, N_SPATIAL_OF_VOLUMES)
    spacings = [each.spacing if isinstance(each, ImageData) else None for each in given]
    return _from_items(items, channels, spacings)


def _from_array(array: NDArray[Any], channels: Channels) -> Source:
    require_real(array.dtype, "X")
    if array.ndim not in (4, 5):
        raise ValueError(f"X has shape {array.shape}; expected {EXPECTED_VOLUMES}.")
    if array.size == 0:
        raise ValueError(f"X is empty, of shape {array.shape}; expected at least one voxel.")
    for number, volume in enumerate(array if np.ma.isMaskedArray(array) else ()):
        require_unmasked(volume, f"Image {number}")
    mapped = is_mapped(array)
    volumes = np.asarray(array)
    axis = _channel_axis(volumes.shape[1:], "X", channels, given=volumes.shape)
    volumes = volumes[..., None] if axis is None else np.moveaxis(volumes, 1 + axis, -1)
    if not mapped and volumes.dtype.kind == "f":
        for part in chunks(volumes.shape, volumes.itemsize):
            require_finite(volumes[part], np.arange(part.start, part.stop), "Image")
    return ArraySource(volumes, mapped=mapped)


def _from_tensor(tensor: torch.Tensor) -> Source:
    if tensor.ndim != 5 or tensor.is_complex():
        gray = " For gray volumes (n, d, h, w), pass X[:, None]." * (tensor.ndim == 4)
        raise ValueError(
            f"X is a tensor of shape {tuple(tensor.shape)}; expected {EXPECTED_VOLUMES}.{gray}"
        )
    return _from_array(to_numpy(tensor), "first")


def _from_items(
    items: Sequence[Any], channels: Channels, spacings: Sequence[tuple[float, ...] | None]
) -> Source:
    volumes = [_checked(item, number, channels) for number, item in enumerate(items)]
    mapped = [isinstance(item, np.ndarray) and is_mapped(item) for item in items]
    for number, (volume, lazy) in enumerate(zip(volumes, mapped, strict=True)):
        if volume.shape[-1] != volumes[0].shape[-1]:
            raise ValueError(
                f"Image {number} has {volume.shape[-1]} channel(s), image 0 has "
                f"{volumes[0].shape[-1]}; expected the same number for all."
            )
        if not lazy:
            require_finite(volume[None], np.array([number]), "Image")
    return ListSource(volumes, mapped=mapped, spacings=spacings)


def _checked(item: Any, number: int, channels: Channels) -> NDArray[Any]:
    """Return one volume as (d, h, w, c)."""
    where = f"Image {number}"
    if isinstance(item, torch.Tensor):
        if item.ndim != 4:
            raise ValueError(
                f"{where} is a tensor of shape {tuple(item.shape)}; expected (c, d, h, w)."
            )
        item, channels = to_numpy(item), "first"
    if not isinstance(item, np.ndarray) or item.ndim not in (3, 4):
        what = f"has shape {item.shape}" if isinstance(item, np.ndarray) else f"is {item!r:.80}"
        raise ValueError(f"{where} {what}; expected {EXPECTED_VOLUMES}.")
    require_real(item.dtype, where)
    require_unmasked(item, where)
    axis = _channel_axis(item.shape, where, channels, given=item.shape)
    volume = np.asarray(item)
    return volume[..., None] if axis is None else np.moveaxis(volume, axis, -1)


def _channel_axis(
    shape: tuple[int, ...], where: str, channels: Channels, *, given: tuple[int, ...]
) -> int | None:
    """Find the channel axis of one volume; None if it has none.

    Raises
    ------
    ValueError
        If the axis is in doubt, or the volume may be images with channels.
    """
    if min(shape) < 1:
        raise ValueError(f"{where} has shape {given}; expected at least one voxel.")
    *size, last = shape
    if len(shape) == 3:
        if last in _USUAL and min(size) > _FEW_PIXELS:
            raise ValueError(
                f"{where} has shape {given}: this is an image (h, w, c) of {last} channels, or a "
                f"volume of {size[0]} slices of {size[1]} x {last} pixels. For volumes, add the "
                "channel axis, [..., None], and set channels='last'; for images, use an "
                "estimator of images."
            )
        return None
    if channels is not None:
        return 0 if channels == "first" else 3
    if last in _USUAL or last <= min(_SURELY_CHANNELS, *(side - 1 for side in size)):
        return 3
    raise ValueError(
        f"{where} has shape {given}: a volume of {last} channels, or of {shape[0]}? Set "
        "channels='last' or channels='first', a parameter of estimators of volumes and of "
        "segclf.data.as_images."
    )
