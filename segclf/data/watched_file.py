"""Detect files that change during a fit, in which they are read repeatedly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

from segclf.data.channel_files import channel_files
from segclf.data.found_readers import split_slice

__all__ = ["WatchedFile", "watched_files"]

_Result = TypeVar("_Result")
_WATCHED: ContextVar[dict[str, _Seen | None] | None] = ContextVar("watched", default=None)


@contextmanager
def watched_files() -> Iterator[None]:
    """Within this context, or the decorated function, files must not change once seen.

    Otherwise each fit that is part of another one looks at files anew; here they are the same for
    all.

    Examples
    --------
    >>> from segclf.data import watched_files
    >>> with watched_files():
    ...     pass  # fits, in which a file that changes is an error
    """
    token = _WATCHED.set({}) if _WATCHED.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _WATCHED.reset(token)


class WatchedFile(os.PathLike[str]):
    """A file that must not change after it was first seen.

    Each time it is read, its size, its modification time and its location on disk are compared with
    the first ones. A file that is rewritten with the same size within the clock resolution of the
    file system, some milliseconds, looks unchanged.

    Parameters
    ----------
    path : path
    """

    __slots__ = ("_path", "_seen")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = str(os.fspath(path))
        watched = _WATCHED.get()
        now = _look(self._path)
        self._seen = now if watched is None else watched.setdefault(self._path, now)

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> WatchedFile:
        """Return the file as one that is watched from now on, unless it is already."""
        return path if isinstance(path, cls) else cls(path)

    def __fspath__(self) -> str:
        """Return the path, so that the object can be used in its place."""
        return self._path

    def read(self, read: Callable[[str], _Result]) -> _Result:
        """Return the result of a function that reads the file.

        Raises
        ------
        ValueError
            If the file changed; the message says how. Otherwise whatever the function raises.
        """
        try:
            result = read(self._path)
        except (OSError, ValueError) as error:
            self._require_same(error)
            raise
        self._require_same()
        return result

    def _require_same(self, error: Exception | None = None) -> None:
        now = _look(self._path)
        if now != self._seen:
            raise ValueError(
                f"{self._path!r} changed after it was first read: "
                f"{_difference(self._seen, now)}. Do not change files until fit or predict is "
                "done, and call it again."
            ) from error


class _Seen(NamedTuple):
    n_bytes: int
    changed: int
    inode: int


def _look(path: str) -> _Seen | None:
    """Return what identifies the current content of a file; None if it does not exist."""
    name = split_slice(path)[0]
    try:
        found = [os.stat(each) for each in channel_files(name) or [name]]
    except OSError:
        return None
    return _Seen(
        sum(each.st_size for each in found),
        max(each.st_mtime_ns for each in found),
        sum(each.st_ino for each in found),
    )


def _difference(before: _Seen | None, now: _Seen | None) -> str:
    if before is None or now is None:
        return "it was removed" if now is None else "it was not there"
    what = "another file has its name" if before.inode != now.inode else "it was written to"
    if before.n_bytes != now.n_bytes:
        return f"{what}, it had {before.n_bytes:,} bytes and has {now.n_bytes:,}"
    return what
