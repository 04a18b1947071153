"""Images that lie somewhere in great numbers, and are read one by one, when they are taken."""

from __future__ import annotations

import copy
import hashlib
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from segclf.data.headers import read_header
from segclf.data.rasters import decode_raster
from segclf.hookspecs import ImageHeader

__all__ = ["StoredImages"]

_Result = TypeVar("_Result")


class StoredImages(ABC):
    """A sequence of images that knows where each lies, and holds none.

    It is an ``X`` of every estimator. Scikit-learn cuts folds of it, and nothing is read for that.
    Any order may be read, by several threads at once, and it can be pickled. A subclass says how
    many there are, and gives key and bytes of each: an encoded PNG, JPEG, TIFF, BMP, WebP or PNM.

    Parameters
    ----------
    n_images : int
        How many there are.

    Attributes
    ----------
    shape : tuple of int
        (n,).
    """

    def __init__(self, n_images: int) -> None:
        if n_images == 0:
            raise ValueError(f"{type(self).__name__} holds no image; expected one at least.")
        self._rows = np.arange(n_images)

    @abstractmethod
    def _key(self, row: int) -> str:
        """Return what names an image."""

    @abstractmethod
    def _bytes(self, row: int) -> bytes:
        """Return the encoded image."""

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int]:
        """(n,)."""
        return (len(self._rows),)

    def __getitem__(self, index: Any) -> Any:
        """Return one image (h, w, c); or, for a slice, a list or an array, some of the images."""
        if isinstance(index, tuple) and len(index) == 2 and index[1] is Ellipsis:
            index = index[0]
        rows = self._rows[index]
        if np.ndim(rows) == 0:
            return self._guarded(self._image, int(rows))
        return self._of_rows(rows)

    def key(self, index: int) -> str:
        """Return what names an image: its path, its place in an archive or table, its URL."""
        return self._key(int(self._rows[index]))

    def header(self, index: int) -> ImageHeader:
        """Return what an image says of itself before it is decoded.

        Raises
        ------
        ValueError
            Where it cannot be read; the message has its key.
        """
        return self._guarded(self._header, int(self._rows[index]))

    def fingerprint(self) -> str:
        """Return a digest of the keys, in order: what equal sequences have in common."""
        digest = hashlib.sha256()
        for row in self._rows.tolist():
            digest.update(os.fsencode(self._key(row)) + b"\0")
        return digest.hexdigest()

    def file(self, index: int) -> str | None:
        """Return the local file that holds an image, alone or with others; None where none does."""
        return self._file(int(self._rows[index]))

    def path(self, index: int) -> str | None:
        """Return the local file that is an image; None where it is a part of one."""
        return None

    def _header(self, row: int) -> ImageHeader:
        header = read_header(io.BytesIO(self._bytes(row)))
        return ImageHeader(header.height, header.width, header.n_channels, header.dtype)

    def _image(self, row: int) -> NDArray[Any]:
        return decode_raster(io.BytesIO(self._bytes(row)))

    def _file(self, row: int) -> str | None:
        return None

    def _of_rows(self, rows: NDArray[np.intp]) -> Self:
        part = copy.copy(self)
        part._rows = rows
        return part

    def _guarded(self, read: Callable[[int], _Result], row: int) -> _Result:
        """Make one error with the key of all that damaged images raise."""
        try:
            return read(row)
        except (MemoryError, ImportError):
            raise
        except Exception as error:
            if getattr(error, "filename", None) is not None or "Cannot read" in str(error):
                raise
            reason = str(error).rstrip(".") or type(error).__name__
            raise ValueError(f"Cannot read {self._key(row)!r}: {reason}.") from error
