"""One NIfTI file: its header and its stored values."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from segclf.data import check_volume_size
from segclf_plugins.readers.extras import require

__all__ = ["NiftiFile", "is_gzip"]

# The first 4 bytes of either version, and of other files named ".nii".
_SIZES = {348: "Nifti1Header", 540: "Nifti2Header"}
_COLOURS = {128: 3, 2304: 3}  # RGB24, RGBA32
# Deflate expands one byte to at most this number of bytes.
_MOST_PER_BYTE = 1032
_LONGEST_EXTENSIONS = 2**26


@dataclass(frozen=True)
class NiftiFile:
    """The contents of the header.

    Attributes
    ----------
    path : str
    shape : tuple of int
        Stored shape (x, y, z, channels).
    flat : bool
        True for an image, which has no third axis.
    stored : numpy.dtype
        Type of a value, in the file's byte order.
    offset : int
        Offset of the first value.
    slope, intercept : float
        1 and 0 for values without scaling.
    affine : array of shape (4, 4)
        Maps stored (x, y, z, 1) to millimetres towards the right, front and head.
    """

    path: str
    shape: tuple[int, int, int, int]
    flat: bool
    stored: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: NDArray[np.float64]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> NiftiFile:
        """Read the header, and check it against the size of the file."""
        with _opened(path) as file:
            header = _header(file)
        shape, flat = _shape(header)
        slope, intercept = header.get_slope_inter()
        found = cls(
            os.fspath(path),
            shape,
            flat,
            _stored(header),
            int(header.get_data_offset()),
            1.0 if slope is None else float(slope),
            0.0 if intercept is None else float(intercept),
            np.asarray(header.get_best_affine(), dtype=np.float64),
        )
        found._check()
        return found

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values: as stored, or float32 if they are scaled."""
        if (self.slope, self.intercept) == (1.0, 0.0):
            return self._value.newbyteorder("=")
        return np.dtype(np.float32)

    def read(self) -> NDArray[Any]:
        """Read all values, (x, y, z, channels), in the order of the file."""
        with _opened(self.path) as file:
            file.seek(self.offset)
            values = _values(file, self._n_bytes)
            if is_gzip(self.path) and file.read(1):  # reading to the end verifies the checksum, too
                raise ValueError(
                    f"it decompresses to more than the {self._n_bytes + self.offset:,} bytes of "
                    "its header"
                )
        return self._meant(values, self.shape)

    def read_plane(self, z: int) -> NDArray[Any]:
        """Read the values at one stored z, (x, y, 1, channels), and nothing after it."""
        plane = (*self.shape[:2], 1, self.shape[3])
        if self.shape[3] > 1 and self._n_colours == 1:
            return self.read()[:, :, z : z + 1]
        n_bytes = self._n_bytes // self.shape[2]
        with _opened(self.path) as file:
            file.seek(self.offset + z * n_bytes)
            return self._meant(_values(file, n_bytes), plane)

    @property
    def _value(self) -> np.dtype[Any]:
        return np.dtype(np.uint8) if self.stored.names else self.stored

    @property
    def _n_colours(self) -> int:
        return len(self.stored.names) if self.stored.names else 1

    @property
    def _n_bytes(self) -> int:
        n_stored = self.shape[3] if self._n_colours == 1 else 1
        return int(np.prod([*map(int, self.shape[:3]), n_stored])) * self.stored.itemsize

    def _meant(self, values: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[Any]:
        if self._n_colours > 1:
            colours = values.reshape((self._n_colours, *shape[:3]), order="F")
            return np.moveaxis(colours, 0, -1)[..., :3]
        stored = values.view(self.stored).reshape(shape, order="F")
        if self.dtype == stored.dtype.newbyteorder("=") and self.slope == 1:
            return stored.astype(self.dtype, copy=False)
        meant = np.empty(shape, dtype=np.float32, order="F")
        for z in range(shape[2]):  # in double precision, one slice at a time
            plane = stored[:, :, z].astype(np.float64)
            meant[:, :, z] = plane * self.slope + self.intercept
        return meant

    def _check(self) -> None:
        check_volume_size(self.shape)
        if not 0 < self.offset <= _LONGEST_EXTENSIONS:
            raise ValueError(f"its header says that values begin at byte {self.offset:,}")
        if not np.isfinite([self.slope, self.intercept, *self.affine.flat]).all():
            raise ValueError("its slope, intercept or affine is not finite")
        n_there = os.path.getsize(self.path) * (_MOST_PER_BYTE if is_gzip(self.path) else 1)
        if n_there < self.offset + self._n_bytes:
            raise ValueError(
                f"it is truncated: its header announces {self._n_bytes:,} bytes of values"
            )


def is_gzip(path: str | os.PathLike[str]) -> bool:
    """Recognize a compressed file by its first bytes."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file, decompressing it while it is read."""
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            file.seek(0)
            yield file
            return
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as inflated:
            yield inflated  # type: ignore[misc]


def _header(file: IO[bytes]) -> Any:
    nibabel = require("nibabel", "medical")
    start = file.read(540)
    for order in ("little", "big"):
        name = _SIZES.get(int.from_bytes(start[:4], order))
        if name is not None:
            header = getattr(nibabel, name).from_fileobj(io.BytesIO(start), check=False)
            magic = bytes(header["magic"])[:3]
            if magic in (b"n+1", b"n+2"):
                return header
            raise ValueError(f"its magic is {magic!r}; expected a NIfTI file of one piece, 'n+1'")
    raise ValueError(f"it is not a NIfTI file; its first bytes are {start[:8]!r}")


def _shape(header: Any) -> tuple[tuple[int, int, int, int], bool]:
    """Return (x, y, z, channels), and whether the z axis is missing."""
    n_axes = int(header["dim"][0])
    lengths = [int(n) for n in header["dim"][1 : 1 + n_axes]] if 2 <= n_axes <= 7 else []
    more = [n for n in lengths[3:] if n != 1]
    if not lengths or len(more) > 1:
        raise ValueError(
            f"its axes have the lengths {lengths or n_axes}; expected 2 or 3 axes, and optionally "
            "one for channels"
        )
    colours = _COLOURS.get(int(header["datatype"]), 1)
    if more and colours > 1:
        raise ValueError(f"it holds {more[0]} volumes of colours; expected one")
    x, y, z = (*lengths, 1)[:3]
    return (x, y, z, more[0] if more else colours), n_axes == 2


def _stored(header: Any) -> np.dtype[Any]:
    try:
        stored: np.dtype[Any] = header.get_data_dtype()
    except Exception:
        raise ValueError(f"its type of values, {int(header['datatype'])}, is unknown") from None
    real = stored.kind in "iuf" and stored.itemsize <= 8
    if not real and int(header["datatype"]) not in _COLOURS:
        raise ValueError(f"its values are {stored}; expected real numbers or RGB")
    return stored


def _values(file: IO[bytes], n_bytes: int) -> NDArray[np.uint8]:
    """Read exactly `n_bytes`."""
    values = np.empty(n_bytes, dtype=np.uint8)
    view, done = memoryview(values.data), 0
    while done < n_bytes:
        count = file.readinto(view[done : done + 2**24])  # type: ignore[attr-defined]
        if not count:
            raise ValueError(f"it is truncated: it has {done:,} of {n_bytes:,} bytes of values")
        done += count
    return values
