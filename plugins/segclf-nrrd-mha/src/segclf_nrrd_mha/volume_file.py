"""The common part of both formats: a header that describes values and their place."""

import itertools
import os
import re
import stat
import zlib
from dataclasses import dataclass
from typing import IO

import numpy as np

from segclf.data import check_volume_size
from segclf.hookspecs import ImageData, ImageHeader

LONGEST_HEADER = 2**20
# Deflate expands one byte to at most this number of bytes.
_MOST_PER_BYTE = 1032
_CHUNK = 2**20


@dataclass(frozen=True, kw_only=True)
class VolumeFile:
    """The contents of a header; values are not read yet.

    Attributes
    ----------
    data : str
        Path of the file with the values.
    offset : int or None
        Offset of the values in the file; None if they are at its end.
    compressed : bool
        Whether the values are compressed by zlib or gzip.
    stored : numpy.dtype
        Type of a value, in the file's byte order.
    shape : tuple of int
        Lengths of the spatial axes as stored, the fastest first: (x, y) or (x, y, z).
    n_channels : int
    channels_first : bool
        Whether channels vary faster than x.
    affine : array of shape (4, 4), or None
        Maps stored (x, y, z, 1) to millimeters towards the right, front and head.
    spacing : tuple of float, or None
        Spacing along the stored axes; None if unknown.
    """

    data: str
    offset: int | None
    compressed: bool
    stored: np.dtype
    shape: tuple[int, ...]
    n_channels: int = 1
    channels_first: bool = True
    affine: np.ndarray | None = None
    spacing: tuple[float, ...] | None = None

    def header(self) -> ImageHeader:
        """Return the header in segclf's form, checked against the size of the file."""
        self._check()
        order, _, affine = self._canonical()
        size = [self.shape[axis] for axis in order]
        spacing = None if self.spacing is None else tuple(self.spacing[axis] for axis in order)
        depth = size[0] if len(size) == 3 else None
        dtype = self.stored.newbyteorder("=")
        return ImageHeader(*size[-2:], self.n_channels, dtype, depth, spacing, affine)

    def read(self) -> ImageData:
        """Read an image (h, w, c) or a volume (d, h, w, c)."""
        header = self.header()
        order, flips, _ = self._canonical()
        values = self._values().view(self.stored).astype(header.dtype, copy=False)
        channels = (self.n_channels,)
        axes = (*channels, *self.shape) if self.channels_first else (*self.shape, *channels)
        stored = values.reshape(axes[::-1]).T  # the first axis of the file is the fastest
        stored = stored if not self.channels_first else np.moveaxis(stored, 0, -1)
        array = stored.transpose(*order, len(order))
        array = array[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
        axes_of_array = "hwc" if len(order) == 2 else "dhwc"
        return ImageData(np.ascontiguousarray(array), axes_of_array, header.spacing, header.affine)

    def read_mask(self) -> ImageData:
        """Read ids (h, w) or (d, h, w)."""
        image = self.read()
        if self.n_channels != 1:
            raise ValueError(f"it has {self.n_channels} channels; expected one channel of ids")
        return image._replace(array=image.array[..., 0], axes=image.axes[:-1])

    @property
    def _n_bytes(self) -> int:
        n_values = self.n_channels
        for length in self.shape:  # Python's integers, since NumPy's wrap around
            n_values *= length
        return n_values * self.stored.itemsize

    def _check(self) -> None:
        check_volume_size((*self.shape, self.n_channels))
        if self.stored.kind not in "iuf":
            raise ValueError(f"its values are {self.stored}; expected real numbers")
        if self.compressed and self.offset is None:
            raise ValueError(
                "its compressed values need an offset; the header only says that they end the file"
            )
        status = os.stat(self.data)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
            raise ValueError(f"its data, {os.path.basename(self.data)!r}, are not a regular file")
        there = status.st_size - (self.offset or 0)
        wrong = there < self._n_bytes or (self.offset is not None and there > self._n_bytes)
        if self.compressed:
            wrong = there * _MOST_PER_BYTE < self._n_bytes
        if wrong:
            raise ValueError(
                f"its header announces {self._n_bytes:,} bytes of values, but its data have "
                f"{max(there, 0):,}" + " compressed bytes" * self.compressed
            )

    def _canonical(self) -> tuple[tuple[int, ...], tuple[bool, ...], np.ndarray | None]:
        """Return the stored axes of (d, h, w), which of them are flipped, and their affine."""
        n_axes = len(self.shape)
        order, flips = tuple(range(n_axes))[::-1], (False,) * n_axes
        if self.affine is None or n_axes == 2:
            return order, flips, None
        columns = self.affine[:3, :3]
        directions = columns / np.linalg.norm(columns, axis=0)
        if not np.isfinite(directions).all() or abs(np.linalg.det(directions)) < 1e-3:
            raise ValueError(
                f"the directions of its axes are linearly dependent: {columns.tolist()}"
            )
        orders = itertools.permutations(range(3))
        worlds = (2, 1, 0)  # head, front, right
        order = max(orders, key=lambda each: np.abs(directions[worlds, each]).sum())
        flips = tuple(bool(flip) for flip in directions[worlds, order] < 0)
        affine = self.affine[:, [*order, 3]].copy()
        for axis, flip in enumerate(flips):
            if flip:
                affine[:, 3] += affine[:, axis] * (self.shape[order[axis]] - 1)
                affine[:, axis] *= -1
        return order, flips, affine

    def _values(self) -> np.ndarray:
        values = np.empty(self._n_bytes, dtype=np.uint8)
        with open(self.data, "rb") as file:
            if self.offset is None:
                file.seek(-self._n_bytes, os.SEEK_END)
            else:
                file.seek(self.offset)
            done = (_inflate if self.compressed else _copy)(file, memoryview(values))
        if done != len(values):
            raise ValueError(f"it is truncated: it has {done:,} of {len(values):,} bytes")
        return values


def data_beside(path: str, name: str) -> str:
    """Return the path of a data file; raise if it is outside the folder of the header."""
    folder = os.path.realpath(os.path.dirname(path) or ".")
    found = os.path.realpath(os.path.join(folder, name))
    if "\0" in name or os.path.commonpath([folder, found]) != folder or found == folder:
        raise ValueError("its data are outside its folder; expected a file beside it")
    return found


def read_text(path: str, end: bytes) -> tuple[str, int]:
    """Return the header of a file, up to an end mark, and its length.

    The mark is a regular expression; if it is empty, the header is the whole file.
    """
    with open(path, "rb") as file:
        start = file.read(LONGEST_HEADER)
    found = re.search(end, start)
    if found is None and len(start) == LONGEST_HEADER:
        raise ValueError(f"its header is longer than {LONGEST_HEADER:,} bytes, or has no end")
    length = len(start) if found is None else found.end()
    return start[:length].decode("latin-1"), length


def numbers(text: str, kind: type, field: str) -> list:
    """Return the numbers of a field."""
    try:
        found = [kind(word) for word in text.split()]
    except ValueError:
        found = []
    if not found or not all(abs(number) < 1e18 for number in found):
        raise ValueError(f"its field {field!r} does not hold numbers")
    return found


def _copy(file: IO[bytes], into: memoryview) -> int:
    done = 0
    while count := file.readinto(into[done : done + _CHUNK]):
        done += count
    return done


def _inflate(file: IO[bytes], into: memoryview) -> int:
    """Decompress into a buffer, at most its size."""
    stream, done = zlib.decompressobj(47), 0  # zlib or gzip
    while not stream.eof:
        chunk = stream.unconsumed_tail or file.read(_CHUNK)
        if not chunk:
            break
        part = stream.decompress(chunk, min(len(into) - done + 1, _CHUNK))
        if done + len(part) > len(into):
            raise ValueError(f"it decompresses to more than the {len(into):,} bytes of its header")
        into[done : done + len(part)] = part
        done += len(part)
    return done if stream.eof else min(done, len(into) - 1)
