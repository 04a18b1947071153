"""Images in files whose paths are in a list, in memory or in a text file."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.data.locations import is_url, read_location
from segclf.data.readers import read_image, read_image_header
from segclf.data.stored_images import StoredImages
from segclf.data.watched_file import WatchedFile
from segclf.hookspecs import ImageHeader

__all__ = ["PathImages"]

_MARK = b"\xef\xbb\xbf"  # some editors put it before the first line


class PathImages(StoredImages):
    """Images whose paths or URLs are in a list, or in a text file, one per line.

    No file is opened before its image is taken, so a missing file raises an error only then. A list
    of paths as ``X``, by contrast, is checked at once.

    Parameters
    ----------
    paths : str or path-like, or sequence of them
        The text file, or the paths themselves. Blank lines are ignored; relative paths start at the
        current folder. URLs, such as ``s3://bucket/a.png``, need ``segclf[remote]``.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("images.txt").write_text("a.png\\nb.png\\n")
    >>> images = PathImages("images.txt")
    >>> len(images), images[1:].key(0)
    (2, 'b.png')
    """

    def __init__(self, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> None:
        self._list: WatchedFile | list[str]
        if isinstance(paths, str | os.PathLike):
            self._list, self._starts = WatchedFile(paths), _line_starts(os.fspath(paths))
            super().__init__(len(self._starts))
        else:
            self._list = [os.fspath(path) for path in paths]
            super().__init__(len(self._list))

    def path(self, index: int) -> str | None:
        """Return the path of the file; None for a URL."""
        return self.file(index)

    def _key(self, row: int) -> str:
        if isinstance(self._list, list):
            return self._list[row]
        start = int(self._starts[row])
        return os.fsdecode(self._list.read(lambda path: _line(path, start)))

    def _file(self, row: int) -> str | None:
        key = self._key(row)
        return None if is_url(key) else key

    def _bytes(self, row: int) -> bytes:
        return read_location(self._key(row))

    def _header(self, row: int) -> ImageHeader:
        key = self._key(row)
        return super()._header(row) if is_url(key) else read_image_header(key)

    def _image(self, row: int) -> NDArray[Any]:
        key = self._key(row)
        return super()._image(row) if is_url(key) else read_image(key)


def _line_starts(path: str) -> NDArray[np.int64]:
    """Return the positions of the lines that are not blank."""
    starts, position = array("q"), 0
    with open(path, "rb") as file:
        for line in file:
            if line.removeprefix(_MARK).strip():
                starts.append(position)
            position += len(line)
    return np.array(starts, dtype=np.int64)


def _line(path: str, start: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.readline().removeprefix(_MARK).strip()
