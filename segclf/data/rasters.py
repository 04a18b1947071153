"""Decode pictures with Pillow, or with OpenCV or our own code if only that keeps every bit.

Pillow decodes all 8 bit files: it refuses truncated files, where OpenCV fills up with gray. Its
plugin classes are used directly, so none of its many other formats is tried on a file.
"""

from __future__ import annotations

import io
import os
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from segclf.data.completeness import check_png, without_end
from segclf.data.headers import Header, read_header
from segclf.data.mask_forms import COLOURS, as_gray
from segclf.data.opencv_rasters import decode_by_opencv
from segclf.data.pnm import decode_pnm

__all__ = ["channels_of", "decode_raster", "read_raster", "read_raster_header", "read_raster_mask"]

_PLUGINS: dict[str, Any] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
# For display, 2 and 4 bit gray of PNG and TIFF is stretched to 0..255; ids are the stored values.
_STRETCH = {2: 85, 4: 17}


def read_raster(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a PNG, JPEG, TIFF, BMP, WebP or PNM file exactly.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    array of shape (h, w, 1) or (h, w, 3)
        Gray or RGB, of the file's own type: bool for 1 bit gray, uint8, uint16, and the types of
        TIFF (signed and float). Palettes, CMYK and YCbCr become RGB; alpha is dropped. The
        orientation is applied. A TIFF with white as 0 is inverted, as in viewers, so that bright is
        high in all files.
    """
    with open(path, "rb") as file:
        return decode_raster(file)


def decode_raster(file: IO[bytes]) -> NDArray[Any]:
    """Read an open file, or its bytes in memory; see `read_raster`.

    Parameters
    ----------
    file : binary file
        Its position does not matter.

    Returns
    -------
    array of shape (h, w, 1) or (h, w, 3)
    """
    header = read_header(file)
    if header.opencv:
        array = decode_by_opencv(file, header)
    elif header.format == "PNM":
        array = decode_pnm(file, shown=True)
    else:
        array = channels_of(_by_pillow(file, header))
    array = _upright(_turned_over(array, header, shown=True), header)
    return _checked(array if array.ndim == 3 else array[..., None], header, header.n_channels)


def read_raster_header(path: str | os.PathLike[str]) -> Header:
    """Read only the header of such a file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Header
        Height, width, channels and type are those that `read_raster` returns.
    """
    with open(path, "rb") as file:
        return read_header(file)


def read_raster_mask(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the stored sample values of a gray or palette file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    array of shape (h, w)
        Gray values as stored (1 bit: 0 and 1; 2 bit: 0 to 3), also if white is 0, or palette
        indices, as in the masks of Pascal VOC. RGB and opaque RGBA whose colours are all gray
        become that gray. The orientation is applied.

    Raises
    ------
    ValueError
        For colour or alpha, and for JPEG and lossy WebP, whose compression changes ids.
    """
    with open(path, "rb") as file:
        header = read_header(file)
        if header.lossy:
            raise ValueError(
                f"{header.format} changes values, so it cannot hold a mask; use PNG or TIFF"
            )
        if header.format == "PNM":
            return _checked(_gray_of(decode_pnm(file, shown=False)), header, None)
        if header.opencv:
            array = _ids_by_opencv(file, header)
        else:
            array = _ids_of(_by_pillow(file, header))
    array = _upright(_turned_over(array, header, shown=False), header)
    if header.n_channels == 1 and header.bits in _STRETCH:
        array //= np.uint8(_STRETCH[header.bits])
    return _checked(array, header, None)


def _checked(array: NDArray[Any], header: Header, n_channels: int | None) -> NDArray[Any]:
    expected = (header.height, header.width, *(() if n_channels is None else (n_channels,)))
    if array.shape != expected or array.dtype != header.dtype:
        raise ValueError(
            f"it decodes to {array.shape} {array.dtype}, but its header states "
            f"{expected} {header.dtype}"
        )
    return array


def _turned_over(array: NDArray[Any], header: Header, *, shown: bool) -> NDArray[Any]:
    """For a file with white as 0, return the display values, or the stored ones."""
    # both decoders invert values of up to 8 bits, but no longer ones
    already = array.dtype.itemsize == 1
    return ~array if header.white_is_zero and already != shown else array


def _upright(array: NDArray[Any], header: Header) -> NDArray[Any]:
    """Apply the orientation; for a TIFF the decoders do it."""
    orientation = 1 if header.format == "TIFF" else header.orientation
    if orientation == 1:
        return array
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    array = array[::-1] if orientation in (3, 4, 7, 8) else array
    array = array[:, ::-1] if orientation in (2, 3, 6, 7) else array
    return np.ascontiguousarray(array)


def _by_pillow(file: IO[bytes], header: Header) -> Image.Image:
    file.seek(0)
    if header.format == "PNG":
        check_png(file.read())
        file.seek(0)
    elif header.format == "JPEG":
        file = io.BytesIO(without_end(file.read()))
    image: Image.Image = _PLUGINS[header.format](file)
    image.load()
    return image


def channels_of(image: Image.Image) -> NDArray[Any]:
    """Return a decoded image as a new array that may be modified: gray (h, w) or RGB (h, w, 3)."""
    if image.mode in ("LA", "La"):
        return np.array(image)[..., 0]
    if image.mode in ("1", "L", "F") or image.mode.startswith("I"):
        return _integers_of(image)
    if image.mode == "LAB":
        raise ValueError("its colours (LAB) are not supported")
    image.info.pop("transparency", None)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _ids_of(image: Image.Image) -> NDArray[Any]:
    if image.mode in ("1", "L", "P", "F") or image.mode.startswith("I"):
        return _integers_of(image)
    return _gray_of(np.array(image.convert("RGBA") if image.mode == "LA" else image), image.mode)


def _gray_of(ids: NDArray[Any], mode: str = "RGB") -> NDArray[Any]:
    gray = ids if ids.ndim == 2 else as_gray(ids)
    if gray is None:
        raise ValueError(f"it has colour or alpha (mode {mode}); {COLOURS}")
    return gray


def _ids_by_opencv(file: IO[bytes], header: Header) -> NDArray[Any]:
    if header.n_channels != 1 or header.format == "PNG":
        raise ValueError(f"it has colour or alpha; {COLOURS}")
    return decode_by_opencv(file, header)


def _integers_of(image: Image.Image) -> NDArray[Any]:
    array = np.array(image)
    # Pillow before 11 opens 16 bit gray PNG as 32 bit
    dtype = np.dtype(np.uint16) if image.mode == "I" else array.dtype.newbyteorder("=")
    return array.astype(dtype, copy=False)
