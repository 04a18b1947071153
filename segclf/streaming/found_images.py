"""Find the images that a command line names."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence

from segclf.data import ParquetImages, PathImages, StoredImages, TarImages
from segclf.data.found_readers import has_known_suffix

_MANY = {".tar": TarImages, ".parquet": ParquetImages}
_LISTS = (".txt", ".lst", ".list")


def open_images(names: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> StoredImages:
    """Find images by the names of folders, patterns or files.

    Parameters
    ----------
    names : str or path-like, or sequence of them
        A folder, including its subfolders; a pattern such as ``"scans/*.png"``; a text file
        (``.txt``, ``.lst``) of paths or URLs; images, tar archives or Parquet files, or their URLs.
        Several names must be of one kind.

    Returns
    -------
    StoredImages
        For folders and patterns in the order of the file names, otherwise in the order given.

    Raises
    ------
    ValueError
        If there is no image, or kinds are mixed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from segclf.streaming import open_images
    >>> Path("scans").mkdir()
    >>> for name in ("1.png", "2.png"):
    ...     Path("scans", name).touch()
    >>> len(open_images("scans"))
    2
    """
    given = [names] if isinstance(names, str | os.PathLike) else list(names)
    found = [name for each in given for name in _expanded(os.fspath(each))]
    suffixes = {os.path.splitext(name)[1].lower() for name in found}
    kinds = {suffix if suffix in (*_MANY, *_LISTS) else "image" for suffix in suffixes}
    if len(kinds) != 1:
        what = f"a mixture of {', '.join(sorted(kinds))}" if kinds else "no image"
        raise ValueError(f"{_listed(given)}: {what}; expected {_EXPECTED}.")
    (kind,) = kinds
    if kind in _MANY:
        return _MANY[kind](found)
    if kind == "image":
        return PathImages(found)
    if len(found) > 1:
        raise ValueError(f"{_listed(given)}: several lists of paths; expected one.")
    return PathImages(found[0])


_EXPECTED = (
    "images, or a folder or a pattern of such, a text file of paths, tar archives, or Parquet files"
)


def _expanded(name: str) -> list[str]:
    """List the files that a name stands for: itself, unless it is a folder or a pattern."""
    if os.path.isdir(name):
        return sorted(_files_below(name))
    if glob.has_magic(name) and not os.path.lexists(name):
        return sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
    return [name]


def _files_below(folder: str) -> list[str]:
    """List images; if a folder has none, tar archives and Parquet files."""
    files = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]
    files = [path for path in files if not os.path.basename(path).startswith(".")]
    images = [path for path in files if has_known_suffix(path)]
    return images or [path for path in files if os.path.splitext(path)[1].lower() in _MANY]


def _listed(names: Sequence[str | os.PathLike[str]]) -> str:
    shown = ", ".join(repr(os.fspath(name)) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
