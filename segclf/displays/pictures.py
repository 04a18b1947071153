"""Convert images and masks of any kind for display: values in 0..1, and regions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_gray, is_multilabel

LONGEST_SIDE = 800
PERCENTILES = (0.5, 99.5)
COLOR_KEPT = 0.25


def as_picture(image: NDArray[Any], *, longest_side: int = LONGEST_SIDE) -> NDArray[np.float32]:
    """Return an image (h, w, c) as gray (h, w) or red, green, blue (h, w, 3) in 0..1.

    8-bit images, booleans and fractions within 0..1 keep their brightness. Any other range is
    stretched so that half a percent of the values is black and half a percent white, which is
    robust to a few outliers. Of four channels the first three are shown; of any other number, the
    mean. Images with a side above `longest_side` are subsampled.

    Examples
    --------
    >>> import numpy as np
    >>> as_picture(np.array([[[0], [51], [255]]], dtype=np.uint8)).round(1)
    array([[0. , 0.2, 1. ]], dtype=float32)
    """
    pixels = _thin(image, rows=0, longest_side=longest_side).astype(np.float32)
    if image.shape[2] not in (3, 4):
        return _stretch(pixels.mean(axis=2), image.dtype)
    return _stretch(pixels[..., :3], image.dtype)


def faded(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the picture with a quarter of its color, so that overlays stand out."""
    if is_gray(picture):
        return picture
    return np.float32(COLOR_KEPT) * picture + np.float32(1 - COLOR_KEPT) * picture.mean(
        axis=2, keepdims=True
    )


def as_regions(mask: NDArray[Any]) -> dict[int, NDArray[np.bool_]]:
    """Return the regions of a mask by class, counted from 1.

    Examples
    --------
    >>> import numpy as np
    >>> {k: region.astype(int).tolist() for k, region in as_regions(np.array([[0, 2, -1]])).items()}
    {2: [[0, 1, 0]]}
    """
    if is_multilabel(mask):
        channels = enumerate(_thin(mask, rows=1), start=1)
        return {k: channel == 1 for k, channel in channels if (channel == 1).any()}
    ids = _thin(mask, rows=0)
    return {int(k): ids == k for k in np.unique(ids) if k > 0}


def _thin(array: NDArray[Any], rows: int, longest_side: int = LONGEST_SIDE) -> NDArray[Any]:
    """Subsample an array with a longer side; `rows` is the axis of the rows."""
    step = -(-max(array.shape[rows : rows + 2]) // longest_side)
    return array[(slice(None),) * rows + (slice(None, None, step),) * 2]


def _stretch(pixels: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[np.float32]:
    finite = pixels[np.isfinite(pixels)]
    if not finite.size:
        return np.zeros_like(pixels)
    if dtype == np.uint8:
        low, high = 0.0, 255.0
    elif dtype.kind in "bf" and finite.min() >= 0 and finite.max() <= 1:
        low, high = 0.0, 1.0
    else:
        low, high = np.percentile(finite, PERCENTILES)
    pixels = np.nan_to_num(pixels, nan=low, posinf=high, neginf=low) - np.float32(low)
    return np.clip(pixels / np.float32(max(high - low, 1e-30)), 0, 1)
