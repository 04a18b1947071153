"""Images in tar archives, found by an index of their positions."""

from __future__ import annotations

import os
import tarfile
from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from segclf.data.locations import is_url, open_location, read_location, size_of_location
from segclf.data.stored_images import StoredImages

__all__ = ["TarImages"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".pbm", ".pgm", ".ppm")


class TarImages(StoredImages):
    """Images in tar archives, as written by WebDataset and others, read in any order.

    The headers of the archives are read once, to build an index of the images. Nothing is
    extracted: names are keys, not paths. Links, devices and members without an image suffix are
    left out.

    Parameters
    ----------
    paths : str or path-like, or sequence of them
        The archives, not compressed; or their URLs, which need ``segclf[remote]``. Images are in
        their order, and within an archive in its own order.

    Raises
    ------
    ValueError
        For an archive that is damaged, truncated or compressed.

    Examples
    --------
    >>> from segclf.data import TarImages
    >>> images = TarImages(["shard-000.tar", "shard-001.tar"])  # doctest: +SKIP
    >>> images[np.arange(10)].key(0)  # doctest: +SKIP
    'shard-000.tar/00001.png'
    """

    def __init__(self, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> None:
        given = [paths] if isinstance(paths, str | os.PathLike) else paths
        self._archives = [os.fspath(path) for path in given]
        index = _Index()
        for number, path in enumerate(self._archives):
            index.add(number, path)
        self._archive, self._starts, self._sizes, self._ends = map(np.array, index.columns)
        self._names = bytes(index.names)
        super().__init__(len(self._archive))

    def _key(self, row: int) -> str:
        start = 0 if row == 0 else int(self._ends[row - 1])
        name = os.fsdecode(self._names[start : int(self._ends[row])])
        return f"{self._archives[self._archive[row]]}/{name}"

    def _file(self, row: int) -> str | None:
        path = self._archives[self._archive[row]]
        return None if is_url(path) else path

    def _bytes(self, row: int) -> bytes:
        path, n_bytes = self._archives[self._archive[row]], int(self._sizes[row])
        data = read_location(path, int(self._starts[row]), n_bytes)
        if len(data) != n_bytes:
            raise ValueError(f"the archive ends after {len(data)} of its {n_bytes} bytes")
        return data


class _Index:
    """Archive, start and size of each image, the end of its name in all names, and these names."""

    def __init__(self) -> None:
        self.columns = tuple(array("q") for _ in range(4))
        self.names = bytearray()

    def add(self, number: int, path: str) -> None:
        try:
            for member in _members(path):
                self.names += os.fsencode(member.name)
                row = (number, member.offset_data, member.size, len(self.names))
                for column, value in zip(self.columns, row, strict=True):
                    column.append(value)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(
                f"Cannot read {path!r}: {error}. Expected a tar archive that is not compressed."
            ) from error


def _members(path: str) -> Iterator[tarfile.TarInfo]:
    """Yield the images; refuse members that are not contiguous, or extend beyond the end."""
    n_bytes, position = size_of_location(path), -1
    with open_location(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined] # it would grow
            end = member.offset_data + member.size
            if member.offset <= position or member.size < 0 or (member.isreg() and end > n_bytes):
                raise ValueError(f"its member {member.name!r:.80} is damaged or truncated")
            position = member.offset
            if _is_image(member):
                yield member
    if any(read_location(path, archive.offset, tarfile.BLOCKSIZE)):
        raise ValueError(f"the archive is damaged or truncated after byte {archive.offset}")


def _is_image(member: tarfile.TarInfo) -> bool:
    return member.isreg() and not member.issparse() and member.name.lower().endswith(_SUFFIXES)
