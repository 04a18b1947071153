"""Bytes of local files and of URLs; packages for URLs are imported when one is read."""

from __future__ import annotations

import os
import re
from typing import IO, Any, cast

__all__ = ["is_url", "open_location", "read_location", "size_of_location"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(name: str) -> bool:
    """Tell a URL, such as ``"s3://bucket/a.png"``, from a path.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_url("s3://bucket/a.png"), is_url("folder/a.png"), is_url("C:/a.png")
    (True, False, False)
    """
    return _URL.match(name) is not None


def open_location(name: str) -> IO[bytes]:
    """Open a file or a URL for reading, from any position.

    Parameters
    ----------
    name : str

    Returns
    -------
    binary file
    """
    if not is_url(name):
        return open(name, "rb")
    system, path = _file_system(name)
    return cast(IO[bytes], system.open(path, "rb"))


def read_location(name: str, start: int = 0, n_bytes: int | None = None) -> bytes:
    """Read a file or a URL, or a part of it.

    Parameters
    ----------
    name : str
    start, n_bytes : int
        Start and length of the part; None reads to the end.

    Returns
    -------
    bytes
        Fewer if the file ends earlier.

    Raises
    ------
    ImportError
        For a URL, if the packages that read it are missing.
    """
    if is_url(name):
        system, path = _file_system(name)
        end = None if n_bytes is None else start + n_bytes
        return cast(bytes, system.cat_file(path, start=start or None, end=end))
    with open(name, "rb") as file:
        file.seek(start)
        return file.read(-1 if n_bytes is None else n_bytes)


def size_of_location(name: str) -> int:
    """Return the number of bytes of a file or URL.

    Parameters
    ----------
    name : str

    Returns
    -------
    int
    """
    if not is_url(name):
        return os.stat(name).st_size
    system, path = _file_system(name)
    return int(system.size(path))


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        return cast(tuple[Any, str], url_to_fs(url))
    except ImportError as error:
        raise ImportError(
            f"Reading {url!r} needs a package that is not installed ({error}): "
            "pip install 'segclf[remote]'"
        ) from error
