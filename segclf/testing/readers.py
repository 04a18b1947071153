"""Checks of readers: they read what the header announces and reject damaged files."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segclf.data import atomic_write
from segclf.hookspecs import ImageHeader, Reader
from segclf.testing.report import Check, run_all

_AXES = {"read": ("hwc", "dhwc"), "read_mask": ("hw", "dhw", "khw", "kdhw")}


def check_reader(reader: Any, path: str | os.PathLike[str], *, mask: bool = False) -> None:
    """Check that a reader reads a file as its header announces, and rejects damaged copies.

    Parameters
    ----------
    reader : Reader
        An instance of the class that `load_plugin` returns.
    path : str or path-like
        Path of a file that it can read; the file is not changed.
    mask : bool, default=False
        Whether the file can also be read as a mask.

    Raises
    ------
    ExceptionGroup
        With the error of each failed check and the name of the check.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from segclf.registry import make_plugin
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (32, 24)).save(f"{folder}/a.png")
    ...     check_reader(make_plugin("reader", "raster"), f"{folder}/a.png", mask=True)
    """
    of_file = [check_header_agrees, check_read_twice, check_file_is_left_alone, check_truncated]
    of_file += [check_mask_axes] if mask else []
    checks: list[Check] = [*CHECKS, *(_on(check, Path(path)) for check in of_file)]
    run_all(checks, reader, name=f"{type(reader).__name__} on {os.fspath(path)}")


def check_keeps_the_protocol(reader: Any) -> None:
    """It has the methods of a reader."""
    assert isinstance(reader, Reader), f"{type(reader).__name__} lacks a method of readers"


def check_needs_no_arguments(reader: Any) -> None:
    """It can be created without arguments."""
    assert type(type(reader)()) is type(reader)


def check_can_be_copied(reader: Any) -> None:
    """It can be sent to another process."""
    assert type(deepcopy(reader)) is type(reader)


def check_sniffs_no_noise(reader: Any) -> None:
    """First bytes of another format, or too few bytes, are not taken for a file of its format."""
    for start in (b"", b"\0", b"\0" * 1024, b"text, \n" * 99, _noise(0), _noise(1)):
        assert not reader.sniff(start), f"it takes {start[:20]!r}... for a file of its format"


def check_refuses_an_empty_file(reader: Any) -> None:
    """An empty file raises an error."""
    _assert_refused(reader, b"")


def check_refuses_noise(reader: Any) -> None:
    """A file of another format raises an error."""
    for content in (_noise(0), _noise(1), b"text, \n" * 99):
        _assert_refused(reader, content)


def check_refuses_a_missing_file(reader: Any) -> None:
    """A missing file raises an OSError, or an error that says so."""
    with tempfile.TemporaryDirectory() as folder:
        for read in _reads(reader):
            _raises(partial(read, os.path.join(folder, "nowhere")))


def check_refuses_an_empty_folder(reader: Any) -> None:
    """A folder without a file of its format raises an error."""
    with tempfile.TemporaryDirectory() as folder:
        for read in _reads(reader):
            _raises(partial(read, folder))


def check_header_agrees(reader: Any, path: Path) -> None:
    """The array has the size, channels, type and named axes of the header."""
    header, data = reader.read_header(path), reader.read(path)
    assert isinstance(header, ImageHeader)
    assert data.axes in _AXES["read"], f"axes {data.axes!r}; expected one of {_AXES['read']}"
    depth = () if header.depth is None else (header.depth,)
    expected = (*depth, header.height, header.width, header.n_channels)
    assert data.array.shape == expected, f"shape {data.array.shape}, but its header: {expected}"
    assert data.array.dtype == header.dtype, f"{data.array.dtype}, but its header: {header.dtype}"
    assert header.dtype.kind in "biuf", f"{header.dtype} are no real numbers"
    n_lengths = None if header.spacing is None else len(header.spacing)
    assert n_lengths in (None, len(data.axes) - 1), f"spacing {header.spacing} for {data.axes!r}"
    assert header.affine is None or header.affine.shape == (4, 4)


def check_read_twice(reader: Any, path: Path) -> None:
    """Each read gives a new, writable array with the same pixels."""
    first = reader.read(path).array
    before = first.copy()
    first[...] = 0
    np.testing.assert_array_equal(reader.read(path).array, before)


def check_file_is_left_alone(reader: Any, path: Path) -> None:
    """The file is not changed."""
    before = path.read_bytes()
    reader.read_header(path)
    reader.read(path)
    assert path.read_bytes() == before


def check_truncated(reader: Any, path: Path) -> None:
    """Reading the first half or the first few bytes of a file raises an error."""
    content = path.read_bytes()
    for length in (1, 20, len(content) // 2):
        with _file(content[:length], path.name) as damaged:
            _raises(partial(reader.read, damaged))


def check_mask_axes(reader: Any, path: Path) -> None:
    """A mask has integers and named axes."""
    data = reader.read_mask(path)
    assert data.axes in _AXES["read_mask"], f"axes {data.axes!r} of {_AXES['read_mask']}"
    assert len(data.array.shape) == len(data.axes)
    assert data.array.dtype.kind in "biuf"


CHECKS: tuple[Check, ...] = (
    check_keeps_the_protocol,
    check_needs_no_arguments,
    check_can_be_copied,
    check_sniffs_no_noise,
    check_refuses_an_empty_file,
    check_refuses_noise,
    check_refuses_a_missing_file,
    check_refuses_an_empty_folder,
)


def _on(check: Callable[[Any, Path], None], path: Path) -> Check:
    def of_reader(reader: Any) -> None:
        check(reader, path)

    of_reader.__name__ = check.__name__
    return of_reader


def _reads(reader: Any) -> Iterator[Callable[[Any], Any]]:
    yield from (reader.read_header, reader.read, reader.read_mask)


def _assert_refused(reader: Any, content: bytes) -> None:
    with _file(content, "damaged") as path:
        for read in _reads(reader):
            _raises(partial(read, path))


def _raises(call: Callable[[], Any]) -> None:
    try:
        result = call()
    except Exception:
        return
    raise AssertionError(f"no error, but {str(result)[:200]}")


def _noise(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(1024)


@contextmanager
def _file(content: bytes, name: str) -> Iterator[Path]:
    """Write a file that exists within the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        atomic_write(path, content, sync=False)
        yield path
