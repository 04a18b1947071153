"""Images in files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.opened_source import OpenedSource
from segclf.data.readers import read_image, read_image_header
from segclf.data.watched_file import WatchedFile

__all__ = ["FileSource"]


class FileSource(OpenedSource):
    """Image files, decoded as they are taken; they must stay as they are now.

    Parameters
    ----------
    paths : sequence of str
    n_channels : int or None
        See `OpenedSource`.
    reader : str, Reader or None
        None for the one for their suffixes.
    """

    def __init__(self, paths: Sequence[str], n_channels: int | None, reader: Any = None) -> None:
        self._reader = reader
        self._files = [WatchedFile(path) for path in paths]
        self._affines: dict[int, NDArray[np.float64]] = {}
        super().__init__(len(paths), n_channels)

    def header(self, row: int) -> tuple[int, int, int, np.dtype[Any]]:
        """Read it; see `OpenedSource.header`."""
        header = self._files[row].read(partial(read_image_header, reader=self._reader))
        if header.affine is not None:
            self._affines[row] = header.affine
        return header.height, header.width, header.n_channels, header.dtype

    def open(self, row: int) -> NDArray[Any]:
        """Decode the file; see `OpenedSource.open`."""
        return self._files[row].read(partial(read_image, reader=self._reader))

    def affine(self, row: int) -> NDArray[np.float64] | None:
        """Return that of the header, which `sizes` reads; see `Source.affine`."""
        return self._affines.get(row)

    def name(self, row: int) -> str:
        """Give the path, too; see `Source.name`."""
        return f"Image {row} ({os.fspath(self._files[row])!r})"
