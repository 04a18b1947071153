"""The only access to image files; every reader is a plugin, ours too.

Nothing else in segclf opens an image file. `load_image` and related functions also take volumes.
`read_image` and related functions are for code that takes images, and explain for a volume how to
take its slices.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray

from segclf.data.found_readers import FoundReader, Path, find_reader
from segclf.data.reading import load, load_flat, load_flat_ids, load_ids, look, look_flat
from segclf.hookspecs import ImageData, ImageHeader

__all__ = [
    "load_header",
    "load_image",
    "load_mask",
    "read_image",
    "read_image_header",
    "read_mask",
    "read_size",
    "slice_paths",
]

_Result = TypeVar("_Result")


def load_image(path: Path | Sequence[Path], *, reader: Any = None) -> ImageData:
    """Read one image or volume, with its axes.

    Parameters
    ----------
    path : str or path-like, or sequence of them
        A file; a folder, or the files, whose images are the slices of one volume; ``"path[z=3]"``
        for one slice of a volume; or ``"case_{0000,0001}.nii.gz"`` for files that hold the channels
        of one image.
    reader : str or Reader, optional
        The reader to use; by default the one for such files.

    Returns
    -------
    ImageData
        Its array is (h, w, c) or (d, h, w, c), with spacing and affine if the file has them.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If no reader takes the file, or it is damaged, truncated, too large or of an unsupported
        kind.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (5, 4)).save(f"{folder}/a.png")
    ...     image = load_image(f"{folder}/a.png")
    >>> image.array.shape, image.axes
    ((4, 5, 1), 'hwc')
    """
    return _guarded(load, path, reader)


def load_header(path: Path | Sequence[Path], *, reader: Any = None) -> ImageHeader:
    """Read the header of an image or volume; no pixel is decoded.

    Parameters
    ----------
    path, reader
        As in :func:`load_image`.

    Returns
    -------
    ImageHeader
        Its size, channels and type are those that `load_image` returns.

    Raises
    ------
    OSError, ValueError
        As :func:`load_image` does.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import load_header, save_mask
    >>> save_mask("mask.png", np.zeros((4, 6), int))
    >>> header = load_header("mask.png")
    >>> header.height, header.width
    (4, 6)
    """
    return _guarded(look, path, reader)


def load_mask(path: Path | Sequence[Path], *, reader: Any = None) -> ImageData:
    """Read one mask, of an image or a volume: ids as stored.

    Parameters
    ----------
    path, reader
        As in :func:`load_image`.

    Returns
    -------
    ImageData
        Its array is (h, w) or (d, h, w) of ids, or (k, h, w) or (k, d, h, w) of 0 and 1 for classes
        that may overlap.

    Raises
    ------
    OSError, ValueError
        As in :func:`load_image`, and if it is not a mask.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import load_mask, save_mask
    >>> save_mask("mask.png", np.eye(3, dtype=int))
    >>> load_mask("mask.png").array
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 1]], dtype=uint8)
    """
    return _guarded(load_ids, path, reader)


def slice_paths(path: Path) -> list[str]:
    """Name each slice of a volume, for estimators of images.

    Parameters
    ----------
    path : str or path-like
        Path of a volume.

    Returns
    -------
    list of str
        ``"path[z=0]"`` and so on, in the order of the first axis of `load_image`.

    Raises
    ------
    OSError, ValueError
        As in :func:`load_image`, and if it is not a volume.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import save_mask, slice_paths
    >>> save_mask("volume.nii.gz", np.zeros((2, 4, 4), int), n_spatial=3)
    >>> slice_paths("volume.nii.gz")
    ['volume.nii.gz[z=0]', 'volume.nii.gz[z=1]']
    """
    depth = load_header(path).depth
    if depth is None:
        raise ValueError(
            f"{str(os.fspath(path))!r} is an image and has no slices; pass the path itself."
        )
    return [f"{os.fspath(path)}[z={z}]" for z in range(depth)]


def read_image(path: Path, reader: Any = None) -> NDArray[Any]:
    """Read one image file.

    Parameters
    ----------
    path : str or path-like
        Path of an image, or ``"path[z=3]"`` for a slice of a volume.
    reader : str or Reader, optional
        See :func:`load_image`.

    Returns
    -------
    array of shape (h, w, c)
        For PNG, JPEG and TIFF gray (c = 1) or RGB (c = 3) in the file's own type: bool (1 bit),
        uint8, uint16, and for TIFF signed and float ones. Palettes, CMYK and YCbCr become RGB;
        alpha is dropped; the orientation is applied (for a PNG that in its eXIf chunk). Bright is
        high: a TIFF with white as 0 is inverted.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is damaged, truncated, a volume, of an unsupported kind, or has several pages or
        frames, or more than `segclf.data.headers.MAX_PIXELS` pixels.
    """
    return _guarded(load_flat, path, reader)


def read_image_header(path: Path, reader: Any = None) -> ImageHeader:
    """Read a file's header without decoding any pixel.

    Parameters
    ----------
    path, reader
        As in `read_image`.

    Returns
    -------
    ImageHeader
        Height, width, channels and type are those that `read_image` returns.

    Raises
    ------
    OSError, ValueError
        As `read_image` does.
    """
    return _guarded(look_flat, path, reader)


def read_size(path: Path) -> tuple[int, int, int]:
    """Read (h, w, n_channels) from a file's header without decoding any pixel.

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
        A gray or palette PNG or TIFF, or a file that another reader reads as a mask.

    Returns
    -------
    array of shape (h, w), or (k, h, w) of classes that may overlap
        For PNG and TIFF, gray values as stored, whatever their polarity, or palette indices as in
        Pascal VOC. The orientation is applied as for an image.

    Raises
    ------
    OSError, ValueError
        As in `read_image`, and for colour, alpha and JPEG.
    """
    return _guarded(load_flat_ids, path, None)


def _guarded(
    read: Callable[[FoundReader], _Result], path: Path | Sequence[Path], reader: Any
) -> _Result:
    """Turn all errors of damaged files (struct.error, KeyError...) into one with the path."""
    found = find_reader(path, reader)
    try:
        _require_regular(found.path)
        return read(found)
    except Exception as error:
        if isinstance(error, MemoryError) or getattr(error, "filename", None) is not None:
            raise
        reason = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"Cannot read {_name_of(path)}: {reason}.") from error


def _require_regular(path: Any) -> None:
    for each in path if isinstance(path, list) else [path]:
        kind = stat.S_IFMT(os.stat(each).st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):  # reading a pipe or a device may never end
            raise ValueError("it is not a regular file")


def _name_of(path: Path | Sequence[Path]) -> str:
    if isinstance(path, str | os.PathLike):
        return repr(str(os.fspath(path)))
    return f"the volume of {len(path)} files that starts with {str(os.fspath(path[0]))!r}"
