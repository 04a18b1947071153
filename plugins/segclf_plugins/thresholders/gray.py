"""Convert images to gray values, and gray values to the bins of a histogram."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Levels", "to_gray", "to_levels"]

_LUMA = (0.299, 0.587, 0.114)
# For floats, OpenCV's grays of equal colors can differ in the last bit.
_OPENCV_TYPES = (np.uint8, np.uint16)


def to_gray(image: NDArray[Any]) -> NDArray[Any]:
    """Convert an image to gray.

    Parameters
    ----------
    image : ndarray of shape (h, w, c)
        An image of any real dtype. Three channels are red, green and blue, in this order; their
        gray is .299 R + .587 G + .114 B (ITU-R BT.601, like ``cv2.COLOR_RGB2GRAY``, which rounds
        8-bit and 16-bit images). Any other number of channels is averaged.

    Returns
    -------
    ndarray of shape (h, w)
        uint8 (also for bool), int8, uint16, int16, float32, or float64 for everything else.

    Examples
    --------
    >>> import numpy as np
    >>> to_gray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8))
    array([[ 76, 150,  29]], dtype=uint8)
    """
    n_channels = image.shape[2]
    if n_channels == 1:
        gray = image[..., 0]
    elif n_channels != 3:
        gray = image.mean(axis=2, dtype=np.float64)
    elif image.dtype in _OPENCV_TYPES:
        gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    else:
        channels = np.moveaxis(image.astype(np.float64), 2, 0)
        red, green, blue = (weight * each for weight, each in zip(_LUMA, channels, strict=True))
        gray = red + green + blue
    if gray.dtype == bool:
        return gray.astype(np.uint8)
    is_small = gray.dtype.kind in "iu" and gray.dtype.itemsize <= 2
    return np.ascontiguousarray(gray, None if is_small or gray.dtype == np.float32 else np.float64)


class Levels(NamedTuple):
    """A gray image in the bins of a histogram.

    Attributes
    ----------
    levels : ndarray of shape (h, w)
        The number of each pixel's bin, uint8 or uint16.
    low, step : float
        Bin ``k`` has its center at the gray value ``low + step * k``.
    gray_level : float
        Number of bins per gray level of an 8-bit image; for other images, per 1/255 of their range.
    """

    levels: NDArray[Any]
    low: float = 0.0
    step: float = 1.0
    gray_level: float = 1.0


def to_levels(gray: NDArray[Any], n_bins: int) -> Levels:
    """Assign the pixels of a gray image to bins.

    Parameters
    ----------
    gray : ndarray of shape (h, w)
        From :func:`to_gray`.
    n_bins : int
        Number of equal bins between the smallest and largest values of a float image. Integers of 8
        and 16 bits have one bin for each value.

    Returns
    -------
    Levels
        The bins.
    """
    if gray.dtype == np.uint8:
        return Levels(gray)
    low, high = float(gray.min()), float(gray.max())
    if gray.dtype.kind == "f":
        bins = (gray.astype(np.float64) - low) / (high - low or 1.0) * n_bins
        levels = np.minimum(bins, n_bins - 1).astype(np.uint8 if n_bins <= 256 else np.uint16)
        step = (high - low) / n_bins
        return Levels(levels, low + step / 2, step, (n_bins - 1) / 255)
    levels = (gray.astype(np.int32) - int(low)).astype(np.uint16)
    return Levels(levels, low, 1.0, (high - low) / 255 if gray.itemsize > 1 else 1.0)
