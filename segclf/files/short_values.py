"""A file that refuses to return long values, for an interpreter that believes no length."""

from typing import BinaryIO

# Maximum length of one value, in bytes.
LONGEST = 1_000_000
LONGEST_NAME = 1000


class ShortValues:
    """A file from which values of limited length are read.

    Parameters
    ----------
    file : file
        Opened in binary mode.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes; ValueError if they are too many."""
        if n_bytes > LONGEST:
            raise ValueError(f"it holds a value of {n_bytes} bytes")
        return self._file.read(n_bytes)

    def readline(self) -> bytes:
        """Return the next line, or the start of a long one."""
        return self._file.readline(LONGEST_NAME)
