"""Opens regular files only: a pipe or a device may never end."""

import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: str | Path) -> BufferedReader:
    """Open a file for reading, if it is one.

    Raises
    ------
    OSError
        When there is no such file, or it cannot be opened.
    ValueError
        When it is a folder, a pipe or a device. Nothing waits for the other end of a pipe.
    """
    if os.path.isdir(path):  # Windows would not open it
        raise ValueError("it is no regular file")
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is no regular file")
    return open(descriptor, "rb")


def require_inside(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Check that no link leads out of a folder: what lies elsewhere is not ours to change.

    Raises
    ------
    OSError
        Where one does.
    """
    root, place = os.path.realpath(folder), os.path.realpath(path)
    if not place.startswith(os.path.join(root, "")):
        raise OSError(f"{path} leads out of {folder}")
