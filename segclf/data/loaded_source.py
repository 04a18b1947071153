"""Images that have been read already: arrays in memory, with their numbers and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.sources import Rows, Source

__all__ = ["LoadedSource"]


class LoadedSource(Source):
    """Some images of another source, as it returned them.

    Parameters
    ----------
    source : Source
        The source of the images.
    rows : array of shape (n,)
        Their numbers in that source, which errors name.
    arrays : sequence of n arrays (h, w, c)
        The images that it returned.
    """

    def __init__(self, source: Source, rows: Rows, arrays: Sequence[NDArray[Any]]) -> None:
        self._source, self._rows, self._arrays = source, rows, arrays
        self.n_samples, self.pixels = len(arrays), source.pixels
        self.n_channels, self.n_spatial = source.n_channels, source.n_spatial
        sizes = [array.shape[:-1] for array in arrays]
        self._sizes = np.array(sizes, dtype=np.intp).reshape(-1, self.n_spatial)

    def take(self, rows: Rows) -> list[NDArray[Any]]:
        """Copy each; see `Source.take`."""
        return [np.array(self._arrays[row]) for row in rows.tolist()]

    def view(self, row: int) -> NDArray[Any]:
        """Return the array itself; see `Source.view`."""
        return self._arrays[row]

    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Return the sizes of the arrays; see `Source.sizes`."""
        return self._sizes[rows]

    def dtypes(self, rows: Rows) -> list[np.dtype[Any]]:
        """Return the type of each array; see `Source.dtypes`."""
        return [self._arrays[row].dtype for row in rows.tolist()]

    def name(self, row: int) -> str:
        """Return the name in the original source; see `Source.name`."""
        return self._source.name(int(self._rows[row]))

    def path(self, row: int) -> str | None:
        """Return the path in the original source; see `Source.path`."""
        return self._source.path(int(self._rows[row]))

    def affine(self, row: int) -> NDArray[np.float64] | None:
        """Return the affine in the original source; see `Source.affine`."""
        return self._source.affine(int(self._rows[row]))

    def spacing(self, row: int) -> tuple[float, ...] | None:
        """Return the spacing in the original source; see `Source.spacing`."""
        return self._source.spacing(int(self._rows[row]))
