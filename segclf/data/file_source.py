"""Images in files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import N_SPATIAL
from segclf.data.opened_source import OpenedSource
from segclf.data.readers import load_header, load_image, read_image, read_image_header
from segclf.data.watched_file import WatchedFile

__all__ = ["FileSource"]


class FileSource(OpenedSource):
    """Image files, decoded when they are taken; they must not change meanwhile.

    Parameters
    ----------
    paths : sequence of str
    n_channels : int or None
        See `OpenedSource`.
    reader : str, Reader or None
        None chooses by suffix.
    n_spatial : int
        3 for volumes.
    """

    def __init__(
        self,
        paths: Sequence[str],
        n_channels: int | None,
        reader: Any = None,
        n_spatial: int = N_SPATIAL,
    ) -> None:
        self._reader = reader
        self._files = [WatchedFile(path) for path in paths]
        self._affines: dict[int, NDArray[np.float64]] = {}
        self._spacings: dict[int, tuple[float, ...] | None] = {}
        super().__init__(len(paths), n_channels, n_spatial)

    def header(self, row: int) -> tuple[tuple[int, ...], int, np.dtype[Any]]:
        """Read the header; see `OpenedSource.header`."""
        flat = self.n_spatial == N_SPATIAL
        look = partial(read_image_header if flat else load_header, reader=self._reader)
        header = self._files[row].read(look)
        if header.affine is not None:
            self._affines[row] = header.affine
        self._spacings[row] = header.spacing
        size: tuple[int, ...] = (header.height, header.width)
        if not flat:
            if header.depth is None:
                raise ValueError(f"{self.name(row)} is one image; expected a volume.")
            size = (header.depth, *size)
        return size, header.n_channels, header.dtype

    def open(self, row: int) -> NDArray[Any]:
        """Decode the file; see `OpenedSource.open`."""
        if self.n_spatial == N_SPATIAL:
            return self._files[row].read(partial(read_image, reader=self._reader))
        return self._files[row].read(partial(load_image, reader=self._reader)).array

    def affine(self, row: int) -> NDArray[np.float64] | None:
        """Return the affine of the header, which `sizes` reads; see `Source.affine`."""
        return self._affines.get(row)

    def path(self, row: int) -> str:
        """Return the path; see `Source.path`."""
        return os.fspath(self._files[row])

    def spacing(self, row: int) -> tuple[float, ...] | None:
        """Return the spacing of the header; see `Source.spacing`."""
        self.sizes(np.array([row]))
        return self._spacings.get(row)

    def name(self, row: int) -> str:
        """Return the name with the path; see `Source.name`."""
        return f"Image {row} ({os.fspath(self._files[row])!r})"
