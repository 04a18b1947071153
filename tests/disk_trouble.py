"""A disk that fails at one of the calls with which a file is written."""

import os
from contextlib import contextmanager

import pytest

from segclf.data import _atomic_write

# In the order in which they come, each for one file.
CALLS = ("open", "write", "flush", "chmod", "fsync", "replace")


@contextmanager
def disk_trouble(code, *, at):
    """Let each call of this name fail; of a write, half of it is done before."""

    def fail(*args, **options):
        raise OSError(code, os.strerror(code))

    class Failing:
        def __init__(self, file):
            self._file = file

        def __getattr__(self, name):
            return fail if name == at else getattr(self._file, name)

        def write(self, content):
            if at == "write":
                self._file.write(content[: len(content) // 2])
                fail()
            return self._file.write(content)

    class System:
        def __getattr__(self, name):
            return fail if name == at else getattr(os, name)

    def opened(*args, **options):
        return fail() if at == "open" else Failing(open(*args, **options))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_atomic_write, "open", opened, raising=False)
        patch.setattr(_atomic_write, "os", System())
        yield
