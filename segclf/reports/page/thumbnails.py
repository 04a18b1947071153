"""Images of any kind as small pictures that a page can hold."""

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_gray
from segclf.data import resize_image
from segclf.displays.montages import Montage
from segclf.displays.pictures import as_picture

QUALITIES = (88, 75, 60, 45)
LOSSLESS_SIDE = 128
PIXELS_A_BYTE = 12  # of medical images as JPEG of medium quality


def thumbnail(image: NDArray[Any], *, longest_side: int, n_bytes: int) -> str:
    """Return an image (h, w, c) as a data URI of at most `n_bytes` before base64.

    Pictures of up to 128 pixels a side are lossless PNG. Others are JPEG, whose quality and
    finally size is reduced until they fit.

    Examples
    --------
    >>> import numpy as np
    >>> thumbnail(np.zeros((8, 8, 1)), longest_side=320, n_bytes=24_000)[:22]
    'data:image/png;base64,'
    """
    return _encoded(_shrunk(_as_bytes(as_picture(image)), longest_side), n_bytes)


def montage_thumbnail(
    slices: NDArray[Any], montage: Montage, *, longest_side: int, n_bytes: int
) -> str:
    """Return slices (s, h, w, c) side by side as a data URI of at most `n_bytes`.

    All slices share one brightness scale. `n_bytes` decides their size; `longest_side`, which is
    that of one slice, limits it.
    """
    n_cells = montage.n_rows * montage.n_columns
    height, width = slices.shape[1:3]
    scale = min(longest_side / max(height, width), 1.0)
    scale = min(scale, float(np.sqrt(n_bytes * PIXELS_A_BYTE / (n_cells * height * width))))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = np.stack([resize_image(each.astype(np.float32), size) for each in slices])
    if slices.dtype != bool:
        small = small.astype(slices.dtype)
    image = montage.image(small)
    return _encoded(_as_bytes(as_picture(image, longest_side=max(image.shape))), n_bytes)


def _as_bytes(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a picture in the layout that OpenCV writes."""
    as_bytes = (picture * 255).round().astype(np.uint8)
    return as_bytes if is_gray(as_bytes) else as_bytes[..., ::-1]


def _encoded(picture: NDArray[np.uint8], n_bytes: int) -> str:
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
