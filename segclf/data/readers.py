"""The one door to image files: a format is a row in the table of readers.

Every reader takes a path and returns an array; nothing else in segclf opens an image file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from numpy.typing import NDArray

from segclf.data.headers import Header
from segclf.data.rasters import read_raster, read_raster_header, read_raster_mask

__all__ = [
    "READERS",
    "Reader",
    "find_reader",
    "read_image",
    "read_image_header",
    "read_mask",
    "read_size",
]

#: What names a file.
Path = str | os.PathLike[str]
_Result = TypeVar("_Result")


class Reader(NamedTuple):
    """How to read one format.

    Attributes
    ----------
    image : callable
        path -> array (h, w, c).
    header : callable
        path -> Header; no pixel is decoded.
    mask : callable
        path -> array (h, w) of ids as stored.
    """

    image: Callable[[Path], NDArray[Any]]
    header: Callable[[Path], Header]
    mask: Callable[[Path], NDArray[Any]]


_RASTER = Reader(read_raster, read_raster_header, read_raster_mask)

#: Readers by the end of the file's name, in lower case.
READERS: dict[str, Reader] = {
    ".jpeg": _RASTER,
    ".jpg": _RASTER,
    ".png": _RASTER,
    ".tif": _RASTER,
    ".tiff": _RASTER,
}


def read_image(path: Path) -> NDArray[Any]:
    """Read one image file.

    Parameters
    ----------
    path : str or path-like
        PNG, JPEG or TIFF, found by suffix, distinguished by content.

    Returns
    -------
    array of shape (h, w, c)
        Gray (c = 1) or RGB (c = 3) in the file's own type: bool (1 bit), uint8, uint16, and for
        TIFF signed and float ones. Palettes, CMYK and YCbCr become RGB; alpha is dropped; the
        orientation is applied (of a PNG that in its eXIf chunk). Bright is high: a TIFF with white
        as 0 is turned over.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is damaged, truncated, has several pages or frames, more than
        `segclf.data.headers.MAX_PIXELS` pixels, or is of an unsupported kind.
    """
    return _guarded(find_reader(path).image, path)


def read_image_header(path: Path) -> Header:
    """Read a file's header, decoding nothing.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Header
        Height, width, channels and type are those of what `read_image` returns.

    Raises
    ------
    OSError, ValueError
        As `read_image` does.
    """
    return _guarded(find_reader(path).header, path)


def read_size(path: Path) -> tuple[int, int, int]:
    """Read (h, w, n_channels) from a file's header, decoding nothing.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    tuple of int
        Height, width and channels, as `read_image` would return them.

    Raises
    ------
    OSError, ValueError
        As `read_image` does.
    """
    header = read_image_header(path)
    return header.height, header.width, header.n_channels


def read_mask(path: Path) -> NDArray[Any]:
    """Read one mask file: the ids exactly as stored.

    Parameters
    ----------
    path : str or path-like
        A gray or palette PNG or TIFF.

    Returns
    -------
    array of shape (h, w)
        Gray values as stored, whatever their polarity, or palette indices as in Pascal VOC. The
        orientation is applied as to an image.

    Raises
    ------
    OSError, ValueError
        As `read_image` does, and for colour, alpha and JPEG.
    """
    return _guarded(find_reader(path).mask, path)


def find_reader(path: Path) -> Reader:
    """Find the reader for a path by its suffix; the file is not touched.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Reader

    Raises
    ------
    ValueError
        If no reader knows the suffix.

    Examples
    --------
    >>> find_reader("scan.PNG") is READERS[".png"]
    True
    """
    name = str(os.fspath(path))
    for suffix, reader in READERS.items():
        if name.lower().endswith(suffix):
            return reader
    raise ValueError(f"No reader for {name!r}; those there are: {', '.join(READERS)}.")


def _guarded(read: Callable[[Path], _Result], path: Path) -> _Result:
    """Make one error with the path of all that damaged files raise (struct.error, KeyError...)."""
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):  # reading a pipe or a device may never end
            raise ValueError("it is no regular file")
        return read(path)
    except Exception as error:
        if isinstance(error, MemoryError) or getattr(error, "filename", None) is not None:
            raise
        reason = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"Cannot read {str(os.fspath(path))!r}: {reason}.") from error
