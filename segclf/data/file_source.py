"""Images in files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.opened_source import OpenedSource
from segclf.data.readers import read_image, read_image_header

__all__ = ["FileSource"]


class FileSource(OpenedSource):
    """Image files, decoded as they are taken.

    Parameters
    ----------
    paths : sequence of str
    n_channels : int or None
        See `OpenedSource`.
    """

    def __init__(self, paths: Sequence[str], n_channels: int | None) -> None:
        self._paths = paths
        super().__init__(len(paths), n_channels)

    def header(self, row: int) -> tuple[int, int, int, np.dtype[Any]]:
        """Read it; see `OpenedSource.header`."""
        header = read_image_header(self._paths[row])
        return header.height, header.width, header.n_channels, header.dtype

    def open(self, row: int) -> NDArray[Any]:
        """Decode the file; see `OpenedSource.open`."""
        return read_image(self._paths[row])

    def name(self, row: int) -> str:
        """Give the path, too; see `Source.name`."""
        return f"Image {row} ({self._paths[row]!r})"
