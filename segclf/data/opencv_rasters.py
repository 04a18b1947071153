"""PNG and TIFF by OpenCV: every bit of 16 bit colour, and the types of TIFF that Pillow lacks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segclf.data.completeness import check_png
from segclf.data.headers import Header
from segclf.isolation import Shared

__all__ = ["decode_by_opencv"]


def decode_by_opencv(file: IO[bytes], header: Header) -> NDArray[Any]:
    """Decode an open PNG or TIFF file.

    Parameters
    ----------
    file : binary file
    header : Header
        Header of this file.

    Returns
    -------
    array of shape (h, w), (h, w, 1) or (h, w, 3)
        Gray or RGB; alpha is dropped.

    Raises
    ------
    ValueError
        If it is truncated or damaged.
    """
    file.seek(0)
    data = file.read()
    if header.format == "PNG":
        check_png(data)
    with _quiet_opencv():
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError("it is truncated or damaged")
    if array.ndim == 2:
        return array
    return np.ascontiguousarray(array[..., 2::-1] if header.n_channels == 3 else array[..., :1])


def _silence() -> Callable[[], Any]:
    return partial(cv2.utils.logging.setLogLevel, cv2.utils.logging.setLogLevel(0))


# OpenCV's log is silenced while decoding: our errors say the same, with the path.
_quiet_opencv = Shared(_silence)
