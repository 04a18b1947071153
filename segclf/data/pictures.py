"""PIL images as arrays, by the same rules as files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from segclf.data.rasters import channels_of

__all__ = ["picture_array"]


def picture_array(image: Image.Image) -> NDArray[Any]:
    """Return the pixels of a PIL image.

    Parameters
    ----------
    image : PIL.Image.Image
        It is not modified.

    Returns
    -------
    array of shape (h, w, 1) or (h, w, 3)
        Gray or RGB, as for a file: palettes, CMYK and YCbCr become RGB, alpha is dropped, and an
        orientation in the metadata is applied.

    Raises
    ------
    ValueError
        For an image of several frames.

    Examples
    --------
    >>> picture_array(Image.new("P", (5, 4))).shape
    (4, 5, 3)
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise ValueError(f"it holds {frames} frames; pass each as a separate image")
    upright = ImageOps.exif_transpose(image)
    array = np.array(upright) if upright.mode == "I" else channels_of(upright)
    return array if array.ndim == 3 else array[..., None]
