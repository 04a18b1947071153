"""Images of any kind as small pictures that a page can hold."""

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_gray
from segclf.displays.pictures import as_picture

QUALITIES = (88, 75, 60, 45)
LOSSLESS_SIDE = 128


def thumbnail(image: NDArray[Any], *, longest_side: int, n_bytes: int) -> str:
    """Return an image (h, w, c) as a data URI of so many bytes at most, before base64.

    Pictures of up to 128 pixels a side keep every pixel (PNG); others are JPEG, of less quality
    and at last of half the size until they fit.

    Examples
    --------
    >>> import numpy as np
    >>> thumbnail(np.zeros((8, 8, 1)), longest_side=320, n_bytes=24_000)[:22]
    'data:image/png;base64,'
    """
    picture = (as_picture(image) * 255).round().astype(np.uint8)
    picture = _shrunk(picture if is_gray(picture) else picture[..., ::-1], longest_side)
    while True:
        for kind, options in _encodings(picture):
            data = cv2.imencode(f".{kind}", picture, options)[1].tobytes()
            if len(data) <= n_bytes:
                return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        picture = _shrunk(picture, max(picture.shape) // 2)


def _encodings(picture: NDArray[np.uint8]) -> list[tuple[str, list[int]]]:
    jpeg = [("jpeg", [cv2.IMWRITE_JPEG_QUALITY, quality]) for quality in QUALITIES]
    return [("png", []), *jpeg] if max(picture.shape) <= LOSSLESS_SIDE else jpeg


def _shrunk(picture: NDArray[np.uint8], longest_side: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
