"""The array layouts of one mask, converted to (h, w) or (k, h, w)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLOURS", "as_gray", "channels_last", "in_our_form"]

#: Advice for a mask of colours.
COLOURS = (
    "a mask is one channel of ids; define what each colour means, for example with "
    "segclf.data.map_masks(masks, {(0, 0, 0): 0, (255, 0, 0): 1})"
)


def in_our_form(mask: NDArray[Any]) -> NDArray[Any]:
    """Return a mask as (h, w) of ids, or as (k, h, w) if it is multi-label.

    Parameters
    ----------
    mask : array
        (h, w) and (k, h, w) are unchanged. Last channels, recognized because they are fewer than
        rows and columns, are read as follows: (h, w, 1) as ids; RGB, and RGBA with an alpha of 255,
        whose colours are all gray, as that gray; one-hot (h, w, k) with channel j as id j.

    Returns
    -------
    array of shape (h, w) or (k, h, w)

    Raises
    ------
    ValueError
        For colours.
    """
    if not channels_last(mask.shape):
        return mask
    if mask.shape[-1] == 1:
        return mask[..., 0]
    unsaid = (mask == -1).all(axis=-1)
    if _is_one_hot(mask[~unsaid]) and not unsaid.all():
        return np.where(unsaid, -1, mask.argmax(axis=-1))
    gray = as_gray(mask)
    if gray is None and mask.shape[-1] in (3, 4):
        raise ValueError(f"its shape {mask.shape} looks like colours (h, w, c); {COLOURS}")
    return mask if gray is None else gray


def channels_last(shape: tuple[int, ...]) -> bool:
    """Tell whether the shape of one mask looks like (h, w, c): fewer channels than pixels."""
    return len(shape) == 3 and shape[-1] < min(shape[:2])


def as_gray(colours: NDArray[Any]) -> NDArray[Any] | None:
    """Return the gray (h, w) of RGB and opaque RGBA, or None if there is any colour."""
    gray, alpha = colours[..., 0], colours[..., 3:]
    is_gray = (colours[..., :3] == gray[..., None]).all() and (alpha == 255).all()
    return gray if colours.shape[-1] in (3, 4) and is_gray else None


def _is_one_hot(pixels: NDArray[Any]) -> bool:
    """Tell whether each pixel (n, k) belongs to exactly one channel."""
    ones = (pixels == 1).sum(axis=-1)
    zeros = (pixels == 0).sum(axis=-1)
    return bool(((ones == 1) & (zeros == pixels.shape[-1] - 1)).all())
