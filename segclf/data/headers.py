"""Headers of image files, read before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from PIL import BmpImagePlugin, Image, JpegImagePlugin, TiffImagePlugin

from segclf.data.completeness import check_tiff
from segclf.data.pnm import read_pnm_header
from segclf.data.webp import read_webp_header

__all__ = ["MAX_PIXELS", "Header", "UnsupportedImage", "is_raster", "read_header"]

#: Larger images are refused before decoding: a quarter of a GiB as 8 bit RGB, where Pillow begins
#: to warn of decompression bombs.
MAX_PIXELS = 2**30 // 4 // 3

_EXIF_ORIENTATION = 0x0112


class UnsupportedImage(ValueError):
    """A valid file of a kind that this reader does not support, but another one may."""


class Header(NamedTuple):
    """The shape, type and decoder of an image file.

    Attributes
    ----------
    format : {"PNG", "JPEG", "TIFF", "BMP", "WEBP", "PNM"}
        Determined by the first bytes, not by the name.
    height, width : int
        As displayed, after the orientation is applied.
    n_channels : {1, 3}
        Without alpha.
    bits : int
        Bits per stored sample.
    dtype : numpy.dtype
        Type of the decoded array.
    orientation : int
        EXIF orientation, 1 to 8.
    opencv : bool
        True if only OpenCV keeps every bit: 16 bit colour and the rarer types of TIFF.
    white_is_zero : bool
        True for a gray TIFF, and for a PBM, that stores white as 0.
    lossy : bool
        True if compression changed the values.
    """

    format: Literal["PNG", "JPEG", "TIFF", "BMP", "WEBP", "PNM"]
    height: int
    width: int
    n_channels: int
    bits: int = 8
    dtype: np.dtype[Any] = np.dtype(np.uint8)
    orientation: int = 1
    opencv: bool = False
    white_is_zero: bool = False
    lossy: bool = False


def read_header(file: IO[bytes]) -> Header:
    """Read the header of an open PNG, JPEG, TIFF, BMP, WebP or PNM file; no pixel is decoded.

    Parameters
    ----------
    file : binary file
        It is read from its start, whatever its position.

    Returns
    -------
    Header

    Raises
    ------
    ValueError
        For another format, an unsupported kind of a format, more than one page or frame, or more
        than `MAX_PIXELS` pixels. Damaged files may raise any error, which `segclf.data.readers`
        converts.
    """
    file.seek(0)
    start = file.read(8)
    file.seek(0)
    parse = next((one for starts, one in _FORMATS.items() if start.startswith(starts)), None)
    if parse is None:
        raise ValueError(
            f"it is not a PNG, JPEG, TIFF, BMP, WebP or PNM file; its first bytes are {start!r}"
        )
    header = parse(file)
    _check_size(header.height, header.width)
    return header


def is_raster(start: bytes) -> bool:
    """Tell PNG, JPEG and WebP by their first bytes; those of other formats do not suffice."""
    return start.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (
        start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    )


def _check_size(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ValueError(f"its header states {height} x {width} pixels, a zero-size image")
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"its header states {height} x {width} = {height * width:,} pixels; at most "
            f"{MAX_PIXELS:,} are decoded. Cut it into tiles"
        )


def _png(file: IO[bytes]) -> Header:
    start = file.read(33)
    if len(start) < 33 or start[12:16] != b"IHDR":
        raise ValueError("its PNG header is truncated or damaged")
    width, height, bits, kind = struct.unpack(">IIBB", start[16:26])
    gray = kind in (0, 4)
    dtype = np.dtype(np.uint16 if bits == 16 else bool if bits == 1 and gray else np.uint8)
    only_opencv = bits == 16 and kind != 0
    exif = _png_exif_of_one_frame(file)
    orientation = _exif_orientation(partial(_loaded_exif, exif)) if exif else 1
    size = _oriented(height, width, orientation)
    return Header("PNG", *size, 1 if gray else 3, bits, dtype, orientation, only_opencv)


def _png_exif_of_one_frame(file: IO[bytes]) -> bytes:
    """Refuse an animation, whether its first frame is the still picture or follows it."""
    frames, still, exif = 0, 1, b""
    for kind, length in _png_chunks(file):
        if kind == b"acTL":
            frames = int.from_bytes(file.read(4), "big")
        elif kind == b"fcTL":
            still = 0
        elif kind == b"eXIf":
            exif = file.read(length)
    if frames + still > 1:
        raise ValueError(f"it holds {frames + still} frames; save each as a separate file")
    return exif


def _loaded_exif(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(data)
    return exif


def _png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield name and length of each chunk before the pixels, with the file at its first byte."""
    position = 8
    while True:
        file.seek(position)
        start = file.read(8)
        if len(start) < 8 or start[4:] == b"IDAT":
            return
        length = int.from_bytes(start[:4], "big")
        yield start[4:], length
        position += 12 + length


def _jpeg(file: IO[bytes]) -> Header:
    image = JpegImagePlugin.JpegImageFile(file)
    orientation = _exif_orientation(image.getexif)
    height, width = _oriented(image.height, image.width, orientation)
    n_channels = 1 if image.mode == "L" else 3
    return Header("JPEG", height, width, n_channels, orientation=orientation, lossy=True)


def _bmp(file: IO[bytes]) -> Header:
    image = BmpImagePlugin.BmpImageFile(file)
    dtype = np.dtype(bool if image.mode == "1" else np.uint8)
    n_channels = 1 if image.mode in ("1", "L") else 3
    return Header("BMP", image.height, image.width, n_channels, dtype=dtype)


def _webp(file: IO[bytes]) -> Header:
    webp = read_webp_header(file)
    orientation = _exif_orientation(lambda: webp.exif)
    size = _oriented(webp.height, webp.width, orientation)
    return Header("WEBP", *size, 3, orientation=orientation, lossy=webp.lossy)


def _pnm(file: IO[bytes]) -> Header:
    pnm = read_pnm_header(file)
    bits = 1 if pnm.dtype == bool else 8 * pnm.dtype.itemsize
    size = (pnm.height, pnm.width, pnm.n_channels)
    return Header("PNM", *size, bits, pnm.dtype, white_is_zero=bits == 1)


def _exif_orientation(read: Callable[[], Image.Exif]) -> int:
    try:
        return _orientation(read().get(_EXIF_ORIENTATION))
    except Exception:  # damaged metadata must not prevent reading, as in any viewer
        return 1


def _tiff(file: IO[bytes]) -> Header:
    tags = _tiff_tags(file)
    bits, samples = _first(tags, TiffImagePlugin.BITSPERSAMPLE, 1), int(tags.get(277, 1))
    kind = "uif"[_tiff_sample_format(tags) - 1]
    photometric, planar = int(tags.get(262, 1)), int(tags.get(284, 1))
    if photometric not in (0, 1, 2, 3, 5, 6):
        raise ValueError(f"its colours (TIFF photometric {photometric}) are not supported")
    white_is_zero = photometric == 0
    if white_is_zero and kind == "f":
        raise ValueError(
            "its values are floats with white as 0, and the value of black is unknown; save it "
            "with black as 0 (TIFF photometric 1), or give arrays"
        )
    pillow = (kind == "u" and bits in (1, 2, 4, 8)) or (
        samples == 1 and (kind, bits) in (("u", 16), ("f", 32))
    )
    # Pillow supports 16 bit with 0 as white in one byte order only
    pillow = pillow and not (white_is_zero and bits == 16 and tags.prefix == b"MM")
    orientation = _orientation(tags.get(274))
    if not pillow:
        _check_opencv_tiff(kind, bits, samples, photometric, planar, orientation)
    gray = photometric in (0, 1)
    dtype = np.dtype(bool if bits == 1 and gray else f"{kind}{max(bits, 8) // 8}")
    size = _oriented(int(tags[257]), int(tags[256]), orientation)
    return Header(
        "TIFF", *size, 1 if gray else 3, bits, dtype, orientation, not pillow, white_is_zero
    )


def _tiff_tags(file: IO[bytes]) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Read the first directory of tags, and refuse a file with a second one."""
    start = file.read(8)
    if start[2] == 43 or start[3] == 43:
        start += file.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(start)
    first = tags.next
    file.seek(first)
    tags.load(file)
    # Pillow does not set `next` if the file ends within the tags
    if tags.next == first or 256 not in tags or 257 not in tags:
        raise ValueError("its TIFF tags are truncated or damaged")
    if tags.next:
        raise UnsupportedImage("it is a TIFF of several pages; save each page as a separate file")
    check_tiff(tags)
    return tags


def _tiff_sample_format(tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    sample_format = _first(tags, TiffImagePlugin.SAMPLEFORMAT, 1)
    if sample_format not in (1, 2, 3):
        raise ValueError(f"its samples (TIFF sample format {sample_format}) are not real numbers")
    return sample_format


def _check_opencv_tiff(
    kind: str, bits: int, samples: int, photometric: int, planar: int, orientation: int
) -> None:
    """Refuse files that OpenCV would decode wrongly or not at all."""
    known = bits in (8, 16, 32, 64) and (kind, bits) != ("f", 16) and (kind, bits) != ("f", 8)
    colour = photometric == 2 and samples in (3, 4) and planar == 1
    if not (known and (colour or (photometric in (0, 1) and samples == 1))) or orientation != 1:
        name = {"u": "unsigned", "i": "signed", "f": "float"}[kind]
        raise UnsupportedImage(
            f"this kind of TIFF is not supported: {samples} sample(s) of {bits} bit "
            f"({name}), photometric {photometric}, "
            f"planar configuration {planar}, orientation {orientation}; save it as a plain RGB "
            "or gray TIFF, or give arrays"
        )


def _first(tags: TiffImagePlugin.ImageFileDirectory_v2, tag: int, default: int) -> int:
    """Return the value of a tag that all samples share."""
    values = tags.get(tag, default)
    values = values if isinstance(values, tuple) else (values,)
    if len(set(values)) != 1:
        raise ValueError(f"its samples differ in type (TIFF tag {tag}: {values})")
    return int(values[0])


def _orientation(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _oriented(height: int, width: int, orientation: int) -> tuple[int, int]:
    return (width, height) if orientation >= 5 else (height, width)


_FORMATS: dict[tuple[bytes, ...], Callable[[IO[bytes]], Header]] = {
    (b"\x89PNG\r\n\x1a\n",): _png,
    (b"\xff\xd8\xff",): _jpeg,
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"): _tiff,
    (b"RIFF",): _webp,
    (b"BM",): _bmp,
    (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"): _pnm,
}
