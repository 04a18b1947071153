"""Large numbers of stored images, which are read one by one when they are taken."""

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
    """A sequence of images that knows where each is stored, and loads none in advance.

    Every estimator takes it as ``X``. Scikit-learn can split it into folds without reading any
    image. Images may be read in any order and by several threads, and the sequence can be pickled.
    A subclass gives their number, and the key and the bytes of each: an encoded PNG, JPEG, TIFF,
    BMP, WebP or PNM.

    Parameters
    ----------
    n_images : int
        Number of images.

    Attributes
    ----------
    shape : tuple of int
        (n,).
    """

    def __init__(self, n_images: int) -> None:
        if n_images == 0:
            raise ValueError(f"{type(self).__name__} holds no image; expected at least one.")
        self._rows = np.arange(n_images)

    @abstractmethod
    def _key(self, row: int) -> str:
        """Return the name of an image."""

    @abstractmethod
    def _bytes(self, row: int) -> bytes:
        """Return the encoded image."""

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)})"

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
        """Return the name of an image: its path, its position in an archive or table, its URL."""
        return self._key(int(self._rows[index]))

    def header(self, index: int) -> ImageHeader:
        """Return the header of an image, without decoding it.

        Raises
        ------
        ValueError
            If it cannot be read; the message has its key.
        """
        return self._guarded(self._header, int(self._rows[index]))

    def fingerprint(self) -> str:
        """Return a digest of the keys, in order; it is equal for equal sequences."""
        digest = hashlib.sha256()
        for row in self._rows.tolist():
            digest.update(os.fsencode(self._key(row)) + b"\0")
        return digest.hexdigest()

    def file(self, index: int) -> str | None:
        """Return the local file that holds an image, alone or with others, or None."""
        return self._file(int(self._rows[index]))

    def path(self, index: int) -> str | None:
        """Return the local file that is an image; None if the image is a part of one."""
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
        """Turn all errors that damaged images raise into one with the key."""
        try:
            return read(row)
        except (MemoryError, ImportError):
            raise
        except Exception as error:
            if getattr(error, "filename", None) is not None or "Cannot read" in str(error):
                raise
            reason = str(error).rstrip(".") or type(error).__name__
            raise ValueError(f"Cannot read {self._key(row)!r}: {reason}.") from error
