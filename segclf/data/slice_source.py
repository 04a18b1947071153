"""Slices of volumes as images, cut when they are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.arrays import native, require_finite
from segclf.data.sources import Rows, Source

__all__ = ["SliceSource"]


class SliceSource(Source):
    """Slices (h, w) of volumes (d, h, w), alone or with their neighbors as further channels.

    Nothing is copied before it is taken. If volumes are not in memory, the last opened one is kept.

    Parameters
    ----------
    volumes : Source
        Source of the volumes.
    rows : array of shape (n,)
        Number of the volume of each slice.
    slices : array of shape (n,)
        The number of each slice in its volume.
    neighbors : int
        Number of slices on either side that become channels, too; see `Images.slices`.
    """

    # A slice may be dark, or constant, whatever the volume holds, so the whole volume is judged.
    pixels = False

    def __init__(
        self, volumes: Source, rows: Rows, slices: NDArray[np.intp], neighbors: int
    ) -> None:
        self.n_samples, self.n_channels = len(rows), volumes.n_channels * (2 * neighbors + 1)
        self.lazy = volumes.lazy
        self._volumes, self._volume, self._slice = volumes, rows, slices
        self._neighbors = np.arange(-neighbors, neighbors + 1)
        self._opened: tuple[int, NDArray[Any]] | None = None

    def take(self, rows: Rows) -> NDArray[Any] | list[NDArray[Any]]:
        """Cut each; see `Source.take`."""
        images = [self._cut(row) for row in rows.tolist()]
        alike = len({(image.shape, image.dtype) for image in images}) == 1
        return np.stack(images) if alike else images

    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Return the sizes of the volumes, without depth; see `Source.sizes`."""
        return self._volumes.sizes(self._volume[rows])[:, 1:]

    def known_sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Return the known sizes of the volumes; see `Source.known_sizes`."""
        return self._volumes.known_sizes(self._volume[rows])[:, 1:]

    def dtypes(self, rows: Rows) -> list[np.dtype[Any]]:
        """Return the types of the volumes; see `Source.dtypes`."""
        return self._volumes.dtypes(self._volume[rows])

    def name(self, row: int) -> str:
        """Name the volume and the slice; see `Source.name`."""
        return f"{self._volumes.name(int(self._volume[row]))} (slice {self._slice[row]})"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the opened volume."""
        return {**self.__dict__, "_opened": None}

    def _cut(self, row: int) -> NDArray[Any]:
        volume = self._open(int(self._volume[row]))
        numbers = np.clip(self._slice[row] + self._neighbors, 0, len(volume) - 1)
        near = np.moveaxis(native(volume[numbers]), 0, 2)
        image = np.ascontiguousarray(near.reshape(*near.shape[:2], -1))
        if self.lazy:
            where = self.name(row).removeprefix("Image ")
            require_finite(image[None], np.array([where]), "Image")
        return image

    def _open(self, row: int) -> NDArray[Any]:
        if not self.lazy:
            return self._volumes.view(row)
        if self._opened is None or self._opened[0] != row:
            self._opened = None  # two at once may not fit in memory
            self._opened = row, self._volumes.view(row)
        return self._opened[1]
