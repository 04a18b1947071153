"""From anything that holds images to a source: which kind it is, and whether it is sound."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.data.arrays import (
    chunks,
    is_mapped,
    require_channels,
    require_finite,
    require_real,
    to_numpy,
    unwrap,
)
from segclf.data.file_source import FileSource
from segclf.data.readers import find_reader
from segclf.data.sources import ArraySource, ListSource, Source, TensorSource

__all__ = ["source_of"]

_EXPECTED = (
    "arrays (n, h, w) or (n, h, w, c), torch tensors (n, c, h, w), rows (n, f), a list of "
    "arrays (h, w) or (h, w, c), of torch tensors (c, h, w), or of paths"
)


def source_of(
    X: object,
    image_shape: tuple[int, ...] | None,
    n_channels: int | None,
) -> Source:
    """Check X and wrap it as a source; see `segclf.data.images.as_images`.

    Parameters
    ----------
    X : object
    image_shape : tuple of int or None
        Of what a row holds.
    n_channels : int or None
        For files: the number to insist on.

    Returns
    -------
    Source

    Raises
    ------
    ValueError
        As `segclf.data.images.as_images` does.
    """
    values = unwrap(X)
    if isinstance(values, torch.Tensor):
        return _from_tensor(values, image_shape)
    if isinstance(values, np.ndarray) and not (values.ndim == 1 and values.dtype.kind in "OUST"):
        return _from_array(values, image_shape)
    if not isinstance(values, np.ndarray | list | tuple):
        raise ValueError(f"X is a {type(values).__name__}; expected {_EXPECTED}.")
    items = list(values)
    if not items:
        raise ValueError(f"X is empty; expected {_EXPECTED}.")
    if isinstance(items[0], list | tuple | int | float):
        return _from_array(_nested(items), image_shape)
    kind = _common_kind(items)
    return _from_paths(items, n_channels) if kind == "path" else _from_items(items)


def _from_array(array: NDArray[Any], image_shape: tuple[int, ...] | None) -> Source:
    require_real(array.dtype, "X")
    if array.ndim not in (2, 3, 4):
        raise ValueError(f"X has shape {array.shape}; expected {_EXPECTED}.")
    if array.size == 0:
        raise ValueError(f"X is empty, of shape {array.shape}; expected at least one pixel.")
    mapped, images = is_mapped(array), np.asarray(array)
    if array.ndim == 2:
        images = images.reshape(len(images), *_row_shape(array.shape[1], image_shape))
    if images.ndim == 3:
        images = images[..., None]
    if array.ndim == 4:
        require_channels(images.shape[1:], "X", first=False)
    if not mapped and images.dtype.kind == "f":
        for part in chunks(images.shape, images.itemsize):
            require_finite(images[part], np.arange(part.start, part.stop), "Image")
    return ArraySource(images, mapped=mapped)


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
        return _from_array(to_numpy(tensor), image_shape)
    images = tensor[:, None] if tensor.ndim == 3 else tensor
    if images.numel() == 0:
        raise ValueError(f"X is empty, of shape {tuple(tensor.shape)}; expected some pixels.")
    require_channels(images.shape[1:], "X", first=True)
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
        raise ValueError(f"X is a ragged nested list; expected {_EXPECTED}.") from error


def _common_kind(items: Sequence[object]) -> str:
    kinds = [_kind_of(item, number) for number, item in enumerate(items)]
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise ValueError(
                f"X mixes kinds: image 0 is a {kinds[0]}, image {number} is a {kind}; expected "
                "one kind."
            )
    return kinds[0]


def _kind_of(item: object, number: int) -> str:
    if isinstance(item, str | os.PathLike):
        return "path"
    if isinstance(item, np.ndarray):
        return "numpy array"
    if isinstance(item, torch.Tensor):
        return "torch tensor"
    raise ValueError(f"Image {number} is a {type(item).__name__}; expected {_EXPECTED}.")


def _from_paths(items: Sequence[Any], n_channels: int | None) -> Source:
    paths = [str(os.fspath(item)) for item in items]
    for number, path in enumerate(paths):
        try:
            find_reader(path)
        except ValueError as error:
            raise ValueError(f"Image {number}: {error}") from error
        if not os.path.isfile(path):
            raise ValueError(f"Image {number}: there is no file {path!r}.")
    return FileSource(paths, n_channels)


def _from_items(items: Sequence[NDArray[Any] | torch.Tensor]) -> Source:
    mapped = [isinstance(item, np.ndarray) and is_mapped(item) for item in items]
    images = [_with_channels(item, number) for number, item in enumerate(items)]
    for number, (image, lazy) in enumerate(zip(images, mapped, strict=True)):
        axis = 0 if isinstance(image, torch.Tensor) else 2
        if image.shape[axis] != images[0].shape[axis]:
            raise ValueError(
                f"Image {number} has {image.shape[axis]} channel(s), image 0 has "
                f"{images[0].shape[axis]}; expected one number for all."
            )
        if not lazy:
            require_finite(to_numpy(image)[None], np.array([number]), "Image")
    return ListSource(images, mapped=mapped)


def _with_channels(item: NDArray[Any] | torch.Tensor, number: int) -> NDArray[Any] | torch.Tensor:
    """Check one image of a list, and give a gray one its axis of channels."""
    where = f"Image {number}"
    first = isinstance(item, torch.Tensor)
    if item.ndim not in (2, 3):
        expected = "(h, w) or (c, h, w)" if first else "(h, w) or (h, w, c)"
        raise ValueError(f"{where} has shape {tuple(item.shape)}; expected {expected}.")
    if isinstance(item, torch.Tensor):
        if item.is_complex():
            raise ValueError(f"{where} has dtype {item.dtype}; expected real numbers.")
        image: NDArray[Any] | torch.Tensor = item[None] if item.ndim == 2 else item
        require_channels(image.shape, where, first=True)
        return image
    require_real(item.dtype, where)
    image = np.asarray(item)[..., None] if item.ndim == 2 else np.asarray(item)
    require_channels(image.shape, where, first=False)
    return image
