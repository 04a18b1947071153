"""A folder of files that can be made again, so disk errors never end a fit."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Self

from safetensors import SafetensorError

from segclf.data._atomic_write import atomic_write
from segclf.files import require_inside

__all__ = ["KeptFilesWarning", "KeptFolder"]


# Folders for which a warning was given that they are not writable.
_TOLD: set[Path] = set()


class KeptFilesWarning(UserWarning):
    """Files that would save later work cannot be written; the fit continues without them."""


class KeptFolder:
    """Stores files until one cannot be written; then it warns once, and the fit continues.

    Another object for the same folder, as the next fit has, tries again.

    Parameters
    ----------
    path : path
        The folder, created when it is first needed.

    Examples
    --------
    >>> from segclf.data import KeptFolder
    >>> folder = KeptFolder("kept")
    >>> folder.keep("0a1b", lambda: b"abc")
    >>> folder.file("0a1b").read_bytes()
    b'abc'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._whole: KeptFolder = self
        self._writes = True

    def __repr__(self) -> str:
        return f"KeptFolder({str(self.path)!r})"

    def below(self, name: str | os.PathLike[str]) -> Self:
        """Return a subfolder; if any of them is not writable, none is used any more."""
        inner = type(self)(self.path / name)
        inner._whole = self._whole
        return inner

    def keep(self, name: str, content: Callable[[], bytes], *, sync: bool = True) -> None:
        """Write a file, unless writing has failed before.

        Parameters
        ----------
        name : str
            Name of the file, which is in a folder named by its first two letters: see `file`.
        content : callable
            Returns the bytes. It raises a TypeError if they cannot be made.
        sync : bool
            See `atomic_write`.
        """
        if not (self._writes and self._whole._writes):
            return
        path = self.file(name)
        try:
            require_inside(path, self._whole.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, content(), sync=sync)
        except (OSError, SafetensorError, TypeError) as error:
            stopped = self if isinstance(error, TypeError) else self._whole
            stopped._writes = False
            self._tell(error)
        else:
            _TOLD.discard(self._whole.path)

    def _tell(self, error: Exception) -> None:
        """Warn once for all fits, until a file is stored again."""
        if self._whole.path not in _TOLD:
            _TOLD.add(self._whole.path)
            known = isinstance(error, OSError) and error.errno
            reason = os.strerror(known) if known else error
            warnings.warn(
                f"No more files are stored in {self._whole.path}: {reason}",
                KeptFilesWarning,
                stacklevel=3,
            )

    def file(self, name: str) -> Path:
        """Return where a file is, or would be."""
        return self.path / name[:2] / name[2:]
