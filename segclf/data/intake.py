"""Turn anything that holds images into a source: find its kind, and check it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.data.arrays import (
    chunks,
    is_mapped,
    require_finite,
    require_real,
    require_unmasked,
    to_numpy,
    unwrap,
)
from segclf.data.channels import (
    Channels,
    as_hwc,
    channel_axis,
    checked_item,
    require_tensor_channels,
)
from segclf.data.file_source import FileSource
from segclf.data.found_readers import find_reader
from segclf.data.item_source import ItemSource
from segclf.data.kinds import EXPECTED, column, image_of, is_dataset, kind_of, why_not
from segclf.data.locations import is_url
from segclf.data.path_images import PathImages
from segclf.data.sources import ArraySource, ListSource, Source, TensorSource
from segclf.data.stored_images import StoredImages
from segclf.data.stored_source import StoredSource

__all__ = ["require_paths", "source_of", "source_of_files"]


def source_of(
    X: object,
    image_shape: tuple[int, ...] | None,
    n_channels: int | None,
    channels: Channels,
    reader: Any = None,
) -> Source:
    """Check X and wrap it as a source; see `segclf.data.images.as_images`.

    Parameters
    ----------
    X : object
    image_shape : tuple of int or None
        Shape of each row as an image.
    n_channels : int or None
        For files, PIL images and Datasets: the required number.
    channels : {"first", "last"} or None
        Their position in arrays.
    reader : str, Reader or None
        Reader of the files.

    Returns
    -------
    Source

    Raises
    ------
    ValueError
        See `segclf.data.images.as_images`.
    """
    if reason := why_not(X):
        raise ValueError(f"{reason}. Expected {EXPECTED}.")
    if isinstance(X, StoredImages):
        return StoredSource(X, n_channels)
    if is_dataset(X):
        return ItemSource(X, n_channels, channels)
    values = column(unwrap(X))
    if isinstance(values, torch.Tensor):
        return _from_tensor(values, image_shape)
    if isinstance(values, np.ndarray) and not (values.ndim == 1 and values.dtype.kind in "OUST"):
        return _from_array(values, image_shape, channels)
    if not isinstance(values, np.ndarray | list | tuple):
        raise ValueError(f"X is a {type(X).__name__}; expected {EXPECTED}.")
    if not len(values):
        raise ValueError(f"X is empty; expected {EXPECTED}.")
    items = [image_of(item, number) for number, item in enumerate(values)]
    if isinstance(items[0], list | tuple | int | float):
        return _from_array(_nested(items), image_shape, channels)
    if (kind := _common_kind(items)) == "path":
        return source_of_files(items, n_channels, reader)
    if kind == "PIL image":
        return ItemSource(items, n_channels, channels)
    return _from_items(items, channels)


def require_paths(source: Source | None, reader: object) -> None:
    """Refuse a reader for input that is not read from files.

    Parameters
    ----------
    source : Source or None
        None for images that were wrapped before.
    reader : str or Reader

    Raises
    ------
    ValueError
        If X holds no paths.
    """
    if not isinstance(source, FileSource):
        raise ValueError(f"reader={reader!r} is for paths, but X holds none; leave it out.")


def _from_array(
    array: NDArray[Any], image_shape: tuple[int, ...] | None, channels: Channels
) -> Source:
    require_real(array.dtype, "X")
    if array.ndim not in (2, 3, 4):
        raise ValueError(f"X has shape {array.shape}; expected {EXPECTED}.{_volumes(array)}")
    if array.size == 0:
        raise ValueError(f"X is empty, of shape {array.shape}; expected at least one pixel.")
    if np.ma.isMaskedArray(array):
        for number, image in enumerate(array):
            require_unmasked(image, f"Image {number}")
    mapped, images = is_mapped(array), np.asarray(array)
    if array.ndim == 2:
        images = images.reshape(len(images), *_row_shape(array.shape[1], image_shape))
    elif array.ndim == 3:
        _require_many(array.shape)
    else:
        axis = channel_axis(images.shape[1:], "X", channels, given=images.shape)
        images = np.moveaxis(images, 1 + axis, -1)
    if images.ndim == 3:
        images = images[..., None]
    if not mapped and images.dtype.kind == "f":
        for part in chunks(images.shape, images.itemsize):
            require_finite(images[part], np.arange(part.start, part.stop), "Image")
    return ArraySource(images, mapped=mapped)


def _volumes(array: NDArray[Any]) -> str:
    volumes = (
        " If these are volumes, pass their slices (h, w) or (h, w, c) as images, or use an "
        "estimator of volumes, such as SliceWise."
    )
    return volumes if array.ndim == 5 else ""


def _require_many(shape: tuple[int, ...]) -> None:
    """Refuse one image (h, w, c), unless it may be h gray images (w, c)."""
    height, width, n_channels = shape
    if n_channels in (1, 3, 4) and min(height, width) > 16:
        raise ValueError(
            f"X has shape {shape}: this is one image (h, w, c), or {height} gray ones of {width} x "
            f"{n_channels} pixels. Pass X[None] for the one, X[..., None] for the {height}."
        )


def _row_shape(n_features: int, image_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    shape = (1, n_features) if image_shape is None else tuple(image_shape)
    if len(shape) not in (2, 3) or np.prod(shape) != n_features:
        raise ValueError(
            f"image_shape={shape} does not fit rows of {n_features} numbers; expected (h, w) or "
            f"(h, w, c) whose product is {n_features}."
        )
    return shape


def _from_tensor(tensor: torch.Tensor, image_shape: tuple[int, ...] | None) -> Source:
    if tensor.ndim < 3 or tensor.ndim > 4 or tensor.is_complex():
        return _from_array(to_numpy(tensor), image_shape, None)
    images = tensor[:, None] if tensor.ndim == 3 else tensor
    if images.numel() == 0:
        raise ValueError(f"X is empty, of shape {tuple(tensor.shape)}; expected some pixels.")
    require_tensor_channels(tuple(images.shape[1:]), "X")
    if images.device.type == "cpu" and images.dtype != torch.bfloat16:
        source: Source = ArraySource(to_numpy(images.movedim(1, -1)), mapped=False)
    else:
        source = TensorSource(images.detach())
    if images.is_floating_point():
        for part in chunks(tuple(images.shape), 4):
            rows = np.arange(part.start, part.stop)
            require_finite(np.asarray(source.take(rows)), rows, "Image")
    return source


def _nested(items: list[Any]) -> NDArray[Any]:
    try:
        return np.asarray(items)
    except ValueError as error:
        raise ValueError(f"X is a ragged nested list; expected {EXPECTED}.") from error


def _common_kind(items: Sequence[object]) -> str:
    first = kind_of(items[0])
    for number, item in enumerate(items):
        kind = kind_of(item)
        if kind is None:
            raise ValueError(f"Image {number} is a {type(item).__name__}; expected {EXPECTED}.")
        if kind != first:
            raise ValueError(
                f"X mixes kinds: image 0 is a {first}, image {number} is a {kind}; expected "
                "one kind."
            )
    return str(first)


def source_of_files(
    items: Sequence[Any], n_channels: int | None, reader: Any, n_spatial: int = N_SPATIAL
) -> Source:
    """Check that the files exist, and wrap them as a source.

    Parameters
    ----------
    items : sequence of paths
    n_channels : int or None
        The required number.
    reader : str, Reader or None
        None chooses by suffix.
    n_spatial : int
        3 for volumes.

    Returns
    -------
    Source

    Raises
    ------
    ValueError
        If a file is missing, or no reader takes it.
    """
    paths = [str(os.fspath(item)) for item in items]
    if any(map(is_url, paths)):
        return StoredSource(PathImages(paths), n_channels)
    for number, path in enumerate(paths):
        try:
            found = find_reader(path, reader)
        except ValueError as error:
            raise ValueError(f"Image {number}: {error}") from error
        if not found.exists():
            raise ValueError(f"Image {number}: there is no file {path!r}.")
    return FileSource(paths, n_channels, reader, n_spatial)


def _from_items(items: Sequence[NDArray[Any] | torch.Tensor], channels: Channels) -> Source:
    mapped = [isinstance(item, np.ndarray) and is_mapped(item) for item in items]
    images = [checked_item(item, f"Image {i}", channels) for i, item in enumerate(items)]
    for number, (image, lazy) in enumerate(zip(images, mapped, strict=True)):
        axis = 0 if isinstance(image, torch.Tensor) else 2
        if image.shape[axis] != images[0].shape[axis]:
            raise ValueError(
                f"Image {number} has {image.shape[axis]} channel(s), image 0 has "
                f"{images[0].shape[axis]}; expected the same number for all."
            )
        if not lazy:
            require_finite(as_hwc(image)[None], np.array([number]), "Image")
    return ListSource(images, mapped=mapped)
