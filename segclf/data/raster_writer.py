"""Pictures as the bytes of lossless PNG and TIFF files."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["encode_raster"]

_PNG = ("bool", "uint8", "uint16")
_TIFF = (*_PNG, "int16", "int32", "float32")
_KEPT = {".png": _PNG, ".tif": _TIFF, ".tiff": _TIFF}
# Types that OpenCV does not write, for gray only.
_OF_PILLOW = ("bool", "int16", "int32")


def encode_raster(array: NDArray[Any], suffix: str) -> bytes:
    """Encode a picture so that `segclf.data.load_image` reads the same values again.

    Parameters
    ----------
    array : array of shape (h, w), (h, w, 1) or (h, w, 3)
        Gray or RGB.
    suffix : {".png", ".tif", ".tiff"}

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        For a type, or a number of channels, that such files cannot hold.
    """
    gray = array[..., 0] if array.shape[2:] == (1,) else array
    colour = gray.shape[2:] == (3,)
    kept = [each for each in _KEPT.get(suffix, ()) if not (colour and each in _OF_PILLOW)]
    if array.dtype.name not in kept or gray.shape[2:] not in ((), (3,)):
        raise ValueError(
            f"Files that end in {suffix!r} cannot hold {array.dtype} of shape {array.shape}; "
            f"expected gray (h, w) or RGB (h, w, 3) of {', '.join(kept) or 'nothing'}."
        )
    if array.dtype.name in _OF_PILLOW:
        return _by_pillow(gray, suffix)
    _, encoded = cv2.imencode(suffix, gray[..., ::-1] if colour else gray)
    return encoded.tobytes()


def _by_pillow(gray: NDArray[Any], suffix: str) -> bytes:
    picture = Image.fromarray(gray if gray.dtype == bool else gray.astype(np.int32))
    file = io.BytesIO()
    picture.save(file, format="PNG" if suffix == ".png" else "TIFF")
    return file.getvalue()
