"""Open regular files only: reading a pipe or a device may never end."""

import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: str | Path) -> BufferedReader:
    """Open a file for reading, if it is a regular file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    file
        Opened in binary mode.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be opened.
    ValueError
        If it is a folder, a pipe or a device. It does not wait for the other end of a pipe.

    Examples
    --------
    >>> from pathlib import Path
    >>> from segclf.files import open_regular
    >>> _ = Path("a.txt").write_text("abc")
    >>> with open_regular("a.txt") as file:
    ...     file.read()
    b'abc'
    """
    if os.path.isdir(path):  # Windows would not open it
        raise ValueError("it is not a regular file")
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is not a regular file")
    return open(descriptor, "rb")


def require_inside(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Check that no link leads out of a folder: files elsewhere must not be changed.

    Parameters
    ----------
    path : str or path-like
        What will be written or removed.
    folder : str or path-like
        The folder that it belongs to.

    Raises
    ------
    OSError
        If a link does.

    Examples
    --------
    >>> from segclf.files import require_inside
    >>> require_inside("folder/file", "folder")
    """
    root, place = os.path.realpath(folder), os.path.realpath(path)
    if not place.startswith(os.path.join(root, "")):
        raise OSError(f"{path} leads out of {folder}")
