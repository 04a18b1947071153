"""TIFF: plain pictures by the picture reader, stacks and rarer kinds by tifffile."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Callable
from typing import Any, TypeVar
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from segclf.data import UnsupportedImage, atomic_write, check_volume_size
from segclf.hookspecs import ImageData, ImageHeader, ReadPath, WritePath
from segclf.registry import make_plugin
from segclf_plugins.readers.extras import require

__all__ = ["TiffReader"]

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# tifffile's names of axes that may be depth, and of axes that may be channels.
_DEPTH, _CHANNELS = "ZTQI", "CS"
_DEFLATE = (8, 32946)
_MILLIMETRES = {"m": 1e3, "cm": 10.0, "mm": 1.0, "µm": 1e-3, "um": 1e-3, "nm": 1e-6}
_Result = TypeVar("_Result")
# tifffile logs damaged files to stderr; our reader raises an error with the path instead.
_SILENCE = logging.NullHandler()


class TiffReader:
    """Reads TIFF, and with the extra ``segclf[tiff]`` stacks, BigTIFF, OME and ImageJ files.

    One page of gray or RGB is an image, like PNG. Several pages are a volume (d, h, w, c) if they
    are one series with one axis besides rows, columns and channels. The physical size in an OME
    file is its spacing.
    """

    def sniff(self, start: bytes) -> bool:
        """Recognize TIFF and BigTIFF by byte order and version."""
        return start.startswith(_STARTS)

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read size, type and spacing."""
        return _either(_pictures().read_header, _stack_header, path)

    def read(self, path: ReadPath) -> ImageData:
        """Read an image or a volume."""
        return _either(_pictures().read, _read_stack, path)

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read stored values as ids."""
        return _either(_pictures().read_mask, _read_stack_mask, path)

    def write(self, path: WritePath, image: ImageData) -> None:
        """Write an image (h, w, c), gray or RGB, or a gray volume (d, h, w, 1), as a stack."""
        if "d" not in image.axes:
            _pictures().write(path, image)
            return
        stack = image.array[..., 0] if image.axes == "dhwc" else image.array
        if "k" in image.axes or image.array.shape[3:] not in ((), (1,)):
            raise ValueError(f"A TIFF stack can store gray volumes only; got {tuple(image.axes)}.")
        file = io.BytesIO()
        metadata = {"axes": "ZYX"}
        require("tifffile", "tiff").imwrite(
            file, stack, photometric="minisblack", metadata=metadata
        )
        atomic_write(path, file.getvalue())

    def write_mask(self, path: WritePath, mask: ImageData, like: WritePath | None) -> None:
        """Write ids (h, w) or (d, h, w)."""
        self.write(path, mask)


def _pictures() -> Any:
    return make_plugin("reader", "segclf:raster")


def _either(
    plain: Callable[[ReadPath], _Result], stack: Callable[[ReadPath], _Result], path: ReadPath
) -> _Result:
    """Read plain pictures by the picture reader, other files by tifffile."""
    try:
        return plain(path)
    except UnsupportedImage as error:
        reason = error
    logging.getLogger("tifffile").addHandler(_SILENCE)
    try:
        require("tifffile", "tiff")
    except ImportError as missing:
        raise UnsupportedImage(f"{reason}; or, {missing}") from reason
    return stack(path)


def _stack_header(path: ReadPath) -> ImageHeader:
    with require("tifffile", "tiff").TiffFile(path) as file:
        return _header(file, _series(file))


def _read_stack(path: ReadPath) -> ImageData:
    with require("tifffile", "tiff").TiffFile(path) as file:
        series = _series(file)
        header = _header(file, series)
        array = _values(series)
        if series.keyframe.photometric == 0:  # white is 0 here, but high values should be bright
            if array.dtype.kind not in "bu":
                raise ValueError(
                    "its values are signed or floats, with 0 for white; expected unsigned integers"
                )
            array = ~array
    if header.depth is None:
        return ImageData(array[0], "hwc", header.spacing)
    return ImageData(array, "dhwc", header.spacing)


def _read_stack_mask(path: ReadPath) -> ImageData:
    with require("tifffile", "tiff").TiffFile(path) as file:
        series = _series(file)
        header, array = _header(file, series), _values(series)
    if header.n_channels != 1:
        raise ValueError(f"it has {header.n_channels} channels; expected one channel of ids")
    if header.depth is None:
        return ImageData(array[0, ..., 0], "hw", header.spacing)
    return ImageData(array[..., 0], "dhw", header.spacing)


def _series(file: Any) -> Any:
    """Return the only series of a file, checked before anything is decoded."""
    _check_chain(file)
    if len(file.series) != 1:
        raise ValueError(f"it has {len(file.series)} series of images; save each to its own file")
    series = file.series[0]
    page = series.keyframe
    if series.dtype is None or series.dtype.kind not in "buif":
        raise ValueError(f"its values are {series.dtype}; expected real numbers")
    if page.photometric not in (0, 1, 2) or page.tags.valueof(274, default=1) != 1:
        raise ValueError(
            f"photometric {int(page.photometric)} and orientation "
            f"{page.tags.valueof(274, default=1)} are not supported in stacks"
        )
    check_volume_size(series.shape)
    for each in series.pages:
        _check_segments(file.filehandle, page if each is None else each)
    return series


def _check_chain(file: Any) -> None:
    """Reject a file whose chain of pages leads out of it; tifffile would read the pages before."""
    handle, form = file.filehandle, file.tiff
    handle.seek(form.offsetsize)  # 4 of 8 bytes, or 8 of 16
    seen: set[int] = set()
    while place := _number(handle, form.offsetformat):
        if place >= handle.size or place in seen:
            raise ValueError("it is truncated or damaged: a page is missing")
        seen.add(place)
        handle.seek(place)
        n_tags = _number(handle, form.tagnoformat)
        handle.seek(place + form.tagnosize + n_tags * form.tagsize)


def _number(handle: Any, form: str) -> int:
    return int(struct.unpack(form, handle.read(struct.calcsize(form)))[0])


def _check_segments(file: Any, page: Any) -> None:
    """Reject a page with parts that are missing, end beyond the file or decompress to too much."""
    keyframe = page.keyframe
    most = int(np.prod(keyframe.chunks)) * keyframe.dtype.itemsize
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        if length == 0 or offset + length > file.size:
            raise ValueError("it is truncated: a part of its pixels is missing")
        if keyframe.compression in _DEFLATE:
            file.seek(offset)
            inflate = zlib.decompressobj()
            if len(inflate.decompress(file.read(length), most + 1)) > most:
                raise ValueError(f"a part of it decompresses to more than its {most:,} bytes")


def _header(file: Any, series: Any) -> ImageHeader:
    depth, n_channels = _lengths(series)
    height, width = (series.shape[series.axes.index(axis)] for axis in "YX")
    spacing = _spacing(file, depth)
    return ImageHeader(height, width, n_channels, series.dtype.newbyteorder("="), depth, spacing)


def _lengths(series: Any) -> tuple[int | None, int]:
    """Return depth (None for an image) and channels; reject further axes."""
    lengths = dict(zip(series.axes, series.shape, strict=True))
    depths = [axis for axis in lengths if axis in _DEPTH and lengths[axis] > 1]
    channels = [axis for axis in lengths if axis in _CHANNELS and lengths[axis] > 1]
    known = set(lengths) <= {*_DEPTH, *_CHANNELS, "Y", "X"}
    if not known or len(depths) > 1 or len(channels) > 1 or not {"Y", "X"} <= set(lengths):
        raise ValueError(
            f"its axes are {series.axes} of {series.shape}; expected rows and columns, at most one "
            "axis of depth, time or pages, and at most one of channels"
        )
    return lengths[depths[0]] if depths else None, lengths[channels[0]] if channels else 1


def _values(series: Any) -> NDArray[Any]:
    """Decode as (d, h, w, c)."""
    try:
        array = series.asarray()
    except ImportError:
        kind = series.keyframe.compression.name
        raise ValueError(f"its compression, {kind}, needs a package: imagecodecs") from None
    order = sorted(range(array.ndim), key=lambda axis: _place(series.axes[axis]))
    depth, n_channels = _lengths(series)
    size = (series.shape[series.axes.index("Y")], series.shape[series.axes.index("X")])
    array = array.transpose(order).reshape(depth or 1, *size, n_channels)
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))


def _place(axis: str) -> int:
    return 0 if axis in _DEPTH else {"Y": 1, "X": 2}.get(axis, 3)


def _spacing(file: Any, depth: int | None) -> tuple[float, ...] | None:
    """Return the physical size of an OME file in millimetres."""
    if not file.is_ome:
        return None
    pixels = ElementTree.fromstring(file.ome_metadata).find(".//{*}Pixels")
    lengths = []
    for axis in "YX" if depth is None else "ZYX":
        size = None if pixels is None else pixels.get(f"PhysicalSize{axis}")
        unit = "µm" if pixels is None else pixels.get(f"PhysicalSize{axis}Unit", "µm")
        if size is None or unit not in _MILLIMETRES:
            return None
        lengths.append(float(size) * _MILLIMETRES[unit])
    return tuple(lengths)
