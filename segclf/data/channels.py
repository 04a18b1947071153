"""Position of the channels: last in arrays, first in tensors, or as the user specifies."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from segclf.data.arrays import require_real, require_unmasked, to_numpy

__all__ = ["Channels", "as_hwc", "channel_axis", "checked_item", "require_tensor_channels"]

#: Position of the channels in arrays; None decides if there is no doubt.
Channels: TypeAlias = Literal["first", "last"] | None


_USUAL = (1, 3, 4)
# More than the bands of satellite images; fewer slices make no volume.
_SURELY_CHANNELS = 16
_MOST_CHANNELS = 512


def checked_item(
    item: NDArray[Any] | torch.Tensor, where: str, channels: Channels
) -> NDArray[Any] | torch.Tensor:
    """Check one image, move its channels to our position, and give a gray one a channel axis.

    Parameters
    ----------
    item : array (h, w), (h, w, c) or (c, h, w), or tensor (h, w) or (c, h, w)
    where : str
        Name of the image, as the error's first words.
    channels : {"first", "last"} or None
        Position of the channels in an array.

    Returns
    -------
    array (h, w, c) or tensor (c, h, w)
        It shares memory with the item.
    """
    if item.ndim not in (2, 3):
        first = isinstance(item, torch.Tensor) or channels == "first"
        expected = "(h, w) or (c, h, w)" if first else "(h, w) or (h, w, c)"
        raise ValueError(f"{where} has shape {tuple(item.shape)}; expected {expected}.")
    if isinstance(item, torch.Tensor):
        if item.is_complex():
            raise ValueError(f"{where} has dtype {item.dtype}; expected real numbers.")
        image = item[None] if item.ndim == 2 else item
        require_tensor_channels(tuple(image.shape), where)
        return image
    require_real(item.dtype, where)
    require_unmasked(item, where)
    if item.ndim == 2:
        item, channels = item[..., None], "last"
    return np.moveaxis(np.asarray(item), channel_axis(item.shape, where, channels), -1)


def as_hwc(image: NDArray[Any] | torch.Tensor) -> NDArray[Any]:
    """Return an array (h, w, c) unchanged, and a tensor (c, h, w) as such an array.

    Parameters
    ----------
    image : array (h, w, c) or tensor (c, h, w)

    Returns
    -------
    array of shape (h, w, c)
        It shares memory with the image if numpy can.
    """
    return to_numpy(image.movedim(0, -1) if isinstance(image, torch.Tensor) else image)


def channel_axis(
    shape: tuple[int, ...], where: str, channels: Channels, *, given: tuple[int, ...] | None = None
) -> int:
    """Find the channel axis of an array image: 2, or 0 if `channels` is "first".

    Parameters
    ----------
    shape : tuple of int
        Shape of one image, (h, w, c) or (c, h, w).
    where : str
        Name of the image, as the error's first words.
    channels : {"first", "last"} or None
        None assumes that they are last if there are 1, 3 or 4, or at most 16 and fewer than the
        image has rows and columns.
    given : tuple of int, optional
        The shape to name in errors, if it is different.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        For a zero-size image, a volume, and if the position of the channels is in doubt.
    """
    height, width, n_channels = shape
    if min(shape) < 1:
        raise ValueError(
            f"{where} has {n_channels} channels of {height} x {width} pixels; expected at least "
            "one of each."
        )
    if channels is not None:
        return 0 if channels == "first" else 2
    if n_channels in _USUAL or n_channels <= min(_SURELY_CHANNELS, height - 1, width - 1):
        return 2
    raise ValueError(
        f"{where} has shape {given or shape}: {n_channels} channels of {height} x {width} pixels, "
        f"or {height} of {width} x {n_channels}? Set channels='last' or channels='first', a "
        "parameter of estimators and of segclf.data.as_images. If it is a volume (d, h, w), pass "
        "its slices (h, w) as images, or use an estimator of volumes, such as SliceWise."
    )


def require_tensor_channels(shape: tuple[int, ...], where: str) -> None:
    """Refuse zero-size tensors, and tensors with the channels last.

    Parameters
    ----------
    shape : tuple of int
        Shape of one image, (c, h, w).
    where : str
        Name of the image, as the error's first words.
    """
    n_channels, height, width = shape
    given = f"{where} has {n_channels} channels of {height} x {width} pixels"
    if min(shape) < 1:
        raise ValueError(f"{given}; expected at least one of each.")
    # a tensor with the channels last looks like this
    if n_channels > _MOST_CHANNELS or (width in _USUAL and min(height, n_channels) > 16):
        raise ValueError(f"{given}; are its channels last? Torch tensors must be (n, c, h, w).")
