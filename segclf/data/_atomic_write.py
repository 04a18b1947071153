"""Write a file whole or not at all: every file that segclf writes goes through here."""

import errno
import hashlib
import os
import platform
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows, where open files can be neither moved nor removed
    flock = None  # type: ignore[assignment]

__all__ = ["atomic_write"]


def atomic_write(
    path: str | os.PathLike[str], content: bytes | Iterable[bytes], *, sync: bool = True
) -> None:
    """Write a temporary file beside the target, flush it to disk, and move it into place.

    A reader finds the old file or the new one, never a part, whatever happens meanwhile: an error,
    a full disk, the end of the process or of the machine. A replaced file keeps its mode bits; if
    the path is a symbolic link, its target is replaced. What an earlier process of this machine
    left of the same file when it was killed is removed.

    Parameters
    ----------
    path : path
        The file; its folder must exist.
    content : bytes, or iterable of bytes
        Written part by part.
    sync : bool
        Whether to wait until the data are on disk. If False, a power failure may leave a file of
        the right size with wrong content; the end of a process never does.

    Raises
    ------
    OSError
        If the file cannot be written: the folder is missing or not writable, the disk is full, or
        the file is read-only or not a regular file. The message names the file and the number of
        bytes needed. The old file stays unchanged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(f"{folder}/notes.txt", b"all of it")
    ...     os.listdir(folder)
    ['notes.txt']
    """
    parts, n_bytes = ([content], len(content)) if isinstance(content, bytes) else (content, 0)
    partial = _Partial(path, n_bytes)
    try:
        for part in parts:
            partial.write(part)
        partial.move(sync=sync)
    finally:
        partial.close()


class _Partial:
    """The temporary file, until it is moved into place.

    Its process holds a lock on it, which ends with the process in any case.
    """

    def __init__(self, path: str | os.PathLike[str], n_bytes: int) -> None:
        self._path, self._n_bytes, self._written = path, n_bytes, 0
        self._target = os.path.realpath(path)
        with self._named():
            self._mode = _mode_of(self._target)
            _remove_orphans(self._target)
            self._name, self._file = _create(self._target, self._mode)

    def write(self, part: bytes) -> None:
        self._written += len(part)
        with self._named():
            self._file.write(part)

    def move(self, *, sync: bool) -> None:
        with self._named():
            self._file.flush()
            if self._mode is not None:
                os.chmod(self._name, self._mode)
            if sync:
                os.fsync(self._file.fileno())
            if flock is None:
                self._file.close()
            os.replace(self._name, self._target)
        with suppress(OSError):  # the file is in place; not every file system syncs folders
            if sync:
                _sync(os.path.dirname(self._target))

    def close(self) -> None:
        """Remove the temporary file; after `move` there is none."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._name)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            code = error.errno or errno.EIO
            text = "; ".join([error.strerror or str(error), *self._reasons(code)])
            raise OSError(code, text, os.fspath(self._path)) from error

    def _reasons(self, code: int) -> Iterator[str]:
        folder = os.path.dirname(self._target)
        if not os.path.isdir(folder):
            yield f"there is no folder {folder!r}, create it first"
        elif code in (errno.EACCES, errno.EPERM) and not os.access(folder, os.W_OK):
            yield f"the folder {folder!r} is not writable, and new files are moved into it"
        n_bytes = max(self._n_bytes, self._written)
        if n_bytes:
            yield f"{'' if self._n_bytes else 'more than '}{n_bytes:,} bytes are needed"
        if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            with suppress(OSError):
                yield f"{shutil.disk_usage(folder).free:,} bytes are free"


def _mode_of(target: str) -> int | None:
    """Return the mode bits of a file that may be replaced, or None if there is no file."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, expected a file name")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file, and is not replaced")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    return stat.S_IMODE(mode)


def _create(target: str, mode: int | None) -> tuple[str, IO[bytes]]:
    """Open a new file beside its place, with a lock on it."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o666 if mode is None else mode & 0o777)

    while True:
        name = f"{_prefix(target)}{os.getpid()}-{secrets.token_hex(8)}"
        file = open(name, "xb", opener=opener)  # noqa: SIM115 (until `close`)
        if flock is not None:
            with suppress(OSError):  # file systems without locks
                flock(file, LOCK_EX)
        if os.path.exists(name):  # else it was removed as an orphan before it was locked
            return name, file
        file.close()


def _prefix(target: str) -> str:
    """Return the prefix of temporary names for a file, of the same length for any name.

    Each machine has its own prefix: on a shared file system, a lock may be visible only to the
    machine that holds it, so no other machine can tell what is an orphan.
    """
    folder, name = os.path.split(target)
    written = os.fsencode(f"{platform.node()}/{name}")
    digest = hashlib.sha1(written, usedforsecurity=False).hexdigest()[:16]
    return os.path.join(folder, f".segclf-{digest}-")


def _remove_orphans(target: str) -> None:
    """Remove temporary files of ended processes of this machine for this file."""
    folder, start = os.path.split(_prefix(target))
    with suppress(OSError):  # a writable folder may not be listable
        for name in [name for name in os.listdir(folder) if name.startswith(start)]:
            with suppress(OSError):  # it is locked, or another process was faster
                _remove_orphan(os.path.join(folder, name))


def _remove_orphan(path: str) -> None:
    if flock is None:
        os.unlink(path)
    elif stat.S_ISREG(os.lstat(path).st_mode):
        with open(path, "r+b") as file:
            flock(file, LOCK_EX | LOCK_NB)
            os.unlink(path)


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
