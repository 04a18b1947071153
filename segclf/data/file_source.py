"""Images in files: opened when they are asked for, one at a time, never kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.arrays import require_finite
from segclf.data.readers import read_image, read_size
from segclf.data.sources import Rows, Source

__all__ = ["FileSource"]


class FileSource(Source):
    """Image files, decoded as they are taken and never kept.

    Parameters
    ----------
    paths : sequence of str
    n_channels : int or None
        None for that of the first file.
    """

    def __init__(self, paths: Sequence[str], n_channels: int | None) -> None:
        self._paths = paths
        self._sizes = np.full((len(paths), 2), -1, dtype=np.intp)
        self._asked = n_channels is not None
        self.n_samples = len(paths)
        self.n_channels = self._header(0)[2] if n_channels is None else n_channels

    def take(self, rows: Rows) -> list[NDArray[Any]]:
        """Decode each; see `Source.take`."""
        return [self._read(row) for row in rows.tolist()]

    def sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Read the headers that were not yet read; see `Source.sizes`."""
        for row in rows[self._sizes[rows, 0] < 0].tolist():
            height, width, n_channels = self._header(row)
            self._require_channels(n_channels, row)
            self._sizes[row] = height, width
        return self._sizes[rows]

    def known_sizes(self, rows: Rows) -> NDArray[np.intp]:
        """Those whose headers were read; see `Source.known_sizes`."""
        return self._sizes[rows]

    def _header(self, row: int) -> tuple[int, int, int]:
        try:
            return read_size(self._paths[row])
        except (OSError, ValueError) as error:
            raise ValueError(f"Image {row}: {error}") from error

    def _read(self, row: int) -> NDArray[Any]:
        path = self._paths[row]
        try:
            image = read_image(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"Image {row}: {error}") from error
        require_finite(image[None], np.array([f"{row} ({path!r})"]), "Image")
        self._require_channels(image.shape[2], row)
        if image.shape[2] < self.n_channels:
            return np.repeat(image, self.n_channels, axis=2)
        return image

    def _require_channels(self, n_channels: int, row: int) -> None:
        if n_channels == self.n_channels or (n_channels == 1 and self.n_channels == 3):
            return
        if self._asked:
            reason = f"{self.n_channels} were asked for (n_channels={self.n_channels})"
        else:
            reason = f"image 0 ({self._paths[0]!r}) has {self.n_channels}"
        raise ValueError(
            f"Image {row} ({self._paths[row]!r}) has {n_channels} channels, but {reason}. "
            "Only gray files among RGB ones are brought in line (repeated to 3 channels)."
        )
