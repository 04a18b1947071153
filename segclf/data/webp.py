"""The header of a WebP file; Pillow's decoder would allocate the whole image to read it."""

import struct
from typing import IO, NamedTuple

from PIL import Image

__all__ = ["WebPHeader", "read_webp_header"]

_ANIMATED = 0x02


class WebPHeader(NamedTuple):
    """Size before the orientation is applied, EXIF data, and whether it is lossy."""

    height: int
    width: int
    exif: Image.Exif
    lossy: bool


def read_webp_header(file: IO[bytes]) -> WebPHeader:
    """Read the sizes and kinds of the chunks of a WebP file.

    Raises
    ------
    ValueError
        If it is truncated or an animation.
    """
    start = file.read(12)
    if len(start) < 12 or start[8:] != b"WEBP":
        raise ValueError("it is not a PNG, JPEG, TIFF, WebP, BMP or PNM file")
    stop = 8 + int.from_bytes(start[4:8], "little")
    if file.seek(0, 2) < stop:
        raise ValueError(f"it is truncated: {file.tell():,} of {stop:,} bytes are there")
    size, exif, lossy, place = None, Image.Exif(), False, 12
    while place + 8 <= stop:
        file.seek(place)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"EXIF":
            exif.load(file.read(length))
        elif kind in (b"VP8X", b"VP8 ", b"VP8L"):
            found = _size(kind, file.read(10))
            size, lossy = size or found, lossy or kind == b"VP8 "
        place += 8 + length + length % 2
    if size is None:
        raise ValueError("its WebP header is damaged")
    return WebPHeader(*size, exif, lossy)


def _size(kind: bytes, start: bytes) -> tuple[int, int]:
    """Return (height, width) of a canvas, a lossy or a lossless picture."""
    if kind == b"VP8X":
        if start[0] & _ANIMATED:
            raise ValueError("it holds several frames; save each as a separate file")
        return int.from_bytes(start[7:10], "little") + 1, int.from_bytes(start[4:7], "little") + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", start[6:10])
        return height & 0x3FFF, width & 0x3FFF
    bits = int.from_bytes(start[1:5], "little")
    return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
