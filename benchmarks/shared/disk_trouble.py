"""A disk that fails at one of the calls with which a file is written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest.mock import patch

from segclf.data import _atomic_write

# In the order in which they come, each for one file; an open file is changed only where it replaces
# another.
CALLS = ("open", "write", "flush", "chmod", "fsync", "replace")


@contextmanager
def disk_trouble(code: int, *, at: str) -> Iterator[None]:
    """Let each call of this name fail; of a write, half of it is done before."""

    def fail(*args: Any, **options: Any) -> NoReturn:
        raise OSError(code, os.strerror(code))

    class Failing:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            return fail if name == at else getattr(self._file, name)

        def write(self, content: bytes) -> Any:
            if at == "write":
                self._file.write(content[: len(content) // 2])
                fail()
            return self._file.write(content)

    class System:
        def __getattr__(self, name: str) -> Any:
            return fail if name == at else getattr(os, name)

    def opened(*args: Any, **options: Any) -> Any:
        return fail() if at == "open" else Failing(open(*args, **options))

    with (
        patch.object(_atomic_write, "open", opened, create=True),
        patch.object(_atomic_write, "os", System()),
    ):
        yield
