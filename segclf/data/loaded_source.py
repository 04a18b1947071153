"""Images that somebody read before: arrays in memory, which keep their numbers and their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.sources import Rows, Source

__all__ = ["LoadedSource"]


class LoadedSource(Source):
    """Some images of another source, as it gave them.

    Parameters
    ----------
    source : Source
        Where they come from.
    rows : array of shape (n,)
        Their numbers there, which errors give.
    arrays : sequence of n arrays (h, w, c)
        What it gave.
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
        """Give the array itself; see `Source.view`."""
        return self._arrays[row]

    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Look them up; see `Source.sizes`."""
        return self._sizes[rows]

    def dtypes(self, rows: Rows) -> list[np.dtype[Any]]:
        """Ask each; see `Source.dtypes`."""
        return [self._arrays[row].dtype for row in rows.tolist()]

    def name(self, row: int) -> str:
        """Ask where it comes from; see `Source.name`."""
        return self._source.name(int(self._rows[row]))

    def path(self, row: int) -> str | None:
        """Ask where it comes from; see `Source.path`."""
        return self._source.path(int(self._rows[row]))

    def affine(self, row: int) -> NDArray[np.float64] | None:
        """Ask where it comes from; see `Source.affine`."""
        return self._source.affine(int(self._rows[row]))

    def spacing(self, row: int) -> tuple[float, ...] | None:
        """Ask where it comes from; see `Source.spacing`."""
        return self._source.spacing(int(self._rows[row]))
