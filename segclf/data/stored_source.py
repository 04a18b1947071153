"""The source of stored images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from segclf.data.opened_source import OpenedSource
from segclf.data.stored_images import StoredImages
from segclf.data.watched_file import WatchedFile

__all__ = ["StoredSource"]

_Result = TypeVar("_Result")


class StoredSource(OpenedSource):
    """Stored images, decoded when they are taken.

    A file whose header was read must not change afterwards. If no headers are needed, as in
    prediction, each image is read once.

    Parameters
    ----------
    images : StoredImages
    n_channels : int or None
        See `OpenedSource`.
    """

    sizes_first = False

    def __init__(self, images: StoredImages, n_channels: int | None) -> None:
        self._images = images
        self._files: dict[str, WatchedFile] = {}
        super().__init__(len(images), n_channels)

    def header(self, row: int) -> tuple[tuple[int, ...], int, np.dtype[Any]]:
        """Read the header; see `OpenedSource.header`."""
        file = self._images.file(row)
        if file is not None and file not in self._files:
            self._files[file] = WatchedFile(file)
        header = self._unchanged(row, self._images.header)
        return (header.height, header.width), header.n_channels, header.dtype

    def open(self, row: int) -> NDArray[Any]:
        """Decode the image; see `OpenedSource.open`."""
        return self._unchanged(row, self._images.__getitem__)

    def path(self, row: int) -> str | None:
        """Return the file that is the image; see `Source.path`."""
        return self._images.path(row)

    def name(self, row: int) -> str:
        """Return the name with the key; see `Source.name`."""
        return f"Image {row} ({self._images.key(row)!r})"

    def _unchanged(self, row: int, read: Callable[[int], _Result]) -> _Result:
        watched = self._files.get(self._images.file(row) or "") if self._files else None
        return read(row) if watched is None else watched.read(lambda _: read(row))
